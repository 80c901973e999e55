"""When the disk fails: ids are kept beside the file and entered at the next start; no failed flush is trusted."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain import failpoints
from runner.domain.errors import DiskFailed, IllegalTransition
from runner.domain.states import (
    Accepted,
    Adopted,
    CostSeen,
    DeclaredNotSent,
    LateAnswer,
    LostContact,
    NotSent,
    PayAgain,
    SubmissionStarted,
    TakeState,
)
from runner.store.disk_failure import (
    LAID_OUT,
    MIB,
    FreeSpaceCheck,
    Receipt,
    ReceiptFile,
    ReservedSpace,
    SafetyOptions,
    room,
)
from runner.store.open_file import Opening
from runner.store.reader import open_reader
from runner.store.state_file import StateFile
from tests.integration.store_samples import HEADER, A, attempts, drive, make_take, new_state_file, seen, tell

S = TakeState
ID = Accepted("try-a", "r-1")
PAID = replace(HEADER, simulated=False)


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


@pytest.fixture
def state_file(tmp_path: Path) -> Iterator[StateFile]:
    with new_state_file(tmp_path, [A, make_take("b")]) as state_file:
        yield state_file


def side_lines(folder: Path, name: str = "state.ids") -> list[dict[str, object]]:
    """Return the lines of a side file; one that was closed with nothing in it is gone."""
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def killed(state_file: StateFile, folder: Path) -> Path:
    """Return a copy of the folder as a kill would leave it."""
    shutil.copytree(state_file.path.parent, folder)
    return folder / "state.db"


@pytest.mark.parametrize(
    ("point", "fault"),
    [
        ("store.before-commit", "EIO"),
        ("store.before-commit", "ENOSPC"),
        ("store.receipt", "EMFILE"),
        ("store.receipt", "EIO"),
        ("store.receipt", "ENOSPC"),
        # A full disk has always undone the commit; only of other failures does nobody know.
        ("store.after-commit", "EIO"),
    ],
)
def test_an_id_whose_commit_fails_once_is_recorded_all_the_same(
    state_file: StateFile, point: str, fault: str
) -> None:
    drive(state_file, S.SUBMITTING)
    failpoints.arm(f"{point}={fault}@1")
    tell(state_file, ID)
    assert (seen(state_file).state, seen(state_file).request_id) == (S.QUEUED, "r-1")
    drive(state_file, S.SUBMITTING, take_id="b")
    state_file.close()
    with StateFile.open(state_file.path) as again:
        assert again.begin(at=2000.0) == ("b",)
        assert seen(again).request_id == "r-1"
        with open_reader(again.path) as reader:
            assert [event.fact for event in reader.events("a")] == ["SubmissionStarted", "Accepted"]


@pytest.mark.parametrize("fault", ["EIO", "ENOSPC"])
def test_an_id_that_the_disk_never_takes_is_entered_at_the_next_start(
    state_file: StateFile, fault: str
) -> None:
    drive(state_file, S.SUBMITTING)
    failpoints.arm(f"store.receipt={fault}@1+")
    with pytest.raises(DiskFailed, match=r"a is request r-1, .*kept in .*state\.ids"):
        tell(state_file, ID, at=1234.5)
    assert seen(state_file).state is S.SUBMITTING
    assert side_lines(state_file.path.parent) == [
        {"run": "run-1", "take": "a", "attempt": "try-a", "request_id": "r-1", "at": 1234.5, "by": ""}
    ]
    failpoints.arm("")
    state_file.close()
    with StateFile.open(state_file.path) as again:
        assert again.begin(at=2000.0) == ()
        assert (seen(again).state, seen(again).request_id, seen(again).submitted_at) == (
            S.QUEUED,
            "r-1",
            1234.5,
        )
        assert again.notes == ("a is request r-1, which was kept beside the state file",)
        assert side_lines(again.path.parent) == []
    assert not again.path.with_suffix(".ids").exists()


def test_where_the_side_file_fails_too_the_second_place_takes_the_id(tmp_path: Path) -> None:
    second = tmp_path / "elsewhere"
    provision = SafetyOptions(second_places=(second,))
    state_file = new_state_file(tmp_path / "run", [A], provision=provision, header=PAID)
    drive(state_file, S.SUBMITTING)
    failpoints.arm("store.receipt=EIO@1+;store.side-file=EIO@1")
    with pytest.raises(DiskFailed, match=r"kept in .*elsewhere/run-1\.ids"):
        tell(state_file, ID)
    failpoints.arm("")
    state_file.close()
    assert side_lines(tmp_path / "run", "state.ids") == []
    assert [line["request_id"] for line in side_lines(second, "run-1.ids")] == ["r-1"]
    with StateFile.open(state_file.path, Opening(provision=provision)) as again:
        assert again.begin(at=2000.0) == ()
        assert seen(again).request_id == "r-1"
        assert again.notes == ("a is request r-1, which was kept beside the state file",)
    assert list(second.glob("*.ids")) == []


def test_an_id_in_a_place_that_is_no_longer_the_best_is_found_all_the_same(tmp_path: Path) -> None:
    best, other = tmp_path / "best", tmp_path / "other"
    new_state_file(tmp_path / "run", [A], header=PAID).close()
    other.mkdir()
    keep(other / "run-1.ids", Receipt("a", "try-a", "r-1", 1100.0))
    with StateFile.open(
        tmp_path / "run/state.db", Opening(provision=SafetyOptions(second_places=(best, other)))
    ) as again:
        again.begin(at=2000.0)
        assert seen(again).request_id == "r-1"


def test_ids_of_another_run_in_the_second_place_are_left_alone(tmp_path: Path) -> None:
    """Neither a file that is another run's by its name, nor a line that is by what it says."""
    second = tmp_path / "elsewhere"
    second.mkdir()
    receipt = Receipt("a", "try-a", "r-1", 1100.0)
    keep(second / "run-2.ids", receipt, run_id="run-2")
    keep(second / "run-1.ids", receipt, run_id="run-2")
    provision = SafetyOptions(second_places=(second,))
    with new_state_file(tmp_path / "run", [A], provision=provision, header=PAID) as state_file:
        assert (seen(state_file).state, seen(state_file).request_id) == (S.PENDING, None)
    for name in ("run-1.ids", "run-2.ids"):
        assert [line["run"] for line in side_lines(second, name)] == ["run-2"]


def test_a_second_place_that_cannot_be_is_said_and_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    provision = SafetyOptions(second_places=(tmp_path / "file",))
    with new_state_file(tmp_path / "run", [A], provision=provision, header=PAID) as state_file:
        assert "second place for ids" in state_file.notes[0]
    more = SafetyOptions(second_places=(tmp_path / "file", tmp_path / "folder"))
    with StateFile.open(tmp_path / "run/state.db", Opening(provision=more)) as state_file:
        assert state_file.notes == ()


def test_a_simulated_run_leaves_nothing_outside_its_folder(tmp_path: Path) -> None:
    provision = SafetyOptions(second_places=(tmp_path / "elsewhere",))
    with new_state_file(tmp_path / "run", [A], provision=provision):
        assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("run_id", ["../../etc/x", "..", "a/b"])
def test_a_run_id_of_any_text_is_one_file_in_the_second_place(tmp_path: Path, run_id: str) -> None:
    second = tmp_path / "deep" / "elsewhere"
    provision = SafetyOptions(second_places=(second,))
    with new_state_file(tmp_path / "run", [A], provision=provision, header=replace(PAID, run_id=run_id)):
        assert len(list(second.iterdir())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "run"]


def test_where_every_place_fails_the_error_still_names_the_id(state_file: StateFile) -> None:
    drive(state_file, S.SUBMITTING)
    failpoints.arm("store.receipt=EIO@1+;store.side-file=EIO@1+")
    with pytest.raises(DiskFailed, match=r"a is request r-1.*write it down"):
        tell(state_file, ID)


def to_nothing(_state_file: StateFile) -> None:
    """Leave the take as it was while its answer was waited for."""


def to_held(state_file: StateFile) -> None:
    tell(state_file, LostContact("try-a", "body sent", "silence"))


def to_another_attempt(state_file: StateFile) -> None:
    to_held(state_file)
    tell(state_file, PayAgain("ada"), SubmissionStarted("try-2", A.fingerprint, state_file.epoch))


def to_given_back(state_file: StateFile) -> None:
    to_held(state_file)
    tell(state_file, DeclaredNotSent("ada"))


def to_recorded(state_file: StateFile) -> None:
    tell(state_file, ID)


@pytest.mark.parametrize(
    ("move", "state", "ids"),
    [
        (to_nothing, S.QUEUED, ["r-1"]),
        (to_held, S.QUEUED, ["r-1"]),
        (to_recorded, S.QUEUED, ["r-1"]),
        (to_another_attempt, S.HELD, ["r-1", None]),
        (to_given_back, S.PENDING, ["r-1"]),
    ],
)
def test_a_kept_id_finds_its_attempt_however_the_take_stands(
    tmp_path: Path, move: Callable[[StateFile], None], state: TakeState, ids: list[str | None]
) -> None:
    with new_state_file(tmp_path, [A]) as state_file:
        drive(state_file, S.SUBMITTING)
        move(state_file)
        keep(state_file.path, Receipt("a", "try-a", "r-1", 1100.0))
        path = killed(state_file, tmp_path / "killed")
    for _ in range(2):
        with StateFile.open(path) as again:
            again.begin(at=2000.0)
            assert seen(again).state is state
            assert [attempt.request_id for attempt in attempts(again)] == ids


def keep(path: Path, *receipts: Receipt, run_id: str = HEADER.run_id) -> None:
    """Keep receipts beside the state file `path`, or in the side file `path` itself."""
    side = ReceiptFile(path.with_suffix(".ids"), run_id)
    side.append(receipts)
    side.close()


def test_an_adoption_that_could_not_be_recorded_is_made_at_the_next_start(state_file: StateFile) -> None:
    drive(state_file, S.HELD)
    failpoints.arm("store.receipt=EIO@1+")
    with pytest.raises(DiskFailed):
        tell(state_file, Adopted("r-1", "ada"))
    failpoints.arm("")
    state_file.close()
    with StateFile.open(state_file.path) as again:
        again.begin(at=2000.0)
        assert [(attempt.outcome, attempt.request_id) for attempt in attempts(again)] == [("Adopted", "r-1")]


def test_a_take_whose_submission_the_disk_forgot_is_not_sent_again(state_file: StateFile) -> None:
    """A disk that lies about flushes leaves it pending, and only the side file knows better."""
    keep(state_file.path, Receipt("a", "try-a", "r-1", 1100.0))
    state_file.close()
    with StateFile.open(state_file.path) as again:
        again.begin(at=2000.0)
        assert (seen(again).state, seen(again).request_id) == (S.QUEUED, "r-1")


def test_lines_that_nobody_understands_stay_and_stop_nothing(state_file: StateFile) -> None:
    path = state_file.path.with_suffix(".ids")
    keep(state_file.path, Receipt("nobody", "try-a", "r-9", 1.0), Receipt("a", "try-a", "r-1", 1.0))
    keep(state_file.path, Receipt("a", "try-a", "r-7", 1.0), run_id="another run")
    text = path.read_bytes().rstrip(b"\n") + b'\n{"run": "run-1"}\n\xff\xfe\n{"run": "run-1", "ta'
    path.write_bytes(text)
    state_file.close()
    with StateFile.open(state_file.path) as again:
        again.begin(at=2000.0)
        assert seen(again).request_id == "r-1"
        assert any("1 ids belong to no take" in note for note in again.notes)
    left = path.read_bytes()
    assert b"r-9" in left
    assert b"r-7" in left
    assert b"\xff\xfe" in left
    assert b"r-1" not in left


def test_the_side_file_takes_an_id_without_growing(state_file: StateFile) -> None:
    path = state_file.path.with_suffix(".ids")
    before = path.stat()
    drive(state_file, S.SUBMITTING)
    failpoints.arm("store.receipt=EIO@1")
    tell(state_file, ID)
    after = path.stat()
    assert before.st_size == after.st_size == LAID_OUT
    assert before.st_blocks == after.st_blocks


def test_after_a_failed_flush_nothing_more_is_written(state_file: StateFile) -> None:
    drive(state_file, S.QUEUED)
    failpoints.arm("store.before-commit=EIO@1")
    for number in range(3):
        with pytest.raises(DiskFailed):
            tell(state_file, CostSeen(float(number)))
    with pytest.raises(DiskFailed):
        drive(state_file, S.SUBMITTING, take_id="b")
    state_file.close()
    assert state_file.path.with_name("state.db-wal").exists()
    with StateFile.open(state_file.path) as again:
        tell(again, CostSeen(3.0))
        assert (seen(again).cost, seen(again, "b").state) == (3.0, S.PENDING)


def test_an_id_that_comes_after_a_failed_flush_is_recorded_on_a_new_connection(state_file: StateFile) -> None:
    drive(state_file, S.SUBMITTING)
    failpoints.arm("store.before-commit=EIO@1")
    with pytest.raises(DiskFailed):
        tell(state_file, CostSeen(1.0))
    tell(state_file, ID, CostSeen(2.0))
    assert (seen(state_file).request_id, seen(state_file).cost) == ("r-1", 2.0)


def test_a_new_connection_has_the_settings_of_the_first(state_file: StateFile) -> None:
    before = state_file._writer.connection
    drive(state_file, S.SUBMITTING)
    failpoints.arm("store.receipt=EIO@1")
    tell(state_file, ID)
    after = state_file._writer.connection
    assert after is not before
    for name, value in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "fullfsync": 1}.items():
        assert after.execute(f"PRAGMA {name}").fetchone() == (value,)


def test_what_shares_a_commit_with_a_failing_id_is_recorded_once(state_file: StateFile) -> None:
    drive(state_file, S.SUBMITTING)
    failpoints.arm("store.after-commit=EIO@1")
    futures = [state_file.record("b", CostSeen(0.5), at=1.0), state_file.record("a", ID, at=1.0)]
    assert [future.exception(20) for future in futures] == [None, None]
    with open_reader(state_file.path) as reader:
        assert [event.fact for event in reader.events("b")] == ["CostSeen"]


def test_a_refused_id_is_no_matter_of_the_disk(state_file: StateFile) -> None:
    """Nothing is kept beside the file where the file itself has said no."""
    drive(state_file, S.HELD)
    tell(state_file, PayAgain("ada"))
    with pytest.raises(IllegalTransition):
        tell(state_file, ID)
    assert side_lines(state_file.path.parent) == []


def test_a_late_answer_is_shown_with_its_attempt_and_moves_nothing(state_file: StateFile) -> None:
    drive(state_file, S.HELD)
    tell(state_file, PayAgain("ada"), SubmissionStarted("try-2", A.fingerprint, state_file.epoch))
    tell(state_file, LateAnswer("try-a", "r-1"))
    assert [(a.attempt, a.outcome, a.request_id) for a in attempts(state_file)] == [
        ("try-a", "PayAgain", "r-1"),
        ("try-2", None, None),
    ]
    assert seen(state_file).state is S.SUBMITTING
    tell(state_file, LateAnswer("try-a", "r-2"), LateAnswer("try-2", "r-1"), NotSent("try-2", "no route"))
    assert [a.request_id for a in attempts(state_file)] == ["r-1", None]
    with open_reader(state_file.path) as reader:
        late = [event.details["request_id"] for event in reader.events("a") if event.fact == "LateAnswer"]
    assert late == ["r-1", "r-2", "r-1"]


def test_a_full_disk_costs_the_ballast_and_no_fact(state_file: StateFile) -> None:
    ballast = state_file.path.with_suffix(".ballast")
    found = ballast.stat()
    assert found.st_size == 8 * MIB <= found.st_blocks * 512
    drive(state_file, S.QUEUED)
    failpoints.arm("store.before-commit=ENOSPC@1")
    tell(state_file, CostSeen(0.5))
    assert seen(state_file).cost == 0.5
    assert not ballast.exists()
    failpoints.arm("store.before-commit=ENOSPC@1")
    with pytest.raises(DiskFailed):
        tell(state_file, CostSeen(0.6))
    tell(state_file, CostSeen(0.7))
    path = state_file.path
    state_file.close()
    with StateFile.open(path) as again:
        assert ballast.stat().st_size == 8 * MIB
        again.begin(at=1.0)
    assert not ballast.exists()


def test_ballast_with_holes_counts_as_none(tmp_path: Path) -> None:
    ballast = ReservedSpace(tmp_path / "ballast", 2 * MIB)
    with ballast.path.open("wb") as file:
        file.truncate(2 * MIB)
    assert ballast.lay(low_water=0) == ""
    laid = ballast.path.stat()
    assert laid.st_blocks * 512 >= 2 * MIB
    assert ballast.lay(low_water=0) == ""
    assert ballast.path.stat().st_mtime_ns == laid.st_mtime_ns
    assert ballast.drop()
    assert not ballast.drop()


def test_ballast_is_not_laid_where_it_would_take_the_last_room(tmp_path: Path) -> None:
    ballast = ReservedSpace(tmp_path / "ballast", MIB)
    assert "too little space" in ballast.lay(low_water=room(tmp_path / "x"))
    assert not ballast.path.exists()
    missing = ReservedSpace(tmp_path / "missing" / "ballast", MIB)
    assert "no ballast could be written" in missing.lay(low_water=0)


def test_nothing_is_sent_below_the_low_water_mark(tmp_path: Path) -> None:
    provision = SafetyOptions(ballast=0, low_water=2**60)
    with new_state_file(tmp_path, [A], provision=provision) as state_file:
        assert not state_file.has_room()
        with pytest.raises(DiskFailed, match="a is not sent"):
            drive(state_file, S.SUBMITTING)
        tell(state_file, CostSeen(0.5))
        assert (seen(state_file).state, seen(state_file).attempts) == (S.PENDING, 0)


def test_a_gauge_looks_at_most_once_a_second(tmp_path: Path) -> None:
    now = [0.0]
    gauge = FreeSpaceCheck(tmp_path / "gone" / "x", 1, monotonic=lambda: now[0])
    assert gauge.has_room()
    (tmp_path / "gone").mkdir()
    full = FreeSpaceCheck(tmp_path / "gone" / "x", 2**60, monotonic=lambda: now[0])
    assert not full.has_room()
    (tmp_path / "gone").rmdir()
    now[0] = 0.9
    assert not full.has_room()


def test_a_disk_that_fails_while_the_file_is_made_leaves_none(tmp_path: Path) -> None:
    for point in ("store.before-commit", "store.create"):
        failpoints.arm(f"{point}=ENOSPC@1")
        with pytest.raises(DiskFailed):
            StateFile.create(tmp_path / "state.db", HEADER)
        assert list(tmp_path.iterdir()) == []
    failpoints.arm("")
    StateFile.create(tmp_path / "state.db", HEADER).close()


@pytest.mark.parametrize("hit", range(1, 6))
def test_a_disk_that_fails_while_the_file_is_opened_or_closed_loses_nothing(tmp_path: Path, hit: int) -> None:
    with new_state_file(tmp_path, [A]) as state_file:
        drive(state_file, S.SUBMITTING)
        path = killed(state_file, tmp_path / "killed")
    for point in ("store.open", "store.before-commit", "store.after-commit", "store.folded", "store.begun"):
        failpoints.arm(f"{point}=EIO@{hit}")
        try:
            with StateFile.open(path) as again:
                again.begin(at=2000.0)
        except (DiskFailed, OSError):
            pass
        failpoints.arm("")
    with StateFile.open(path) as again:
        again.begin(at=2001.0)
        assert [(a.attempt, a.outcome) for a in attempts(again)] == [("try-a", "LostContact")]


def test_a_full_database_is_told_from_a_failing_one(state_file: StateFile) -> None:
    """SQLite's own refusal, not a failpoint's: all is undone, and the connection goes on."""
    connection = state_file._writer.connection
    drive(state_file, S.SUBMITTING)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFailed):
        tell(state_file, LostContact("try-a", "sent", "x" * 100_000))
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    tell(state_file, LostContact("try-a", "sent", "x" * 100_000))
    assert seen(state_file).state is S.HELD
    assert state_file._writer.broken is None
    assert isinstance(state_file._writer.connection, sqlite3.Connection)
