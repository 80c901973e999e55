"""The data of a page that is served, in the files that `page_data` describes, each made when a browser asks for it.

In: the ids of all takes in their order, and functions that read some of them. Out: contents by name. An index file is
kept until one of its takes changes, so a change makes no other file again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import ceil

from runner.output.page_data import DATA, FILE_NAME, Parts, Shown, Sizes, packed, script

_HASHED = 16


class PageParts:
    """The takes of one plan; `plan` is another text for each. Any thread may call it."""

    def __init__(self, take_ids: Sequence[str], plan: str, sizes: Sizes) -> None:
        self.take_ids, self.plan, self._sizes = take_ids, plan, sizes
        self._places = {take_id: place for place, take_id in enumerate(take_ids)}
        self._mark = hashlib.sha256(plan.encode("utf-8", "replace")).hexdigest()[:_HASHED]
        self._kept: dict[int, bytes] = {}
        self._changes: Counter[int] = Counter()

    @property
    def parts(self) -> Parts:
        """What the page knows of its data."""
        count, sizes = len(self.take_ids), self._sizes
        return Parts(
            count=count,
            page=sizes.page,
            step=sizes.index,
            pages=[f"{DATA}/{self._name('takes', each)}" for each in range(ceil(count / sizes.page))],
            index=[f"{DATA}/{self._name('index', each)}" for each in range(ceil(count / sizes.index))],
        )

    def first(self, waiting: Iterable[str]) -> dict[str, int]:
        """Return the takes that the page shows first with their places: the first of all, and those that wait."""
        half = self._sizes.page // 2
        chosen = {self._places[each] for each in [*self.take_ids[:half], *waiting] if each in self._places}
        return {self.take_ids[place]: place for place in sorted(chosen)}

    def forget(self, take_ids: Iterable[str]) -> None:
        """Note that these takes have changed."""
        for number in {self._places[each] // self._sizes.index for each in take_ids if each in self._places}:
            self._changes[number] += 1
            self._kept.pop(number, None)

    def file(
        self,
        name: str,
        *,
        found: Callable[[Sequence[str]], list[Shown]],
        further: Callable[[Sequence[str]], list[Shown]],
    ) -> bytes | None:
        """Return the file of this name, None if there is none; `found` and `further` return the parts of takes."""
        if not FILE_NAME.fullmatch(name):
            return None
        kind, digits, _ = name.split("-")
        number, size = int(digits), self._sizes.index if kind == "index" else self._sizes.page
        take_ids = self.take_ids[number * size : (number + 1) * size]
        if name != self._name(kind, number) or not take_ids:
            return None
        if kind == "takes":
            return script(name, packed(further(take_ids)))
        changes = self._changes[number]
        made = self._kept.get(number) or script(name, packed(found(take_ids)))
        # What has changed meanwhile may be missing in it. The page hears of that, and the next page must as well.
        if changes == self._changes[number]:
            self._kept[number] = made
        return made

    def _name(self, kind: str, number: int) -> str:
        return f"{kind}-{number:04}-{self._mark}.js"
