"""Reads a document of JSON or YAML that a stranger wrote, into plain JSON values.

In: bytes. Out: the document, or why it is none. YAML is read as version 1.2 has it, so `16:9` and `no` stay text.
Aliases are refused, since a few lines of them can stand for gigabytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

import yaml

from runner.domain.errors import SchemaInvalid
from runner.system.canonical_json import JsonValue

MOST_BYTES: Final = 16 * 2**20

# YAML 1.2.2, 10.3.2 (the core schema), without octal and hexadecimal numbers.
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_JSON_SCALAR = re.compile(r"true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_BOOLEANS = frozenset({"True", "TRUE", "False", "FALSE"})


def parse_document(data: bytes, *, name: str) -> JsonValue:
    """Return the document in `data`; `name` is that of its file or its address, for messages.

    Raises:
        SchemaInvalid: it is too large, a web page, or neither JSON nor YAML of plain values.
    """
    reason = f"it is larger than {MOST_BYTES // 2**20} MiB" if len(data) > MOST_BYTES else ""
    try:
        encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        text = "" if reason else data.decode(encoding).strip()
        if text.startswith("<"):
            reason = "it is a web page, and the address of the JSON itself is needed"
        elif not text:
            reason = reason or "it is empty"
        else:
            return _json(text) if text.startswith(("{", "[")) else _yaml(text)
    except RecursionError:
        reason = "it is nested too deeply"
    except UnicodeDecodeError:
        reason = "it is not text in UTF-8"
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        reason = f"the JSON cannot be read at {place}; the file may be cut off there"
        if error.msg == "Extra data":
            reason = f"a second document begins at {place}; import each alone"
    except (ValueError, OverflowError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
    advice = "give a schema, an answer of a catalogue or an OpenAPI document, as JSON or YAML"
    raise SchemaInvalid(f"{name}: {reason}", advice=advice)


def _json(text: str) -> JsonValue:
    document: JsonValue = json.loads(text)
    return document


def _yaml(text: str) -> JsonValue:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events = iter(yaml.parse(text, Loader=loader))
    first = next((event for event in events if isinstance(event, yaml.NodeEvent)), None)
    return _value(first, events) if first else None


def _value(event: yaml.Event, events: Iterator[yaml.Event]) -> JsonValue:
    if isinstance(event, yaml.ScalarEvent):
        return event.value if event.style or event.tag else _bare(event.value)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_value(item, events) for item in _until(yaml.SequenceEndEvent, events)]
    if isinstance(event, yaml.MappingStartEvent):
        fields: dict[str, JsonValue] = {}
        for key in _until(yaml.MappingEndEvent, events):
            # The keys of JSON are text, also the status of an answer, which looks like a number.
            if not isinstance(key, yaml.ScalarEvent):
                raise yaml.YAMLError("it has a key that is not text")
            fields[key.value] = _value(next(events), events)
        return fields
    raise yaml.YAMLError("it has YAML aliases, which are not read")


def _until(end: type[yaml.Event], events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    for event in events:
        if isinstance(event, end):
            return
        yield event


def _bare(word: str) -> JsonValue:
    if word in _NULL:
        return None
    return _json(word.lower()) if word in _BOOLEANS or _JSON_SCALAR.fullmatch(word) else word
