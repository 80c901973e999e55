"""T5: bugs are sown into copies of the product, and the tests must find each of them within 30 kills.

A matrix that cannot see is worth nothing. The same hunts on the product as it is are the controls: there they must find
nothing. A bug whose place in the source has moved is refused and counts as a failure of this test.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.bugs import BUGS, CONTROLS, Bug
from tests.torture.patches import PatchStale, copy_tree
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Tally

NAME = "T5 seeded bugs"


@dataclass(frozen=True, slots=True)
class Seeded:
    """One bug or control, by its name in `bugs`."""

    name: str
    seed: int


def cases(seed: int, scale: float) -> Iterator[Seeded]:
    """Yield every bug and every control; less than the full scale takes a share of both."""
    for bugs in (BUGS, CONTROLS):
        few = bugs[: max(1, round(len(bugs) * scale))]
        yield from (Seeded(bug.name, seed * 1019 + number) for number, bug in enumerate(few))


def run(case: Seeded, workdir: Path) -> Verdict:
    """Hunt one bug, which must be found, or run its hunt on the product as it is, which must not find anything."""
    bug = next(bug for bug in (*BUGS, *CONTROLS) if bug.name == case.name)
    chance = random.Random(case.seed)
    try:
        tree = copy_tree(REPOSITORY, workdir / "tree", bug.replacements)
    except PatchStale as error:
        return Verdict(cases=1, failures=(f"{bug.name}: cannot be sown any more: {error}",))
    return _control(bug, tree, workdir, chance) if bug.is_control else _hunted(bug, tree, workdir, chance)


def _hunted(bug: Bug, tree: Path, workdir: Path, chance: random.Random) -> Verdict:
    tally = Tally()
    spent = bug.hunt.go(tree, workdir / "hunt", tally, chance)
    if not tally.found:
        return Verdict(cases=1, kills=tally.kills, failures=(f"{bug.name}: not found in {spent} lives",))
    # What the hunt found is not the product's: only that it was found counts.
    return Verdict(cases=1, kills=tally.kills)


def _control(bug: Bug, tree: Path, workdir: Path, chance: random.Random) -> Verdict:
    tally = Tally()
    bug.hunt.go(tree, workdir / "hunt", tally, chance, lives=bug.hunt.control_lives)
    return tally.verdict()
