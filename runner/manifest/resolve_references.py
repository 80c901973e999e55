"""Replaces the references of rows: styles are merged below their inputs, frames and prompt files are filled in.

In: a `Source` as written. Out: one whose rows and defaults have no references; a row's `style` is then the text of
its styles. It knows no model and opens no file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.document import Source
from runner.manifest.fields import POINT_KEYS, joined, row_name
from runner.manifest.frames import Frames
from runner.manifest.problems import Findings
from runner.manifest.prompt_files import OpenBeside, PromptFiles
from runner.manifest.size_limits import Limits, SizeBudget
from runner.manifest.styles import Styles


def resolved(source: Source, findings: Findings, limits: Limits, open_beside: OpenBeside | None) -> Source:
    """Return the source without references.

    Raises:
        Stop: the manifest asks for more than its limits allow; the problem has been reported.
    """
    resolver = _Resolver(
        Frames(source.frames, findings),
        Styles(source.styles, findings, SizeBudget(limits, findings)),
        PromptFiles(open_beside, findings, limits),
        findings,
        (source.defaults or Fields({}, findings.at())).items.get("style"),
        literal=source.top is None,
    )
    rows = tuple(resolver.row(row, number) for number, row in enumerate(source.rows, 1))
    defaults = source.defaults and resolver.inner(source.defaults, "defaults")
    return replace(source, rows=rows, defaults=defaults)


@dataclass(frozen=True, slots=True)
class _Resolver:
    """Replaces the references of rows; `style` is the default style.

    `literal` is true for CSV, which cannot define names, so all its cells are taken literally.
    """

    frames: Frames
    styles: Styles
    files: PromptFiles
    findings: Findings
    style: Node | None
    literal: bool = field(kw_only=True)

    def row(self, row: Row, number: int) -> Row:
        """Return one row without references; the row itself if it has none."""
        subject = row_name(row, number)
        # A program wrote a row of one concrete take, from what was sent; its texts must not be resolved again.
        if self.literal or "take" in row.fields.items:
            return row
        fields = self._styled(self.inner(row.fields, subject), subject)
        return row if fields is row.fields else replace(row, fields=fields)

    def inner(self, fields: Fields, subject: str) -> Fields:
        """Return a row or the defaults with the references in its inputs and its sweep replaced."""
        changed: dict[str, Node] = {}
        for key in ("inputs", "sweep"):
            node = fields.items.get(key)
            if isinstance(node, Fields):
                filled = self._mapping(
                    node, joined(subject, key), points=POINT_KEYS if key == "sweep" else ()
                )
                changed.update({} if filled is node else {key: filled})
        return _with(fields, changed) if changed else fields

    def _mapping(self, node: Fields, where: str, *, points: Collection[str] = ()) -> Fields:
        if all(_stands_for_itself(value) for value in node.items.values()):
            return node
        items = {
            name: (self._points if name in points else self._node)(value, f"{where}.{name}")
            for name, value in node.items.items()
        }
        return _same_or(node, items)

    def _points(self, node: Node, where: str) -> Node:
        """Return entries of a sweep; they map axes to values, and are not references even if an axis is called file."""
        if isinstance(node, Items):
            return Items(tuple(self._points(item, f"{where}[{n}]") for n, item in enumerate(node)), node.at)
        return self._mapping(node, where) if isinstance(node, Fields) else node

    def _node(self, node: Node, where: str) -> Node:
        if isinstance(node, Text):
            return node if _stands_for_itself(node) else self.frames.text(node, where)
        if isinstance(node, Items):
            values = tuple(self._node(item, f"{where}[{n}]") for n, item in enumerate(node))
            return node if all(a is b for a, b in zip(values, node, strict=True)) else Items(values, node.at)
        if len(node.items) == 1:
            ((key, value),) = node.items.items()
            if key in {"file", "frame"}:
                return self._reference(key, value, where)
        return _same_or(node, {key: self._node(value, f"{where}.{key}") for key, value in node.items.items()})

    def _reference(self, key: str, value: Node, where: str) -> Node:
        if not isinstance(value, Text) or value.is_null:
            wanted = "the name of a file beside the manifest" if key == "file" else "the name of a frame"
            self.findings.error(value.at, where, f"{key} must be {wanted}")
            return Text("", value.at, quoted=True)
        return self.files.text(value, where) if key == "file" else self.frames.named(value.text, value, where)

    def _styled(self, fields: Fields, subject: str) -> Fields:
        node = fields.items.get("style", self.style)
        if node is None:
            return fields
        applied = self.styles.worn(node, subject)
        items = {key: value for key, value in fields.items.items() if key != "style"}
        if applied.text:
            items["style"] = applied.text
        if applied.inputs:
            swept = _swept(fields)
            beneath = {name: value for name, value in applied.inputs.items() if name not in swept}
            layer = self._mapping(Fields(beneath, node.at, applied.keys_at), joined(subject, "inputs"))
            items["inputs"] = _merged(layer, fields.items.get("inputs"))
        return Fields(items, fields.at, fields.keys_at)


def _stands_for_itself(node: Node) -> bool:
    # Nearly all inputs stand for themselves, and a storyboard has tens of thousands, so this check comes first.
    return isinstance(node, Text) and not node.text.startswith("@")


def _with(fields: Fields, changed: Mapping[str, Node]) -> Fields:
    return Fields({**fields.items, **changed}, fields.at, fields.keys_at)


def _same_or(node: Fields, items: Mapping[str, Node]) -> Fields:
    if all(items[key] is value for key, value in node.items.items()):
        return node
    return Fields(items, node.at, node.keys_at)


def _merged(beneath: Fields, above: Node | None) -> Node:
    """Return two mappings as one, in which values of `above` win; anything but a mapping is reported later."""
    if above is None:
        return beneath
    if not isinstance(above, Fields):
        return above
    keys_at: dict[str, Position] = {name: beneath.key_at(name) for name in beneath.items}
    keys_at.update((name, above.key_at(name)) for name in above.items)
    return Fields({**beneath.items, **above.items}, above.at, keys_at)


def _swept(fields: Fields) -> set[str]:
    """Return the names that a row sweeps itself; its sweep wins over a style, as it wins over a default."""
    sweep = fields.items.get("sweep")
    if not isinstance(sweep, Fields):
        return set()
    return {name.strip() for key in sweep.items for name in key.strip("[]").split(",")}
