"""What a torture test is: a module `tests/torture/tNN_name.py` with a name, cases, and a way to run one of them.

In: nothing. Out: the modules by short name, and the two types they speak: `Case` and `Verdict`. It knows no product
and no process.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

HERE = Path(__file__).parent


class Case(Protocol):
    """One thing to try: a picklable value whose name is unique within its test, seed and scale."""

    @property
    def name(self) -> str:
        """The name that a resumed campaign knows it by."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one case, or of many added up.

    `doubled`, `lost` and `mispaired` count charges; `held` counts the takes that kills, and nothing else, left in
    doubt. `failures` are sentences; anything in it means that the product or the test is wrong.
    """

    cases: int = 0
    kills: int = 0
    doubled: int = 0
    lost: int = 0
    mispaired: int = 0
    held: int = 0
    failures: tuple[str, ...] = ()

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(
            self.cases + other.cases,
            self.kills + other.kills,
            self.doubled + other.doubled,
            self.lost + other.lost,
            self.mispaired + other.mispaired,
            self.held + other.held,
            self.failures + other.failures,
        )

    @property
    def clean(self) -> bool:
        """True if nothing is wrong; takes that were held as promised are not wrong."""
        return not (self.doubled or self.lost or self.mispaired or self.failures)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(**{**value, "failures": tuple(value["failures"])})


@dataclass(frozen=True, slots=True)
class Torture:
    """One test: its short name (T1), its title, and the module's two functions.

    `cases(seed, scale)` yields the cases; scale 1.0 is the full number, less is a share of it. `run(case, workdir)`
    runs one of them in an empty folder, in whatever process. `obstacle()` says why none can be run here, or nothing.
    """

    name: str
    title: str
    cases: Callable[[int, float], Iterable[Any]]
    run: Callable[[Any, Path], Verdict]
    obstacle: Callable[[], str]


def load(module: str) -> Torture:
    """Return the test that a module of this package holds; its `NAME` is the short name, perhaps with a title."""
    found = importlib.import_module(f"{__package__}.{module}")
    obstacle = getattr(found, "obstacle", str)
    return Torture(short_name(module), str(found.NAME).partition(" ")[2], found.cases, found.run, obstacle)


def short_name(module: str) -> str:
    """Return T1 for `t01_random_kills`."""
    return f"T{int(module[1:].partition('_')[0])}"


def find(only: Sequence[str] = ()) -> dict[str, Torture]:
    """Return the tests by module name, in the order of their numbers; `only` limits them to these short names.

    Raises: ValueError for a short name that no module has.
    """
    modules = {path.stem: short_name(path.stem) for path in sorted(HERE.glob("t[0-9][0-9]_*.py"))}
    unknown = set(only) - set(modules.values())
    if unknown:
        raise ValueError(f"no such test: {', '.join(sorted(unknown))}")
    # Only what was asked for is imported: a test that is being written must not stop the others.
    return {module: load(module) for module, name in modules.items() if not only or name in only}
