"""What a served page hears of a run on record: what has changed, which files there are, and where decisions go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.commands.pick import decide
from runner.commands.watch import MOST_FACTS, RecordedPage
from runner.domain.errors import FileMissing, PicksInvalid, UsageError
from runner.domain.picks import Decision
from runner.domain.preview_names import input_name, preview_names
from runner.domain.states import Checked, DeliveryState, Requeued, Started, TakeState
from runner.output.page_data import Sizes
from runner.page_server.ports import Change, Row
from runner.store.lock import RunLock
from runner.store.picks_file import PICKS
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from tests.integration.store_samples import (
    A,
    delivery_road,
    drive,
    make_plan,
    make_take,
    new_state_file,
    road,
    tell,
)
from tests.report_page import head_in, parts_in, takes_in, unpacked

B = make_take("b", prompt="b")
SHA = "ab" * 32
WHEN = "2027-01-31T07:00:00Z"


@dataclass
class Hands:
    """A clock that is set by hand; it is always long after any file was changed. Each look at it takes `step`."""

    now: float = 0.0
    step: float = 0.0

    def wall(self) -> float:
        return 4e9 + self.now

    def monotonic(self) -> float:
        self.now += self.step
        return self.now

    async def sleep(self, _seconds: float) -> None:
        raise AssertionError


@dataclass
class Stage:
    """A run that is written, and its page as a server sees it."""

    folder: Path
    state: StateFile
    clock: Hands
    page: RecordedPage

    def seen(self) -> Change:
        change = self.page.look()
        assert change is not None
        return change

    def cards(self) -> dict[str, Any]:
        return {str(take["id"]): take for take in self.seen().takes}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with new_state_file(tmp_path, [A, B, make_take("c", prompt="c")]) as state:
        clock = Hands()
        page = RecordedPage(RunDir(tmp_path), who="Ana", clock=clock)
        assert page.look() is None
        yield Stage(tmp_path, state, clock, page)


def queue_b(stage: Stage) -> None:
    facts = road(B, TakeState.QUEUED, attempt="try-b", epoch=stage.state.epoch)
    tell(stage.state, *facts, take_id="b")


def deliver(stage: Stage) -> None:
    """Deliver a clip with its sidecar and one preview."""
    for name in ("clips/a.mp4", "clips/a.json", preview_names(SHA).small):
        (stage.folder / name).parent.mkdir(exist_ok=True)
        (stage.folder / name).write_bytes(b"file")
    drive(stage.state, TakeState.SUCCEEDED)
    tell(stage.state, *delivery_road(DeliveryState.DELIVERED))


def test_a_take_that_changed_is_sent_once_with_the_figures_of_the_whole_run(stage: Stage) -> None:
    drive(stage.state, TakeState.QUEUED)
    change = stage.seen()
    assert [(take["id"], take["standing"]) for take in change.takes] == [("a", "queued")]
    assert change.head["totals"] == [("queued", 1), ("pending", 2)]
    assert stage.page.look() is None


def test_a_clip_and_what_is_found_in_it_later_are_two_changes(stage: Stage) -> None:
    deliver(stage)
    assert stage.cards()["a"]["poster"]["large"] is None
    (stage.folder / preview_names(SHA).large).write_bytes(b"file")
    tell(stage.state, Checked(SHA, "{}", (("black", "all black"),)))
    card = stage.cards()["a"]
    assert (card["flags"], card["poster"]["large"]) == ([("black", "all black")], preview_names(SHA).large)


def test_many_facts_come_in_several_changes(stage: Stage) -> None:
    drive(stage.state, TakeState.QUEUED)
    for _ in range(MOST_FACTS // 2):
        for fact in (Started(), Requeued()):
            stage.state.record("a", fact, at=1010.0)
    queue_b(stage)
    assert [stage.cards().keys() for _ in range(2)] == [{"a"}, {"a", "b"}]
    assert stage.page.look() is None


def test_another_plan_is_a_reload_and_the_page_then_has_its_takes(stage: Stage, tmp_path: Path) -> None:
    plan = make_plan([A, make_take("d", prompt="d")], text="version: 1 # another\n")
    stage.state.adopt_plan(plan, renew=(), at=1020.0)
    assert stage.seen().is_reload
    (tmp_path / "page.html").write_bytes(stage.page.page(after=3))
    assert [take["id"] for take in takes_in(tmp_path / "page.html")] == ["a", "d"]
    assert 'content="events?after=3"' in (tmp_path / "page.html").read_text()


def test_a_page_of_many_takes_is_made_in_parts_and_a_change_makes_one_of_them_again(tmp_path: Path) -> None:
    takes = [A, B, *(make_take(name, prompt=name) for name in "cdefg")]
    with new_state_file(tmp_path, takes) as state:
        page = RecordedPage(RunDir(tmp_path), who="Ana", clock=Hands(), sizes=Sizes(alone=4, page=2, index=4))
        assert page.data("index-0000-0123456789abcdef.js") is None
        assert page.look() is None
        (tmp_path / "page.html").write_bytes(page.page(after=0))
        assert [(take["id"], take["order"]) for take in takes_in(tmp_path / "page.html")] == [("a", 0)]
        assert head_in(tmp_path / "page.html")["totals"] == [["pending", 7]]
        parts = parts_in(tmp_path / "page.html")
        assert (parts["count"], len(parts["pages"]), len(parts["index"])) == (7, 4, 2)
        names = [each.removeprefix("report-data/") for each in (*parts["index"], parts["pages"][-1])]
        first, second, last = [page.data(name) or b"" for name in names]
        assert [take["id"] for take in unpacked(second)] == ["e", "f", "g"]
        assert [take["details"][-1][0] for take in unpacked(last)] == ["fingerprint"]
        drive(state, TakeState.QUEUED)
        assert page.look() is not None
        assert [take["standing"] for take in unpacked(page.data(names[0]) or b"")][:2] == [
            "queued",
            "pending",
        ]
        assert page.data(names[0]) != first
        assert page.data(names[1]) is page.data(names[1])
        assert page.data(names[1]) == second
        assert page.data("index-0009" + names[0][10:]) is None


def test_what_is_picked_in_a_terminal_is_a_change_of_that_take_alone(stage: Stage) -> None:
    deliver(stage)
    stage.seen()
    decide(stage.folder, ["a"], Decision.PICK, who="Ben", note="lovely")
    card = stage.cards()["a"]
    assert (card["decision"], card["remark"], card["who"]) == ("pick", "lovely", "Ben")
    assert stage.page.look() is None
    (stage.folder / PICKS).write_text("take,decision\na,perhaps\n")
    assert stage.page.look() is None
    (stage.folder / PICKS).unlink()
    assert stage.cards()["a"]["decision"] == ""


def test_the_head_of_a_large_run_rests_and_comes_by_itself(stage: Stage) -> None:
    stage.clock.step = 1.0
    drive(stage.state, TakeState.QUEUED)
    first = stage.seen()
    queue_b(stage)
    second = stage.seen()
    assert [take["id"] for take in second.takes] == ["b"]
    fresh = [("queued", 2), ("pending", 1)]
    assert second.head == {**first.head, "totals": fresh, "facts": second.head["facts"]}
    assert stage.page.look() is None
    stage.clock.now += 20.0
    third = stage.seen()
    assert (list(third.takes), third.head["totals"]) == ([], fresh)
    assert third.head["models"] != second.head["models"]


def test_a_page_is_another_one_once_the_run_goes_on_or_stops_without_any_new_fact(stage: Stage) -> None:
    """What each take waits for depends on it."""
    with RunLock(stage.folder, command="run"):
        stage.state.begin_session(at=4e9, version="0.1", limit_s=None, window_began_at=None)
        assert stage.seen().is_reload
        assert str(stage.seen().head["made"]).endswith("; the run was going on then")
        assert stage.page.goes_on
    # As after a kill, nothing but the lock has changed.
    assert stage.seen().is_reload
    made = str(stage.seen().head["made"])
    assert made.endswith("; the run was not going on then, and is not over")
    assert (stage.page.goes_on, stage.page.look()) == (False, None)


def test_a_look_that_fails_loads_no_page_again(stage: Stage) -> None:
    with RunLock(stage.folder, command="run"):
        stage.state.begin_session(at=4e9, version="0.1", limit_s=None, window_began_at=None)
        assert stage.seen().is_reload
        stage.seen()
        away = stage.folder.rename(stage.folder.with_name("away"))
        assert (stage.page.look(), stage.page.goes_on) == (None, False)
        away.rename(stage.folder)
        assert (stage.page.look(), stage.page.goes_on) == (None, True)


def test_only_what_the_page_links_to_is_a_file(stage: Stage) -> None:
    assert stage.page.file("clips/a.mp4") is None
    deliver(stage)
    copy = input_name("https://example.com/a.jpg")
    (stage.folder / copy).write_bytes(b"file")
    for name in ("clips/a.mp4", "clips/a.json", preview_names(SHA).small, copy):
        assert stage.page.file(name) == stage.folder / name
    (stage.folder / "clips" / "b.mp4").write_bytes(b"not on record")
    (stage.folder / "previews" / ".half.part").write_bytes(b"")
    others = [
        "",
        "state.db",
        "clips",
        "clips/",
        "clips/b.mp4",
        "clips/a.mp4/",
        "previews/.half.part",
        "previews",
    ]
    for name in (
        *others,
        "../a",
        "clips/../state.db",
        "/etc/passwd",
        preview_names(SHA).large,
        "clips/a.mp4\0",
    ):
        assert stage.page.file(name) is None, name


@pytest.mark.parametrize("name", ["clips/a.mp4", "clips"])
def test_no_link_leads_out_of_the_folder(
    stage: Stage, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deliver(stage)
    outside = tmp_path_factory.mktemp("outside") / "there"
    (stage.folder / name).rename(outside)
    (stage.folder / name).symlink_to(outside)
    assert stage.page.file("clips/a.mp4") is None


def test_decisions_of_the_page_are_merged_like_an_imported_file(stage: Stage) -> None:
    deliver(stage)
    stage.seen()
    rows: list[Row] = [("a", "a", "pick", "=1+1", "", WHEN)]
    assert stage.page.save(rows) == 1
    assert stage.page.save(rows) == 0
    card = stage.cards()["a"]
    assert (card["decision"], card["remark"], card["who"], card["when"]) == ("pick", "=1+1", "Ana", WHEN)
    assert "'=1+1" in (stage.folder / PICKS).read_text()
    assert stage.page.save([("a", "a", "", "", "Ana", "2027-01-31T07:00:01Z")]) == 1
    assert stage.cards()["a"]["decision"] == ""


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (("a", "zzz", "pick", "", "Ana", WHEN), UsageError),
        (("a", "a", "perhaps", "", "Ana", WHEN), PicksInvalid),
        (("a", "a", "pick", "", "Ana", "yesterday"), PicksInvalid),
        (("a", "", "pick", "", "Ana", WHEN), PicksInvalid),
    ],
    ids=str,
)
def test_a_decision_that_cannot_be_kept_keeps_all_others_out(
    stage: Stage, row: Row, error: type[Exception]
) -> None:
    with pytest.raises(error):
        stage.page.save([("b", "b", "pick", "", "Ana", WHEN), row])
    assert not (stage.folder / PICKS).exists()


def test_a_record_that_is_gone_is_no_change_and_one_that_is_back_is_read_again(stage: Stage) -> None:
    away = stage.folder.with_name("away")
    drive(stage.state, TakeState.QUEUED)
    stage.folder.rename(away)
    assert stage.page.look() is None
    assert not stage.page.goes_on
    with pytest.raises(FileMissing):
        stage.page.page(after=0)
    away.rename(stage.folder)
    assert stage.cards().keys() == {"a"}
