"""Turns YAML text into nodes: mappings, lists, and scalars exactly as they were written, each with its place.

It uses the parser's events and not its loader. The loader reads `16:9` as 969 and `no` as false, silently drops
duplicate keys, builds any tag, crashes on deep nesting and expands bombs. Syntax errors end the reading; all other
faults are reported and skipped.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeAlias

import yaml

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Text
from runner.manifest.decode import FORBIDDEN
from runner.manifest.problems import Findings, Stop, bare, shown
from runner.manifest.size_limits import LONGER_TEXT, MORE_BYTES, Limits
from runner.manifest.yaml_errors import explain

# YAML itself would read these keys as a number, boolean or null, so no user means them as names.
_NOT_TEXT = re.compile(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE"
    r"|[-+]?(?:0x[0-9a-fA-F]+|0o?[0-7]+|\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+|\.inf|\.nan)"
)
_COMMENT = re.compile(r"[ \t]+#(\S?)[^\r\n]*")
_NODES = (yaml.ScalarEvent, yaml.CollectionStartEvent)
_MERGE = "<<"
_LIST_KEYS_UNDER = "sweep"

Loader: TypeAlias = "type[yaml.SafeLoader | yaml.CSafeLoader]"

FAST_LOADER: Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader, or the pure one (about twenty times slower) if PyYAML was built without libyaml."""


def parse_yaml(text: str, findings: Findings, limits: Limits, *, loader: Loader = FAST_LOADER) -> Node | None:
    """Return the top node of the one document in `text`, or None if there is none or reading had to stop."""
    builder = _Builder(text, findings, limits, yaml.parse(text, Loader=loader))
    try:
        return builder.document()
    except Stop:
        return None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The pure scanner raises ValueError or OverflowError for an escape past the last code point.
        at, message = explain(error, text, findings.file)
        findings.error(at, "", message)
        return None


def top_text(text: str, key: str) -> str | None:
    """Return the plain text of `key` in the top mapping; no more is read than leads to it.

    None says that it is not there as such: it may be null, an alias or merged from another mapping.
    """
    depth, is_key, found = 0, True, False
    with suppress(yaml.YAMLError, ValueError, OverflowError):
        for event in yaml.parse(text, Loader=FAST_LOADER):
            if depth == 1 and found:
                if isinstance(event, yaml.ScalarEvent) and not _NOT_TEXT.fullmatch(event.value):
                    return str(event.value)
                return None
            if depth == 1 and isinstance(event, yaml.NodeEvent):
                found = is_key and isinstance(event, yaml.ScalarEvent) and event.value == key
                is_key = not is_key
            if depth == 0 and isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent):
                return None
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
    return None


class _Builder:
    """Builds nodes from events; `_nodes` counts them as if every alias were written out."""

    def __init__(self, text: str, findings: Findings, limits: Limits, events: Iterator[yaml.Event]) -> None:
        self._text = text
        self._has_comments = "#" in text
        self._findings = findings
        self._limits = limits
        self._events = events
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open: set[str] = set()
        self._unused: dict[str, Position] = {}
        # These are the places of mappings that used `<<`; merging one again turns a few lines into gigabytes.
        self._merged: set[Position] = set()
        self._nodes = 0
        self._aliased = 0
        self._last = findings.at(0, 0)

    def document(self) -> Node | None:
        next(self._events)  # the stream's start
        if not isinstance(next(self._events), yaml.DocumentStartEvent):
            self._error(self._findings.at(1), "the manifest is empty")
            return None
        top = self._node(next(self._events), 1)
        # An anchor on plain text is nearly always a lost word: "&black cat" is read as "cat".
        for name, at in self._unused.items():
            self._findings.warn(at, "", f"the anchor &{name} is never used; quote the text if '&' is meant")
        next(self._events)  # the document's end
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            message = "a second document begins here; a manifest is one document, so remove the '---'"
            self._error(self._at(after), message)
        return top

    def _node(self, event: yaml.Event, depth: int, owner: str = "") -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        assert isinstance(event, _NODES)
        at, before, anchor = self._at(event), self._nodes, event.anchor
        self._nodes += 1
        # What aliases stand for is counted apart, so that a large honest file is not mistaken for a bomb.
        if self._nodes - self._aliased > self._limits.nodes:
            self._findings.stop(at, "", f"more than {self._limits.nodes:,} values; {MORE_BYTES}")
        if event.tag is not None:
            self._error(at, f"the tag {shown(event.tag)} is not allowed; quote the text if '!' is meant")
        if anchor is not None:
            # An alias inside its own anchor would make a structure without end.
            self._open.add(anchor)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, at)
        # The depth is checked before the next event, because the parser slows down with the square of the depth.
        elif depth > self._limits.depth:
            self._findings.stop(at, "", f"nested more than {self._limits.depth} deep")
        elif isinstance(event, yaml.SequenceStartEvent):
            items = self._events_before(yaml.SequenceEndEvent)
            node = Items(tuple(self._node(item, depth + 1) for item in items), at)
        else:
            node = self._fields(at, depth, owner)
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = (node, self._nodes - before)
            self._unused[anchor] = at
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name, at = event.anchor, self._at(event)
        if name in self._open:
            self._findings.stop(at, "", f"the alias *{name} is inside what it names")
        if name not in self._anchors:
            self._error(at, f"*{name} refers to nothing above it; quote the text if '*' is meant")
            # The tree needs a value here; the finding already stops the run.
            return Text("", at)
        self._unused.pop(name, None)
        node, weight = self._anchors[name]
        self._nodes += weight
        self._aliased += weight
        if self._aliased > (most := self._limits.aliased_nodes):
            message = f"the aliases of this file stand for more than {most:,} nodes; use defaults or vars"
            self._findings.stop(at, "", message)
        return node

    def _scalar(self, event: yaml.ScalarEvent, at: Position) -> Text:
        self._check_text(event, at)
        if not event.style:
            assert event.end_mark is not None
            comment = _COMMENT.match(self._text, event.end_mark.index) if self._has_comments else None
            # `duration: 5  # seconds` is a comment; `a shot #3 of cat` was surely meant as text.
            if comment and (comment[1] or " " in event.value):
                dropped = shown(comment[0].strip())
                message = f"text after ' #' was dropped as a comment: {dropped}; quote the whole text"
                self._findings.warn(at, "", message)
            if event.anchor is not None and not event.value:
                name = event.anchor
                self._error(at, f'&{name} names an empty value; quote the text: "&{name}"')
        return Text(event.value, at, bool(event.style))

    def _check_text(self, event: yaml.ScalarEvent, at: Position) -> None:
        # Only an escape can write these here: as characters of the file they were already reported and replaced.
        if event.style == '"' and FORBIDDEN.search(event.value):
            self._error(at, "an escape here writes a control character or half a surrogate pair; remove it")
        if self._limits.too_long(event.value):
            self._error(at, f"this text is larger than {self._limits.text_bytes:,} bytes; {LONGER_TEXT}")

    def _fields(self, at: Position, depth: int, owner: str) -> Fields:
        items: dict[str, Node] = {}
        keys_at: dict[str, Position] = {}
        merge: tuple[Position, Node] | None = None
        for event in self._events_before(yaml.MappingEndEvent):
            key_at = self._at(event)
            key = self._key(event, key_at, depth, owner)
            value = self._node(next(self._events), depth + 1, key or "")
            if key is None:
                continue
            first = merge[0] if key == _MERGE and merge else keys_at.get(key)
            if first is not None:
                self._error(
                    key_at, f"{shown(key)} is written twice in one mapping (first at line {first.line})"
                )
            elif key == _MERGE and isinstance(event, yaml.ScalarEvent) and not event.style:
                merge = key_at, value
            else:
                items[key], keys_at[key] = value, key_at
        if merge is not None:
            self._merged.add(at)
            base = self._base(*merge)
            # What is written in the mapping itself wins, wherever `<<` is in it.
            keys_at = {**{key: base.key_at(key) for key in base.items}, **keys_at}
            items |= {key: node for key, node in base.items.items() if key not in items}
        return Fields(items, at, keys_at)

    def _base(self, at: Position, node: Node) -> Fields:
        """Return the mapping that `<<` merges, or an empty one after a finding."""
        if isinstance(node, Fields) and node.at not in self._merged:
            return node
        message = "'<<' takes one mapping, as in <<: *base"
        if isinstance(node, Fields):
            message = "'<<' cannot merge a mapping that itself uses '<<'"
        self._error(at, message)
        return Fields({}, at)

    def _key(self, event: yaml.Event, at: Position, depth: int, owner: str) -> str | None:
        if isinstance(event, yaml.ScalarEvent):
            if event.tag is not None or event.anchor is not None:
                self._error(at, "a key can have neither a tag nor an anchor")
            self._check_text(event, at)
            if event.style or not _NOT_TEXT.fullmatch(event.value):
                # Every shot has the same few keys.
                return sys.intern(event.value)
            self._error(at, f"the key {shown(event.value)} is not text; quote it if it is meant")
            return None
        node = self._node(event, depth + 1)
        if isinstance(node, Items) and owner == _LIST_KEYS_UNDER and all(isinstance(n, Text) for n in node):
            return f"[{', '.join(n.text for n in node if isinstance(n, Text))}]"
        assert event.start_mark is not None
        index = event.start_mark.index - 1
        # YAML reads an unquoted {{ name }} as a mapping whose key is a mapping.
        if isinstance(event, yaml.MappingStartEvent) and self._text[index : index + 1] == "{":
            template = bare(self._text[index:].split("}}", 1)[0] + "}}")
            self._error(at, f'quote a value that begins with a template: "{template}"')
        else:
            self._error(at, "a key must be text, not a list, mapping or alias")
        return None

    def _events_before(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _at(self, event: yaml.Event) -> Position:
        mark, last = event.start_mark, self._last
        assert mark is not None
        line, column = mark.line + 1, mark.column + 1
        # A mapping begins where its first key does, and most of a line shares its number: a million places take memory.
        if line == last.line:
            line = last.line
            if column == last.column:
                return last
        self._last = Position(self._findings.file, line, column)
        return self._last

    def _error(self, at: Position, message: str) -> None:
        self._findings.error(at, "", message)
