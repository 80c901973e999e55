"""Reads fault scripts in YAML or JSON.

In: text. Out: a checked list of rules, or every problem with its line and column. Scalars are read as written, so `no`
and `007` stay text. It opens no file; the file's name is only for problems.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from runner.domain.errors import ManifestInvalid, Position, Problem
from runner.simulator.fault_rules import Fault, Route, Rule, Script, number, one_of, share, some_text, whole
from runner.simulator.faults import FAULTS
from runner.system.nearest_name import Speller

_LONGEST = 1 << 18
_YES_NO = {"true": True, "false": False, "yes": True, "no": False}

SETTINGS: Mapping[str, Callable[[str], object]] = {
    "after": whole,
    "count": whole,
    "probability": share,
    "per": one_of("all", "job"),
    "jobs": whole,
    "for_s": number,
    "model": some_text,
    "delay_s": number,
    "accepted": lambda text: _YES_NO[one_of(*_YES_NO)(text)],
}
"""The settings of every rule, with the function that reads the text of each; a fault may have more."""

Fields: TypeAlias = dict[str, yaml.Node]


def read_script(text: str, file: str, *, faults: Mapping[str, Fault] = FAULTS) -> Script:
    """Return the script in `text`; `file` is its name in problems, and `faults` are those that it can name.

    Raises: `ManifestInvalid` with all problems, each at its line and column.
    """
    reader = _Reader(file, faults)
    rules = tuple(reader.rules(text))
    if reader.problems:
        raise ManifestInvalid(reader.problems)
    return Script(rules)


@dataclass(slots=True)
class _Reader:
    file: str
    faults: Mapping[str, Fault]
    problems: list[Problem] = field(default_factory=list)
    speller: Speller = field(default_factory=Speller)

    def rules(self, text: str) -> Iterator[Rule]:
        root = self._root(text)
        fields = self._fields(
            root, "", {"version", "faults"}, "a fault script is a mapping with a list called `faults`"
        )
        if fields is None:
            return
        version, faults = fields.get("version"), fields.get("faults")
        if version is not None and version.value != "1":
            self._wrong(version, "version", "only version 1 is known", allowed={"1"})
        if not isinstance(faults, yaml.SequenceNode):
            self._wrong(faults or root, "faults", "a list of rules is needed")
            return
        for place, node in enumerate(faults.value, 1):
            if rule := self._rule(node, f"rule {place}"):
                yield rule

    def _root(self, text: str) -> yaml.Node:
        if len(text) > _LONGEST:
            raise self._unreadable(f"a fault script has at most {_LONGEST} characters")
        # JSON may be indented with tabs, which YAML refuses; within JSON strings a raw tab is illegal anyway.
        flow = text.replace("\t", " ") if text.lstrip().startswith(("{", "[")) else text
        try:
            root: yaml.Node | None = yaml.compose(flow, Loader=yaml.SafeLoader)
        except RecursionError:
            raise self._unreadable("the script is nested too deeply") from None
        except yaml.YAMLError as error:
            why = getattr(error, "problem", None) or "unreadable"
            raise self._unreadable(f"not YAML: {why}", getattr(error, "problem_mark", None)) from error
        if root is None:
            raise self._unreadable("the script is empty")
        return root

    def _unreadable(self, message: str, mark: yaml.Mark | None = None) -> ManifestInvalid:
        return ManifestInvalid([Problem(self._at(mark), "", message)])

    def _at(self, mark: yaml.Mark | None) -> Position:
        return Position(self.file, mark.line + 1, mark.column + 1) if mark else Position(self.file)

    def _rule(self, node: yaml.Node, subject: str) -> Rule | None:
        before = len(self.problems)
        known = {"route", "fault", *SETTINGS}.union(*(fault.settings for fault in self.faults.values()))
        fields = self._fields(node, subject, known, "a rule is a mapping with `route` and `fault`")
        if fields is None:
            return None
        fault = self._fault(fields.pop("fault", node), f"{subject}, fault")
        routes = frozenset(self._routes(fields.pop("route", node), f"{subject}, route", fault))
        if fault is None:
            return None
        values = self._values(fields, subject, fault, routes)
        if len(self.problems) > before:
            return None
        general = {name: values.pop(name) for name in SETTINGS if name in values}
        return Rule(fault, routes, **general, values=values)

    def _fault(self, node: yaml.Node, subject: str) -> Fault | None:
        name = self._text(node, subject, "the name of a fault is needed")
        if name is not None and name not in self.faults:
            self._wrong(node, subject, f"{name} is not a fault", near=name, allowed=self.faults)
        return self.faults.get(name or "")

    def _routes(self, node: yaml.Node, subject: str, fault: Fault | None) -> Iterator[Route]:
        possible = [route for route in Route if fault is None or route in fault.routes]
        for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            name = self._text(item, subject, "a route is needed")
            if name == "any":
                yield from possible
            elif name in possible:
                yield Route(name)
            elif name is not None:
                known = fault is not None and name in list(Route)
                reason = (
                    f"{fault.name} cannot apply to {name}" if fault and known else f"{name} is not a route"
                )
                self._wrong(item, subject, reason, allowed=possible)

    def _values(self, fields: Fields, subject: str, fault: Fault, routes: frozenset[Route]) -> dict[str, Any]:
        readers = {**SETTINGS, **{name: read for name, (read, _) in fault.settings.items()}}
        if fault.decides_the_job or Route.SUBMIT not in routes:
            del readers["accepted"]
        values: dict[str, Any] = {"accepted": fault.accepted}
        values |= {name: usual for name, (_, usual) in fault.settings.items()}
        for name, node in fields.items():
            place = f"{subject}, {name}"
            if name not in readers:
                self._wrong(node, place, f"means nothing to {fault.name}", allowed=sorted(readers))
            elif (text := self._text(node, place, "a single value is needed")) is not None:
                try:
                    values[name] = readers[name](text)
                except ValueError as error:
                    self._wrong(node, place, f"{text!r} is not {error}")
        return values

    def _fields(self, node: yaml.Node, subject: str, known: Collection[str], needed: str) -> Fields | None:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, subject, needed)
            return None
        fields: Fields = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            # Such a name may be a list that contains itself, whose text would have no end.
            if name is None:
                self._wrong(key, subject, "the name of a setting is one word")
            elif name in fields:
                self._wrong(key, subject, f"{name} is given twice")
            elif name not in known:
                self._wrong(key, subject, f"{name}: unknown setting", near=name, allowed=known)
            else:
                fields[name] = value
        return fields

    def _text(self, node: yaml.Node, subject: str, needed: str) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self._wrong(node, subject, needed)
        return None

    def _wrong(
        self, node: yaml.Node, subject: str, message: str, *, allowed: Collection[str] = (), near: str = ""
    ) -> None:
        """Note a problem at a node; the name nearest to `near` is proposed, or else all that are allowed."""
        nearest = self.speller.nearest(near, sorted(allowed), likeness=0.5) if near else None
        shown = () if nearest else tuple(map(str, sorted(allowed) if near else allowed))
        self.problems.append(
            Problem(self._at(node.start_mark), subject, message, allowed=shown, nearest=nearest)
        )
