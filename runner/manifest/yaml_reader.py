"""Turns YAML text into nodes: mappings, lists, and scalars exactly as they were written, each with its place.

It uses the parser's events and not its loader. The loader reads `16:9` as 969 and `no` as false, silently drops
duplicate keys, builds any tag, crashes on deep nesting and expands bombs. Syntax errors end the reading; all other
faults are reported and skipped.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias, cast

import yaml

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Text
from runner.manifest.decode import FORBIDDEN, line_breaks, place
from runner.manifest.fields import FIELDS
from runner.manifest.problems import Findings, Stop, bare, shown
from runner.manifest.size_limits import LONGER_TEXT, MORE_BYTES, Limits
from runner.system.escapes import character_name

# YAML itself would read these keys as a number, boolean or null, so no user means them as names.
_NOT_TEXT = re.compile(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE"
    r"|[-+]?(?:0x[0-9a-fA-F]+|0o?[0-7]+|\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+|\.inf|\.nan)"
)
_COMMENT = re.compile(r"[ \t]+#(\S?)[^\r\n]*")
# YAML 1.2, 5.4: these are ordinary characters. The parser is one of YAML 1.1, where they end a line.
_LINE_SEPARATORS = "\u2028\u2029"
_PRIVATE = range(0xE000, 0xF900)
_NEAR = 1_000
# A board of 100 kB, which has some 300 shots, is read up to 20 times to find more than one mistake.
_MOST_READINGS, _READ_AGAIN = 20, 2_000_000
# These are compiled at their first use, since few boards need them and each takes as long as a shot.
_COLON = r"\s*:"
_KEY_AND_BRACKET = r"([A-Za-z_][\w.-]*):? *([{\[])"
_THOUSANDS = r"\d{1,3}(?:,\d{3})+"
_LIST_BELOW = r"[\r\n] *(?:- |-\w|•)"
# A quote that holds such a line, as deep as its own field or less, was not closed where it should have been.
_SWALLOWED = r"[\r\n](?P<indent> *)(?:(?:- +)?[\w.-]+:(?=\s)|- +\{)"
_LEAD = r" *(?:- +)*"
_WORD = r"[\"']([A-Za-z_]+):\s"
_FIELD_LINE = r"[\r\n](?P<indent> *)(?P<key>[A-Za-z_]\w*):[ \t]+(?P<value>\S[^\r\n]*)"
# A prompt has labels such as `Camera: slow`. A name in several parts, or a lone number, is seldom one.
_FIELD_SHAPE = r"[a-z]+(?:[A-Z]|_[a-z])\w*: .*|[a-z]+: *(?:true|false|[-+]?\d[\d.:]*)\s*"
_QUOTES = ("'", '"')
_CURLY = frozenset("“”„«»‘’‚")
_CLOSING = frozenset('"”')
_NODES = (yaml.ScalarEvent, yaml.CollectionStartEvent)
_MERGE = "<<"
_LIST_KEYS_UNDER = "sweep"

Loader: TypeAlias = "type[yaml.SafeLoader | yaml.CSafeLoader]"

FAST_LOADER: Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader, or the pure one (about twenty times slower) if PyYAML was built without libyaml."""


def parse_yaml(text: str, findings: Findings, limits: Limits, *, loader: Loader = FAST_LOADER) -> Node | None:
    """Return the top node of the one document in `text`, or None if there is none or reading had to stop."""
    # The parser drops a byte-order mark, and would then count its places from the character behind it.
    text = text.lstrip("\ufeff")
    fault: _Unreadable | None = None
    for _ in range(max(1, min(_MOST_READINGS, _READ_AGAIN // (len(text) + 1)))):
        try:
            top = _Builder(text, findings, limits, _events_of(text, loader)).document()
        except Stop:
            return None
        except _Unreadable as found:
            fault = found
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            from runner.manifest.yaml_errors import explain

            # The pure scanner raises ValueError or OverflowError for an escape past the last code point.
            fault = _swallowing_quote(text, findings, loader) or _Unreadable(
                *explain(error, text, findings.file)
            )
        else:
            return None if fault else top
        findings.error(fault.at, "", fault.message)
        text = _without_entry(text, fault.at.line)
        if not text:
            break
    return None


class _Unreadable(Exception):
    """The structure is broken at a place, so that nothing behind it can be trusted."""

    def __init__(self, at: Position, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


def _without_entry(text: str, line: int | None) -> str:
    """Return the text with empty lines instead of the shot, or other entry, that holds a line; lines count from 1.

    So the mistakes of other shots are found as well. Without such an entry nothing is left.
    """
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n|\Z)", text)
    number = min(line or 0, len(lines)) - 1
    begin, dash = None, sys.maxsize
    for above in range(number, -1, -1):
        indent, is_entry = _indent(lines[above]), lines[above].lstrip(" ").startswith("- ")
        if is_entry and indent < dash:
            begin, dash = above, indent
        if indent == 0 and not is_entry:
            break
    if begin is None:
        return ""
    end = next((n for n in range(number + 1, len(lines)) if _indent(lines[n]) <= dash), len(lines))
    emptied = (re.sub(r"[^\r\n]", "", text) for text in lines[begin:end])
    return "".join((*lines[:begin], *emptied, *lines[end:]))


def _indent(line: str) -> int:
    """Return by how many blanks a line is indented; an empty one, or a comment, belongs to any depth."""
    text = line.lstrip(" ")
    return sys.maxsize if not text.strip() or text[0] == "#" else len(line) - len(text)


def _swallowing_quote(text: str, findings: Findings, loader: Loader) -> _Unreadable | None:
    """Return the first quote that took in fields below it and became a key, of which a syntax error came."""
    line_ends_only = text.translate(dict.fromkeys(map(ord, _LINE_SEPARATORS), " "))
    with suppress(yaml.YAMLError, ValueError, OverflowError):
        for token in yaml.scan(line_ends_only, Loader=loader):
            if isinstance(token, yaml.ScalarToken) and token.style in _QUOTES:
                start, end = token.start_mark, token.end_mark
                if end.line > start.line and _takes_in_fields(text, start.index, end.index, start.column):
                    message = _open_quote(end.line + 1, token.style)
                    return _Unreadable(findings.at(start.line + 1, start.column + 1), message)
    return None


def _takes_in_fields(text: str, begin: int, end: int, column: int) -> bool:
    """Return whether the quote from `begin` to `end` holds fields that are not deeper than the one it belongs to."""
    before, word = text[begin - column : begin], re.match(_WORD, text[begin:end])
    lead = re.match(_LEAD, before)
    own = lead.end() if lead else 0
    # A bare entry may go on as deep as its quote, so only its dash ends it; a quote before a field is not an entry.
    if own == len(before) and not (word and word[1] in FIELDS):
        own = before.rfind("-") if "-" in before else own - 1
        if "-" in before and re.search(rf"[\r\n] {{{own}}}- ", text[begin:end]):
            return True
    return any(len(found["indent"]) <= own for found in re.finditer(_SWALLOWED, text[begin:end]))


def _closes_nothing(text: str) -> bool:
    """Return whether a text ends with the only quote in it, which is not the sign of inches."""
    opens = text.count("“") + text.count("„") if text[-1] == "”" else 0
    return text.count(text[-1]) == 1 and not opens and not text[-2:-1].isdecimal()


def _quote_it(lead: str, text: str, advice: str = "quote the text") -> str:
    # Only a mistake needs this module, whose patterns take longer to compile than a small board to check.
    from runner.manifest.yaml_lines import quote_it

    return quote_it(lead, text, advice=advice)


def _open_quote(line: int, style: str | None) -> str:
    message = f"the quote that opens here ends at line {line}, behind other fields"
    message += "; close it where its text ends, or indent all of its lines deeper"
    return (
        f"{message}; a text that begins with an apostrophe needs double quotes" if style == "'" else message
    )


def _events_of(text: str, loader: Loader) -> Iterator[yaml.Event]:
    """Yield the parser's events, with the line and paragraph separators of Unicode as a part of their texts."""
    if not any(separator in text for separator in _LINE_SEPARATORS):
        yield from yaml.parse(text, Loader=loader)
        return
    # The stand-ins are as long as what they stand for, so that all places stay right.
    unused = (code for code in _PRIVATE if chr(code) not in text)
    back = dict(zip(unused, _LINE_SEPARATORS, strict=False))
    there = {ord(separator): code for code, separator in back.items()}
    for event in yaml.parse(text.translate(there), Loader=loader):
        if isinstance(event, yaml.ScalarEvent):
            event.value = event.value.translate(back)
        yield event


def top_text(text: str, key: str) -> str | None:
    """Return the plain text of `key` in the top mapping; no more is read than leads to it.

    None says that it is not there as such: it may be null, an alias or merged from another mapping.
    """
    with suppress(yaml.YAMLError, ValueError, OverflowError):
        event = _value_of(key, _events_of(text, FAST_LOADER))
        if isinstance(event, yaml.ScalarEvent) and not _NOT_TEXT.fullmatch(event.value):
            return str(event.value)
    return None


def top_node(text: str, key: str, findings: Findings, limits: Limits) -> Node | None:
    """Return the node of `key` in the top mapping, or None without one; no more is read than leads to it."""
    with suppress(_Unreadable, yaml.YAMLError, ValueError, OverflowError):
        events = _events_of(text.lstrip("\ufeff"), FAST_LOADER)
        event = _value_of(key, events)
        if event is not None:
            return _Builder(text, findings, limits, events).value(event)
    return None


def _value_of(key: str, events: Iterator[yaml.Event]) -> yaml.Event | None:
    """Return the event that begins the value of `key` in the top mapping; `events` then go on behind it."""
    depth, is_key, found = 0, True, False
    for event in events:
        if depth == 1 and found:
            return event
        if depth == 1 and isinstance(event, yaml.NodeEvent):
            found = is_key and isinstance(event, yaml.ScalarEvent) and event.value == key
            is_key = not is_key
        if depth == 0 and isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent):
            return None
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
    return None


def _mark(event: yaml.Event) -> yaml.Mark:
    """Return where an event begins."""
    return cast("yaml.Mark", event.start_mark)


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
        self._keys: dict[str, str] = {}
        self._unused: dict[str, Position] = {}
        # These are reported at the end, the second as warnings, since a syntax error often has the same cause.
        self._late: list[tuple[Position, str]] = []
        self._doubts: dict[Position, str] = {}
        self._blocks: list[tuple[Position, int, int]] = []
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
        next(self._events)  # the document's end
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            message = "a second document begins here; a manifest is one document, so remove the '---'"
            self._error(self._at(after), message)
        # An anchor on plain text is nearly always a lost word: "&black cat" is read as "cat".
        for name, at in self._unused.items():
            self._doubts[at] = f"the anchor &{name} is never used; quote the text if '&' is meant"
        for at, message in self._late:
            self._error(at, message)
        for at, message in self._doubts.items():
            self._findings.warn(at, "", message)
        for at, begin, end in self._blocks:
            self._check_block(at, self._text[begin:end])
        return top

    def value(self, event: yaml.Event) -> Node:
        """Return the node of a field of the top mapping; an alias to what stands before it is a fault here."""
        return self._node(event, 2)

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
            node = self._scalar(event, at, owner)
        # The depth is checked before the next event, because the parser slows down with the square of the depth.
        elif depth > self._limits.depth:
            self._findings.stop(at, "", f"nested more than {self._limits.depth} deep")
        elif isinstance(event, yaml.SequenceStartEvent):
            items = self._events_before(yaml.SequenceEndEvent)
            node = Items(tuple(self._node(item, depth + 1) for item in items), at)
        else:
            node = self._fields(event, at, depth, owner)
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
            return Text(f"*{name}", at, quoted=True)
        self._unused.pop(name, None)
        node, weight = self._anchors[name]
        self._nodes += weight
        self._aliased += weight
        if self._aliased > (most := self._limits.aliased_nodes):
            message = f"the aliases of this file stand for more than {most:,} nodes; use defaults or vars"
            self._findings.stop(at, "", message)
        return node

    def _scalar(self, event: yaml.ScalarEvent, at: Position, owner: str) -> Text:
        self._check_text(event, at)
        assert event.start_mark is not None
        assert event.end_mark is not None
        begin, end = event.start_mark.index, event.end_mark.index
        has_lines = event.end_mark.line > event.start_mark.line
        if not event.style:
            self._check_plain(event, begin, end, at)
            if has_lines and re.search(_LIST_BELOW, self._text[begin:end]):
                self._doubts[at] = (
                    "this text takes in the list below it; begin each entry with '- ' under the key"
                )
        elif event.style not in _QUOTES:
            if not event.value:
                self._doubts[at] = "this block text is empty; indent its lines deeper than its key"
            elif ": " in event.value and owner != "notes":
                self._blocks.append((at, begin, end))
        elif has_lines:
            self._check_quote(event, end, at)
        return Text(event.value, at, bool(event.style))

    def _check_plain(self, event: yaml.ScalarEvent, begin: int, end: int, at: Position) -> None:
        text = event.value
        comment = _COMMENT.match(self._text, end) if self._has_comments else None
        # `duration: 5  # seconds` is a comment; `a shot #3 of cat` was surely meant as text.
        if comment and (comment[1] or " " in text):
            advice = _quote_it("", self._text[begin : comment.end()].strip(), advice="quote the whole text")
            message = f"text after ' #' was dropped as a comment: {shown(comment[0].strip())}; {advice}"
            self._doubts.setdefault(at, message)
        is_closed = text[-1:] in _CURLY or (text[-1:] == '"' and text.count('"') == 1)
        if text[:1] in _CURLY and is_closed and _CURLY.isdisjoint(text[1:-1]):
            advice = _quote_it("", text[1:-1].strip(), advice="to leave them out, write")
            message = f"{text[0]} and {text[-1]} are not quotes of YAML, and are sent with the text; {advice}"
            self._findings.warn(at, "", message)
        elif text[-1:] in _CLOSING and _closes_nothing(text):
            advice = _quote_it("", text[:-1].strip(), advice="to leave it out, write")
            self._findings.warn(
                at, "", f"the last {text[-1]} closes nothing, and is sent with the text; {advice}"
            )
        if event.anchor is not None and not text:
            name = event.anchor
            self._error(at, f'&{name} names an empty value; quote the text: "&{name}"')

    def _check_block(self, at: Position, source: str) -> None:
        """Warn of the first line of a block text that looks like a field that is indented too deep."""
        first = re.search(r"[\r\n]( *)([^\s:]+: )?\S", source)
        for found in re.finditer(_FIELD_LINE, source) if first else ():
            line = found[0].strip()
            # Where the first line has a label, the others may have some as well.
            is_shaped = first and not first[2] and re.fullmatch(_FIELD_SHAPE, line)
            if first and found["indent"] == first[1] and (is_shaped or found["key"] in self._keys):
                number = (at.line or 0) + line_breaks(source[: found.start()]) + 1
                message = (
                    f"{shown(line)} is a line of the text above; if it is a field, indent it like the key"
                )
                self._findings.warn(
                    self._findings.at(number, found.end("indent") - found.start()), "", message
                )
                return

    def _check_quote(self, event: yaml.ScalarEvent, end: int, at: Position) -> None:
        """Stop at a quote that took in the fields below it: nothing behind it is what anybody meant."""
        mark = _mark(event)
        if _takes_in_fields(self._text, mark.index, end, mark.column):
            raise _Unreadable(at, _open_quote(place(self._text, end)[0], event.style))

    def _check_text(self, event: yaml.ScalarEvent, at: Position) -> None:
        # Only an escape can write these here: as characters of the file they were already reported and replaced.
        if event.style == '"' and FORBIDDEN.search(event.value):
            self._error(
                at,
                "an escape here writes a control character or half a surrogate pair; write a backslash twice",
            )
        if self._limits.too_long(event.value):
            self._error(at, f"this text is larger than {self._limits.text_bytes:,} bytes; {LONGER_TEXT}")

    def _fields(self, start: yaml.CollectionStartEvent, at: Position, depth: int, owner: str) -> Node:
        items: dict[str, Node] = {}
        keys_at: dict[str, Position] = {}
        merge: tuple[Position, Node] | None = None
        loose: list[yaml.ScalarEvent] = []
        twice: set[str] = set()
        for event in self._events_before(yaml.MappingEndEvent):
            key_at = self._at(event)
            if start.flow_style and isinstance(event, yaml.ScalarEvent) and self._is_loose(event):
                loose.append(event)
                next(self._events)  # its value, which is empty
                continue
            key = self._key(event, key_at, depth, owner)
            value = self._node(next(self._events), depth + 1, key or "")
            if key is None:
                continue
            first = merge[0] if key == _MERGE and merge else keys_at.get(key)
            if first is not None:
                # A second id begins another entry, whose other fields are not mistakes.
                if "id" not in twice:
                    advice = "; begin a new entry with '- '" if key == "id" else ""
                    message = (
                        f"{shown(key)} is written twice in one mapping (first at line {first.line}){advice}"
                    )
                    self._error(key_at, message)
                twice.add(key)
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
        fields = Fields(items, at, keys_at)
        return self._without_loose(loose, start, fields, owner) if loose else fields

    def _is_loose(self, key: yaml.ScalarEvent) -> bool:
        """Return whether a key inside braces has no colon: it is a part of a text that holds a comma."""
        assert key.end_mark is not None
        end = key.end_mark.index
        return self._text[end : end + 1] != ":" and not re.compile(_COLON).match(self._text, end)

    def _without_loose(
        self, loose: Sequence[yaml.ScalarEvent], start: yaml.CollectionStartEvent, fields: Fields, owner: str
    ) -> Node:
        """Report the texts that braces and commas have cut into `loose` keys, and return what was meant."""
        from runner.manifest.yaml_lines import look_alike, misspelt_field, tight_field

        fixed: dict[str, Node] = {}
        end = 0
        for key in loose:
            if field := tight_field(key.value):
                fault = look_alike(key.value) or misspelt_field(key.value)
                self._error(self._at(key), fault.message if fault else "expected 'key: value'")
                fixed[field[0]] = Text(field[1], self._at(key))
            elif not (fields.items or fixed or owner in FIELDS):
                return self._braced_text(start, fields.at, owner)
            # Each further comma of a text makes a key of its own.
            elif _mark(key).index >= end:
                end = self._report_comma(key)
        return replace(fields, items={**fixed, **fields.items})

    def _report_comma(self, key: yaml.ScalarEvent) -> int:
        """Report the text that a comma has cut before `key`, and return the index of its end."""
        from runner.manifest.yaml_lines import flow_value

        mark = _mark(key)
        line, column = self._near(key)
        lead, begin, value = flow_value(line, column, "{")
        message = f"a comma inside {{}} ends the value; {_quote_it(lead, value)}"
        if re.fullmatch(_THOUSANDS, value):
            message = f"a comma inside {{}} ends the value; write {lead}{value.replace(',', '')}"
        if not lead:
            message = f"{shown(key.value)} has neither a colon nor a value"
        self._late.append((self._findings.at(mark.line + 1, mark.column + 1 - column + begin), message))
        return mark.index - column + begin + len(value)

    def _braced_text(self, start: yaml.CollectionStartEvent, at: Position, owner: str) -> Text:
        """Return the text that braces without any field were meant as, after a finding."""
        begin = _mark(start).index
        end = self._text.index("}", begin) + 1
        text = self._text[begin:end]
        # A template is reported as such.
        if self._text[begin - 1 : begin] != "{":
            advice = _quote_it(f"{bare(owner)}: " if owner else "", text)
            self._late.append((at, f"{{}} hold fields with values; {advice}"))
        return Text(text, at, quoted=True)

    def _near(self, event: yaml.Event) -> tuple[str, int]:
        """Return the line on which an event begins, or the part of a long one around it, and the column in it."""
        mark = _mark(event)
        column = min(mark.column, _NEAR)
        text = self._text[mark.index - column : mark.index + _NEAR]
        return re.split("[\r\n]", text, maxsplit=1)[0], column

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
            return (
                self._keys.get(event.value)
                if not event.style and event.value in self._keys
                else self._new_key(event, at)
            )
        node = self._node(event, depth + 1)
        if isinstance(node, Items) and owner == _LIST_KEYS_UNDER and all(isinstance(n, Text) for n in node):
            return f"[{', '.join(n.text for n in node if isinstance(n, Text))}]"
        assert event.start_mark is not None
        index = event.start_mark.index - 1
        # YAML reads an unquoted {{ name }} as a mapping whose key is a mapping.
        if isinstance(event, yaml.MappingStartEvent) and self._text[index : index + 1] == "{":
            template = bare(self._text[index:].split("}}", 1)[0] + "}}")
            self._late.append((at, f'quote a value that begins with a template: "{template}"'))
        elif not isinstance(event, yaml.AliasEvent) or event.anchor in self._anchors:
            self._late.append((at, "a key must be text, not a list, mapping or alias"))
        return None

    def _new_key(self, event: yaml.ScalarEvent, at: Position) -> str | None:
        """Return a key that was not seen before, or None after a finding."""
        self._check_text(event, at)
        if event.style:
            # Every shot has the same few keys.
            return sys.intern(event.value)
        if _NOT_TEXT.fullmatch(event.value):
            self._error(at, f"the key {shown(event.value)} is not text; quote it if it is meant")
            return None
        if event.value.startswith("//"):
            self._error(at, "'//' does not begin a comment; write '#', or remove the line")
            return None
        if event.value[0] in "-*" or not event.value.isascii():
            from runner.manifest.yaml_lines import look_alike, misspelt_field, unseen_in

            line, _ = self._near(event)
            fault = look_alike(line) or (misspelt_field(line) if event.value[0] == "-" else None)
            if fault:
                raise _Unreadable(at, fault.message)
            if character := unseen_in(event.value):
                self._error(at, f"{character_name(character)} is in the key {shown(event.value)}; remove it")
                return event.value.replace(character, "")
        if found := re.match(_KEY_AND_BRACKET, event.value):
            written = shown(f"{found[1]}: {found[2]}")
            raise _Unreadable(at, f"a colon is missing behind {found[1]}; write {written}")
        self._keys[event.value] = sys.intern(event.value)
        return self._keys[event.value]

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
