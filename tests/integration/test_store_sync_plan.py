"""Adopting an edited board: what is written, where ids kept beside the file go, older files, further outputs.

Nothing is written where nothing changed, and a kill between two outputs of a clip leaves none of them behind.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from runner.domain.shots import Plan, Price, Take
from runner.domain.states import Accepted, LostContact, SubmissionStarted, TakeState
from runner.media.clips.rename import Clip, rename_clips
from runner.media.clips.sidecar import DeliveredFile, Sidecar, read_sidecar
from runner.plan.compare import compare
from runner.store.disk_failure import NOTHING, Receipt
from runner.store.open_file import Opening
from runner.store.reader import open_reader
from runner.store.schema import APPLICATION_ID, MIGRATIONS
from runner.store.state_file import StateFile
from runner.store.sync_plan import adopt
from runner.store.unrecorded import enter_receipt, has_receipt
from tests.integration.store_samples import make_plan, make_take, new_state_file

S = TakeState
LATER = 2000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a closed state file with a succeeded take, a held one and a pending one."""
    with new_state_file(
        tmp_path, [make_take(name, prompt=name) for name in "abc"], provision=NOTHING
    ) as state:
        for name, standing in (("a", S.SUCCEEDED), ("b", S.HELD)):
            take = make_take(name, prompt=name)
            attempt = f"try-{name}"
            for fact in (
                SubmissionStarted(attempt, take.fingerprint, state.epoch),
                Accepted(attempt, f"r-{name}")
                if standing is S.SUCCEEDED
                else LostContact(attempt, "sent", "cut"),
            ):
                state.record(name, fact, at=1010.0).result(20)
    return tmp_path / "state.db"


def within(path: Path, work: Callable[[sqlite3.Connection], object]) -> int:
    """Do work in a transaction of its own and return how many rows it wrote."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        before = connection.total_changes
        connection.execute("BEGIN")
        work(connection)
        connection.execute("COMMIT")
        return connection.total_changes - before


def adopted(path: Path, takes: Sequence[Take], renames: dict[str, str] | None = None) -> int:
    plan = make_plan(takes)
    return within(path, lambda connection: adopt(connection, plan, renew=(), at=LATER, renames=renames or {}))


@pytest.mark.parametrize(
    "price", [None, Price(0.1, source="catalogue", dated="2026-01-01"), Price(1)], ids=str
)
def test_adopting_the_same_board_again_writes_no_take(path: Path, price: Price | None) -> None:
    """The run's own row is written, whatever it says."""
    takes = [replace(make_take(name, prompt=name), price=price) for name in "abc"]
    adopted(path, takes)
    assert adopted(path, takes) == 1


def test_a_changed_row_that_nothing_is_done_about_is_noted_once(path: Path) -> None:
    takes = [make_take(name, prompt="other") for name in "ab"] + [make_take("c", prompt="c")]
    assert adopted(path, takes) > 1
    assert adopted(path, takes) == 1


def note(told: list[bool], plan: Plan, connection: sqlite3.Connection) -> None:
    told.append(adopt(connection, plan, renew=(), at=LATER, renames={}))


@pytest.mark.parametrize(
    "edit",
    [
        lambda plan: make_plan([*plan.takes, make_take("d")]),
        lambda plan: make_plan(plan.takes[:2]),
        lambda plan: make_plan([*plan.takes[:2], make_take("c", prompt="c", notes="darker")]),
        lambda plan: make_plan([make_take("a", prompt="other"), *plan.takes[1:]]),
        lambda plan: make_plan([replace(take, price=Price(1)) for take in plan.takes]),
        lambda plan: replace(plan, schemas={take.model: "f" * 64 for take in plan.takes}),
    ],
    ids=["a new take", "a take gone", "notes", "a changed row", "prices", "a schema"],
)
def test_adopting_says_whether_a_reader_would_find_anything_else(
    path: Path, edit: Callable[[Plan], Plan]
) -> None:
    """A run that changes nothing need not read the record again."""
    before = make_plan([make_take(name, prompt=name) for name in "abc"])
    told: list[bool] = []
    for plan in (before, before, edit(before), edit(before), replace(edit(before), warnings=())):
        with open_reader(path) as reader:
            takes = reader.takes()
        within(path, partial(note, told, plan))
        with open_reader(path) as reader:
            assert told[-1] is (reader.takes() != takes)
    assert told[1:] == [False, True, False, False]


def test_no_record_is_renamed_to_the_id_of_a_planned_take(path: Path) -> None:
    """A report that is edited as a manifest has older renders among its rows."""
    takes = [make_take("a", prompt="new"), make_take("a~1", prompt="newer")]
    with open_reader(path) as reader:
        found = compare(takes, reader.takes(), replace={"a"})
    assert found.renames == {"a": "a~2"}


@pytest.mark.parametrize("by", ["", "ada"], ids=["the answer came late", "a person found it"])
@pytest.mark.parametrize(
    ("renames", "now"),
    [({"b": "z"}, "z"), ({"a": "b", "b": "a"}, "a"), ({"b": "b~1"}, "b~1")],
    ids=["renamed", "swapped", "made room"],
)
def test_an_id_that_was_kept_beside_the_file_finds_its_take_under_its_new_id(
    path: Path, renames: dict[str, str], now: str, by: str
) -> None:
    """The folder it was kept in was not there when the take was renamed."""
    receipt = Receipt("b", None if by else "try-b", "r-late", 1500.0, by)
    adopted(path, [make_take("b", prompt="new")], renames)
    entered: list[bool] = []

    def work(connection: sqlite3.Connection) -> None:
        entered.append(enter_receipt(connection, receipt))
        assert has_receipt(connection, receipt)

    within(path, work)
    assert entered == [True]
    with open_reader(path) as reader:
        takes = {take.take_id: take for take in reader.takes()}
    assert (takes[now].state, takes[now].request_id) == (S.QUEUED, "r-late")
    assert [take_id for take_id, take in takes.items() if take.request_id == "r-late"] == [now]
    # Entered once: a start that dies before the side file is emptied is made again.
    assert within(path, work) == 0


def test_an_id_is_not_given_to_a_take_that_got_the_name_before(path: Path) -> None:
    adopted(path, [make_take("z", prompt="b"), make_take("b", prompt="new")], {"b": "z"})
    receipt = Receipt("b", None, "r-new", LATER + 1, "ada")
    within(path, lambda connection: assert_not_entered(connection, receipt))
    with open_reader(path) as reader:
        takes = {take.take_id: take for take in reader.takes()}
    assert (takes["z"].state, takes["b"].request_id) == (S.HELD, None)


def assert_not_entered(connection: sqlite3.Connection, receipt: Receipt) -> None:
    assert enter_receipt(connection, receipt) is False


def older_file(path: Path, version: int) -> None:
    """Write the file that an older version of the program has left: `a` has rendered, `b` was never sent."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in (step for steps in MIGRATIONS[:version] for step in steps):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO run (one, run_id, name, manifest, simulated, api_base, created_at, version, columns)"
            " VALUES (1, 'run-1', 'board', 'board.csv', 1, 'http://127.0.0.1:1', 1000.0, '0.1', '[]')"
        )
        insert = (
            "INSERT INTO takes (take_id, position, state, request_id, attempts, cost, shot_id, model, fingerprint,"
            " point, tags, notes, cells, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '{}', '[]', '', '{}', ?)"
        )
        a, b = make_take("a", prompt="a"), make_take("b", prompt="b")
        connection.execute(insert, ("a", 0, S.SUCCEEDED, "r-a", 1, 0.5, "a", a.model, a.fingerprint, a.body))
        connection.execute(insert, ("b", 1, S.PENDING, None, 0, None, "b", b.model, b.fingerprint, b.body))
        connection.execute(
            "INSERT INTO attempts (attempt, take_id, number, epoch, fingerprint, started_at, outcome, request_id)"
            " VALUES ('try-a', 'a', 1, 1, ?, 1000.0, 'Accepted', 'r-a')",
            (a.fingerprint,),
        )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_older_version_takes_renames_and_changed_rows(version: int, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    older_file(path, version)
    takes = [make_take("b", prompt="a"), make_take("c", prompt="new")]
    with StateFile.open(path, Opening(provision=NOTHING)) as state, open_reader(path) as reader:
        state.begin(at=LATER)
        found = compare(takes, reader.takes())
        assert found.renames == {"a": "b", "b": "b~1"}
        state.adopt_plan(make_plan(takes), renew=found.renewed, renames=found.renames, at=LATER)
        standing = {take.take_id: take.state for take in reader.takes()}
        assert standing == {"b": S.SUCCEEDED, "c": S.PENDING, "b~1": S.PENDING}
        assert [attempt.cost for attempt in reader.attempts("b")] == [0.5]
    assert (tmp_path / f"state.db.v{version}").exists()


def clip_of_two(run_dir: Path) -> Clip:
    """Lay down the two outputs of take `a`, with their sidecar, as a delivery would."""
    (run_dir / "clips").mkdir()
    landed = []
    for index, name in enumerate(("a.mp4", "a+2.mp4")):
        data = f"output {index}".encode()
        (run_dir / "clips" / name).write_bytes(data)
        landed.append(DeliveredFile(index, name, hashlib.sha256(data).hexdigest(), len(data)))
    (run_dir / "clips" / "a.json").write_bytes(Sidecar("a", "r-a", tuple(landed)).to_bytes())
    return Clip("b", "clips/a.mp4", landed[0].sha256)


def names(run_dir: Path) -> list[str]:
    return sorted(path.name for path in (run_dir / "clips").iterdir())


@pytest.mark.parametrize("name", ["b+2.mp4", "b.json", "b.mp4"])
def test_a_strangers_file_under_any_of_the_names_is_left_and_all_outputs_go_to_a_name_of_their_own(
    name: str, tmp_path: Path
) -> None:
    """Staying would not do either: `a.mp4` is the next `a`'s."""
    clip, told = clip_of_two(tmp_path), []
    (tmp_path / "clips" / name).write_bytes(b"mine")
    (left,) = rename_clips(tmp_path, [clip], told=lambda take, file: told.append((take, file)))
    assert (left.file, told) == ("clips/b+moving.mp4", [("b", "clips/b+moving.mp4")])
    assert names(tmp_path) == sorted(["b+moving.mp4", "b+moving+2.mp4", "b+moving.json", name])
    assert (tmp_path / "clips" / name).read_bytes() == b"mine"


@pytest.mark.parametrize("stem", ["b", "b+moving"])
@pytest.mark.parametrize("done", [0, 1, 2])
@pytest.mark.parametrize("is_half", [False, True])
def test_a_kill_between_two_outputs_of_a_clip_leaves_none_behind(
    stem: str, done: int, is_half: bool, tmp_path: Path
) -> None:
    """The new sidecar is there, `done` outputs have their new names, and one may have both."""
    clip = clip_of_two(tmp_path)
    clips = tmp_path / "clips"
    outputs = [("a.mp4", f"{stem}.mp4"), ("a+2.mp4", f"{stem}+2.mp4")]
    found = read_sidecar((clips / "a.json").read_bytes(), take="a")
    assert found is not None
    promised = [replace(one, file=new) for one, (_, new) in zip(found.outputs, outputs, strict=True)]
    (clips / f"{stem}.json").write_bytes(Sidecar("b", "r-a", tuple(promised)).to_bytes())
    for old, new in outputs[:done]:
        (clips / old).rename(clips / new)
    if is_half and done < 2:
        old, new = outputs[done]
        (clips / new).hardlink_to(clips / old)
    told: dict[str, str] = {}
    assert rename_clips(tmp_path, [clip], told=lambda take, file: told.update({take: file})) == ()
    assert told == {"b": "clips/b.mp4"}
    kept = [name for name in names(tmp_path) if not name.startswith("b+moving")]
    assert kept == ["b+2.mp4", "b.json", "b.mp4"]
    assert [(clips / name).read_bytes() for name in ("b.mp4", "b+2.mp4")] == [b"output 0", b"output 1"]


def test_clips_of_another_kind_under_the_next_name_keep_their_sidecar(tmp_path: Path) -> None:
    """Both move up by one, and the second is no mp4: its sidecar stands in the way though its file does not."""
    clip = clip_of_two(tmp_path)
    clips = tmp_path / "clips"
    data = b"a picture"
    (clips / "b.webp").write_bytes(data)
    landed = DeliveredFile(0, "b.webp", hashlib.sha256(data).hexdigest(), len(data))
    (clips / "b.json").write_bytes(Sidecar("b", "r-b", (landed,)).to_bytes())
    both = [clip, Clip("c", "clips/b.webp", landed.sha256)]
    assert rename_clips(tmp_path, both, told=lambda *_: None) == ()
    assert names(tmp_path) == ["b+2.mp4", "b.json", "b.mp4", "c.json", "c.webp"]
    found = read_sidecar((clips / "c.json").read_bytes(), take="c")
    assert found is not None
    assert found.request_id == "r-b"
