"""Reads and applies named styles: inputs and a text that some shots share, but not all.

In: the field `styles`, and rows that name some. Out: inputs that override the defaults but not a row's own, and
the text that `{{ style }}` stands for. The later of several styles wins; their texts are joined by a comma.
It knows no model and renders no template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Text
from runner.manifest.fields import STYLE_KEYS, check_keys, fields_of, joined, text_of
from runner.manifest.frames import NAME_RULE, is_name
from runner.manifest.problems import Findings, shown
from runner.manifest.size_limits import SizeBudget
from runner.manifest.templates import has_template

_SEPARATOR = re.compile(r"[;,\s]+")
_HINT = "a model's inputs go under inputs:"


@dataclass(frozen=True, slots=True)
class Style:
    """Inputs, and a text for prompts."""

    text: Text | None = None
    inputs: Fields | None = None


@dataclass(frozen=True, slots=True)
class AppliedStyle:
    """The combined styles of one row; `text` is None if none of them has a text."""

    inputs: Mapping[str, Node] = field(default_factory=dict)
    keys_at: Mapping[str, Position] = field(default_factory=dict)
    text: Text | None = None


def styles_of(top: Fields, findings: Findings, variables: Mapping[str, Text]) -> dict[str, Style]:
    """Return the styles by name, and report what cannot be one."""
    fields = fields_of(top, "styles", findings)
    styles: dict[str, Style] = {}
    for name in fields.items if fields else ():
        assert fields is not None
        if not is_name(name):
            message = f"{shown(name)} is not a name: {NAME_RULE}"
            findings.error(fields.key_at(name), joined("styles", name), message)
        given = fields_of(fields, name, findings, "styles")
        styles[name] = _style(given, joined("styles", name), findings) if given else Style()
    if "style" in variables and any(style.text for style in styles.values()):
        message = "{{ style }} already means the text of a style; give this variable another name"
        findings.error(variables["style"].at, "vars, style", message)
    return styles


def _style(given: Fields, subject: str, findings: Findings) -> Style:
    check_keys(given, STYLE_KEYS, findings, subject, _HINT)
    text = text_of(given, "text", findings, subject)
    if text is not None and has_template(text.text):
        findings.error(text.at, joined(subject, "text"), "a style's text cannot hold templates; write it out")
    return Style(text, fields_of(given, "inputs", findings, subject))


class Styles:
    """Finds the styles that rows name, and merges them."""

    def __init__(self, styles: Mapping[str, Style], findings: Findings, budget: SizeBudget) -> None:
        self._styles = styles
        self._findings = findings
        self._budget = budget

    def worn(self, node: Node, subject: str) -> AppliedStyle:
        """Return the combined styles that a row's `style` names, and report unknown ones.

        Raises:
            Stop: the styles of all rows together hold more than a manifest may.
        """
        found = [self._styles[name] for name in self._names(node, joined(subject, "style"))]
        values = sum(len(style.inputs.items) for style in found if style.inputs)
        characters = sum(len(style.text.text) for style in found if style.text)
        self._budget.spend_values(values, characters=characters, at=node.at, subject=subject)
        inputs: dict[str, Node] = {}
        keys_at: dict[str, Position] = {}
        for style in found:
            if style.inputs:
                inputs.update(style.inputs.items)
                keys_at.update((name, style.inputs.key_at(name)) for name in style.inputs.items)
        texts = [style.text for style in found if style.text]
        return AppliedStyle(inputs, keys_at, _together(texts))

    def _names(self, node: Node, where: str) -> list[str]:
        if isinstance(node, Text) and not node.is_null:
            listed = [Text(name, node.at) for name in _SEPARATOR.split(node.text) if name]
        elif isinstance(node, Items):
            listed = [item for item in node if isinstance(item, Text) and not item.is_null]
        else:
            listed = []
        if not isinstance(node, Items | Text) or (isinstance(node, Items) and len(listed) < len(node.items)):
            self._findings.error(node.at, where, "must be the name of a style, or a list of names")
        return [name.text for name in listed if self._is_known(name, where)]

    def _is_known(self, name: Text, where: str) -> bool:
        if name.text in self._styles:
            return True
        nearest = self._findings.nearest(name.text, self._styles)
        message = f"{shown(name.text)} is not a style of this manifest"
        if not self._styles:
            message += ", which gives none under styles:"
        allowed = () if nearest else tuple(self._styles)[:20]
        self._findings.error(name.at, where, message, allowed=allowed, nearest=nearest)
        return False


def _together(texts: Sequence[Text]) -> Text | None:
    if not texts:
        return None
    return Text(", ".join(text.text for text in texts), texts[0].at, quoted=True)
