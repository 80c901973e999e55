"""What decides that a body is valid never disagrees with plain jsonschema, whatever was decided before."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Text
from runner.models.model import Model, RequestBody
from runner.models.registry import Models
from runner.models.schema_file import ModelFile, Schema
from runner.models.validate import BodyCheck
from runner.system.canonical_json import JsonValue

AT = Position("board.yaml", 1, 1)
NAMES = ("prompt", "image", "seed", "size")
BUNDLED = [model for name in Models.bundled().ids() if (model := Models.bundled().find(name))]
WORDS = st.sampled_from(
    ["", "a", "ab", "720p", "true", "null", "7", "-1", "5.0", "2.5", "🎬" * 3, "https://e.com/a.jpg"]
)
SCALARS: st.SearchStrategy[JsonValue] = st.one_of(
    WORDS, st.booleans(), st.none(), st.integers(-3, 12), st.sampled_from([0.5, 2.0, 1e20, 2**53, -(2**63)])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=2)
)
TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
SIZES = st.integers(0, 4)
LEAVES: st.SearchStrategy[JsonValue] = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
        "minLength": SIZES,
        "maxLength": SIZES,
        "minimum": st.sampled_from([-1, 0, 2.5, 5]),
        "maximum": st.sampled_from([-1, 3, 7.5, 2**60]),
        "exclusiveMinimum": SIZES,
        "multipleOf": st.sampled_from([1, 2]),
        "enum": st.lists(SCALARS, min_size=1, max_size=3),
        "const": SCALARS,
        "minItems": SIZES,
        "required": st.just(["a"]),
        "format": st.just("uri"),
        "title": WORDS,
    },
)  # fmt: skip
PARTS = st.recursive(
    LEAVES | st.sampled_from([True, {"not": {}}]),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "properties": st.dictionaries(WORDS, inner, max_size=2),
            "additionalProperties": inner,
        },
    ),
    max_leaves=4,
)
# Rules over a whole body; one or two at a time, or hardly any body would be valid.
RULES: list[Schema] = [
    {},
    {},
    {"patternProperties": {"^s": {"type": "integer"}}},
    {"unevaluatedProperties": False},
    {"propertyNames": {"maxLength": 4}},
    {"maxProperties": 2},
    {"dependentRequired": {"seed": ["size"]}},
    {"dependentSchemas": {"seed": {"required": ["size"]}}},
    {"if": {"required": ["image"]}, "then": {"required": ["prompt"]}},
    {"if": {"required": ["image"]}, "else": {"required": ["prompt"]}},
    {"allOf": [{"properties": {"size": {"type": "integer"}}}]},
    {"anyOf": [{"required": ["size"]}, {"required": ["seed"]}]},
    {"not": {"required": ["other"]}},
    {"additionalProperties": False},
    {"additionalProperties": {"type": "string"}},
    {"required": ["prompt"]},
]
WHOLE: st.SearchStrategy[Schema] = st.builds(
    lambda inputs, rules: {"type": "object", "properties": inputs, **rules[0], **rules[1]},
    st.dictionaries(st.sampled_from(NAMES), LEAVES | PARTS, min_size=1),
    st.tuples(st.sampled_from(RULES), st.sampled_from(RULES)),
)
BODIES = st.dictionaries(st.sampled_from((*NAMES, "other")), VALUES)


def faults(schema: Schema, body: JsonValue) -> set[str | int | None]:
    """Return in which inputs plain jsonschema finds a rule broken; None stands for the whole body."""
    errors = Draft202012Validator(schema).iter_errors(body)
    return {next(iter(error.absolute_path), None) for error in errors}


def found(check: BodyCheck, body: dict[str, JsonValue]) -> set[str | int | None]:
    """Return the same of a check, which says which input is missing or has no place in the body."""
    about_all = {"required", "additionalProperties"}
    return {
        None if not each.path or (len(each.path) == 1 and each.rule in about_all) else each.path[0]
        for each in check.complaints(body)
    }


@given(schema=WHOLE, bodies=st.lists(BODIES, min_size=1, max_size=4))
def test_any_schema_finds_in_any_body_what_jsonschema_finds(
    schema: Schema, bodies: list[dict[str, JsonValue]]
) -> None:
    check = BodyCheck(schema, file="f")
    for body in bodies:
        assert found(check, body) == faults(schema, body)
        alone = {name: value for name, value in body.items() if check.accepts(name, value)}
        assert found(check, {**body, **alone}) == faults(schema, body)
        assert bool(check.complaints(body, valid=alone)) == bool(faults(schema, body))


@given(model=st.sampled_from(BUNDLED), data=st.data())
def test_a_bundled_schema_finds_what_jsonschema_finds(model: Model, data: st.DataObject) -> None:
    names = st.sampled_from([*model.by_name, "other"])
    listed: list[JsonValue] = [value for each in model.inputs for value in each.allowed]
    body = data.draw(st.dictionaries(names, VALUES | st.sampled_from(listed)))
    check = BodyCheck(model.input_schema, file="f")
    assert found(check, body) == faults(model.input_schema, body)


TEXTS = st.builds(Text, WORDS, st.just(AT), st.booleans())
NODES: st.SearchStrategy[Node] = st.recursive(
    TEXTS,
    lambda inner: (
        st.builds(Items, st.lists(inner, max_size=2).map(tuple), st.just(AT))
        | st.builds(Fields, st.dictionaries(WORDS, inner, max_size=2), st.just(AT))
    ),
    max_leaves=3,
)


@given(
    schema=WHOLE,
    shots=st.lists(st.dictionaries(st.sampled_from((*NAMES, "other")), NODES), min_size=2, max_size=6),
    allowed=st.booleans(),
)
def test_a_take_is_read_the_same_whatever_was_read_before_it(
    schema: Schema, shots: list[dict[str, Node]], *, allowed: bool
) -> None:
    warm = model_of(schema)
    for inputs in (*shots, *shots):
        assert bound(warm, inputs, allowed=allowed) == bound(model_of(schema), inputs, allowed=allowed)
        assert bound(warm, inputs, allowed=not allowed) == bound(
            model_of(schema), inputs, allowed=not allowed
        )


@given(schema=WHOLE, inputs=st.dictionaries(st.sampled_from(NAMES), NODES))
def test_a_body_without_problems_is_valid(schema: Schema, inputs: dict[str, Node]) -> None:
    model = model_of(schema)
    for _ in range(2):
        made = bound(model, inputs, allowed=True)
        assert made.problems or not faults(model.input_schema, made.body)


def model_of(schema: Schema) -> Model:
    return Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, json.loads(json.dumps(schema))))


def bound(model: Model, inputs: dict[str, Node], *, allowed: bool) -> RequestBody:
    return model.bind(inputs, subject="shot s", at=AT, keys_at={}, allow_private_media=allowed)
