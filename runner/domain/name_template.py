"""The names of a take's files by a person's own template, such as `{shot}_t{take:02}`.

In: a template and takes. Out: a name without an ending for each take, or what is wrong. A template is never handed to
`str.format`: its fields are looked up here, so it can reach no attribute of any object.

A name has only letters, digits, `.`, `_` and `-`, so it needs no quotes in a shell and is safe as a reel of an EDL. It
never holds `~` or `+`: an older render adds `~1` to the name of its take, and a further output `+2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from string import Formatter

from runner.domain.display import listed, visible
from runner.domain.errors import UsageError
from runner.domain.ids import is_reserved
from runner.system.canonical_json import JsonValue
from runner.system.nearest_name import Speller

FIELDS = ("shot", "take", "seed", "model", "tag", "id")
"""The fields of every take; a swept input is a field as well, by its name."""

BY_ID = "{id}"
"""The template that gives every file its take's id, as without a template."""

LONGEST = 120
"""A name has at most this many bytes."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_PADDING = re.compile(r"0?[1-9][0-9]?|")
_FIRST = re.compile(r"[A-Za-z0-9_]")
_ADVICE = "for example --name '{shot}_t{take:02}'"


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """A template, taken apart: pieces of text, each with the field behind it (empty at the end) and its padding."""

    text: str
    parts: tuple[tuple[str, str, str], ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all fields."""
        return tuple(name for _, name, _ in self.parts if name)


@dataclass(frozen=True, slots=True)
class NamedTake:
    """What a name may say about a take; `number` is its number within its shot. `is_planned` if the board has it."""

    take_id: str
    shot_id: str
    number: int
    model: str
    seed: int | None
    tags: Sequence[str]
    point: Mapping[str, JsonValue]
    is_planned: bool = True


@dataclass(frozen=True, slots=True)
class FileNames:
    """The name for each take by its id, `problems` of the board's takes, and which values were `replaced` by what.

    A take with a problem has another name, so that all names are always there and different.
    """

    stems: Mapping[str, str]
    problems: tuple[UsageError, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)

    def refuse(self) -> None:
        """Raise `UsageError` if there is a problem; it says how many more there are."""
        if self.problems:
            first, more = self.problems[0], len(self.problems) - 1
            also = f" (and {more:,} more)" if more else ""
            raise UsageError(f"{first.message}{also}", advice=first.advice)

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence about characters that were replaced; empty if there were none."""
        pairs = [f"{visible(old)} → {new}" for old, new in self.replaced.items()]
        return (f"file names replace characters that are not safe: {listed(pairs)}",) if pairs else ()


def parse_template(text: str) -> NameTemplate:
    """Return a template, taken apart.

    Raises:
        UsageError: it is not a template, or would make unsafe names of any takes.
    """
    try:
        found = list(Formatter().parse(text))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a template for names: {error}", advice=_ADVICE) from error
    parts = []
    for literal, name, padding, conversion in found:
        if unsafe := _UNSAFE.search(literal):
            raise UsageError(
                f"a file name cannot hold {unsafe[0]!r}, which --name has outside its fields",
                advice=f"use letters, digits, '.', '_' and '-'; {_ADVICE}",
            )
        if name is not None and (not name or conversion or not _PADDING.fullmatch(padding or "")):
            shown = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{padding}' if padding else ''}}}"
            raise UsageError(
                f"{shown!r} is not a field of a name", advice=f"a field is {{take}} or {{take:02}}; {_ADVICE}"
            )
        parts.append((literal, name or "", padding or ""))
    if not any(name for _, name, _ in parts):
        raise UsageError(f"{text!r} gives all takes the same name", advice=_ADVICE)
    return NameTemplate(text, tuple(parts))


def kept_template(text: str) -> str:
    """Return a template as a record keeps it: nothing stands for the takes' ids.

    Raises:
        UsageError: it is not a template.
    """
    return "" if parse_template(text).text == BY_ID else text


def file_names(text: str, takes: Iterable[NamedTake]) -> FileNames:
    """Return a name for each take; nothing for `text` means the takes' ids.

    No two names are alike, even if case does not count. Takes of the board come first. A take that left it, and one
    with a problem, gets another name if its own is not free.

    Raises:
        UsageError: the text is not a template.
    """
    if not text:
        return FileNames({take.take_id: take.take_id for take in takes})
    return _Naming(parse_template(text)).named(list(takes))


class _Unnamed(Exception):
    """A take that a template cannot name; the arguments are what is wrong and what to do."""


class _Naming:
    def __init__(self, template: NameTemplate) -> None:
        self._template = template
        self._stems: dict[str, str] = {}
        self._owners: dict[str, NamedTake] = {}
        self._replaced: dict[str, str] = {}
        self._problems: list[UsageError] = []

    def named(self, takes: Sequence[NamedTake]) -> FileNames:
        known = dict.fromkeys((*FIELDS, *(axis for take in takes for axis in take.point)))
        self._problems += (_unknown(name, known) for name in self._template.fields if name not in known)
        first = [take for take in takes if take.is_planned]
        others = [take for take in takes if not take.is_planned]
        # An unknown field is the cause of all other problems, and they would only hide it.
        left = [take for take in first if self._problems or not self._give_own(take)]
        later = [take for take in others if "~" in take.take_id or not self._give_own(take, quiet=True)]
        for take in (*left, *later):
            self._give_any(take)
        return FileNames(self._stems, tuple(self._problems), self._replaced)

    def _give_own(self, take: NamedTake, *, quiet: bool = False) -> bool:
        """Give a take the name that the template makes; if it cannot, note why unless `quiet`, and return False."""
        try:
            name = self._free(take, self._made(take))
        except _Unnamed as problem:
            if not quiet:
                what, advice = problem.args
                self._problems.append(UsageError(what, advice=advice))
            return False
        self._take(take, name)
        return True

    def _free(self, take: NamedTake, name: str) -> str:
        if other := self._owners.get(name.lower()):
            raise _Unnamed(
                f"{other.take_id} and {take.take_id} would both have the file name {name}",
                f"add {_difference(other, take, self._template)} to --name",
            )
        return name

    def _give_any(self, take: NamedTake) -> None:
        """Give a take a name that is free: an older render that of its take with its mark, others their ids."""
        base, mark, render = take.take_id.partition("~")
        own = f"{self._stems.get(base, base)}{mark}{render}"
        wishes = chain((own, take.take_id), (f"{take.take_id}_{number}" for number in count(2)))
        self._take(take, next(name for name in wishes if name.lower() not in self._owners))

    def _take(self, take: NamedTake, name: str) -> None:
        self._stems[take.take_id] = name
        self._owners[name.lower()] = take

    def _made(self, take: NamedTake) -> str:
        name = "".join(
            f"{literal}{self._text(take, field, padding)}" for literal, field, padding in self._template.parts
        )
        wrong = _why_unsafe(name)
        if wrong:
            raise _Unnamed(f"the file name {name[:LONGEST]!r} of {take.take_id} {wrong}", _ADVICE)
        return name

    def _text(self, take: NamedTake, field: str, padding: str) -> str:
        if not field:
            return ""
        value = _value(take, field)
        if padding and (isinstance(value, bool) or not isinstance(value, int)):
            raise _Unnamed(
                f"{{{field}:{padding}}} counts digits, and {field} of {take.take_id} is {visible(str(value))!r}",
                f"write {{{field}}}",
            )
        text = format(value, padding) if padding else _plain(value)
        safe = _UNSAFE.sub("-", text)
        if safe != text:
            self._replaced[text] = safe
        return safe


def _value(take: NamedTake, field: str) -> JsonValue:
    """Return the value of a field; raises `_Unnamed` if the take has none."""
    given: Mapping[str, JsonValue] = {
        "shot": take.shot_id,
        "take": take.number,
        "model": take.model,
        "id": take.take_id,
    }
    if field in given:
        return given[field]
    if field == "seed":
        if take.seed is None:
            raise _Unnamed(
                f"{take.take_id} has no seed: its model {take.model} has no such input",
                "leave {seed} out of --name; {take:02} is another number for each take",
            )
        return take.seed
    if field == "tag":
        if not take.tags:
            raise _Unnamed(f"{take.take_id} has no tag", "give it one, or leave {tag} out of --name")
        return take.tags[0]
    if field not in take.point:
        raise _Unnamed(
            f"{take.take_id} has no {field}: it is not swept there", f"leave {{{field}}} out of --name"
        )
    return take.point[field]


def _plain(value: JsonValue) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _why_unsafe(name: str) -> str:
    if not name or not _FIRST.match(name):
        return "does not begin with a letter, a digit or '_'"
    if name.endswith("."):
        return "ends with a dot, which some systems drop"
    if len(name) > LONGEST:
        return f"is longer than {LONGEST} bytes"
    return "is a reserved file name on Windows" if is_reserved(name) else ""


def _unknown(name: str, known: Mapping[str, None]) -> UsageError:
    nearest = Speller().nearest(name, known)
    fields = listed([f"{{{each}}}" for each in known], most=12)
    hint = f"did you mean {{{nearest}}}? " if nearest else ""
    return UsageError(
        f"there is no field {{{visible(name)}}} for names", advice=f"{hint}the fields are {fields}"
    )


def _difference(one: NamedTake, other: NamedTake, template: NameTemplate) -> str:
    """Return the fields in which two takes differ, as words for a person."""
    return (
        " or ".join(f"{{{name}}}" for name in _differing(one, other) if name not in template.fields) or BY_ID
    )


def _differing(one: NamedTake, other: NamedTake) -> Iterator[str]:
    if one.shot_id != other.shot_id:
        yield "shot"
        return
    yield "take:02"
    axes = dict.fromkeys((*one.point, *other.point))
    yield from (axis for axis in axes if one.point.get(axis) != other.point.get(axis))
