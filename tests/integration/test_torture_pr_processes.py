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

SIGNALS = list(signal_cases(SEED, 4 / 150))


def run_cases(module: str, cases: Iterable[Case], scratch: Path) -> Verdict:
    """Run the cases and return what came of all of them, which must be nothing bad."""
    verdict = sum((perform(module, case, scratch)[0] for case in cases), Verdict())
    print(f"seed {SEED}: {verdict}")
    assert verdict.clean, "\n".join((f"seed {SEED}", *verdict.failures))
    return verdict


def test_killed_at_random_moments_nothing_is_doubled_lost_or_mispaired(tmp_path: Path) -> None:
    """Ten kills; none leaves more takes in doubt than submits were in the air."""
    assert run_cases("t01_random_kills", [RandomKills("kills", SEED, 10)], tmp_path).kills >= 10


@pytest.mark.parametrize("third", range(3))
def test_killed_once_at_every_failpoint_of_the_source_but_those_of_the_store(
    third: int, tmp_path: Path
) -> None:
    """Each point is reached by some scenario, and dying there costs nothing; `test_store_kill` kills the store."""
    goals = [goal for goal in once(SEED).goals if not goal.point.startswith("store.")]
    # Neighbours in the source, for they often die on one board.
    few = tuple(goals[third * len(goals) // 3 : (third + 1) * len(goals) // 3])
    case = FailpointKills(f"third-{third}", SEED + third, few)
    assert run_cases("t02_failpoints", [case], tmp_path).kills >= len(few)


@pytest.mark.parametrize("bug", [*BUGS, *CONTROLS], ids=lambda bug: bug.name)
def test_every_seeded_bug_can_still_be_sown(bug: Bug, tmp_path: Path) -> None:
    """Each replacement finds its place, and what it leaves is Python; `make torture` then hunts them all."""
    tree = copy_tree(REPOSITORY, tmp_path / "tree", bug.replacements)
    for replacement in bug.replacements:
        text = (tree / replacement.file).read_text("utf-8")
        assert replacement.new in text
        compile(text, replacement.file, "exec")


def test_a_seeded_bug_is_found_within_thirty_kills(tmp_path: Path) -> None:
    verdict = run_cases("t05_seeded_bugs", [Seeded("a lost answer counts as not sent", SEED)], tmp_path)
    assert 0 < verdict.kills <= 30


@pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "without it"])
def test_of_many_runners_at_once_one_pays(locked: bool, tmp_path: Path) -> None:
    """Four at once: the others leave, or the epoch alone keeps them from paying twice."""
    verdict = run_cases("t11_many_runners", [Crowd("crowd", SEED, 1, 4, locked)], tmp_path)
    assert verdict.cases == 1


def test_signals_end_a_run_in_good_order(tmp_path: Path) -> None:
    """Right code, soon, and the next run completes."""
    assert run_cases("t13_signals", SIGNALS, tmp_path).cases == len(SIGNALS)


def test_the_token_is_in_no_byte_that_was_written_or_printed(tmp_path: Path) -> None:
    """Not even where the service repeats it in every answer; the other situations are in `test_asking`."""
    assert run_cases("t18_token", [Leak("repeated in every answer", SEED)], tmp_path).cases == 1
