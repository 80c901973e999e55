"""Turns sequences into rows: N frames and the N - 1 prompts between them become N - 1 rows that join.

In: the field `sequences`. Out: rows by sequence id, for use where a shot could stand. The frames go into the inputs
that `first` and `last` name, the text into `prompt`, the length into `duration`; each has a default. The manifest gives
these names, and the model does not. Defaults, style, sequence and entry are merged by name long before a model is
known. A reader can also see a name that is in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.domain.errors import Position
from runner.domain.ids import why_no_id
from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.fields import (
    ENTRY_KEYS,
    SEQUENCE_KEYS,
    check_keys,
    fields_of,
    flag_of,
    items_of,
    joined,
    text_of,
)
from runner.manifest.frames import Frames
from runner.manifest.problems import Findings, shown
from runner.manifest.size_limits import SizeBudget

NAMES: Mapping[str, str] = {
    "first": "keyFramesFirst",
    "last": "keyFramesLast",
    "prompt": "promptText",
    "duration": "duration",
}
"""The default input for each part of a sequence."""

_SHARED = ("model", "style", "sweep", "notes", "repeat", "price")
_HINT = "a model's inputs go under inputs:"
_SEPARATOR = re.compile(r"[;,\s]+")


@dataclass(frozen=True, slots=True)
class _Parts:
    """The lists of one sequence, whose lengths fit; `chained` says that it continues the shot before it."""

    frames: tuple[Node, ...]
    prompts: tuple[Node, ...]
    durations: tuple[Node, ...]
    chained: bool

    @property
    def borrows(self) -> bool:
        """True if the first shot begins with the end frame of the shot before it."""
        return self.chained and len(self.prompts) == len(self.frames)


class Sequences:
    """The sequences of a manifest as rows; each is placed once."""

    def __init__(self, top: Fields, frames: Frames, findings: Findings, budget: SizeBudget) -> None:
        self._frames = frames
        self._findings = findings
        self._budget = budget
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._placed: dict[str, Position] = {}
        listed = items_of(top, "sequences", findings)
        if listed is not None and not listed.items:
            findings.error(listed.at, "sequences", "no sequences")
        for number, node in enumerate(listed or (), 1):
            self._add(node, number)

    def place(self, name: Text, subject: str) -> tuple[Row, ...]:
        """Return the rows of the sequence called `name`, for the place of `name`; one cannot be placed twice."""
        if name.text not in self._rows:
            nearest = self._findings.nearest(name.text, self._rows)
            message = f"{shown(name.text)} is not a sequence of this manifest"
            allowed = () if nearest else tuple(self._rows)[:20]
            self._findings.error(name.at, subject, message, allowed=allowed, nearest=nearest)
            return ()
        first = self._placed.setdefault(name.text, name.at)
        if first is not name.at:
            message = f"the sequence {shown(name.text)} is already placed at line {first.line}"
            self._findings.error(name.at, subject, message)
            return ()
        return self._rows[name.text]

    def rest(self) -> tuple[Row, ...]:
        """Return the rows of all sequences that no entry places among the shots, in their order."""
        return tuple(row for name, rows in self._rows.items() if name not in self._placed for row in rows)

    def _add(self, node: Node, number: int) -> None:
        subject = f"entry {number} of sequences"
        if not isinstance(node, Fields):
            self._findings.error(node.at, subject, "must be a mapping that begins with 'id:'")
            return
        identity = text_of(node, "id", self._findings, subject)
        if identity is None:
            if "id" not in node.items:
                self._findings.error(node.at, subject, "has no id")
            check_keys(node, SEQUENCE_KEYS, self._findings, subject, _HINT)
            return
        subject = f"sequence {shown(identity.text)[1:-1]}"
        check_keys(node, SEQUENCE_KEYS, self._findings, subject, _HINT)
        if reason := why_no_id(identity.text):
            self._findings.error(identity.at, joined(subject, "id"), f"{shown(identity.text)} {reason}")
        elif identity.text in self._rows:
            self._findings.error(identity.at, subject, f"{shown(identity.text)} is used twice")
        else:
            self._rows[identity.text] = self._rows_of(node, identity, subject)

    def _rows_of(self, node: Fields, identity: Text, subject: str) -> tuple[Row, ...]:
        parts = self._parts(node, subject)
        if parts is None:
            return ()
        names = {
            part: text_of(node, part, self._findings, subject) or Text(name, node.at)
            for part, name in NAMES.items()
        }
        shared = fields_of(node, "inputs", self._findings, subject)
        # They are counted before any is built: one line of inputs and one of prompts can ask for too much memory.
        each = len(shared.items if shared else ()) + len(_listed(node.items.get("tags"))) + len(_SHARED)
        self._budget.spend_values(each * len(parts.prompts), at=node.at, subject=subject)
        writer = _Writer(node, identity, parts, {part: text.text for part, text in names.items()}, shared)
        return tuple(
            writer.row(index, self._entry(prompt, f"{subject}, prompt {index + 1}"))
            for index, prompt in enumerate(parts.prompts)
        )

    def _parts(self, node: Fields, subject: str) -> _Parts | None:
        listed = {
            key: items_of(node, key, self._findings, subject) for key in ("frames", "prompts", "durations")
        }
        for key in ("frames", "prompts"):
            if key not in node.items:
                self._findings.error(node.at, subject, f"has no {key}")
        frames, prompts, durations = listed.values()
        if frames is None or prompts is None:
            return None
        chained = flag_of(node, "chain", self._findings, subject)
        if not self._counts_fit(frames, prompts, subject, chained=chained):
            return None
        if durations is not None and len(durations.items) != len(prompts.items):
            message = f"{len(durations.items)} durations for {len(prompts.items)} shots; give one for each"
            self._findings.error(durations.at, joined(subject, "durations"), message)
            durations = None
        pictures = tuple(self._picture(item, f"{subject}, frame {n}") for n, item in enumerate(frames, 1))
        return _Parts(pictures, prompts.items, durations.items if durations else (), chained)

    def _counts_fit(self, frames: Items, prompts: Items, subject: str, *, chained: bool) -> bool:
        given, wanted = len(prompts.items), len(frames.items) - 1
        if (given == wanted and given) or (chained and given == wanted + 1 and given):
            return True
        needed = (
            f"{len(frames.items)} frames need {wanted} prompts"
            if wanted > 0
            else "a sequence needs two frames"
        )
        if chained and frames.items:
            needed += f", or {wanted + 1} where the first shot begins with the frame before it"
        message = f"{needed}, and there {'is' if given == 1 else 'are'} {given}"
        self._findings.error(prompts.at, joined(subject, "prompts"), message)
        return False

    def _picture(self, node: Node, where: str) -> Node:
        if isinstance(node, Text) and not node.is_null:
            return self._frames.plain(node, where)
        if isinstance(node, Text):
            self._findings.error(node.at, where, "has no value; give an address or the name of a frame")
        return node

    def _entry(self, node: Node, subject: str) -> Fields:
        """Return an entry of `prompts` as the mapping that it abbreviates."""
        if not isinstance(node, Fields) or set(node.items) == {"file"}:
            return Fields({"prompt": node}, node.at, {"prompt": node.at})
        check_keys(node, ENTRY_KEYS, self._findings, subject, _HINT)
        if "prompt" not in node.items:
            self._findings.error(node.at, subject, "has no prompt")
        return node


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the rows of one sequence; `names` says which input each part goes into."""

    node: Fields
    identity: Text
    parts: _Parts
    names: Mapping[str, str]
    shared: Fields | None

    def row(self, index: int, entry: Fields) -> Row:
        """Return the row that leads from one frame to the next."""
        items = {
            key: given[key] for key in _SHARED for given in (self.node.items, entry.items) if key in given
        }
        # The id depends on the place alone, so a frame added at the end changes no other id, and no other take.
        items["id"] = entry.items.get("id", Text(f"{self.identity.text}-{index + 1:02d}", entry.at))
        items["inputs"] = self._inputs(index, entry)
        tags = [tag for given in (self.node, entry) for tag in _listed(given.items.get("tags"))]
        if tags:
            items["tags"] = Items(tuple(tags), tags[0].at)
        if index or self.parts.chained:
            items["chain"] = Text("true", entry.at)
        return Row(Fields(items, entry.at, {**self.node.keys_at, **entry.keys_at}), entry.at)

    def _inputs(self, index: int, entry: Fields) -> Node:
        own = entry.items.get("inputs")
        if own is not None and not isinstance(own, Fields):
            return own
        items: dict[str, Node] = {}
        keys_at: dict[str, Position] = {}
        layers: Sequence[Fields | None] = (self.shared, self._between(index, entry), own)
        for layer in layers:
            if layer is not None:
                items.update(layer.items)
                keys_at.update((name, layer.key_at(name)) for name in layer.items)
        return Fields(items, entry.at, keys_at)

    def _between(self, index: int, entry: Fields) -> Fields:
        frames = self.parts.frames
        last = index if self.parts.borrows else index + 1
        given = {"last": frames[last]}
        if last:
            given["first"] = frames[last - 1]
        if "prompt" in entry.items:
            given["prompt"] = entry.items["prompt"]
        if self.parts.durations:
            given["duration"] = self.parts.durations[index]
        items = {self.names[part]: value for part, value in given.items()}
        return Fields(items, entry.at, {name: value.at for name, value in items.items()})


def _listed(tags: Node | None) -> tuple[Node, ...]:
    """Return tags as a list, however they were written; reading the row reports what cannot be tags."""
    if tags is None:
        return ()
    if isinstance(tags, Items):
        return tags.items
    if isinstance(tags, Text) and not tags.is_null:
        return tuple(Text(tag, tags.at) for tag in _SEPARATOR.split(tags.text) if tag)
    return (tags,)
