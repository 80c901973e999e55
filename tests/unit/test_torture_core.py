"""The check behind the torture can see: each kind of wrong is found, each thing that is right is not, names and all."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.outside.faults import Fault
from tests.outside.jobs import Entry
from tests.outside.server import Arrival
from tests.torture import canary, core
from tests.torture.campaign import Book, Plan, failure_lines, in_turn, main, read_record, table
from tests.torture.core import Findings, body_hash, judge
from tests.torture.patches import PatchStale, Replacement, apply
from tests.torture.points import names
from tests.torture.recorded import Recorded, RecordedId, RecordedTake
from tests.torture.registry import Torture, Verdict, find, short_name
from tests.torture.weather import RETRY_SOON, Weather

RETRY = Fault(effect=False, reply=RETRY_SOON)
BODIES = {body_hash(f"body of {take}"): take for take in ("a", "b")}


def charge(take: str, request_id: str) -> Entry:
    body = f"body of {take}"
    return Entry(request_id, "model", body_hash(body), body, 0.0)


def recorded(*takes: tuple[str, str, str | None], damage: str = "") -> Recorded:
    return Recorded(
        takes={
            name: RecordedTake(name, state, request_id, f"body of {name}", "none", None, None)
            for name, state, request_id in takes
        },
        ids=frozenset(RecordedId(name, request_id) for name, _, request_id in takes if request_id),
        damage=damage,
    )


@pytest.mark.parametrize(
    ("state", "ledger", "found"),
    [
        pytest.param(recorded(("a", "queued", "1")), [charge("a", "1")], Findings(), id="well"),
        pytest.param(recorded(("a", "held", None)), [charge("a", "1")], Findings(), id="in doubt"),
        pytest.param(recorded(("a", "held", None)), [], Findings(), id="in doubt for nothing"),
        pytest.param(
            recorded(("a", "pending", None)), [charge("a", "1")], Findings(lost=("1",)), id="forgotten"
        ),
        pytest.param(recorded(), [charge("a", "1")], Findings(lost=("1",)), id="no state file"),
        pytest.param(
            recorded(("a", "held", None)),
            [charge("a", "1"), charge("a", "2")],
            Findings(doubled=("a",), lost=("2",)),
            id="one doubt hides one charge",
        ),
        pytest.param(
            recorded(("a", "queued", "2")),
            [charge("a", "1"), charge("a", "2")],
            Findings(doubled=("a",), lost=("1",)),
            id="paid twice",
        ),
        pytest.param(
            recorded(("a", "queued", "2"), ("b", "queued", "1")),
            [charge("a", "1"), charge("b", "2")],
            Findings(lost=("1", "2"), mispaired=("2", "1")),
            id="swapped",
        ),
        pytest.param(recorded(("a", "queued", "9")), [], Findings(mispaired=("9",)), id="invented"),
        pytest.param(
            recorded(damage="page 3"),
            [],
            Findings(others=("the state file is damaged: page 3",)),
            id="damaged",
        ),
    ],
)
def test_the_core_check_finds_what_is_wrong(state: Recorded, ledger: list[Entry], found: Findings) -> None:
    assert judge(state, ledger, known_bodies=BODIES, agreed={}) == found


def test_a_second_charge_that_somebody_asked_for_is_not_doubled() -> None:
    state = Recorded(
        takes={"a": RecordedTake("a", "queued", "2", "body of a", "none", None, None)},
        ids=frozenset({RecordedId("a", "1"), RecordedId("a", "2")}),
    )
    charges = [charge("a", "1"), charge("a", "2")]
    assert judge(state, charges, known_bodies=BODIES, agreed={"a": 1}) == Findings()
    assert judge(state, charges, known_bodies=BODIES, agreed={}).doubled == ("a",)


def arrival(route: str, *, connection: int = 1, request_id: str = "", at: float = 0.0) -> Arrival:
    return Arrival(at, connection, route, request_id, "")


def test_an_id_that_was_used_must_be_on_disk() -> None:
    looks = [arrival("status", request_id="1"), arrival("result", request_id="2"), arrival("submit")]
    assert core.used_too_early(recorded(("a", "queued", "1")), looks) == ["2"]
    assert core.used_too_early(recorded(("a", "queued", "1")), looks, exempt={"2"}) == []


def test_a_submit_must_be_alone_on_its_connection() -> None:
    kept = [arrival("status", connection=1), arrival("status", connection=1), arrival("submit", connection=2)]
    assert core.shared_connections(kept) == []
    assert core.shared_connections([*kept, arrival("submit", connection=1)]) == [1]


def test_a_submit_within_a_pause_is_counted() -> None:
    moments = [arrival("submit", at=at) for at in (1.0, 2.5, 4.0)] + [arrival("status", at=2.6)]
    assert core.impatient(moments, [(2.0, 3.0)]) == 1


def test_a_clip_that_counts_as_delivered_must_be_there_in_full(tmp_path: Path) -> None:
    (tmp_path / "whole.mp4").write_bytes(b"1234")
    (tmp_path / "short.mp4").write_bytes(b"12")
    for on_the_way in ("d.mp4", "e+moving.mp4", "f+moving.mp4"):
        (tmp_path / on_the_way).write_bytes(b"1234")
    files = {
        "a": "whole.mp4",
        "b": "short.mp4",
        "c": "gone.mp4",
        "d": "old.mp4",
        "e": "old.mp4",
        "f": "f.mp4",
    }
    state = Recorded(
        takes={
            name: RecordedTake(name, "succeeded", name, "", "delivered", file, 4)
            for name, file in files.items()
        }
    )
    assert core.clips_missing(state, tmp_path) == ["b", "c", "f"]


@pytest.mark.parametrize(
    "leak",
    [
        canary.CANARY.encode(),
        json.dumps({"error": canary.CANARY}).encode(),
        json.dumps(json.dumps([canary.CANARY])).encode(),
        quote(f"?token={canary.CANARY}", safe="").encode(),
        base64.b64encode(f"Bearer {canary.CANARY}".encode()),
        base64.b64encode(f"user:{canary.CANARY}".encode()),
        base64.urlsafe_b64encode(f"ab{canary.CANARY} and more".encode()),
        canary.CANARY.encode("utf-16"),
        canary.CANARY.encode().hex().encode(),
    ],
    ids=["plain", "json", "json in json", "url", "basic 7", "basic 5", "url-safe", "utf-16", "hex"],
)
def test_the_canary_is_found_in_every_disguise(leak: bytes, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file.bin").write_bytes(b"\0 before " + leak + b" after")
    assert [found.partition(" (")[0] for found in canary.search(tmp_path)] == [
        "the token stands in deep/file.bin"
    ]


def test_what_is_not_the_canary_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "innocent").write_bytes(b"Bearer *** " * 1000 + base64.b64encode(b"canary"))
    assert canary.search(tmp_path) == []


def test_a_patch_that_does_not_fit_exactly_once_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source.py").write_text("one\ntwo\ntwo\n")
    apply(tmp_path, Replacement("source.py", "one", "three"))
    assert (tmp_path / "source.py").read_text() == "three\ntwo\ntwo\n"
    for stale in ("one", "two"):
        with pytest.raises(PatchStale, match=stale):
            apply(tmp_path, Replacement("source.py", stale, "four"))


def test_failpoints_are_read_from_the_source(tmp_path: Path) -> None:
    source = tmp_path / "runner" / "deep" / "room.py"
    source.parent.mkdir(parents=True)
    source.write_text(
        'failpoints.hit("room.one")\nhit("room.two")\nledger.hit("no point")\nfailpoints.hit("room.one")\n'
    )
    assert names(tmp_path) == ("room.one", "room.two")
    source.write_text("failpoints.hit(name)\n")
    with pytest.raises(TypeError, match=r"room\.py:1"):
        names(tmp_path)


def test_weather_is_the_same_for_the_same_seed_and_can_be_calmed() -> None:
    chances = {"submit": [(0.5, RETRY)]}
    first, second = Weather(3, chances), Weather(3, chances)
    given = [first("submit", nth) for nth in range(50)]
    assert given == [second("submit", nth) for nth in range(50)]
    assert 10 < given.count(RETRY) < 40
    assert len(first.rests) == given.count(RETRY)
    assert first.losses == 0
    first.calm()
    assert [first("submit", nth) for nth in range(50)] == [None] * 50


def test_a_stopped_campaign_goes_on_from_its_record(tmp_path: Path) -> None:
    """Finished cases are entered again; a line that the stop cut short never was one."""
    record = tmp_path / "record.jsonl"
    verdict = Verdict(cases=1, kills=20, held=7, failures=("x",))
    done = {"test": "T1", "case": "kills-000", "seconds": 2.5, "verdict": verdict.to_json()}
    lines = [{"seed": 7, "scale": 0.5, "only": ["T1"]}, done]
    record.write_text("\n".join(map(json.dumps, lines)) + '\n{"test": "T1", "ca')
    book = Book()
    assert read_record(record, book) == Plan(7, 0.5, ("T1",))
    assert book.done == {("T1", "kills-000")}
    assert book.verdicts == {"T1": verdict}
    assert not book.clean
    assert failure_lines(book) == ["- x"]


def test_a_budget_cuts_a_share_of_every_test_and_not_the_last_ones() -> None:
    alone = Torture("T99", "nothing", lambda _seed, _scale: (), lambda _case, _place: Verdict(), str)
    mixed = in_turn(
        [("many", alone, range(100)), ("few", alone, "ab"), ("one", alone, [7]), ("none", alone, [])]
    )
    assert [case for module, _, case in mixed if module == "many"] == list(range(100))
    assert {module for module, _, _ in mixed[:60]} == {"many", "few", "one"}
    assert len(mixed) == 103


def test_after_the_budget_no_case_begins_and_the_rest_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.jsonl"
    record.write_text('{"seed": 1, "scale": 0.02, "only": []}\n')
    small = find(["T14"])
    assert main(["--resume", str(record), "--budget", "0"], tests=small) == 3
    said = capsys.readouterr().out
    assert "cases are left; go on with: python -m tests.torture --resume" in said
    assert record.read_text().count("\n") == 1


def test_the_table_adds_up() -> None:
    book = Book()
    for held in (3, 5):
        book.enter("T1", f"case-{held}", Verdict(cases=1, kills=20, held=held), 1.5)
    head, _, row, empty = table(book, ["T1", "T2"], {}).splitlines()
    assert [cell.strip() for cell in head.strip("| ").split("|")][:3] == ["test", "cases", "kills"]
    assert [cell.strip() for cell in row.strip("| ").split("|")] == [
        "T1",
        "2",
        "40",
        "0",
        "0",
        "0",
        "0.20",
        "0",
        "3",
    ]
    assert [cell.strip() for cell in empty.strip("| ").split("|")][:2] == ["T2", "0"]
    assert short_name("t01_random_kills") == "T1"


def test_a_test_that_cannot_be_run_here_is_said_in_the_table_and_hides_no_result() -> None:
    book = Book()
    book.enter("T1", "case-1", Verdict(cases=1, failures=("x",)), 1.0)
    lacking = {"T1": "no strace", "T2": "no strace"}
    *_, partly, skipped = table(book, ["T1", "T2"], lacking).splitlines()
    cells = [[cell.strip() for cell in row.strip("| ").split("|")] for row in (partly, skipped)]
    assert [cells[0][0], cells[0][1], cells[0][-2]] == ["T1 (the rest skipped: no strace)", "1", "1"]
    assert cells[1][:2] == ["T2", "skipped: no strace"]
    assert set(cells[1][2:]) == {"-"}


@pytest.mark.parametrize(("why", "code"), [("nothing to mount with", 3), ("", 0)])
def test_a_campaign_that_skipped_a_test_is_not_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], why: str, code: int
) -> None:
    """Exit code 0 is for a campaign in which every case ran, also if the others were all well."""
    alone = Torture("T99", "nothing", lambda _seed, _scale: (), lambda _case, _place: Verdict(), lambda: why)
    given = ["--seed", "1", "--resume", str(tmp_path / "record.jsonl")]
    (tmp_path / "record.jsonl").write_text('{"seed": 1, "scale": 1.0, "only": []}\n')
    assert main(given, tests={"t99_nothing": alone}) == code
    assert ("skipped: nothing to mount with" in capsys.readouterr().out) == bool(why)
