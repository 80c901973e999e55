"""Turns sequences into rows: N frames and the N - 1 prompts between them become N - 1 rows that join.

The manifest says, or a default, which inputs the frames, the text and the length go into. The model cannot: defaults,
style, sequence and entry are merged by name long before a model is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from runner.domain.display import counted
from runner.domain.errors import Position
from runner.domain.ids import why_no_id
from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.fields import ENTRY_KEYS, SEQUENCE_KEYS, Section, layered, weigh, words_of
from runner.manifest.problems import bare, shown
from runner.manifest.references import Frames
from runner.manifest.size_limits import SizeBudget

NAMES: Mapping[str, str] = {
    "first": "keyFramesFirst",
    "last": "keyFramesLast",
    "prompt": "promptText",
    "duration": "duration",
}
"""The default input for each part of a sequence."""

_WRITE = {
    "first": "it in the list frames:",
    "last": "it in the list frames:",
    "prompt": "it in the list prompts:",
    "duration": "a list durations:, or duration: under inputs:",
}
_SHARED = ("model", "style", "sweep", "notes", "repeat", "price")


class Sequences:
    """The sequences of a manifest as rows; each is placed once."""

    def __init__(self, top: Section, frames: Frames, budget: SizeBudget) -> None:
        self._frames = frames
        self._findings = top.findings
        self._budget = budget
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._placed: dict[str, Position] = {}
        for entry in top.entries("sequences"):
            self._add(entry)

    def place(self, name: Text, subject: str) -> tuple[Row, ...]:
        """Return the rows of the sequence called `name`, for the place of `name`; one cannot be placed twice."""
        if name.text not in self._rows:
            message = f"{shown(name.text)} is not a sequence of this manifest"
            self._findings.unknown(name.text, self._rows, name.at, subject, message)
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

    def _add(self, entry: Section) -> None:
        identity = entry.text("id")
        if "id" not in entry:
            self._findings.error(entry.fields.at, entry.subject, "has no id")
        named = replace(entry, subject=f"sequence {bare(identity.text)}") if identity else entry
        named = named.check_keys(SEQUENCE_KEYS)
        if identity is None:
            return
        if reason := why_no_id(identity.text):
            named.error(identity.at, "id", f"{shown(identity.text)} {reason}")
        elif identity.text in self._rows:
            self._findings.error(identity.at, named.subject, f"{shown(identity.text)} is used twice")
        else:
            self._rows[identity.text] = tuple(self._rows_of(named, identity))

    def _rows_of(self, sequence: Section, identity: Text) -> Iterator[Row]:
        chained = sequence.flag("chain")
        starts, prompts, durations = self._lists(sequence, chained=chained)
        names = {part: self._input(sequence, part) or name for part, name in NAMES.items()}
        # They are counted before any is built: one line of inputs and one of prompts can ask for too much memory.
        inputs = sequence.section("inputs").fields
        each = weigh(inputs)[0] + len(words_of(sequence.fields.items.get("tags"))) + len(_SHARED)
        self._budget.spend_values(each * len(prompts), at=sequence.fields.at, subject=sequence.subject)
        for index, prompt in enumerate(prompts):
            entry = self._entry(prompt, f"{sequence.subject}, prompt {index + 1}")
            given = {
                "last": starts[index + 1],
                "first": starts[index],
                "prompt": entry.items.get("prompt"),
                "duration": durations[index] if durations else None,
            }
            filled = {names[part]: node for part, node in given.items() if node is not None}
            between = Fields(filled, entry.at, {name: node.at for name, node in filled.items()})
            # The id depends on the place alone, so a frame added at the end changes no other id, and no other take.
            own: dict[str, Node] = {"id": Text(f"{identity.text}-{index + 1:02d}", entry.at)}
            if index or chained:
                own["chain"] = Text("true", entry.at)
            yield _row(sequence.fields, entry, layered(entry.at, inputs, between), own)

    def _input(self, sequence: Section, part: str) -> str | None:
        """Return the name of the input that a part of each shot goes into, if the sequence gives one."""
        name = sequence.text(part)
        if name is None:
            return None
        if (
            name.text[:1].isdecimal()
            or " " in name.text
            or "://" in name.text
            or name.text in self._frames.frames
        ):
            message = (
                f"names the input that it goes into, and {shown(name.text)} is a value; write {_WRITE[part]}"
            )
            sequence.error(name.at, part, message)
            return None
        return name.text

    def _lists(
        self, sequence: Section, *, chained: bool
    ) -> tuple[list[Node | None], tuple[Node, ...], tuple[Node, ...]]:
        """Return frames, prompts and durations, whose numbers fit; there are no prompts if they do not."""
        for key in ("frames", "prompts"):
            if key not in sequence:
                self._findings.error(sequence.fields.at, sequence.subject, f"has no {key}")
        frames, prompts, durations = (sequence.items(key) for key in ("frames", "prompts", "durations"))
        if frames is None or prompts is None or not _counts_fit(sequence, frames, prompts, chained=chained):
            return [], (), ()
        if durations is not None and len(durations.items) != len(prompts.items):
            message = f"{len(durations.items)} durations for {len(prompts.items)} shots; give one for each"
            sequence.error(durations.at, "durations", message)
            durations = None
        pictures = [self._picture(node, f"{sequence.subject}, frame {n}") for n, node in enumerate(frames, 1)]
        # The first shot of a chained sequence may begin with the end frame of the shot before it.
        borrowed = [None] if len(prompts.items) == len(pictures) else []
        return [*borrowed, *pictures], prompts.items, durations.items if durations else ()

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
        key, value = next(iter(node.items.items()), ("", node))
        # Keys are lower-case words, so this is a text whose colon made it a mapping.
        if len(node.items) == 1 and isinstance(value, Text) and (" " in key or key[:1].isupper()):
            text = Text(f"{key}: {value.text}", node.at, quoted=True)
            self._findings.error(node.at, subject, f'quote a text that holds a colon: "{bare(text.text)}"')
            return Fields({"prompt": text}, node.at, {"prompt": node.at})
        fields = Section(node, self._findings, subject).check_keys(ENTRY_KEYS).fields
        if "prompt" not in fields.items:
            self._findings.error(node.at, subject, "has no prompt")
        return fields


def _counts_fit(sequence: Section, frames: Items, prompts: Items, *, chained: bool) -> bool:
    given, wanted = len(prompts.items), len(frames.items) - 1
    if given and (given == wanted or (chained and given == wanted + 1)):
        return True
    needed = (
        f"{wanted + 1} frames need {counted(wanted, 'prompt')}"
        if wanted > 0
        else "a sequence needs two frames"
    )
    if chained and frames.items:
        needed += f", or {wanted + 1} where the first shot begins with the frame before it"
    message = f"{needed}, and there {'is' if given == 1 else 'are'} {given}"
    if given > wanted > 0:
        message += "; a prompt that holds a comma needs quotes inside []"
    sequence.error(prompts.at, "prompts", message)
    return False


def _row(sequence: Fields, entry: Fields, inputs: Fields, own: dict[str, Node]) -> Row:
    """Return the row that leads from one frame to the next; what the entry gives wins."""
    items = {key: given.items[key] for key in _SHARED for given in (sequence, entry) if key in given.items}
    given = entry.items.get("inputs", Fields({}, entry.at))
    items |= own | {"inputs": layered(entry.at, inputs, given) if isinstance(given, Fields) else given}
    if "id" in entry.items:
        items["id"] = entry.items["id"]
    tags = [tag for given in (sequence, entry) for tag in words_of(given.items.get("tags"))]
    if tags:
        items["tags"] = Items(tuple(tags), tags[0].at)
    return Row(Fields(items, entry.at, {**sequence.keys_at, **entry.keys_at}), entry.at)
