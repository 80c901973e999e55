"""A delivery as a task: the same on threads, on other processes and on a Dask cluster, with and without a store."""

from __future__ import annotations

import json
import os
import pickle
import signal
import uuid
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pytest

from runner.delivery.clip_delivery import ClipDelivery
from runner.delivery.dask_executor import DaskExecutor, call_key, open_cluster
from runner.delivery.looks import Found
from runner.delivery.place import RunPlace
from runner.delivery.ports import ClipStore, NotDoneThere
from runner.delivery.task import KEEP_LOCAL, DeliveryTask, deliver
from runner.domain.api_answers import FetchAnswer, FetchTrouble
from runner.domain.errors import StoreRefused
from runner.domain.preview_names import preview_names
from runner.domain.shots import Ticket
from runner.domain.states import Delivered, TakeState
from runner.domain.store_address import StoreAddress
from runner.domain.token_leaks import TOKEN_VARIABLES
from runner.media.clips.clip_fetch import ClipFetch
from runner.media.clips.download import OVERLAP_BYTES
from runner.media.clips.fetch import FetchOptions
from runner.object_store.store import ObjectStore, open_store
from runner.system.daemon_executor import DaemonExecutor
from runner.video.testing import PLAIN
from tests.integration.fake_clip_store import POISON, FakeClipStore, fake_inspector
from tests.integration.test_delivery_server import RawServer, body, cut, film, raw_server, status
from tests.integration.test_delivery_server import store as store_of
from tests.outside.s3_server import S3Server

FILM = film(20_000, fill=Random(1).randbytes(20_000))
OTHER = film(20_000, fill=Random(2).randbytes(20_000))
TOKEN = "rc-0123456789-of-the-account"
SOON = 60.0


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server


@pytest.fixture(scope="module")
def cluster(s3_server: S3Server) -> Iterator[DaskExecutor]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        patch.setenv(TOKEN_VARIABLES[0], TOKEN)
        executor = open_cluster("", key_of=lambda *parts: call_key([repr(part) for part in parts]))
    yield executor
    executor.shutdown(wait=False)


@pytest.fixture(scope="module")
def processes(s3_server: S3Server) -> Iterator[Executor]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            # All its processes are begun now, as long as the environment is that of the store.
            list(pool.map(os.path.exists, ["/"] * 4))
            yield pool


@pytest.fixture(
    params=[
        "threads",
        pytest.param("processes", marks=pytest.mark.slow),
        pytest.param("dask", marks=pytest.mark.slow),
    ]
)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "threads":
        pool = DaemonExecutor(4, name="fetch")
        yield pool
        pool.shutdown(wait=False)
    else:
        yield request.getfixturevalue("cluster" if request.param == "dask" else "processes")


@pytest.fixture(params=["no store", "fake", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ClipStore | None:
    if request.param == "no store":
        return None
    if request.param == "fake":
        return FakeClipStore(tmp_path / "store")
    request.getfixturevalue("s3")
    return open_store(StoreAddress(f"s3://clips/{uuid.uuid4().hex}"))


def names_in(store: ClipStore | None, run: Path) -> set[str]:
    if isinstance(store, FakeClipStore):
        return store.names()
    if isinstance(store, ObjectStore):
        return set(store.sizes())
    return {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}


def read(store: ClipStore | None, run: Path, name: str) -> bytes:
    return (run / name).read_bytes() if store is None else store.read(name)


@pytest.fixture
def fake(tmp_path: Path) -> FakeClipStore:
    return FakeClipStore(tmp_path / "store")


@dataclass
class Stage:
    """A run's folder, its task, and what was noted of looks."""

    executor: Executor
    task: DeliveryTask
    noted: list[Found] = field(default_factory=list)

    @property
    def run(self) -> Path:
        return self.task.source.folder

    def fetch(self, ticket: Ticket) -> FetchAnswer:
        return (
            ClipDelivery(self.executor, self.task, note=self.noted.append).fetch(ticket).result(timeout=SOON)
        )

    def names(self) -> set[str]:
        return names_in(self.task.store, self.run)

    def local(self) -> set[str]:
        return names_in(None, self.run)


@pytest.fixture
def stage(tmp_path: Path, executor: Executor, store: ClipStore | None) -> Stage:
    return stage_in(tmp_path / "run", executor, store)


@pytest.fixture
def faked(tmp_path: Path, executor: Executor, fake: FakeClipStore) -> Stage:
    return stage_in(tmp_path / "run", executor, fake)


def stage_in(run: Path, executor: Executor, store: ClipStore | None) -> Stage:
    run.mkdir()
    options = FetchOptions(run_dir=run, allow_loopback=True, deadline_s=5, spare_bytes=0)
    return Stage(executor, DeliveryTask(ClipFetch(options), store, inspector=fake_inspector))


def ticket(*links: str, take: str = "s010", request_id: str = "req-1") -> Ticket:
    return Ticket(take, "m", '{"seed":7}', "f", TakeState.SUCCEEDED, request_id=request_id, outputs=links)


def previews(found: Found) -> set[str]:
    names = preview_names(found.sha256)
    return {names.small, names.large, names.first, names.last, names.motion}


def test_a_clip_gets_to_its_place_whole_with_its_previews_and_its_sidecar(
    server: RawServer, stage: Stage
) -> None:
    answer = stage.fetch(ticket(server.serve(body(FILM))))
    assert isinstance(answer, Delivered)
    assert (answer.file, answer.bytes) == ("clips/s010.mp4", len(FILM))
    [found] = stage.noted
    assert (found.sha256, found.look, found.reason) == (answer.sha256, PLAIN, "")
    assert stage.names() == {"clips/s010.mp4", "clips/s010.json", *previews(found)}
    assert read(stage.task.store, stage.run, "clips/s010.mp4") == FILM
    assert json.loads(read(stage.task.store, stage.run, "clips/s010.json"))["request_id"] == "req-1"


def test_a_second_delivery_downloads_nothing_and_finds_the_same(server: RawServer, stage: Stage) -> None:
    job = ticket(server.serve(body(FILM)))
    first, second = stage.fetch(job), stage.fetch(job)
    assert first == second
    assert len(server.asked) == 1
    assert stage.noted == stage.noted[:1] * 2


def test_trouble_is_an_answer_and_the_next_try_is_not_answered_by_it(server: RawServer, stage: Stage) -> None:
    job = ticket(server.serve(status(403), body(FILM)))
    refused = stage.fetch(job)
    assert isinstance(refused, FetchTrouble)
    assert refused.link_refused
    assert isinstance(stage.fetch(job), Delivered)


def test_a_download_that_broke_off_goes_on(server: RawServer, stage: Stage) -> None:
    job = ticket(server.serve(cut(FILM, at=12_000), store_of(FILM)))
    assert isinstance(stage.fetch(job), FetchTrouble)
    assert isinstance(stage.fetch(job), Delivered)
    assert server.ranges() == [None, f"bytes={12_000 - OVERLAP_BYTES}-"]


def test_all_outputs_of_a_job_come_and_the_first_is_the_clip(server: RawServer, stage: Stage) -> None:
    links = server.serve(body(FILM), path="/1"), server.serve(body(OTHER), path="/2")
    assert isinstance(stage.fetch(ticket(*links)), Delivered)
    assert stage.names() >= {"clips/s010.mp4", "clips/s010+2.mp4", "clips/s010.json"}
    assert read(stage.task.store, stage.run, "clips/s010+2.mp4") == OTHER


def test_a_newer_job_keeps_the_clip_of_the_older_one(server: RawServer, stage: Stage) -> None:
    url = server.serve(body(FILM), body(OTHER))
    stage.fetch(ticket(url, request_id="older-request"))
    assert isinstance(stage.fetch(ticket(url, request_id="newer-request")), Delivered)
    assert read(stage.task.store, stage.run, "clips/s010.mp4") == OTHER
    assert read(stage.task.store, stage.run, "clips/s010+of-older-re.mp4") == FILM
    kept = json.loads(read(stage.task.store, stage.run, "clips/s010+of-older-re.json"))
    assert (kept["request_id"], kept["file"]) == ("older-request", "s010+of-older-re.mp4")


def test_a_clip_that_crashes_the_decoder_is_delivered_and_costs_no_other(
    server: RawServer, stage: Stage
) -> None:
    links = [server.serve(body(data), path=f"/{number}") for number, data in enumerate((FILM, OTHER))]
    for link, take in zip(links, ("poison", "s020"), strict=True):
        assert isinstance(stage.fetch(ticket(link, take=take)), Delivered)
    assert [(each.look, each.reason) for each in stage.noted] == [(None, POISON), (PLAIN, "")]


def test_a_task_that_nobody_looks_for_finds_nothing(server: RawServer, stage: Stage) -> None:
    stage.task = replace(stage.task, inspector=None)
    stage.fetch(ticket(server.serve(body(FILM))))
    assert (stage.noted, stage.names()) == ([], {"clips/s010.mp4", "clips/s010.json"})


def test_what_is_handed_to_a_worker_holds_no_token(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOKEN_VARIABLES:
        monkeypatch.setenv(name, TOKEN)
    assert TOKEN.encode() not in pickle.dumps((deliver, ticket("https://x/1.mp4"), stage.task))


@pytest.mark.parametrize("keep", KEEP_LOCAL)
def test_what_is_in_the_store_stays_here_as_far_as_is_asked(
    server: RawServer, faked: Stage, keep: str
) -> None:
    faked.task = replace(faked.task, keep_local=keep)
    job = ticket(server.serve(body(FILM)))
    for _ in range(2):
        faked.fetch(job)
        shown = previews(faked.noted[0])
        assert (
            faked.local() - {"clips/s010.mp4"}
            == {
                "none": set(),
                "posters": shown,
                "all": shown | {"clips/s010.json"},
            }[keep]
        )
        assert ("clips/s010.mp4" in faked.local()) is (keep == "all")


def test_an_interrupted_upload_leaves_no_sidecar_and_is_done_again(
    server: RawServer, faked: Stage, fake: FakeClipStore
) -> None:
    job = ticket(server.serve(body(FILM)))
    for written in range(7):
        fake.fail(f"away {written}")
        assert faked.fetch(job) == FetchTrouble("the store does not answer", unreachable=True)
        assert "clips/s010.json" not in fake.names()
    fake.fail("")
    assert isinstance(faked.fetch(job), Delivered)
    assert len(server.asked) == 1, "what is on this disk is not downloaded again"
    assert fake.names() == {"clips/s010.mp4", "clips/s010.json", *previews(faked.noted[-1])}


def test_a_store_that_refuses_is_no_trouble_of_one_clip(
    server: RawServer, faked: Stage, fake: FakeClipStore
) -> None:
    fake.fail("refused")
    with pytest.raises(StoreRefused, match="no right") as caught:
        faked.fetch(ticket(server.serve(body(FILM))))
    assert caught.value.advice == "ask for it"


def test_a_strangers_file_in_the_store_is_never_replaced(
    server: RawServer, faked: Stage, fake: FakeClipStore
) -> None:
    fake.put_bytes("clips/s010.json", b"mine")
    answer = faked.fetch(ticket(server.serve(body(FILM))))
    assert isinstance(answer, FetchTrouble)
    assert answer.permanent
    assert fake.read("clips/s010.json") == b"mine"


def test_a_worker_without_the_folder_of_the_run_works_in_its_own(
    server: RawServer, stage: Stage, store: ClipStore | None, tmp_path: Path
) -> None:
    """Without a store the clip would stay where no one finds it, so this machine delivers it instead."""
    elsewhere = RunPlace(tmp_path / "unseen", (0, 0), ".shotrunner-run", uuid.uuid4().hex)
    there = replace(stage.task, place=elsewhere)
    job = ticket(server.serve(body(FILM)))
    if store is None:
        with pytest.raises(NotDoneThere, match="does not see the folder"):
            stage.executor.submit(deliver, job, there).result(timeout=SOON)
        return
    outcome = stage.executor.submit(deliver, job, there).result(timeout=SOON)
    assert isinstance(outcome.answer, Delivered)
    assert store.read("clips/s010.mp4") == FILM
    assert stage.local() == set()


def test_a_folder_on_a_share_is_known_by_its_marker(tmp_path: Path) -> None:
    """Its device and inode differ on each machine, and what the run has left is not it."""
    place = RunPlace(tmp_path, (0, 0), ".marker", "run-1")
    seen = []
    for text in (
        '{"run_id": "run-1"}',
        '{"run_id": "run-1", "went": "/x"}',
        '{"run_id": "run-2"}',
        "[",
        "[]",
    ):
        (tmp_path / ".marker").write_text(text)
        seen.append(place.is_here())
    assert seen == [True, False, False, False, False]
    number = tmp_path.stat()
    assert replace(place, home=(number.st_dev, number.st_ino)).is_here()


def process_id(_: object) -> int:
    return os.getpid()


def killed(_: object) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def killed_once(flag: Path) -> str:
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return "done"
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def interrupted(_: object) -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return "goes on"


def tokens(_: object) -> list[str]:
    return [os.environ.get(name, "") for name in TOKEN_VARIABLES]


class _Killing(Executor):
    """Gives the cluster a call that kills its worker, whatever it is asked to call."""

    def __init__(self, cluster: DaskExecutor) -> None:
        self._cluster = cluster

    def submit(self, fn: object, /, *_: object, **__: object) -> Future[Any]:
        return self._cluster.submit(killed, repr(fn))


@pytest.mark.slow
def test_a_task_of_a_killed_worker_is_done_by_another(cluster: DaskExecutor, tmp_path: Path) -> None:
    assert cluster.submit(killed_once, tmp_path / "flag").result(timeout=SOON) == "done"


@pytest.mark.long
def test_a_clip_that_kills_each_worker_is_trouble_of_its_take_alone(cluster: DaskExecutor) -> None:
    """The others, which were on the same workers, are done elsewhere or again."""
    others = [cluster.submit(process_id, str(number)) for number in range(8)]

    task = DeliveryTask(ClipFetch(FetchOptions(Path(), allow_loopback=True)))
    trouble = ClipDelivery(_Killing(cluster), task).fetch(ticket("http://x/1.mp4")).result(timeout=SOON)
    assert isinstance(trouble, FetchTrouble)
    assert trouble.permanent
    assert "worker" in trouble.reason
    assert all(other.result(timeout=SOON) for other in others)


@pytest.mark.slow
def test_workers_of_this_machine_have_no_token_and_leave_ctrl_c_to_the_run(cluster: DaskExecutor) -> None:
    assert cluster.submit(tokens, "").result(timeout=SOON) == [""] * len(TOKEN_VARIABLES)
    assert cluster.submit(interrupted, "").result(timeout=SOON) == "goes on"
