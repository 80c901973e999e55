"""A folder in a store, over a disk, memory and S3: what holds for each, and what S3 may do wrong."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.domain.errors import (
    CannotCreate,
    DiskFailed,
    NotInStore,
    StoreAway,
    StoreRefused,
    UsageError,
)
from runner.domain.store_address import store_address
from runner.object_store.failures import AlreadyInStore
from runner.object_store.files import COMING
from runner.object_store.patience import Patience
from runner.object_store.s3 import ONE_PUT
from runner.object_store.store import ObjectStore, open_store
from tests.outside.s3_disk import Upload
from tests.outside.s3_server import BUCKET, Kind, S3Server

ODD = "clips/shot 1/a#é+%.mp4"
LARGE = ONE_PUT + 1
KINDS = ("file", "memory", "s3")


class Timeless:
    """A clock that a wait moves, for a `Patience` that costs no time."""

    def __init__(self) -> None:
        self.now, self.waits = 0.0, 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits += 1

    def patience(self, seconds: float = 60.0) -> Patience:
        return Patience(seconds, lambda: self.now, self.sleep, lambda: 0.99)


@pytest.fixture
def time() -> Timeless:
    return Timeless()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, time: Timeless) -> ObjectStore:
    """Return an empty store of each kind."""
    if request.param == "s3":
        request.getfixturevalue("s3")
    place = {
        "file": str(tmp_path / "store of clips"),
        "memory": uuid.uuid4().hex,
        "s3": f"{BUCKET}/{uuid.uuid4().hex}",
    }
    return open_store(store_address(f"{request.param}://{place[request.param]}"), patience=time.patience())


@pytest.fixture
def on_s3(s3: S3Server, time: Timeless) -> ObjectStore:
    assert s3.endpoint
    return open_store(store_address(f"s3://{BUCKET}/{uuid.uuid4().hex}"), patience=time.patience())


def a_file(path: Path, *, size: int = 1000, seed: str = "a") -> tuple[Path, str]:
    """Write a file and return its path and its SHA-256."""
    data = (hashlib.sha512(seed.encode()).digest() * (size // 64 + 1))[:size]
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [0, 1000, LARGE])
def test_a_file_goes_there_and_back(store: ObjectStore, tmp_path: Path, size: int) -> None:
    source, sha256 = a_file(tmp_path / "a.mp4", size=size)
    store.put_file(source, ODD, sha256=sha256)
    assert store.size_of(ODD) == size
    store.get_file(ODD, tmp_path / "back.mp4")
    assert (tmp_path / "back.mp4").read_bytes() == source.read_bytes() == store.read(ODD)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["a.mp4", "back.mp4"]


def test_a_newer_file_replaces_an_older_one(store: ObjectStore, tmp_path: Path) -> None:
    for seed in "ab":
        source, sha256 = a_file(tmp_path / seed, seed=seed)
        store.put_file(source, ODD, sha256=sha256)
    store.put_bytes("report.html", b"old")
    store.put_bytes("report.html", b"new")
    assert store.read(ODD) == source.read_bytes()
    assert store.read("report.html") == b"new"


def test_a_listing_has_whole_names_below_a_folder_and_no_other(store: ObjectStore) -> None:
    assert store.sizes("clips") == store.sizes() == {}
    for name in ("clips/b.mp4", "clips/a/1.mp4", "clips.csv", "previews/b.webp"):
        store.put_bytes(name, b"12")
    assert dict(store.sizes("clips")) == {"clips/a/1.mp4": 2, "clips/b.mp4": 2}
    assert sorted(store.sizes()) == ["clips.csv", "clips/a/1.mp4", "clips/b.mp4", "previews/b.webp"]


def test_what_is_not_there_is_so_in_each_way(store: ObjectStore, tmp_path: Path) -> None:
    assert store.size_of(ODD) is None
    with pytest.raises(NotInStore, match="a#"):
        store.read(ODD)
    with pytest.raises(NotInStore):
        store.get_file(ODD, tmp_path / "a.mp4")
    store.remove(ODD)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_this_disk_is_none_of_the_store(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put_file(tmp_path / "nowhere", ODD, sha256="")
    store.put_bytes("a", b"1")
    with pytest.raises(CannotCreate):
        store.get_file("a", tmp_path / "nowhere" / "a")
    full = Path("/dev/full")
    if full.exists():
        (tmp_path / f".a.{threading.get_native_id()}.coming").symlink_to(full)
        with pytest.raises(DiskFailed):
            store.get_file("a", tmp_path / "a")


def test_of_many_creators_one_succeeds(store: ObjectStore) -> None:
    def create(number: int) -> int | None:
        try:
            store.create("claim", b"by %d" % number)
        except AlreadyInStore:
            return None
        return number

    with ThreadPoolExecutor(8) as threads:
        (winner,) = (each for each in threads.map(create, range(8)) if each is not None)
    assert store.read("claim") == b"by %d" % winner
    store.check_create()
    store.remove("claim")
    store.create("claim", b"again")
    assert list(store.sizes()) == ["claim"]


def test_wrong_bytes_get_no_name(store: ObjectStore, tmp_path: Path) -> None:
    for size in (1000, LARGE):
        source, _ = a_file(tmp_path / "a", size=size)
        with pytest.raises(StoreAway):
            store.patient(0).put_file(source, ODD, sha256=hashlib.sha256(b"other").hexdigest())
    assert store.sizes() == {}
    assert store.sweep(older_than=0) == 0


def test_a_store_is_the_same_when_it_was_sent_to_another_process(store: ObjectStore) -> None:
    store.put_bytes("a", b"1")
    again: ObjectStore = pickle.loads(pickle.dumps(store))
    assert again == store
    assert again.read("a") == b"1"


def test_threads_share_a_store(store: ObjectStore, tmp_path: Path) -> None:
    source, sha256 = a_file(tmp_path / "a", size=100_000)
    names = [f"clips/{number}.mp4" for number in range(24)]
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda name: store.put_file(source, name, sha256=sha256), names))
    assert dict(store.sizes("clips")) == dict.fromkeys(sorted(names), 100_000)


def test_a_store_answers_in_a_thread_with_a_loop_as_that_of_a_notebook_has(store: ObjectStore) -> None:
    async def cell() -> int | None:
        store.put_bytes("a.txt", b"abc")
        return store.size_of("a.txt")

    assert asyncio.run(cell()) == 3


def test_what_an_upload_left_on_a_disk_is_hidden_until_it_is_swept(tmp_path: Path) -> None:
    store = open_store(store_address(f"file://{tmp_path}"))
    store.put_bytes("clips/a.mp4", b"1")
    (tmp_path / "clips" / f"{COMING}0123-b.mp4").write_bytes(b"half")
    assert list(store.sizes()) == ["clips/a.mp4"]
    assert store.sweep(older_than=3600) == 0
    assert store.sweep(older_than=-3600) == 1
    assert [each.name for each in (tmp_path / "clips").iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (Kind.SLOW_DOWN, 100_000),
        (Kind.BROKEN, LARGE),
        (Kind.CUT, 100_000),
        (Kind.LOST, 100_000),
        (Kind.GARBLED, 100_000),
        (Kind.GARBLED, LARGE),
    ],
)
def test_what_passes_on_s3_is_tried_again(
    on_s3: ObjectStore, s3: S3Server, tmp_path: Path, kind: Kind, size: int
) -> None:
    source, sha256 = a_file(tmp_path / "a", size=size)
    fault = s3.fail(kind, "PutObject" if size < LARGE else "UploadPart", times=2)
    on_s3.put_file(source, "clips/a.mp4", sha256=sha256)
    assert fault.times == 0
    assert on_s3.read("clips/a.mp4") == source.read_bytes()
    assert list(on_s3.sizes()) == ["clips/a.mp4"]
    assert on_s3.sweep(older_than=0) == 0


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.ROTTEN])
def test_an_answer_with_wrong_bytes_is_read_again(
    on_s3: ObjectStore, s3: S3Server, tmp_path: Path, kind: Kind
) -> None:
    on_s3.put_bytes("a", b"12345678" * 1000)
    for get in (on_s3.read, lambda name: on_s3.get_file(name, tmp_path / "a")):
        fault = s3.fail(kind, "GetObject")
        get("a")
        assert fault.times == 0
    assert (tmp_path / "a").read_bytes() == on_s3.read("a") == b"12345678" * 1000


def test_a_lost_answer_to_a_create_is_recognised(on_s3: ObjectStore, s3: S3Server) -> None:
    s3.fail(Kind.LOST, "PutObject")
    on_s3.create("claim", b"mine")
    with pytest.raises(AlreadyInStore):
        on_s3.create("claim", b"yours")


def test_patience_ends(on_s3: ObjectStore, s3: S3Server, time: Timeless) -> None:
    s3.fail(Kind.SLOW_DOWN, times=1000)
    with pytest.raises(StoreAway, match=r"s3://.*/a: the store answers SlowDown"):
        on_s3.put_bytes("a", b"1")
    assert 30 < time.now <= 60
    assert time.waits > 5


def test_an_upload_that_never_ended_has_no_name_and_is_swept(
    on_s3: ObjectStore, s3: S3Server, tmp_path: Path
) -> None:
    source, sha256 = a_file(tmp_path / "a", size=LARGE)
    s3.fail(Kind.BROKEN, "UploadPart", after=1)
    s3.fail(Kind.REFUSED, "AbortMultipartUpload")
    with pytest.raises(StoreAway):
        on_s3.patient(0).put_file(source, "clips/a.mp4", sha256=sha256)
    assert on_s3.sizes() == {}
    assert on_s3.sweep(older_than=3600) == 0
    assert on_s3.sweep(older_than=0) == 1
    assert on_s3.sweep(older_than=0) == 0


UPLOAD = """
import sys
from pathlib import Path
from runner.domain.store_address import store_address
from runner.object_store.store import open_store
open_store(store_address(sys.argv[1])).put_file(Path(sys.argv[2]), "clips/a.mp4", sha256=sys.argv[3])
"""


@pytest.mark.slow
def test_an_upload_that_is_killed_has_no_name(on_s3: ObjectStore, s3: S3Server, tmp_path: Path) -> None:
    source, sha256 = a_file(tmp_path / "a", size=LARGE)
    fault = s3.fail(Kind.SLOW, "UploadPart", after=1, seconds=1)
    with subprocess.Popen([sys.executable, "-c", UPLOAD, str(on_s3.address), str(source), sha256]) as upload:
        assert fault.struck.wait(60)
        upload.kill()
    assert on_s3.sizes() == {}
    assert on_s3.sweep(older_than=0) == 1
    on_s3.put_file(source, "clips/a.mp4", sha256=sha256)
    assert on_s3.size_of("clips/a.mp4") == LARGE


def test_only_what_a_run_writes_is_swept(on_s3: ObjectStore, s3: S3Server) -> None:
    prefix = on_s3.address.path.partition("/")[2]
    names = [f"{prefix}/{name}" for name in ("clips/a", "previews/a", "other/a", "shard-1-of-2/clips/a")]
    for key in names:
        s3.disk.begin(Upload(BUCKET, key, uuid.uuid4().hex, 0.0, {}))
    assert on_s3.sweep(older_than=24 * 3600) == 2
    assert {each.key for each in s3.disk.uploads(BUCKET) if each.key in names} == set(names[2:])


def test_a_store_that_verifies_nothing_is_read_back(on_s3: ObjectStore, s3: S3Server, tmp_path: Path) -> None:
    s3.verifies = False
    for size in (1000, LARGE):
        source, sha256 = a_file(tmp_path / "a", size=size)
        fault = s3.fail(Kind.GARBLED, "PutObject" if size < LARGE else "UploadPart")
        on_s3.put_file(source, "clips/a.mp4", sha256=sha256)
        assert fault.times == 0
        assert hashlib.sha256(on_s3.read("clips/a.mp4")).hexdigest() == sha256
    s3.fail(Kind.GARBLED, "PutObject")
    with pytest.raises(StoreAway, match="wrong bytes"):
        on_s3.patient(0).put_bytes("b", b"1234")
    assert on_s3.size_of("b") is None


def test_a_store_that_creates_twice_is_refused(on_s3: ObjectStore, s3: S3Server) -> None:
    s3.creates_once = False
    with pytest.raises(StoreRefused, match="same file") as caught:
        on_s3.check_create()
    assert "S3" in caught.value.advice
    assert on_s3.sizes() == {}


def test_a_listing_goes_on_over_its_pages(on_s3: ObjectStore, s3: S3Server) -> None:
    on_s3.put_bytes("first", b"1")
    key = f"{on_s3.address.path.partition('/')[2]}/first"
    made = s3.disk.find(BUCKET, key)
    body = s3.disk.coming()
    for number in range(1001):
        body.write_bytes(b"1")
        s3.disk.put(BUCKET, type(made)(f"{key}/{number:04d}", 1, made.etag, made.at), body)
    assert len(on_s3.sizes("first")) == 1001


@pytest.mark.parametrize(
    ("bucket", "environment", "words"),
    [
        ("nowhere", {}, "NoSuchBucket"),
        (BUCKET, {"AWS_ACCESS_KEY_ID": "unknown"}, "InvalidAccessKeyId"),
        (BUCKET, {"AWS_SECRET_ACCESS_KEY": "a-wrong-secret"}, "SignatureDoesNotMatch"),
    ],
)
def test_what_stays_refused_is_not_tried_again_and_says_no_secret(
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    time: Timeless,
    bucket: str,
    environment: dict[str, str],
    words: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    before = s3.calls.total()
    store = open_store(store_address(f"s3://{bucket}/{uuid.uuid4().hex}"), patience=time.patience())
    with pytest.raises(StoreRefused, match=words) as caught:
        store.put_bytes("a", b"1")
    assert s3.calls.total() == before + 1
    assert caught.value.advice
    assert not any(value in str(caught.value) + caught.value.advice for value in environment.values())


def test_a_signed_link_opens_for_a_while_and_only_as_it_is(on_s3: ObjectStore) -> None:
    on_s3.put_bytes(ODD, b"1234")
    link = on_s3.sign(ODD, 60)
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"1234"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))
    with pytest.raises(UsageError):
        on_s3.sign(ODD, 8 * 24 * 3600)


def test_a_folder_on_a_disk_signs_no_links(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused):
        open_store(store_address(f"file://{tmp_path}")).sign("a", 60)


@pytest.mark.parametrize("scheme", ["nosuch", "gs"])
def test_a_store_that_cannot_be_opened_says_what_is_missing(scheme: str) -> None:
    with pytest.raises(UsageError, match=scheme):
        open_store(store_address(f"{scheme}://bucket/a"))


def test_a_dead_server_is_away(on_s3: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with S3Server(tmp_path / "s3") as server:
        dead = server.endpoint
    monkeypatch.setenv("AWS_ENDPOINT_URL", dead)
    with pytest.raises(StoreAway):
        on_s3.put_bytes("a", b"1")


def test_a_server_that_starts_again_has_the_same_files(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, time: Timeless
) -> None:
    with S3Server(tmp_path / "s3") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        store = open_store(store_address(f"s3://{BUCKET}/a"), patience=time.patience())
        store.put_bytes("a", b"1")
        assert server.endpoint != s3.endpoint
    with pytest.raises(StoreAway):
        store.read("a")
    with S3Server(tmp_path / "s3", port=server.port):
        assert store.read("a") == b"1"
