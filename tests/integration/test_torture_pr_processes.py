"""The small slice of the torture of processes: kills, failpoints, seeded bugs, many runners, signals, the token.

The cases are those of `tests.torture`, fewer of them. A failure names the seed, and the folder it left.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.torture.bugs import BUGS, CONTROLS, Bug
from tests.torture.campaign import perform
from tests.torture.patches import copy_tree
from tests.torture.registry import Case, Verdict
from tests.torture.rig import REPOSITORY
from tests.torture.t01_random_kills import RandomKills
from tests.torture.t02_failpoints import FailpointKills, once
from tests.torture.t05_seeded_bugs import Seeded
from tests.torture.t11_many_runners import Crowd
from tests.torture.t13_signals import cases as signal_cases
from tests.torture.t18_token import Leak

SEED = int(os.environ.get("TORTURE_SEED", "20"))
"""The same in every worker of a parallel session, so that all of them collect the same tests."""

FOUND_AT_ONCE = (
    "a lost answer counts as not sent",
    "resume sends again what was being sent",
    "an id is used before it is stored",
)
SIGNALS = list(signal_cases(SEED, 10 / 150))


def run_cases(module: str, cases: Iterable[Case], scratch: Path) -> Verdict:
    """Run the cases and return what came of all of them, which must be nothing bad."""
    verdict = sum((perform(module, case, scratch)[0] for case in cases), Verdict())
    print(f"seed {SEED}: {verdict}")
    assert verdict.clean, "\n".join((f"seed {SEED}", *verdict.failures))
    return verdict


@pytest.mark.parametrize("number", [0, 1])
def test_killed_at_random_moments_nothing_is_doubled_lost_or_mispaired(number: int, tmp_path: Path) -> None:
    """Ten kills each; none leaves more takes in doubt than submits were in the air."""
    verdict = run_cases("t01_random_kills", [RandomKills(f"kills-{number}", SEED + number, 10)], tmp_path)
    assert verdict.kills >= 10


@pytest.mark.parametrize("quarter", range(4))
def test_killed_once_at_every_failpoint_of_the_source(quarter: int, tmp_path: Path) -> None:
    """Each point is reached by some scenario, and dying there costs nothing."""
    goals = once(SEED).goals
    # Neighbours in the source, for they often die on one board.
    few = goals[quarter * len(goals) // 4 : (quarter + 1) * len(goals) // 4]
    case = FailpointKills(f"quarter-{quarter}", SEED + quarter, few)
    assert run_cases("t02_failpoints", [case], tmp_path).kills >= len(few)


@pytest.mark.parametrize("bug", [*BUGS, *CONTROLS], ids=lambda bug: bug.name)
def test_every_seeded_bug_can_still_be_sown(bug: Bug, tmp_path: Path) -> None:
    """Each replacement finds its place, and what it leaves is Python; `make torture` then hunts them all."""
    tree = copy_tree(REPOSITORY, tmp_path / "tree", bug.replacements)
    for replacement in bug.replacements:
        text = (tree / replacement.file).read_text("utf-8")
        assert replacement.new in text
        compile(text, replacement.file, "exec")


@pytest.mark.parametrize("bug", FOUND_AT_ONCE)
def test_a_seeded_bug_is_found_within_thirty_kills(bug: str, tmp_path: Path) -> None:
    verdict = run_cases("t05_seeded_bugs", [Seeded(bug, SEED)], tmp_path)
    assert 0 < verdict.kills <= 30


@pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "without it"])
def test_of_many_runners_at_once_one_pays(locked: bool, tmp_path: Path) -> None:
    """Four at once: the others leave, or the epoch alone keeps them from paying twice."""
    verdict = run_cases("t11_many_runners", [Crowd("crowd", SEED, 2, 4, locked)], tmp_path)
    assert verdict.cases == 2


@pytest.mark.parametrize("part", [0, 1])
def test_signals_end_a_run_in_good_order(part: int, tmp_path: Path) -> None:
    """Five of the cases each: right code, soon, and the next run completes."""
    verdict = run_cases("t13_signals", SIGNALS[part::2], tmp_path)
    assert verdict.cases == len(SIGNALS[part::2])


@pytest.mark.parametrize("situation", ["repeated in every answer", "quoted in errors", "refused"])
def test_the_token_is_in_no_byte_that_was_written_or_printed(situation: str, tmp_path: Path) -> None:
    """Not even where the service repeats it."""
    assert run_cases("t18_token", [Leak(situation, SEED)], tmp_path).cases == 1
