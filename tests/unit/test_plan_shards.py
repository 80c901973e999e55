"""The shards of a board: together they are the board once, with its labels, and each pays only for its own takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.commands.steps.open_run import new_header, refuse_other_run
from runner.commands.steps.other_splits import other_splits
from runner.commands.steps.request import RunRequest
from runner.domain.errors import FileMissing, UsageError
from runner.domain.records import TakeRecord
from runner.domain.shards import Shard, shard_of
from runner.domain.shots import Plan, Take
from runner.domain.states import TakeState
from runner.output.take_advice import run_command
from runner.plan.compare import compare
from runner.plan.file_names import labels_of, take_numbers
from runner.plan.scope import duplicates_in, scope_of
from runner.plan.selection import Choice
from runner.plan.shard_takes import moved_elsewhere, of_shard
from runner.simulator.settings import SimulatorSettings
from runner.store.reader import open_reader
from runner.store.run_dir import STATE_FILE, RunDir, default_run_dir, existing
from tests.integration.store_samples import HEADER, make_plan, make_take, new_state_file
from tests.unit.output_records import header, pending

HALVES = (Shard(1, 2), Shard(2, 2))


def ids_of(shard: Shard, count: int, *, shot: str = "s010") -> list[str]:
    """Return the first ids of a shot that a shard holds."""
    named = (f"{shot}@seed={number}" for number in range(1000))
    return [take_id for take_id in named if shard.holds(take_id)][:count]


(OURS, OURS_TOO), (THEIRS, THEIRS_TOO) = (ids_of(shard, 2) for shard in HALVES)


def on_record(take: Take, *, number: int = 1) -> TakeRecord:
    return replace(
        pending(take.id),
        shot_id=take.shot_id,
        state=TakeState.SUCCEEDED,
        body=take.body,
        fingerprint=take.fingerprint,
        number=number,
    )


def board(*takes: Take) -> Plan:
    return make_plan(takes)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 40)), unique=True, max_size=30),
    st.integers(1, 7),
)
def test_all_shards_are_the_board_once_with_the_labels_and_places_of_the_board(
    points: Sequence[tuple[str, int]], of: int
) -> None:
    whole = board(*(make_take(f"{shot}@seed={seed}") for shot, seed in points))
    parts = [of_shard(whole, Shard(number, of)) for number in range(1, of + 1)]
    assert sorted(take.id for part in parts for take in part.takes) == sorted(take.id for take in whole.takes)
    labels = [pair for part in parts for pair in labels_of(take_numbers(part)).items()]
    assert dict(labels) == labels_of(take_numbers(whole))
    placed = {take.id: place for part in parts for place, take in part.placed()}
    assert placed == {take.id: place for place, take in whole.placed()}


@given(st.lists(st.integers(0, 60), unique=True, max_size=20), st.sets(st.integers(0, 60)))
def test_an_edit_moves_no_take_to_another_shard(seeds: Sequence[int], gone: set[int]) -> None:
    takes = {seed: make_take(f"s010@seed={seed}") for seed in seeds}
    before = of_shard(board(*takes.values()), HALVES[0])
    after = of_shard(board(*(take for seed, take in takes.items() if seed not in gone)), HALVES[0])
    assert {take.id for take in after.takes} == {
        take.id for take in before.takes if int(take.id.partition("=")[2]) not in gone
    }


def test_a_take_on_record_keeps_its_number_where_a_new_one_of_the_board_has_it_too() -> None:
    new, old = make_take(OURS), make_take(OURS_TOO)
    plan = of_shard(board(new, old), HALVES[0])
    known = [on_record(old, number=1)]
    numbers = take_numbers(plan, known, compare(plan.takes, known))
    assert (numbers[old.id].number, numbers[new.id].number) == (1, 2)


def test_the_record_gives_a_shard_the_numbers_that_the_plan_shows(tmp_path: Path) -> None:
    takes = [make_take(take_id) for take_id in (THEIRS, OURS, THEIRS_TOO, OURS_TOO)]
    plan = of_shard(board(*takes), HALVES[0])
    with new_state_file(tmp_path, []) as state:
        state.adopt_plan(plan, renew=(), at=1000.0)
        # The same plan once more changes nothing.
        assert not state.adopt_plan(plan, renew=(), at=1001.0)
    with open_reader(tmp_path / "state.db") as reader:
        found = reader.takes()
    assert [(take.take_id, take.number, take.position) for take in found] == [(OURS, 2, 1), (OURS_TOO, 4, 3)]
    assert {take.take_id: take.label for take in found} == labels_of(take_numbers(plan))


def test_of_two_takes_that_send_the_same_only_the_later_one_of_the_board_pays_again() -> None:
    first, second = (make_take(take_id, prompt="same") for take_id in (THEIRS, OURS))
    for takes, again in (((first, second), (OURS,)), ((second, first), ())):
        plan = of_shard(board(*takes), HALVES[0])
        assert duplicates_in(plan, going={OURS}, sent=set()) == again


def test_a_pattern_for_takes_of_other_shards_is_right_and_finds_nothing_to_do() -> None:
    plan = of_shard(board(make_take(OURS), make_take(THEIRS)), HALVES[0])
    for name in (THEIRS, "s010_t02"):
        assert not scope_of(plan, [], Choice(only=(name,))).sends
    assert scope_of(plan, [], Choice(tags=("hero",))).sends == {OURS}
    with pytest.raises(UsageError, match="no take matches"):
        scope_of(plan, [], Choice(only=("s999",)))


def test_a_paid_take_whose_new_id_is_of_another_shard_is_warned_of_and_one_that_stays_is_not() -> None:
    record = [on_record(make_take(OURS))]
    left = of_shard(board(make_take(THEIRS)), HALVES[0])
    (warning,) = moved_elsewhere(left, record)
    assert f"take {OURS} is called {THEIRS} now, which belongs to another shard" in warning.message
    kept = of_shard(board(make_take(OURS_TOO)), HALVES[0])
    assert not [*moved_elsewhere(kept, record)]


def test_a_folder_of_another_part_of_the_board_is_refused_with_what_is_meant(tmp_path: Path) -> None:
    place, manifest = RunDir(tmp_path / "run"), tmp_path / "board.yaml"

    headers = {
        shard: new_header(place, manifest, name="board", simulated=True, api_base="simulator", shard=shard)
        for shard in (None, *HALVES)
    }
    for recorded, mine in headers.items():
        for wanted, theirs in headers.items():
            if recorded == wanted:
                refuse_other_run(mine, theirs, place, moved=False)
                continue
            with pytest.raises(UsageError) as refused:
                refuse_other_run(mine, theirs, place, moved=True)
            advice = f"add --shard {recorded}" if recorded else "leave out --shard"
            assert refused.value.advice.startswith(advice)
            assert refused.value.exit_code == 64


def test_a_shard_has_a_folder_of_its_own_and_its_commands_name_it(tmp_path: Path) -> None:
    manifest, shard = tmp_path / "day1.yaml", shard_of("2/5")
    place = default_run_dir(manifest, name="day1", simulated=True, shard=shard)
    assert place == tmp_path / "reports" / "day1-shard-2-of-5-simulated"
    place.mkdir(parents=True)
    (place / STATE_FILE).touch()
    assert existing(manifest, name="day1", kinds=(False, True), shard=shard) == RunDir(place)
    with pytest.raises(FileMissing, match="the whole board") as missing:
        existing(manifest, name="day1", kinds=(False, True))
    assert str(place) in missing.value.advice
    part = replace(header(simulated=True), shard="2/5")
    assert run_command(part, "fetch") == "shotrunner fetch storyboard.yaml --simulate --shard 2/5"


@pytest.mark.parametrize(
    ("here", "shard", "warned"),
    [
        ((), None, ""),
        (("board-shard-1-of-2",), Shard(2, 2), ""),
        (("board-shard-1-of-2",), Shard(2, 3), "board-shard-1-of-2"),
        (("board-shard-1-of-2", "board-shard-2-of-2"), None, "board-shard-1-of-2, board-shard-2-of-2"),
        (("board",), Shard(1, 2), "board"),
        (("board", "board-shard-1-of-2-simulated"), None, ""),
    ],
)
def test_a_board_that_was_run_in_another_split_is_warned_of_where_it_would_be_paid_again(
    tmp_path: Path, here: Sequence[str], shard: Shard | None, warned: str
) -> None:
    for name in here:
        (tmp_path / "reports" / name).mkdir(parents=True)
        (tmp_path / "reports" / name / STATE_FILE).touch()
    request = RunRequest(tmp_path / "board.yaml", shard=shard)
    found = other_splits(request, board())
    assert [f"in {warned}, beside" in each.message for each in found] == ([True] if warned else [])
    assert not other_splits(replace(request, simulate=SimulatorSettings()), board())


def test_the_record_keeps_which_part_it_is(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [], header=replace(HEADER, shard="2/5")):
        pass
    with open_reader(tmp_path / "state.db") as reader:
        assert reader.header.shard == "2/5"
