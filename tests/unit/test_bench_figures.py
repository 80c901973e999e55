"""The arithmetic of the benchmark, without running one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.bench import HEADERS, cells, table
from tests.benchmarks.contenders import Contender
from tests.benchmarks.figures import MIB, Load, Measurement, Usage, at_floor, peak_mib, usable_cpus

LOAD = Load(takes=200, cap=50, slots=100, service=2.0)
USAGE = Usage(exit_code=0, wall=12.0, cpu=0.5, peak_bytes=40 * MIB + 1, floor_bytes=20 * MIB)
STATS = {
    "submits": 200,
    "distinct": 200,
    "outstanding": 0,
    "peak_outstanding": 50,
    "first_submit": 100.0,
    "last_done": 110.0,
}
GOOD = Measurement("x", LOAD, USAGE, STATS, {"submit": 200, "status": 500, "result": 220})


@pytest.mark.parametrize(
    ("cap", "slots", "least"),
    [(100, 100, 4.0), (50, 100, 8.0), (100, 10, 40.0)],
    ids=["even", "cap", "slots"],
)
def test_the_least_possible_is_bound_by_the_narrower_of_cap_and_slots(
    cap: int, slots: int, least: float
) -> None:
    assert Load(takes=200, cap=cap, slots=slots, service=2.0).least == least


def test_ratios_are_over_the_least_possible_and_counts_are_per_take() -> None:
    assert GOOD.makespan == 10.0
    assert GOOD.makespan_ratio == 10.0 / 8.0
    assert GOOD.wall_ratio == 12.0 / 8.0
    assert GOOD.cpu_ms_per_take == pytest.approx(2.5)
    assert (GOOD.looks_per_take, GOOD.results_per_take) == (2.5, 1.1)


def test_a_contender_that_submitted_nothing_has_figures_all_the_same() -> None:
    nothing = replace(GOOD, stats=dict.fromkeys(STATS, 0), calls={})
    assert (nothing.makespan_ratio, nothing.looks_per_take, nothing.sound) == (0.0, 0.0, False)


UNSOUND = {
    "a body paid twice": {"submits": 201},
    "two takes with one body": {"distinct": 199},
    "takes left out": {"submits": 199, "distinct": 199},
    "jobs left behind": {"outstanding": 1},
    "cap exceeded": {"peak_outstanding": 51},
}


@pytest.mark.parametrize("wrong", UNSOUND.values(), ids=UNSOUND)
def test_figures_of_a_run_that_the_server_saw_go_wrong_are_not_sound(wrong: dict[str, int]) -> None:
    assert GOOD.sound
    assert not replace(GOOD, stats={**STATS, **wrong}).sound


def test_figures_of_a_run_that_failed_are_not_sound() -> None:
    assert not replace(GOOD, usage=replace(USAGE, exit_code=-9)).sound


@pytest.mark.parametrize(
    ("text", "processors"),
    [
        (None, 8.0),
        ("max 100000\n", 8.0),
        ("200000 100000\n", 2.0),
        ("50000 100000", 0.5),
        ("1600000 100000", 8.0),
        ("", 8.0),
        ("200000 0", 8.0),
    ],
    ids=["no file", "no quota", "two", "half of one", "more than there are", "empty", "no period"],
)
def test_processors_are_those_the_quota_leaves(text: str | None, processors: float) -> None:
    assert usable_cpus(8, text) == processors


def test_a_peak_no_higher_than_the_harness_itself_is_shown_as_a_bound() -> None:
    low = replace(USAGE, peak_bytes=USAGE.floor_bytes)
    assert (peak_mib(USAGE), at_floor(USAGE), at_floor(low)) == (41, False, True)
    contender = Contender("x", lambda _load, _at: [], lambda: None)
    peak = HEADERS.index("peak MiB")
    assert [cells(contender, replace(GOOD, usage=usage))[peak] for usage in (USAGE, low)] == ["41", "≤20"]


def test_the_table_is_aligned_with_a_cell_for_every_header() -> None:
    contender = Contender("a long name", lambda _load, _at: [], lambda: None, downloads=True)
    lines = table([(contender, replace(GOOD, contender="a long name"))]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(cells(contender, GOOD)) == len(HEADERS)
    assert lines[1].split()[-1] == "yes"


def test_json_holds_the_derived_figures_beside_what_they_come_from() -> None:
    record = GOOD.as_json()
    assert record["makespan_ratio"] == GOOD.makespan_ratio
    assert record["sound"] is True
    assert record["stats"] == STATS
    assert record["load"] == {
        "takes": 200,
        "cap": 50,
        "slots": 100,
        "service": 2.0,
        "jitter": 0.3,
        "poll": 0.25,
        "own_poll": 0.1,
        "delay": 0.0,
        "seed": 1,
        "least": 8.0,
    }
