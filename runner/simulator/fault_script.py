"""Reads fault scripts in YAML or JSON.

In: text. Out: a checked list of rules, or every problem with its line and column. Scalars are read as written, so `no`
and `007` stay text. It opens no file; the file's name is only for problems.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml

from runner.domain.errors import ManifestInvalid, Position, Problem
from runner.simulator.faults import FAULTS, Fault, Route, Rule, Script

_LONGEST = 1 << 18


def read_script(text: str, file: str) -> Script:
    """Return the script in `text`; `file` is its name in problems.

    Raises: `ManifestInvalid` with all problems, each at its line and column.
    """
    reader = _Reader(file)
    rules = list(reader.rules(text))
    if reader.problems:
        raise ManifestInvalid(reader.problems)
    return Script(tuple(rules))


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ValueError("a whole number, 0 or more")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (0 <= number < 1e9):
        raise ValueError("a number, 0 or more")
    return number


def _share(text: str) -> float:
    number = _number(text)
    if number > 1:
        raise ValueError("a number from 0 to 1")
    return number


def _http_status(text: str) -> int:
    code = _whole(text)
    if not 400 <= code <= 599:
        raise ValueError("an HTTP status from 400 to 599")
    return code


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(" or ".join(words))
        return text

    return read


def _yes_no(text: str) -> bool:
    return {"true": True, "yes": True, "false": False, "no": False}[
        _one_of("true", "false", "yes", "no")(text)
    ]


def _per_job(text: str) -> bool:
    return _one_of("all", "job")(text) == "job"


def _some_text(text: str) -> str:
    if not text:
        raise ValueError("some text")
    return text


def _place(text: str) -> str:
    if not re.fullmatch(r"(\w+(\[\])?|\[\])(\.\w+(\[\])?)*", text, re.ASCII):
        raise ValueError("a place such as video.uri or data[].url")
    return text


def _id_form(text: str) -> str:
    if "{}" not in text and "{upper}" not in text:
        raise ValueError("a text with {} or {upper} in it")
    return text


def _some_outputs(text: str) -> int:
    number = _whole(text)
    if not 1 <= number <= 64:
        raise ValueError("a number from 1 to 64")
    return number


# Each key of a script leads to the rule's attribute and the function that reads its text.
_SETTINGS: dict[str, tuple[str, Callable[[str], object]]] = {
    "after": ("after", _whole),
    "count": ("count", _whole),
    "probability": ("probability", _share),
    "per": ("per_job", _per_job),
    "jobs": ("jobs", _whole),
    "for_s": ("for_s", _number),
    "model": ("model", _some_text),
    "delay_s": ("delay_s", _number),
    "accepted": ("accepted", _yes_no),
    "code": ("code", _http_status),
    "error_code": ("error_code", _whole),
    "retry_after": ("retry_after", _number),
    "retry_form": ("retry_form", _one_of("seconds", "date", "none")),
    "location": ("location", _some_text),
    "bytes": ("bytes", _whole),
    "pause_s": ("pause_s", _number),
    "word": ("word", _some_text),
    "instead_of": ("instead_of", _some_text),
    "message": ("message", _some_text),
    "at": ("at", _place),
    "id": ("id", _id_form),
    "outputs": ("outputs", _some_outputs),
    "form": ("form", _some_text),
}
_EVERYWHERE = frozenset({"after", "count", "probability", "per", "jobs", "for_s", "model", "delay_s"})


@dataclass(slots=True)
class _Reader:
    file: str
    problems: list[Problem] = field(default_factory=list)

    def rules(self, text: str) -> Iterator[Rule]:
        import yaml

        root = self._root(text)
        if root is None:
            return
        if not isinstance(root, yaml.MappingNode):
            self._wrong(root, "", "a fault script is a mapping with a list called `faults`")
            return
        fields = self._fields(root, "", {"version", "faults"})
        version, faults = fields.get("version"), fields.get("faults")
        if version is not None and version.value != "1":
            self._wrong(version, "version", "only version 1 is known", allowed=("1",))
        if not isinstance(faults, yaml.SequenceNode):
            self._wrong(faults or root, "faults", "a list of rules is needed")
            return
        for number, node in enumerate(faults.value, 1):
            rule = self._rule(node, f"rule {number}")
            if rule is not None:
                yield rule

    def _root(self, text: str) -> yaml.Node | None:
        whole = Position(self.file)
        if len(text) > _LONGEST:
            self.problems.append(Problem(whole, "", f"a fault script has at most {_LONGEST} characters"))
            return None
        # JSON may be indented with tabs, which YAML refuses; within JSON strings a raw tab is illegal anyway.
        flow = text.replace("\t", " ") if text.lstrip().startswith(("{", "[")) else text
        try:
            root: yaml.Node | None = yaml.compose(flow, Loader=yaml.SafeLoader)
        except RecursionError:
            self.problems.append(Problem(whole, "", "the script is nested too deeply"))
            return None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            at = Position(self.file, mark.line + 1, mark.column + 1) if mark else whole
            self.problems.append(
                Problem(at, "", f"not YAML: {getattr(error, 'problem', None) or 'unreadable'}")
            )
            return None
        if root is None:
            self.problems.append(Problem(whole, "", "the script is empty"))
        return root

    def _fields(self, node: yaml.MappingNode, subject: str, known: set[str]) -> dict[str, yaml.Node]:
        fields: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            # Such a name may be a list that contains itself, whose text would have no end.
            if name is None:
                self._wrong(key, subject, "the name of a setting is one word")
            elif name in fields:
                self._wrong(key, subject, f"{name} is given twice")
            elif name not in known:
                self._wrong(key, subject, f"{name}: unknown setting", near=(name, known))
            else:
                fields[name] = value
        return fields

    def _rule(self, node: yaml.Node, subject: str) -> Rule | None:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, subject, "a rule is a mapping with `route` and `fault`")
            return None
        known = {"route", "fault", *_SETTINGS}
        fields = self._fields(node, subject, known)
        before = len(self.problems)
        fault = self._fault(fields.pop("fault", node), subject)
        routes = self._routes(fields.pop("route", node), subject, fault)
        if fault is None:
            return None
        values = self._values(fields, subject, fault, routes)
        if len(self.problems) > before:
            return None
        return Rule(fault=fault, routes=routes, **values)

    def _fault(self, node: yaml.Node, subject: str) -> Fault | None:
        name = self._text(node, f"{subject}, fault", "the name of a fault is needed")
        if name is None:
            return None
        names = [str(fault) for fault in Fault]
        if name not in names:
            self._wrong(node, f"{subject}, fault", f"{name} is not a fault", near=(name, set(names)))
            return None
        return Fault(name)

    def _routes(self, node: yaml.Node, subject: str, fault: Fault | None) -> frozenset[Route]:
        subject = f"{subject}, route"
        possible = FAULTS[fault].routes if fault else frozenset(Route)
        found: set[Route] = set()
        for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            name = self._text(item, subject, "a route is needed")
            if name == "any":
                found |= possible
            elif name in {str(route) for route in possible}:
                found.add(Route(name))
            elif name is not None:
                reason = f"{fault} cannot strike {name}" if name in list(Route) else f"{name} is not a route"
                allowed = tuple(str(route) for route in Route if route in possible)
                self._wrong(item, subject, reason, allowed=allowed)
        return frozenset(found)

    def _values(
        self, fields: dict[str, yaml.Node], subject: str, fault: Fault, routes: frozenset[Route]
    ) -> dict[str, Any]:
        kind = FAULTS[fault]
        usable = _EVERYWHERE | kind.options
        if kind.accepted is not None and Route.SUBMIT in routes:
            usable |= {"accepted"}
        values: dict[str, Any] = {"accepted": kind.accepted is not False, **kind.defaults}
        for name, node in fields.items():
            attribute, read = _SETTINGS[name]
            if name not in usable:
                self._wrong(
                    node, f"{subject}, {name}", f"means nothing to {fault}", allowed=tuple(sorted(usable))
                )
                continue
            if name == "form":
                read = _one_of(*kind.forms)
            text = self._text(node, f"{subject}, {name}", "a single value is needed")
            try:
                values[attribute] = read(text or "")
            except ValueError as error:
                self._wrong(node, f"{subject}, {name}", f"{text!r} is not {error}")
        return values

    def _text(self, node: yaml.Node, subject: str, otherwise: str) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self._wrong(node, subject, otherwise)
        return None

    def _wrong(
        self,
        node: yaml.Node,
        subject: str,
        message: str,
        *,
        allowed: tuple[str, ...] = (),
        near: tuple[str, set[str]] | None = None,
    ) -> None:
        at = Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)
        nearest = None
        if near is not None:
            word, names = near
            nearest = next(iter(get_close_matches(word, sorted(names), n=1, cutoff=0.5)), None)
            allowed = () if nearest else tuple(sorted(names))
        self.problems.append(Problem(at, subject, message, allowed=allowed, nearest=nearest))
