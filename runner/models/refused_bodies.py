"""Finds what a refused body can mean instead: a text of another type, or a body without one of the model's defaults.

In: a body that its schema refuses, with what was written of it. Out: the values to send instead. A body that its schema
accepts never comes here, so what is valid stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from runner.domain.shots import Node, Text
from runner.models.fragments import fragments
from runner.models.inputs import Input, declared_kinds
from runner.models.scalars import READERS, ParseError
from runner.models.schema_file import Schema, mapping
from runner.models.validate import BodyCheck
from runner.models.violations import SchemaViolation
from runner.system.canonical_json import JsonValue


def other_readings(
    body: Schema, inputs: Mapping[str, Input], nodes: Mapping[str, Node], *, schema: Schema, check: BodyCheck
) -> dict[str, JsonValue]:
    """Return another value for each bare text that its schema accepts only in another reading than the first."""
    read: dict[str, JsonValue] = {}
    properties = mapping(schema["properties"])
    for name in body.keys() & inputs.keys() & nodes.keys():
        node = nodes[name]
        if not isinstance(node, Text) or node.quoted or check.accepts(name, body[name]):
            continue
        for value in _meanings(node.text, inputs[name], mapping(properties.get(name))):
            if check.accepts(name, value):
                read[name] = value
    return read


def _meanings(text: str, given: Input, schema: Schema) -> Iterator[JsonValue]:
    """Yield what a text means besides its first reading: a listed word, or a type that only a condition names."""
    if text in given.allowed:
        yield text
    elif not given.shape.kinds:
        said = dict.fromkeys(kind for part, _ in fragments(schema) for kind in declared_kinds(part))
        values = (READERS[kind](text) for kind in said if kind in READERS)
        yield from (value for value in values if not isinstance(value, ParseError))


def refused_defaults(
    body: Schema, found: list[SchemaViolation], *, defaults: Collection[str], check: BodyCheck
) -> tuple[list[str], list[SchemaViolation]]:
    """Return the defaults that break a rule over several inputs, and what is wrong with the body without them.

    `found` is what is wrong with the body, and `defaults` are the names of its values that were filled in.
    """
    written = {name: value for name, value in body.items() if name not in defaults}
    refused: list[str] = []
    if {*found} <= {*check.complaints(written)}:
        return refused, found
    named = {str(each.path[0]) for each in found if each.path}
    for name in sorted(defaults, key=lambda name: name not in named):
        without = {key: value for key, value in body.items() if key not in (*refused, name)}
        left = check.complaints(without)
        if {*left} < {*found}:
            refused, found = [*refused, name], left
        if not found:
            break
    return refused, found
