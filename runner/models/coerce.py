"""Turns nodes as written into JSON values of the shape that a model wants, and reports what it cannot turn.

In: a node and its shape. Out: a value, or `MISSING` and at least one problem at the node's own place. It types text
and checks links; the validator checks ranges, lengths and choices. It knows no whole model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from runner.domain.errors import Position, Problem
from runner.domain.shots import Fields, Items, Node, Text
from runner.models.display import choices, printable
from runner.models.inputs import MISSING, Missing
from runner.models.media_inputs import url_fault
from runner.models.scalars import ParseError, read_boolean, read_integer, read_number
from runner.models.value_types import Shape
from runner.system.canonical_json import JsonValue
from runner.system.nearest_name import Speller

LONGEST_KEY: Final = 256
"""The most characters of a name that a schema does not list: every pattern can be matched against this many."""

_READERS: Final = {"integer": read_integer, "number": read_number, "boolean": read_boolean}
_NEEDED: Final = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}


@dataclass(slots=True)
class Reading:
    """One shot's inputs being read: values are returned, problems are collected.

    `subject` names the shot ("shot s010"); addresses inside it are dotted ("inputs.images.0").
    """

    subject: str
    allow_private_media: bool = False
    speller: Speller = field(default_factory=Speller)
    problems: list[Problem] = field(default_factory=list)

    def complain(
        self,
        at: Position,
        where: str,
        message: str,
        *,
        allowed: tuple[str, ...] = (),
        nearest: str | None = None,
    ) -> Missing:
        """Add a problem and return `MISSING`, so that a reader can return that."""
        subject = f"{self.subject}, {where}" if self.subject else where
        self.problems.append(Problem(at, subject, message, allowed, nearest))
        return MISSING

    def value(self, node: Node, shape: Shape, where: str) -> JsonValue | Missing:
        """Return what `node` means in `shape`, or `MISSING` after a complaint."""
        match node:
            case Text():
                return self._text(node, shape, where)
            case Items():
                return self._list(node, shape, where)
            case Fields():
                return self._mapping(node, shape, where)

    def _text(self, node: Text, shape: Shape, where: str) -> JsonValue | Missing:
        if node.is_null:
            if shape.nullable and node.text:
                return None
            return self.complain(node.at, where, "no value given; write one or leave the key out")
        if not shape.kinds:
            return self._plain_text(node, shape, where)
        misread: ParseError | None = None
        for kind in shape.kinds:
            if kind in _READERS and not node.quoted:
                read = _READERS[kind](node.text)
                if not isinstance(read, ParseError):
                    return read
                misread = misread or read
        if "string" in shape.kinds:
            return self._plain_text(node, shape, where)
        if misread:
            allowed = choices(shape.choices)
            return self.complain(node.at, where, misread.message, allowed=allowed, nearest=misread.nearest)
        return self._wrong_kind(node, shape, where)

    def _wrong_kind(self, node: Text, shape: Shape, where: str) -> Missing:
        needed = " or ".join(_NEEDED.get(kind, kind) for kind in shape.kinds)
        scalar = next((kind for kind in shape.kinds if kind in _READERS), None)
        if not scalar:
            return self.complain(node.at, where, f"is text where {needed} is needed")
        message = f"is text (in quotes) where {needed} is needed"
        if not isinstance(_READERS[scalar](node.text), ParseError):
            message += "; remove the quotes"
        return self.complain(node.at, where, message)

    def _plain_text(self, node: Text, shape: Shape, where: str) -> JsonValue | Missing:
        # A request is UTF-8, which has no half characters.
        if not node.text.isascii() and any("\ud800" <= c <= "\udfff" for c in node.text):
            return self.complain(node.at, where, "holds half a character (a lone surrogate)")
        if shape.media and node.text:
            fault = url_fault(node.text, allow_private=self.allow_private_media)
            if fault:
                return self.complain(node.at, where, fault)
        return node.text

    def _list(self, node: Items, shape: Shape, where: str) -> JsonValue | Missing:
        if shape.kinds and "array" not in shape.kinds:
            return self._not_wanted(node, shape, where, "a list")
        read = [self.value(item, shape.item(i), f"{where}.{i}") for i, item in enumerate(node)]
        values = [value for value in read if value is not MISSING]
        return values if len(values) == len(read) else MISSING

    def _mapping(self, node: Fields, shape: Shape, where: str) -> JsonValue | Missing:
        if shape.kinds and "object" not in shape.kinds:
            return self._not_wanted(node, shape, where, "a mapping")
        read = {key: self._entry(node, key, shape, where) for key in node.items}
        values = {key: value for key, value in read.items() if value is not MISSING}
        return values if len(values) == len(read) else MISSING

    def _entry(self, node: Fields, key: str, shape: Shape, where: str) -> JsonValue | Missing:
        inner = shape.fields.get(key)
        if inner is None and len(key) > LONGEST_KEY:
            where = f"{where}.{printable(key[:40])}…"
            return self.complain(node.key_at(key), where, f"the name is longer than {LONGEST_KEY} characters")
        if inner is None and not shape.extras:
            nearest = self.speller.nearest(key, shape.fields)
            return self.complain(node.key_at(key), f"{where}.{key}", "unknown field", nearest=nearest)
        return self.value(node.items[key], inner or Shape(), f"{where}.{key}")

    def _not_wanted(self, node: Items | Fields, shape: Shape, where: str, found: str) -> Missing:
        needed = " or ".join(_NEEDED.get(kind, kind) for kind in shape.kinds)
        return self.complain(node.at, where, f"is {found} where {needed} is needed")
