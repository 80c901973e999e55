"""Fills in templates: `{{ name }}` becomes the text of that name, and nothing is ever executed.

The names are variables, `id`, `style` and sweep axes. Inserted text is not rendered again. `{{{{` writes a literal
`{{`; any other `{{` is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Text
from runner.manifest.decode import place
from runner.manifest.problems import Findings, shown
from runner.manifest.size_limits import SizeBudget

_REFERENCE = re.compile(r"\{\{\{\{|\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}|\{\{")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,79}")


def is_variable_name(name: str) -> bool:
    """Return whether `name` can be given under `vars`."""
    return _VARIABLE.fullmatch(name) is not None


def has_template(text: str) -> bool:
    """Return whether rendering could change `text`."""
    return "{{" in text


class Templates:
    """Renders nodes; faults in them become findings, and the faulty text stays as it was."""

    def __init__(self, findings: Findings, budget: SizeBudget) -> None:
        self._findings = findings
        self._budget = budget
        # A fault in a file is reported once, at the file: a thousand takes of it must not search its place again.
        self._reported: set[tuple[str, int]] = set()

    def render(self, node: Node, names: Mapping[str, Text], subject: str) -> Node:
        """Return `node` with every reference replaced, at any depth."""
        if isinstance(node, Text):
            return self.render_text(node, names, subject)
        if isinstance(node, Items):
            items = (self.render(item, names, f"{subject}[{i}]") for i, item in enumerate(node))
            return Items(tuple(items), node.at)
        fields = {key: self.render(value, names, f"{subject}.{key}") for key, value in node.items.items()}
        return Fields(fields, node.at, node.keys_at)

    def render_text(self, node: Text, names: Mapping[str, Text], subject: str) -> Text:
        """Return one scalar with every reference replaced.

        Raises:
            Stop: the templates write more than a manifest may.
        """
        if not has_template(node.text):
            return node
        # A mixture is text, but a lone reference must be able to stand for a number: `duration: "{{ d }}"`.
        alone = _REFERENCE.fullmatch(node.text)
        if alone and alone[1] in names:
            return replace(names[alone[1]], at=node.at, file="")
        pieces: list[str] = []
        end = 0
        for found in _REFERENCE.finditer(node.text):
            pieces += (node.text[end : found.start()], self._value(found, node, names, subject))
            end = found.end()
        pieces.append(node.text[end:])
        # The size is measured before joining, so that a text that is too long is never built.
        length, limits = sum(map(len, pieces)), self._budget.limits
        is_longer = length > limits.text_bytes
        if not is_longer:
            self._budget.spend_characters(length, at=node.at, subject=subject)
            node = Text("".join(pieces), node.at, node.quoted)
        if is_longer or limits.too_long(node.text):
            message = f"larger than {limits.text_bytes:,} bytes after its templates"
            self._findings.error(node.at, subject, message)
        return node

    def _value(self, found: re.Match[str], node: Text, names: Mapping[str, Text], subject: str) -> str:
        name = found[1]
        if name in names:
            return names[name].text
        if found[0] == "{{{{":
            return "{{"
        fault = node.file, found.start()
        if node.file and fault in self._reported:
            return found[0]
        self._reported.add(fault)
        # Only a text that is a whole file has its lines as written; all others have lost their quotes and indents.
        at = Position(node.file, *place(node.text, found.start())) if node.file else node.at
        if name is None:
            after = node.text[found.start() : found.start() + 30]
            message = f"{shown(after)} is not a template; write {{{{{{{{ for a literal {{{{"
            self._findings.error(at, subject, message)
        else:
            message = f"{{{{ {name} }}}} names nothing this shot knows"
            self._findings.unknown(name, sorted(islice(names, 500)), at, subject, message)
        return found[0]
