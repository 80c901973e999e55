"""Replaces what rows only name: frames, prompt files and styles.

`@door`, or `{frame: door}`, is the frame `door`; `@@` at the beginning writes a literal `@`. A style's inputs override
the defaults but not a row's own, and its text is what `{{ style }}` stands for. It knows no model and opens no file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.fields import POINT_KEYS, STYLE_KEYS, Section, joined, layered, row_name, weigh, words_of
from runner.manifest.problems import Findings, shown
from runner.manifest.prompt_files import PromptFiles
from runner.manifest.size_limits import SizeBudget
from runner.manifest.sweep_points import axis_names
from runner.manifest.templates import has_template

_NAMED = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}"
_NAME_RULE = "letters a to z, digits, '.', '_' and '-', beginning with a letter, digit or '_', at most 80"
_REFERRING: Mapping[str, Collection[str]] = {"inputs": (), "sweep": POINT_KEYS}
_REFERENCE = re.compile(f"@({_NAMED})")
_LITERAL = re.compile(f"@(@+{_NAMED})")
# A dot would make it a file, which is another mistake.
_BARE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
# Instead of a frame that is not there, this keeps the model from reporting the same mistake again.
_STAND_IN = "https://example.com/frame.jpg"


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a manifest by name: pictures that it writes once."""

    frames: Mapping[str, Text]
    findings: Findings

    def text(self, node: Text, subject: str) -> Text:
        """Return the frame that `node` refers to as `@name`, or `node` without the `@` that makes it literal."""
        if found := _REFERENCE.fullmatch(node.text):
            return self.named(found[1], node, subject)
        literal = _LITERAL.fullmatch(node.text)
        return replace(node, text=literal[1]) if literal else node

    def plain(self, node: Text, subject: str) -> Text:
        """Return the frame that `node` refers to where only frames are allowed, so a bare name is one too."""
        if node.text in self.frames or (self.frames and _BARE.fullmatch(node.text)):
            return self.named(node.text, node, subject)
        return self.text(node, subject)

    def named(self, name: str, node: Text, subject: str) -> Text:
        """Return the frame called `name`, or after a finding an address in its place."""
        if name not in self.frames:
            message = f"{shown(name)} is not a frame of this manifest"
            if not self.frames:
                message += ", which gives none under frames: (a text that begins with @ is written @@)"
            self.findings.unknown(name, self.frames, node.at, subject, message)
        return self.frames.get(name) or Text(_STAND_IN, node.at, quoted=True)


def frames_of(top: Section) -> Frames:
    """Return the frames, and report what cannot be one."""
    frames: dict[str, Text] = {}
    section = top.section("frames")
    for name in _names_in(section):
        url = section.text(name)
        if url and _REFERENCE.fullmatch(url.text):
            section.error(url.at, name, "a frame cannot be made of another; write its address")
        elif url:
            frames[name] = url
    return Frames(frames, top.findings)


@dataclass(frozen=True, slots=True)
class Style:
    """Inputs and a text for prompts, of one style or of several together."""

    text: Text | None
    inputs: Fields


def styles_of(top: Section, variables: Mapping[str, Text]) -> dict[str, Style]:
    """Return the styles by name, and report what cannot be one."""
    styles: dict[str, Style] = {}
    section = top.section("styles")
    for name in _names_in(section):
        given = section.section(name).check_keys(STYLE_KEYS)
        text = given.text("text")
        if text and has_template(text.text):
            given.error(text.at, "text", "a style's text cannot hold templates; write it out")
        styles[name] = Style(text, given.section("inputs").fields)
    if "style" in variables and any(style.text for style in styles.values()):
        message = "{{ style }} already means the text of a style; give this variable another name"
        top.error(variables["style"].at, "vars, style", message)
    return styles


def _names_in(section: Section) -> Iterator[str]:
    for name in section.fields.items:
        if not re.fullmatch(_NAMED, name):
            section.error(section.fields.key_at(name), name, f"{shown(name)} is not a name: {_NAME_RULE}")
        yield name


def _is_plain(node: Node | None) -> bool:
    """Return whether a node refers to nothing: it is not a mapping, or one of texts that stand for themselves."""
    if not isinstance(node, Fields):
        return True
    return all(isinstance(value, Text) and value.text[:1] != "@" for value in node.items.values())


@dataclass(frozen=True, slots=True)
class References:
    """Replaces the references of rows; `style` is the default style."""

    frames: Frames
    styles: Mapping[str, Style]
    files: PromptFiles
    budget: SizeBudget
    style: Node | None

    def row(self, row: Row, number: int) -> Row:
        """Return one row without references.

        Raises:
            Stop: the manifest asks for more than its limits allow; the problem has been reported.
        """
        items = row.fields.items
        # A program wrote a row of one concrete take, from what was sent; its texts must not be resolved again.
        if "take" in items:
            return row
        # Nearly all rows name nothing, and a storyboard has tens of thousands, so this check comes first.
        if self.style is None and "style" not in items and all(map(_is_plain, map(items.get, _REFERRING))):
            return row
        subject = row_name(row, f"entry {number} of shots")
        fields = self._styled(self.inner(row.fields, subject), subject)
        return row if fields is row.fields else replace(row, fields=fields)

    def inner(self, fields: Fields, subject: str) -> Fields:
        """Return a row or the defaults with the references in its inputs and its sweep replaced."""
        changed: dict[str, Node] = {}
        for key, entries in _REFERRING.items():
            if isinstance(node := fields.items.get(key), Fields):
                inner = self._mapping(node, joined(subject, key), entries)
                if inner is not node:
                    changed[key] = inner
        return replace(fields, items={**fields.items, **changed}) if changed else fields

    def _mapping(self, node: Fields, where: str, entries: Collection[str] = ()) -> Fields:
        if _is_plain(node):
            return node
        items = {
            name: (self._entries if name in entries else self._node)(value, f"{where}.{name}")
            for name, value in node.items.items()
        }
        return replace(node, items=items)

    def _entries(self, node: Node, where: str) -> Node:
        """Return entries of a sweep; they map axes to values, and are not references even if an axis is called file."""
        if isinstance(node, Items):
            return Items(tuple(self._entries(item, f"{where}[{n}]") for n, item in enumerate(node)), node.at)
        return self._mapping(node, where) if isinstance(node, Fields) else node

    def _node(self, node: Node, where: str) -> Node:
        if isinstance(node, Text):
            return self.frames.text(node, where)
        if isinstance(node, Items):
            return Items(tuple(self._node(item, f"{where}[{n}]") for n, item in enumerate(node)), node.at)
        key, value = next(iter(node.items.items())) if len(node.items) == 1 else ("", node)
        if key not in {"file", "frame"}:
            return self._mapping(node, where)
        if not isinstance(value, Text) or value.is_null:
            wanted = "the name of a file beside the manifest" if key == "file" else "the name of a frame"
            self.frames.findings.error(value.at, where, f"{key} must be {wanted}")
            return Text("", value.at, quoted=True)
        return self.files.text(value, where) if key == "file" else self.frames.named(value.text, value, where)

    def _styled(self, fields: Fields, subject: str) -> Fields:
        node = fields.items.get("style", self.style)
        if node is None:
            return fields
        style = self._together(node, subject)
        items = {key: value for key, value in fields.items.items() if key != "style"}
        if style.text:
            items["style"] = style.text
        if style.inputs.items:
            # A row's own sweep wins over a style, as it wins over a default.
            sweep = items.get("sweep")
            keys = sweep.items if isinstance(sweep, Fields) else ()
            swept = {name for key in keys for name in axis_names(key)}
            beneath = {name: value for name, value in style.inputs.items.items() if name not in swept}
            layer = self._mapping(replace(style.inputs, items=beneath), joined(subject, "inputs"))
            own = items.get("inputs", Fields({}, node.at))
            items["inputs"] = layered(own.at, layer, own) if isinstance(own, Fields) else own
        return replace(fields, items=items)

    def _together(self, node: Node, subject: str) -> Style:
        """Return the combined styles that `node` names; the later ones win, and their texts are joined by a comma."""
        found = [self.styles[name] for name in self._known(node, joined(subject, "style"))]
        texts = [style.text for style in found if style.text]
        values = sum(weigh(style.inputs)[0] for style in found)
        characters = sum(len(text.text) for text in texts)
        self.budget.spend_values(values, characters=characters, at=node.at, subject=subject)
        text = Text(", ".join(text.text for text in texts), texts[0].at, quoted=True) if texts else None
        return Style(text, layered(node.at, *(style.inputs for style in found)))

    def _known(self, node: Node, where: str) -> Iterator[str]:
        words = words_of(node)
        names = [word for word in words if isinstance(word, Text) and not word.is_null]
        if len(names) < len(words):
            self.frames.findings.error(node.at, where, "must be the name of a style, or a list of names")
        for name in names:
            if name.text in self.styles:
                yield name.text
                continue
            message = f"{shown(name.text)} is not a style of this manifest"
            message += "" if self.styles else ", which gives none under styles:"
            self.frames.findings.unknown(name.text, self.styles, name.at, where, message)
