"""A run whose record is moved, deleted or put back from a copy pays for nothing a second time, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.domain.states import TakeState
from runner.store.lock import OWNER
from tests.acceptance.boards import takes_of, write_csv
from tests.acceptance.command import Desk, Outcome, Process
from tests.acceptance.service import pointed_at
from tests.outside.faults import Fault
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

TAKES = 6
RUN = ("run", "board.csv", "-y", "-j", 2, "--poll-interval", 0.1)


class Weather:
    """Lets the answers to submits wait for so many seconds."""

    def __init__(self) -> None:
        self.delay = 0.0

    def __call__(self, route: str, nth: int) -> Fault | None:  # noqa: ARG002 - the signature of Faults
        return Fault(delay=self.delay) if route == "submit" and self.delay else None


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
def server(weather: Weather) -> Iterator[OutsideServer]:
    with OutsideServer(Settings(service=0.3), faults=weather) as outside:
        yield outside


@pytest.fixture
def user(desk: Desk, server: OutsideServer) -> Desk:
    write_csv(desk.folder / "board.csv", TAKES)
    return pointed_at(server, desk)


def place_of(user: Desk) -> Path:
    return user.folder / "reports" / "board"


def most_paid_for_one(server: OutsideServer) -> int:
    return max(Counter(entry.sha256 for entry in server.ledger()).values(), default=0)


def sent(number: int) -> Callable[[Process], bool]:
    return lambda process: process.err.count(" submitted ") >= number


def moved(place: Path) -> None:
    place.rename(place.with_name("elsewhere"))


def deleted(place: Path) -> None:
    # Renamed first, or what is still written into it makes the deletion fail.
    shutil.rmtree(place.rename(place.with_name("trash")))


def replaced_by_an_empty_one(place: Path) -> None:
    place.rename(place.with_name("elsewhere"))
    place.mkdir()


def tree_moved(place: Path) -> None:
    place.parent.rename(place.parent.with_name("old-reports"))


def file_deleted(place: Path) -> None:
    (place / "state.db").unlink()


def file_and_marker_deleted(place: Path) -> None:
    (place / "state.db").unlink()
    (place / ".shotrunner-run").unlink()


def file_moved(place: Path) -> None:
    (place / "state.db").rename(place / "state.db.old")


def log_deleted(place: Path) -> None:
    (place / "state.db-wal").unlink()


LOSSES = [
    moved,
    deleted,
    replaced_by_an_empty_one,
    tree_moved,
    file_deleted,
    file_and_marker_deleted,
    file_moved,
    log_deleted,
]


def refused_then_restored_then_complete(user: Desk, server: OutsideServer) -> tuple[Outcome, Outcome]:
    """Give the same command, which is refused and sends nothing; restore the run, which then pays for nothing twice."""
    before = len(server.ledger())
    refused = user.run(*RUN, code=78)
    assert str(place_of(user)) in refused.err, refused
    user.run("plan", "board.csv", code=78)
    user.run("restore", "board.csv", "-n")
    user.run(*RUN, code=78)
    restored = user.run("restore", "board.csv")
    assert len(server.ledger()) == before, refused
    last = user.start(*RUN).end()
    held = [take.take_id for take in takes_of(place_of(user)) if take.state is TakeState.HELD]
    # What a kill or the loss cut off may be in doubt: one submit was on its way.
    assert len(held) <= 1, (restored, last)
    if held:
        user.run("reconcile", "board.csv", "not-sent", "--all", "--yes-i-may-pay-twice")
        last = user.run(*RUN)
    assert last.code == 0, last
    assert f"{TAKES} takes: {TAKES} delivered" in last.out, last
    assert most_paid_for_one(server) - bool(held) <= 1, (restored, last)
    return refused, restored


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_a_run_that_loses_its_record_stops_says_where_it_is_and_pays_for_nothing_again(
    user: Desk, server: OutsideServer, lose: Callable[[Path], None]
) -> None:
    process = user.start(*RUN)
    process.wait_until(sent(2))
    lose(place_of(user))
    ended = process.end()
    assert ended.code == 78, ended
    assert "Traceback" not in ended.err, ended
    assert str(place_of(user)) in ended.err
    assert ("elsewhere/state.db" in ended.err) == (lose in {moved, replaced_by_an_empty_one}), ended
    assert len(server.ledger()) < TAKES, ended
    refused_then_restored_then_complete(user, server)


def test_what_a_killed_command_leaves_at_the_old_place_keeps_no_run_from_coming_back(
    user: Desk, server: OutsideServer
) -> None:
    process = user.start(*RUN)
    process.wait_until(sent(2))
    moved(place_of(user))
    assert process.end().code == 78
    # A command that is refused here takes the lock first, and says whose it is until it ends.
    (place_of(user) / OWNER).write_text("{}")
    assert "moved back" in user.run("restore", "board.csv").out
    user.start(*RUN).end()
    assert most_paid_for_one(server) == 1


@pytest.mark.parametrize(
    "lose", [moved, deleted, file_and_marker_deleted, log_deleted], ids=lambda lose: lose.__name__
)
def test_a_kill_between_the_loss_and_its_notice_pays_for_nothing_again(
    user: Desk, server: OutsideServer, lose: Callable[[Path], None]
) -> None:
    process = user.start(*RUN)
    process.wait_until(sent(3))
    process.signal(signal.SIGSTOP)
    lose(place_of(user))
    process.kill()
    refused_then_restored_then_complete(user, server)


def test_the_answer_of_a_submit_on_its_way_survives_the_deletion_of_its_folder(
    user: Desk, server: OutsideServer, weather: Weather
) -> None:
    weather.delay = 1.0
    process = user.start(*RUN)
    process.wait_until(lambda _: len(server.ledger()) == 1)
    deleted(place_of(user))
    ended = process.end()
    assert ended.code == 78, ended
    weather.delay = 0.0
    _, restored = refused_then_restored_then_complete(user, server)
    assert server.ledger()[0].request_id in restored.out
    assert len(server.ledger()) == TAKES


def test_a_killed_run_whose_folder_is_gone_is_forgotten_by_its_users_word_alone(
    user: Desk, server: OutsideServer
) -> None:
    process = user.start(*RUN)
    process.wait_until(sent(2))
    process.kill()
    deleted(place_of(user))
    refused = user.run(*RUN, code=78)
    assert "--new-run" in refused.err
    before = len(server.ledger())
    user.run(*RUN, "--new-run")
    assert len(server.ledger()) == before + TAKES
    assert "everything is complete" in user.run(*RUN).out


def test_a_folder_that_is_deleted_after_an_orderly_end_is_a_fresh_start(
    user: Desk, server: OutsideServer
) -> None:
    user.run(*RUN)
    deleted(place_of(user))
    user.run(*RUN)
    assert len(server.ledger()) == 2 * TAKES


@pytest.mark.parametrize("lose", [moved, deleted, tree_moved], ids=lambda lose: lose.__name__)
def test_a_folder_that_goes_while_its_run_is_interrupted_is_no_fresh_start(
    user: Desk, server: OutsideServer, lose: Callable[[Path], None]
) -> None:
    process = user.start(*RUN)
    process.wait_until(sent(2))
    # As a second Ctrl-C does: it leaves at once, with jobs out.
    process.signal(signal.SIGTERM)
    assert process.end().code == 128 + signal.SIGTERM
    before = len(server.ledger())
    lose(place_of(user))
    assert "--new-run" in user.run(*RUN, code=78).err
    assert len(server.ledger()) == before


def grown(user: Desk, takes: int) -> None:
    write_csv(user.folder / "board.csv", takes)


def file_put_back(place: Path, older: Path) -> None:
    shutil.copy(older / "state.db", place / "state.db")


def folder_put_back(place: Path, older: Path) -> None:
    deleted(place)
    shutil.copytree(older, place)


def file_and_witness_put_back(place: Path, older: Path) -> None:
    for name in ("state.db", "state.witness"):
        shutil.copy(older / name, place / name)


def file_put_back_without_witness(place: Path, older: Path) -> None:
    file_put_back(place, older)
    (place / "state.witness").unlink()


@pytest.mark.parametrize("home", ["kept", "lost"])
@pytest.mark.parametrize(
    "put_back",
    [file_put_back, folder_put_back, file_and_witness_put_back, file_put_back_without_witness],
    ids=lambda put_back: put_back.__name__,
)
def test_an_older_record_put_back_after_an_orderly_end_is_refused_and_made_whole(
    user: Desk, server: OutsideServer, put_back: Callable[[Path, Path], None], home: str
) -> None:
    if (put_back, home) == (folder_put_back, "lost"):
        pytest.skip("nothing is left that could know")
    grown(user, 3)
    user.run(*RUN)
    older = shutil.copytree(place_of(user), user.folder / "older")
    grown(user, TAKES)
    user.run(*RUN)
    put_back(place_of(user), older)
    if home == "lost":
        shutil.rmtree(Path(user.environment["HOME"]) / ".local")
    user.run("status", "board.csv", code=78)
    refused_then_restored_then_complete(user, server)
    assert len(server.ledger()) == TAKES


def test_a_failed_take_that_was_paid_for_anew_is_not_paid_for_a_third_time_by_an_older_record(
    desk: Desk, tmp_path: Path
) -> None:
    with OutsideServer(Settings(service=0.1, failing=1.0)) as failing:
        user = pointed_at(failing, desk)
        grown(user, 2)
        user.run(*RUN, code=2)
        older = shutil.copytree(place_of(user), tmp_path / "older")
        user.run("retry", "board.csv", "--only", "status:failed", "-y", "--poll-interval", 0.1, code=2)
        file_put_back(place_of(user), older)
        user.run(*RUN, code=78)
        user.run("restore", "board.csv", "--output", "json")
        assert {take.attempts for take in takes_of(place_of(user))} == {2}
        user.run(*RUN, code=2)
        assert len(failing.ledger()) == 4


def reseeded(user: Desk, take: str) -> None:
    board = user.folder / "board.csv"
    lines = board.read_text().splitlines()
    board.write_text("".join(f"{line}1\n" if line.startswith(take) else f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    "put_back", [file_put_back, file_and_witness_put_back], ids=lambda each: each.__name__
)
def test_a_render_anew_that_an_older_record_does_not_know_is_not_paid_for_a_second_time(
    user: Desk, server: OutsideServer, put_back: Callable[[Path, Path], None]
) -> None:
    grown(user, 3)
    user.run(*RUN)
    older = shutil.copytree(place_of(user), user.folder / "older")
    reseeded(user, "t0001")
    user.run(*RUN, "--stale")
    assert len(server.ledger()) == 4
    put_back(place_of(user), older)
    user.run(*RUN, code=78)
    user.run("restore", "board.csv")
    assert "everything is complete" in user.run(*RUN).out
    assert len(server.ledger()) == 4
    assert "4 clips read: 4 whole" in user.run("verify", "board.csv").out


@pytest.mark.parametrize("lose", [file_put_back, lambda place, _: file_deleted(place)], ids=["older", "gone"])
def test_a_restored_run_goes_on_though_a_job_with_a_clip_belongs_to_no_row_any_more(
    user: Desk, server: OutsideServer, lose: Callable[[Path, Path], None]
) -> None:
    grown(user, 2)
    user.run(*RUN)
    older = shutil.copytree(place_of(user), user.folder / "older")
    grown(user, 3)
    user.run(*RUN)
    lose(place_of(user), older)
    reseeded(user, "t0002")
    user.run(*RUN, code=78)
    assert "left: request" in user.run("restore", "board.csv").out
    user.run(*RUN)
    assert len(server.ledger()) == 4
    assert "everything is complete" in user.run(*RUN).out


def test_a_row_whose_edit_is_taken_back_gets_the_job_that_restore_had_left_aside(
    user: Desk, server: OutsideServer
) -> None:
    grown(user, 2)
    user.run(*RUN)
    older = shutil.copytree(place_of(user), user.folder / "older")
    grown(user, 3)
    user.run(*RUN)
    before = (user.folder / "board.csv").read_text()
    file_put_back(place_of(user), older)
    reseeded(user, "t0002")
    assert "left: request" in user.run("restore", "board.csv").out
    (user.folder / "board.csv").write_text(before)
    refused = user.run(*RUN, code=78)
    assert "was sent before the record was lost" in refused.err
    assert "left: request" not in user.run("restore", "board.csv").out
    user.run(*RUN)
    assert len(server.ledger()) == 3
    assert {take.state for take in takes_of(place_of(user))} == {TakeState.SUCCEEDED}


def test_a_log_that_is_cut_anywhere_costs_nothing_twice(user: Desk, server: OutsideServer) -> None:
    grown(user, 3)
    process = user.start(*RUN)
    process.wait_until(sent(2))
    process.kill()
    place = place_of(user)
    log = (place / "state.db-wal").read_bytes()
    size = int.from_bytes(log[8:12], "big") + 24
    killed = shutil.copytree(place, user.folder / "killed")
    before, codes = len(server.ledger()), set()
    for end in range(32, len(log), size):
        shutil.rmtree(place)
        shutil.copytree(killed, place)
        os.truncate(place / "state.db-wal", end)
        # A run with no more money than was spent opens the record, and sends nothing whatever it finds there.
        outcome = user.start("plan", "board.csv", "--output", "json").end()
        codes.add(outcome.code)
        assert outcome.code == 78 or outcome.out.count('"submit"') <= 3 - before, outcome
    assert 78 in codes
    shutil.rmtree(place)
    shutil.copytree(killed, place)
    os.truncate(place / "state.db-wal", 32 + size * 3)
    user.start("restore", "board.csv").end()
    user.start(*RUN).end()
    assert most_paid_for_one(server) == 1


def test_a_folder_with_sidecars_and_no_record_is_no_new_one(user: Desk, server: OutsideServer) -> None:
    grown(user, 3)
    user.run(*RUN)
    place = place_of(user)
    for name in ("state.db", ".shotrunner-run", "state.witness", "run.log", "report.csv"):
        (place / name).unlink()
    grown(user, 4)
    shutil.rmtree(Path(user.environment["HOME"]) / ".local")
    refused = user.run(*RUN, code=78)
    assert "sidecars" in refused.err
    restored = user.run("restore", "board.csv")
    assert "t0003: held" in restored.out
    user.run(*RUN, code=4)
    states = Counter(take.state for take in takes_of(place))
    assert states == {TakeState.SUCCEEDED: 3, TakeState.HELD: 1}
    assert len(server.ledger()) == 3


@pytest.mark.parametrize("point", ["store.create", "store.created", "recall.adopted"])
def test_a_kill_while_a_record_is_made_again_leaves_no_take_that_looks_unsent(
    user: Desk, server: OutsideServer, point: str
) -> None:
    """Neither a witness nor a sidecar is left, so every take may have been sent."""
    grown(user, 3)
    user.run(*RUN, "--no-download", "--max-submits", 2, code=3)
    for name in ("state.db", "state.witness"):
        (place_of(user) / name).unlink()
    shutil.rmtree(Path(user.environment["HOME"]) / ".local")
    dying = user.with_environment(SHOTRUNNER_FAILPOINTS=f"{point}=kill@1")
    assert dying.start("restore", "board.csv").end().code == -signal.SIGKILL
    assert user.start(*RUN).end().code in {4, 78}
    user.start("restore", "board.csv").end()
    user.run(*RUN, code=4)
    assert {take.state for take in takes_of(place_of(user))} == {TakeState.HELD}
    assert len(server.ledger()) == 2


def test_a_simulated_run_is_restored_by_its_folder(desk: Desk) -> None:
    write_csv(desk.folder / "board.csv", 1)
    desk.run("run", "board.csv", "--simulate", "--speed", 50, "--poll-interval", 0.1)
    place = desk.folder / "reports" / "board-simulated"
    (place / "state.db").unlink()
    assert "its clip is here" in desk.run("restore", place).out
    assert "lacks nothing" in desk.run("restore", place).err


def test_a_restored_take_took_as_long_as_its_sidecar_says(desk: Desk) -> None:
    """Not until the restoring: a run waits with its first look for as long as such jobs took."""
    write_csv(desk.folder / "board.csv", 1)
    desk.run("run", "board.csv", "--simulate", "--speed", 50, "--poll-interval", 0.1)
    place = desk.folder / "reports" / "board-simulated"
    (place / "state.db").unlink()
    (sidecar,) = (place / "clips").glob("*.json")
    said = json.loads(sidecar.read_text())
    said |= {"submitted_at": "2026-07-01T10:00:00+00:00", "finished_at": "2026-07-01T10:01:17+00:00"}
    sidecar.write_text(json.dumps(said, indent=2))
    desk.run("restore", place)
    assert [take.seconds for take in takes_of(place)] == [77.0]


def test_a_damaged_sidecar_of_an_unknown_job_is_left_aside_and_stops_no_run(
    user: Desk, server: OutsideServer
) -> None:
    grown(user, 1)
    user.run(*RUN)
    (sidecar,) = (place_of(user) / "clips").glob("*.json")
    (other,) = takes_of(place_of(user))
    text = sidecar.read_text().replace(other.request_id or "?", "another-job").replace("t0000", "gone")
    sidecar.with_name("copy.json").write_text(text[: text.index('"sha256"')])
    assert "another-job" in user.run(*RUN, code=78).err
    assert "left: request another-job" in user.run("restore", "board.csv").out
    user.run(*RUN)
    assert len(server.ledger()) == 1


@pytest.mark.parametrize("trace", ["state.witness", "run.log", "report.csv", "state.db-wal"])
def test_each_trace_of_a_run_is_enough_to_refuse(user: Desk, server: OutsideServer, trace: str) -> None:
    grown(user, 1)
    user.run(*RUN)
    kept = (place_of(user) / trace).read_bytes() if trace != "state.db-wal" else b"log"
    deleted(place_of(user))
    shutil.rmtree(Path(user.environment["HOME"]) / ".local")
    place_of(user).mkdir()
    (place_of(user) / trace).write_bytes(kept)
    refused = user.run(*RUN, code=78)
    assert trace in refused.err
    assert len(server.ledger()) == 1


def test_a_folder_with_files_of_other_kinds_is_a_new_one(user: Desk, server: OutsideServer) -> None:
    place = place_of(user)
    (place / "clips").mkdir(parents=True)
    (place / "README.md").write_text("mine")
    (place / "run.log").write_text("")
    (place / "report.csv").write_text("id,model\na,b\n")
    (place / "clips" / "notes.json").write_text('{"format": "mine"}')
    user.run(*RUN)
    assert len(server.ledger()) == TAKES


def test_a_witness_that_cannot_be_kept_stops_no_run(user: Desk, server: OutsideServer) -> None:
    blocked = Path(user.environment["HOME"]) / ".local"
    blocked.write_text("no folder can be made below this")
    user.run(*RUN)
    assert len(server.ledger()) == TAKES


def test_a_runner_that_was_overtaken_ends_with_75_and_records_the_answer_it_still_holds(
    user: Desk, server: OutsideServer, weather: Weather
) -> None:
    weather.delay = 1.0
    first = user.start(*RUN)
    first.wait_until(lambda _: len(server.ledger()) == 2)
    first.signal(signal.SIGSTOP)
    (place_of(user) / ".lock").unlink()
    weather.delay = 0.0
    second = user.start(*RUN)
    second.wait_until(sent(2))
    first.signal(signal.SIGCONT)
    overtaken, ended = first.end(), second.end()
    assert overtaken.code == 75, overtaken
    assert ended.code in {0, 3, 4}, ended
    last = user.run(*RUN)
    assert f"{TAKES} delivered" in last.out
    assert (most_paid_for_one(server), len(server.ledger())) == (1, TAKES)


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_a_lock_that_is_taken_away_from_a_running_run_lets_one_of_two_go_on(
    user: Desk, server: OutsideServer, replaced: bool
) -> None:
    many = 8 * TAKES
    grown(user, many)
    first = user.start(*RUN)
    first.wait_until(sent(2))
    (place_of(user) / ".lock").unlink()
    if replaced:
        (place_of(user) / ".lock").write_text("")
    second = user.start(*RUN, "-j", 20).end()
    overtaken = first.end()
    assert overtaken.code == 75, overtaken
    assert second.code in {0, 3, 4}, second
    user.run(*RUN)
    assert (most_paid_for_one(server), len(server.ledger())) == (1, many)
