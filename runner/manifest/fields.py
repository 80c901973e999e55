"""Defines the fields of a manifest, checks what kind of node each of them is, and combines and finds parts of nodes.

The key tables here are the only ones; a test compares the JSON Schema for editors with them. It knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from runner.domain.display import listed
from runner.domain.errors import Position
from runner.domain.ids import why_no_id
from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.problems import Findings, bare, shown
from runner.manifest.templates import has_template
from runner.system.escapes import visible

TOP_KEYS = (
    "version", "name", "run", "vars", "defaults", "frames", "styles", "prices", "shots", "sequences",
)  # fmt: skip
DEFAULT_KEYS = ("model", "inputs", "style", "tags", "sweep", "repeat")
SHOT_KEYS = (
    "id", "model", "inputs", "style", "sweep", "tags", "notes", "repeat", "takes", "chain", "price",
    "take", "point",
)  # fmt: skip
PLACE_KEYS = ("sequence",)
SEQUENCE_KEYS = (
    "id", "model", "frames", "prompts", "durations", "inputs", "style", "sweep", "tags", "notes", "repeat", "chain",
    "price", "first", "last", "prompt", "duration",
)  # fmt: skip
ENTRY_KEYS = ("id", "prompt", "inputs", "style", "sweep", "tags", "notes", "repeat", "price")
FIELDS = frozenset({*TOP_KEYS, *DEFAULT_KEYS, *SHOT_KEYS, *SEQUENCE_KEYS}) - {"run"}
"""Names that are fields of a manifest wherever they stand, and words of a prompt hardly ever; `run` often is one."""

STYLE_KEYS = ("text", "inputs")
PRICE_KEYS = ("usd", "per", "dated")
POINT_KEYS = ("exclude", "include")
RANGE_KEYS = ("from", "count", "step")
RANDOM_KEYS = ("random", "from")
LATER_KEYS = {
    "publish": "local files cannot be put on a host for you yet; upload them and write their https addresses"
}
"""Fields that will get a meaning later, and what to do until then; they are refused and never ignored."""

# A comma in a cell needs quotes around the cell, so people use the other separators.
SEPARATOR = re.compile(r"[;,\s]+")
"""What separates words, or seeds, that are written in one text."""

# There are at most eighteen digits: int() of longer hostile text gets slow, and no API takes such a number.
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_KINDS = {Text: "one value", Items: "a list", Fields: "a mapping"}
_LISTS = frozenset({"shots", "sequences", "frames", "prompts", "durations"})
# A field is rarely meant by a word less like it: prompt is not point, and seed is not sweep.
_SAME_WORD = 0.75
_FLAGS = dict.fromkeys(("true", "yes", "on", "1"), "true") | dict.fromkeys(
    ("false", "no", "off", "0"), "false"
)
_Kind = TypeVar("_Kind", Text, Items, Fields)


def joined(subject: str, field: str) -> str:
    """Return the subject of a field: "shot s010, inputs"."""
    return f"{subject}, {visible(field, 100)}" if subject else visible(field, 100)


def row_name(row: Row, place: str) -> str:
    """Return the name of a row in a problem: its id, or else its row in a spreadsheet, or else `place`."""
    identity = row.fields.items.get("id")
    if isinstance(identity, Text) and not identity.is_null and identity.text:
        return f"shot {bare(identity.text)}"
    if row.at.cell:
        return f"row {row.at.cell.lstrip('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}"
    return place


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of a manifest and its name in problems; each method returns a field as the kind that it must be.

    A field of another kind is reported, and is then like a missing one. `strays` are fields that may be inputs in the
    wrong place, and were reported.
    """

    fields: Fields
    findings: Findings
    subject: str = ""
    strays: frozenset[str] = frozenset()

    def __contains__(self, key: str) -> bool:
        return key in self.fields.items

    def where(self, key: str) -> str:
        """Return the name of a field in problems."""
        return joined(self.subject, key)

    def error(self, at: Position, key: str, message: str) -> None:
        """Report what is wrong with a field."""
        self.findings.error(at, joined(self.subject, key), message)

    def text(self, key: str) -> Text | None:
        """Return a field that must be one scalar with a value."""
        return self._field(key, Text, "one value")

    def items(self, key: str) -> Items | None:
        """Return a field that must be a list."""
        return self._field(key, Items, "a list")

    def mapping(self, key: str) -> Fields | None:
        """Return a field that must be a mapping."""
        return self._field(key, Fields, "a mapping of names to values")

    def section(self, key: str) -> Section:
        """Return a field that must be a mapping; if it is missing, an empty one."""
        return Section(self.mapping(key) or Fields({}, self.fields.at), self.findings, self.where(key))

    def entries(self, key: str) -> Iterator[Section]:
        """Yield the mappings of a list that may not be empty, each named by its place in the list."""
        listed = self.items(key)
        if listed is not None and not listed.items:
            self.error(listed.at, key, f"no {key}")
        for number, node in enumerate(listed or (), 1):
            subject = f"entry {number} of {key}"
            if isinstance(node, Fields):
                yield Section(node, self.findings, subject)
            else:
                message = "must be a mapping that begins with 'id:'" + _as_mapping(node)
                self.findings.error(node.at, subject, message)

    def flag(self, key: str) -> bool:
        """Return a field that must be true or false; if it is missing, it is false."""
        text = self.text(key)
        if text is not None and text.text not in {"true", "false"}:
            meant = _FLAGS.get(text.text.lower())
            message = f"must be true or false, not {shown(text.text)}"
            self.findings.error(text.at, self.where(key), message, nearest=meant)
        return text is not None and text.text == "true"

    def check_keys(self, known: Collection[str], hint: str = "") -> Section:
        """Report every unknown field, with the nearest name, or else with `hint` and all names.

        Return the section with the names that were meant, so that no field is reported as missing as well. What may be
        inputs in the wrong place is one problem, and becomes the inputs or the section's `strays`.
        """
        items, keys_at = dict(self.fields.items), dict(self.fields.keys_at)
        strays: dict[str, Node] = {}
        for key in [key for key in items if key not in known]:
            at, message = self.fields.key_at(key), f"unknown field {shown(key)}"
            meant = self.findings.nearest(key, known, likeness=_SAME_WORD)
            if key in LATER_KEYS:
                self.findings.error(at, self.subject, f"{key} is not supported yet: {LATER_KEYS[key]}")
            elif meant:
                self.findings.error(at, self.subject, message, nearest=meant)
                items.setdefault(meant, items.pop(key))
                keys_at.setdefault(meant, at)
            elif "inputs" in known:
                strays[key] = items.pop(key)
            else:
                message += f"; {hint}" if hint else ""
                self.findings.unknown(key, known, at, self.subject, message, likeness=_SAME_WORD)
        if strays:
            self._report_strays(tuple(strays), known)
            if isinstance(inputs := items.get("inputs"), Text) and inputs.is_null:
                items["inputs"], strays = Fields(strays, self.fields.key_at("inputs"), keys_at), {}
        fields = replace(self.fields, items=items, keys_at=keys_at)
        return replace(self, fields=fields, strays=frozenset(strays))

    def _report_strays(self, names: tuple[str, ...], known: Collection[str]) -> None:
        at, inputs = self.fields.key_at(names[0]), self.fields.items.get("inputs")
        message = f"unknown field{'s' * (len(names) > 1)} {listed([shown(name) for name in names])}"
        if isinstance(inputs, Text) and inputs.is_null:
            message += f"; indent {'them' if len(names) > 1 else 'it'} deeper than inputs:"
            self.findings.error(at, self.subject, message)
        else:
            message += "; a model's inputs go under inputs:"
            self.findings.unknown(names[0], known, at, self.subject, message, likeness=_SAME_WORD)

    def _field(self, key: str, kind: type[_Kind], wanted: str) -> _Kind | None:
        node = self.fields.items.get(key)
        if node is None:
            return None
        if isinstance(node, Text) and node.is_null:
            self.error(node.at, key, "has no value; give one or remove the line")
        elif isinstance(node, kind):
            return node
        else:
            is_mapping = _KINDS[kind] == _KINDS[Fields]
            advice = _as_mapping(node) if is_mapping else _as_list(node) if key in _LISTS else ""
            self.error(node.at, key, f"must be {wanted}, not {_KINDS[type(node)]}{advice}")
        return None


def _as_list(node: Node) -> str:
    """Return how the first entry of a list of named mappings begins, if a mapping was written in its place."""
    if isinstance(node, Text):
        return "; put brackets around it"
    first = next(iter(node.items), "") if isinstance(node, Fields) else ""
    return f"; begin each entry with a dash, as in - id: {bare(first)}" if why_no_id(first) is None else ""


def _as_mapping(node: Node) -> str:
    """Return what a list or a text lacks to be the mapping that was meant, such as a blank behind its colon."""
    from runner.manifest.yaml_lines import look_alike, misspelt_field

    if isinstance(node, Items) and any(isinstance(item, Fields) for item in node):
        return "; remove the dashes before its fields"
    if not isinstance(node, Text) or node.quoted:
        return ""
    # Prose has no digit at its end, and `seed 1-3` has.
    is_like_field = ":" in node.text or node.text[-1:].isdecimal()
    fault = look_alike(node.text) or (misspelt_field(node.text) if is_like_field else None)
    return f"; {fault.message}" if fault else ""


def words_of(node: Node | None) -> tuple[Node, ...]:
    """Return the entries of a list that may also be written as one text; what is neither is its own only entry."""
    if isinstance(node, Items):
        return node.items
    if isinstance(node, Text) and not node.is_null:
        return tuple(Text(word, node.at, quoted=True) for word in SEPARATOR.split(node.text) if word)
    return () if node is None else (node,)


def weigh(node: Node) -> tuple[int, int, bool]:
    """Return how many values and characters a node holds, and whether any of its texts is a template."""
    if isinstance(node, Text):
        return 1, len(node.text), has_template(node.text)
    values, characters, is_templated = 1, 0, False
    for child in node.items if isinstance(node, Items) else node.items.values():
        more, longer, templated = weigh(child)
        values, characters, is_templated = values + more, characters + longer, is_templated or templated
    return values, characters, is_templated


def layered(at: Position, *layers: Fields) -> Fields:
    """Return several mappings as one; the later ones win."""
    items: dict[str, Node] = {}
    keys_at: dict[str, Position] = {}
    for layer in layers:
        items.update(layer.items)
        keys_at.update((name, layer.key_at(name)) for name in layer.items)
    return Fields(items, at, keys_at)


def whole_number(text: str) -> int | None:
    """Return the whole number that `text` is, or None."""
    return int(text) if _WHOLE.fullmatch(text) else None
