"""The takes of a run in groups, by shot, model, tag, class of failure or a swept input, as a table of text.

It knows no terminal and no state file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from runner.domain import display
from runner.domain.errors import UsageError
from runner.domain.money import Spending, micros, usd
from runner.domain.records import TakeOutcome
from runner.system.nearest_name import Speller

_NONE = "–"
_WIDEST_NAME = 40
_KEYS: Mapping[str, Callable[[TakeOutcome], Sequence[str]]] = {
    "shot": lambda take: (take.shot_id,),
    "model": lambda take: (take.model,),
    "tag": lambda take: take.tags or (_NONE,),
    "class": lambda take: (take.failure.value if take.failure else _NONE,),
}


@dataclass(slots=True)
class Group:
    """Some takes: how many have each standing, what their submissions cost (USD), and how long their jobs took.

    `billed` counts every submission, and is None where no cost is known.
    """

    name: str
    standings: Counter[str] = field(default_factory=Counter)
    billed: float | None = None
    seconds: list[float] = field(default_factory=list)

    @property
    def takes(self) -> int:
        """How many takes there are."""
        return self.standings.total()

    @property
    def typical(self) -> float | None:
        """The median time of a job in seconds, None if none has ended."""
        return median(self.seconds) if self.seconds else None


def take_groups(takes: Sequence[TakeOutcome], spending: Spending, by: str) -> list[Group]:
    """Return the takes in groups by `by`, in the order in which the takes come; a take is in the group of each tag.

    Raises:
        UsageError: there is no such way to group them; the advice names the nearest.
    """
    key = _KEYS.get(by)
    if key is None:
        axes = dict.fromkeys(axis for take in takes for axis in take.point)
        if by not in axes:
            raise _unknown(by, [*_KEYS, *axes])

        def key(take: TakeOutcome) -> Sequence[str]:
            return (display.value(take.point[by], _WIDEST_NAME) if by in take.point else _NONE,)

    costs = _costs(spending)
    groups: dict[str, Group] = {}
    for take in takes:
        for name in key(take):
            group = groups.setdefault(name, Group(name))
            group.standings[display.standing(take.state, take.delivery)] += 1
            if take.take_id in costs:
                group.billed = usd(micros(group.billed or 0.0) + costs[take.take_id])
            if take.seconds is not None:
                group.seconds.append(take.seconds)
    return list(groups.values())


def _costs(spending: Spending) -> Mapping[str, int]:
    """Return what the submissions of each take cost, in millionths of a dollar, as far as it is known."""
    costs = defaultdict[str, int](int)
    for charge in spending.charges:
        if charge.cost is not None:
            costs[charge.take_id] += micros(charge.cost)
    return costs


def _unknown(by: str, names: Iterable[str]) -> UsageError:
    known = list(names)
    near = Speller().nearest(by, known)
    ways = f"one of {display.listed(known, most=20)}"
    return UsageError(
        f"there is no table by {display.visible(by, _WIDEST_NAME)}",
        advice=f"did you mean {display.visible(near)}? else {ways}" if near else f"give {ways}",
    )


def group_lines(groups: Sequence[Group], by: str) -> list[str]:
    """Return a table: name, takes, what was billed, the typical time of a job, and how many takes have each state."""
    rows = [(display.visible(by, _WIDEST_NAME), "takes", "billed", "typical", "states")]
    rows += [
        (
            display.visible(group.name, _WIDEST_NAME),
            f"{group.takes:,}",
            _NONE if group.billed is None else display.money(group.billed),
            _NONE if group.typical is None else display.duration(group.typical),
            display.tally(group.standings),
        )
        for group in groups
    ]
    wide = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        f"{name:<{wide[0]}}  {takes:>{wide[1]}}  {billed:>{wide[2]}}  {typical:>{wide[3]}}  {states}"
        for name, takes, billed, typical, states in rows
    ]
