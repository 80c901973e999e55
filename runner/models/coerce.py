"""Turns nodes as written into JSON values of the shape that a model wants, and reports what it cannot turn.

In: a node and its shape. Out: a value, or `MISSING` and at least one problem at the node's own place. It types text,
folds dotted names and checks links; the validator checks ranges, lengths and choices. It knows no whole model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from runner.domain.errors import Position, Problem, Severity
from runner.domain.shots import Fields, Items, Node, Text
from runner.models.inputs import MISSING, Missing, Shape
from runner.models.media_inputs import url_fault
from runner.models.scalars import MOST_DIGITS, READERS, ParseError, choices, shown
from runner.models.share_pages import share_page
from runner.models.value_doubts import link_doubt, text_doubt
from runner.system.canonical_json import JsonValue
from runner.system.escapes import visible
from runner.system.nearest_name import Speller

LONGEST_KEY: Final = 256
"""The most characters of a name that a schema does not list: every pattern can be matched against this many."""

_NEEDED: Final = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}
_TEXT_ALONE: Final = ("string",)
_SHEET_BOOLEANS: Final = {
    **dict.fromkeys(("WAHR", "VRAI", "VERDADERO", "VERO"), True),
    **dict.fromkeys(("FALSCH", "FAUX", "FALSO"), False),
}
"""The only ways in which a spreadsheet writes a boolean: Excel in English, German, French, Spanish and Italian."""
_Tree: TypeAlias = "dict[str, _Tree | Node]"


@dataclass(slots=True)
class Reading:
    """One shot's inputs being read: values are returned, problems and warnings are collected.

    `subject` names the shot ("shot s010"); addresses inside it are dotted ("inputs.images.0").
    """

    subject: str
    allow_private_media: bool = False
    speller: Speller = field(default_factory=Speller)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def complain(
        self,
        at: Position,
        where: str,
        message: str,
        allowed: tuple[str, ...] = (),
        nearest: str | None = None,
    ) -> Missing:
        """Add a problem and return `MISSING`, so that a reader can return that."""
        self.problems.append(Problem(at, self._about(where), message, allowed, nearest))
        return MISSING

    def doubt(self, at: Position, where: str, message: str) -> None:
        """Add a warning about a value that is valid."""
        self.warnings.append(Problem(at, self._about(where), message, severity=Severity.WARNING))

    def _about(self, where: str) -> str:
        return f"{self.subject}, {where}" if self.subject else where

    def value(self, node: Node, shape: Shape, where: str) -> JsonValue | Missing:
        """Return what `node` means in `shape`, or `MISSING` after a problem."""
        if isinstance(node, Text):
            is_text = shape.kinds == _TEXT_ALONE and not node.is_null
            return self._plain_text(node, shape, where) if is_text else self._text(node, shape, where)
        kind = "array" if isinstance(node, Items) else "object"
        if shape.kinds and kind not in shape.kinds:
            hint = _as_text(node, shape)
            if "array" in shape.kinds and isinstance(node, Fields) and all(map(str.isdecimal, node.items)):
                hint = "; the parts of a list count from 0, without a gap"
            return self._wrong_kind(node, shape, where, _NEEDED[kind], hint)
        if isinstance(node, Items):
            read = [self.value(item, shape.item(i), f"{where}.{i}") for i, item in enumerate(node)]
            values = [value for value in read if value is not MISSING]
            return values if len(values) == len(read) else MISSING
        entries = {key: self._entry(node, key, shape, where) for key in node.items}
        kept = {key: value for key, value in entries.items() if value is not MISSING}
        return kept if len(kept) == len(entries) else MISSING

    def _text(self, node: Text, shape: Shape, where: str) -> JsonValue | Missing:
        if node.is_null:
            if shape.nullable and node.text:
                return None
            return self.complain(node.at, where, "no value given; write one or leave the key out")
        if node.at.cell and shape.kinds == ("boolean",) and not node.quoted and node.text in _SHEET_BOOLEANS:
            return _SHEET_BOOLEANS[node.text]
        read = [READERS[kind](node.text) for kind in shape.kinds if kind in READERS]
        value = next((value for value in read if not isinstance(value, ParseError)), None)
        may_be_text = not shape.kinds or "string" in shape.kinds
        # More digits than a number keeps are text where they may be.
        if value is not None and not node.quoted and not (may_be_text and len(node.text) > MOST_DIGITS):
            return value
        if may_be_text:
            return self._plain_text(node, shape, where)
        if not read:
            name, is_list = where.partition(".")[2], "array" in shape.kinds
            parts = [visible(f"{name}.{part}") for part in (("0", "1") if is_list else [*shape.fields][:2])]
            hint = "; put brackets around it" if is_list else ""
            if node.at.cell and parts:
                kind = "list" if is_list else "mapping"
                hint = f"; a {kind} has a column for each of its parts: {', '.join(parts)}"
            return self._wrong_kind(node, shape, where, "text", hint)
        if node.quoted:
            hint = "" if isinstance(read[0], ParseError) else "; remove the quotes"
            return self._wrong_kind(node, shape, where, "text (in quotes)", hint)
        misread = next(value for value in read if isinstance(value, ParseError))
        # A proposal that is refused next would not help.
        fits = not shape.choices or any(misread.nearest == shown(choice) for choice in shape.choices)
        nearest = misread.nearest if fits else None
        return self.complain(node.at, where, misread.message, choices(shape.choices), nearest)

    def _plain_text(self, node: Text, shape: Shape, where: str) -> JsonValue | Missing:
        text = node.text
        # A request is UTF-8, which has no half characters.
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            return self.complain(node.at, where, "holds half a character (a lone surrogate)")
        if shape.media and text and text not in shape.choices:
            fault = url_fault(text, allow_private=self.allow_private_media)
            if fault:
                return self.complain(node.at, where, fault)
            page = share_page(text)
            if told := page.message if page else link_doubt(text, name=where):
                self.doubt(node.at, where, told)
        # Nearly all texts are sentences; only a path that begins with a drive may have a blank in it.
        elif (
            (" " not in text or text[1:2] == ":")
            and not (shape.media or shape.choices)
            and (told := text_doubt(text, name=where, allow_private=self.allow_private_media))
        ):
            self.doubt(node.at, where, told)
        return text

    def _entry(self, node: Fields, key: str, shape: Shape, where: str) -> JsonValue | Missing:
        inner, address = shape.entry(key), f"{where}.{key}"
        if key not in shape.fields and len(key) > LONGEST_KEY:
            fault = f"the name is longer than {LONGEST_KEY} characters"
            return self.complain(node.key_at(key), f"{where}.{visible(key, 40)}", fault)
        if inner is None:
            nearest = self.speller.nearest(key, shape.fields)
            return self.complain(node.key_at(key), address, "unknown field", nearest=nearest)
        return self.value(node.items[key], inner, address)

    def _wrong_kind(self, node: Node, shape: Shape, where: str, found: str, hint: str = "") -> Missing:
        needed = " or ".join(_NEEDED.get(kind, kind) for kind in shape.kinds)
        return self.complain(node.at, where, f"is {found} where {needed} is needed{hint}")

    def fold(
        self, inputs: Mapping[str, Node], *, names: Collection[str], keys_at: Mapping[str, Position]
    ) -> Mapping[str, Node]:
        """Return `inputs` with the dotted names of a CSV header (`camera.zoom`, `images.0`) as mappings and lists.

        Only names that begin with one of the model's `names` are folded; others stay as they are.
        """
        dotted = {
            name: node
            for name, node in inputs.items()
            if name not in names and "." in name and name.partition(".")[0] in names
        }
        if not dotted:
            return inputs
        tree: _Tree = {name: node for name, node in inputs.items() if name not in dotted}
        for name, node in dotted.items():
            if not _inserted(tree, name.split("."), node):
                at = keys_at.get(name, node.at)
                self.complain(at, f"inputs.{name}", "is given here and also as part of another input")
        return {name: _built(branch, keys_at, name) for name, branch in tree.items()}


def _as_text(node: Node, shape: Shape) -> str:
    """Return the advice for a list that is meant as a text with brackets around it, or nothing."""
    if not isinstance(node, Items) or "string" not in shape.kinds:
        return ""
    words = [item.text for item in node if isinstance(item, Text)]
    if shape.media and len(words) == 1:
        return "; write its address without a dash or brackets"
    if words and {item.at.line for item in node} != {node.at.line}:
        return "; write it without dashes, behind '|' if it has several lines"
    return f'; if its brackets are meant, quote the text: "[{visible(", ".join(words), 60)}]"'


def _inserted(tree: _Tree, path: list[str], node: Node) -> bool:
    """Put `node` at `path`; return false if another value is in its way."""
    *stems, leaf = path
    for stem in stems:
        branch = tree.setdefault(stem, {})
        if not isinstance(branch, dict):
            return False
        tree = branch
    return tree.setdefault(leaf, node) is node


def _built(branch: _Tree | Node, keys_at: Mapping[str, Position], name: str) -> Node:
    if not isinstance(branch, dict):
        return branch
    nodes = {key: _built(value, keys_at, f"{name}.{key}") for key, value in branch.items()}
    at = next(iter(nodes.values())).at
    # Keys that count from 0 are the places of a list, whatever the order of the columns.
    if set(nodes) == {str(i) for i in range(len(nodes))}:
        return Items(tuple(nodes[str(i)] for i in range(len(nodes))), at)
    places = {key: keys_at.get(f"{name}.{key}", node.at) for key, node in nodes.items()}
    return Fields(nodes, at, places)
