"""Whatever a schema says about a request holds: under a condition, in a form, behind a reference, in an older draft."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.validators import validator_for

from runner.domain.errors import Position, SchemaInvalid
from runner.domain.shots import Node, Text
from runner.models.inputs import MISSING
from runner.models.model import Model
from runner.models.schema_file import ModelFile, Schema
from runner.system.canonical_json import JsonValue

AT = Position("board.yaml", 1, 1)
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
OLD = "http://json-schema.org/draft-07/schema#"
MODES: Schema = {"type": "string", "enum": ["a", "b"]}
THREE: Schema = {"mode": MODES, "prompt": TEXT, "start": TEXT}


def model_of(schema: Schema) -> Model:
    return Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, schema))


def told(schema: Schema, **written: str) -> list[str]:
    """Return what is wrong with a shot, as a person reads it."""
    inputs: dict[str, Node] = {name: Text(text, AT) for name, text in written.items()}
    bound = model_of(schema).bind(inputs, subject="", at=AT, keys_at={}, allow_private_media=True)
    return [
        f"{each.subject.removeprefix('inputs.')}: {each.message}"
        + (f" ({', '.join(each.allowed)})" if each.allowed else "")
        for each in bound.problems
    ]


def form(mode: str, needed: str) -> Schema:
    return {"properties": {"mode": {"const": mode}}, "required": [needed]}


# A schema, a shot, and the only problem of that shot.
ENFORCED: dict[str, tuple[Schema, dict[str, str], str]] = {
    "then": (
        {"properties": THREE, "if": {"properties": {"mode": {"const": "a"}}}, "then": {"required": ["start"]}},
        {"mode": "a"},
        "start: missing, and the model requires it",
    ),
    "else": (
        {"properties": THREE, "if": {"required": ["start"]}, "else": {"required": ["prompt"]}},
        {"mode": "a"},
        "prompt: missing, and the model requires it",
    ),
    "all of": (
        {"properties": THREE, "allOf": [{"required": ["start"]}]},
        {"mode": "a"},
        "start: missing, and the model requires it",
    ),
    "a fragment that calls itself an object": (
        {"properties": THREE, "allOf": [{"type": "object", "properties": {"mode": {}}, "required": ["start"]}]},
        {"mode": "a"},
        "start: missing, and the model requires it",
    ),
    "required as a text": (
        {"properties": THREE, "required": "prompt"},
        {},
        "prompt: missing, and the model requires it",
    ),
    "required inside": (
        {"properties": {"prompt": {**TEXT, "required": "true"}}},
        {},
        "prompt: missing, and the model requires it",
    ),
    "dependencies": (
        {"$schema": OLD, "properties": THREE, "dependencies": {"start": ["prompt"]}},
        {"start": "x"},
        "prompt: missing, and the model requires it with start",
    ),
    "dependencies with one name": (
        {"properties": THREE, "dependencies": {"start": "prompt"}},
        {"start": "x"},
        "prompt: missing, and the model requires it with start",
    ),
    "dependencies with a schema": (
        {"properties": THREE, "dependencies": {"start": {"required": ["prompt"]}}},
        {"start": "x"},
        "prompt: missing, and the model requires it",
    ),
    "both kinds of dependencies": (
        {"properties": THREE, "dependencies": {"start": ["prompt"]}, "dependentRequired": {"start": ["mode"]}},
        {"start": "x", "mode": "a"},
        "prompt: missing, and the model requires it",
    ),
    "at most": (
        {"properties": THREE, "maxProperties": 1},
        {"start": "x", "mode": "a"},
        "inputs: has 2 fields; at most 1 are allowed",
    ),
    "a const as text": (
        {"properties": {"n": {"type": "integer", "const": "5"}}},
        {"n": "6"},
        "n: 6 is not an allowed value (5)",
    ),
    "a form told by its word": (
        {"properties": THREE, "oneOf": [form("a", "prompt"), form("b", "start")]},
        {"mode": "a"},
        "prompt: missing, and the model requires it",
    ),
    "the other form": (
        {"properties": THREE, "oneOf": [form("a", "prompt"), form("b", "start")]},
        {"mode": "b"},
        "start: missing, and the model requires it",
    ),
    "a word of no form": (
        {"properties": {**THREE, "mode": TEXT}, "oneOf": [form("a", "prompt"), form("b", "start")]},
        {"mode": "c"},
        "mode: c is not an allowed value (a, b)",
    ),
    "a word that all forms share": (
        {
            "properties": {"mode": TEXT, "size": TEXT},
            "anyOf": [
                {"properties": {"mode": {"const": "a"}, "size": {"enum": ["s"]}}},
                {"properties": {"mode": {"const": "b"}, "size": {"enum": ["m"]}}},
            ],
        },
        {"mode": "b", "size": "l"},
        "size: l is not an allowed value (m)",
    ),
    "a form told by OpenAPI": (
        {
            "oneOf": [{"$ref": "#/$defs/Text"}, {"$ref": "#/$defs/Image"}],
            "discriminator": {"propertyName": "kind", "mapping": {"t": "#/$defs/Text", "i": "Image"}},
            "$defs": {
                "Text": {"properties": {"kind": TEXT, "prompt": TEXT}, "required": ["prompt"]},
                "Image": {"properties": {"kind": TEXT, "start": TEXT}, "required": ["start"]},
            },
        },
        {"kind": "i", "prompt": "x"},
        "start: missing, and the model requires it",
    ),
    "forms of one word": (
        {"properties": {"n": {"oneOf": [{"const": 5, "title": "5 s"}, {"const": 10}]}}},
        {"n": "7"},
        "n: 7 is not an allowed value (5, 10)",
    ),
    "a list or nothing": (
        {"properties": {"n": {"anyOf": [{"enum": ["s", "m"]}, {"type": "null"}]}}},
        {"n": "l"},
        "n: l is not an allowed value (s, m)",
    ),
    "one of two": (
        {"properties": THREE, "anyOf": [{"required": ["prompt"]}, {"required": ["start", "mode"]}]},
        {},
        "inputs: needs one of these: prompt, or start and mode",
    ),
    "never together": (
        {"properties": THREE, "not": {"required": ["prompt", "start"]}},
        {"prompt": "x", "start": "y"},
        "inputs: prompt and start may not be given together",
    ),
    "not here": (
        {"properties": THREE, "if": {"required": ["mode"]}, "then": {"not": {"required": ["start"]}}},
        {"mode": "a", "start": "y"},
        "inputs: start may not be given here",
    ),
    "a pattern or a word": (
        {"properties": {"c": {"anyOf": [{**TEXT, "pattern": "^#[0-9a-f]{6}$"}, {"enum": ["red", "blue"]}]}}},
        {"c": "redd"},
        "c: redd does not match ^#[0-9a-f]{6}$ (red, blue)",
    ),
    "a name": (
        {"properties": {"m": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}}}},
        {"m.A1": "x"},
        "m: the name A1 does not match ^[a-z]+$",
    ),
    "a kind of item": (
        {"properties": {"l": {"type": "array", "contains": {"const": "x"}}}},
        {"l.0": "y"},
        "l: has no item of the kind that the model needs",
    ),
    "two forms at once": (
        {"properties": THREE, "oneOf": [{"required": ["prompt"]}, {"required": ["start"]}]},
        {"prompt": "x", "start": "y"},
        'inputs: give only one of these: prompt, or start',
    ),
    "an input of another form": (
        {"oneOf": [
            {"properties": {"mode": {"const": "a"}, "prompt": TEXT}, "additionalProperties": False},
            {"properties": {"mode": {"const": "b"}, "start": TEXT}, "additionalProperties": False},
        ]},
        {"mode": "a", "start": "x"},
        "start: is not allowed here",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "written", "problem"), ENFORCED.values(), ids=ENFORCED)
def test_a_rule_holds_and_is_told_where_it_is_broken(
    schema: Schema, written: dict[str, str], problem: str
) -> None:
    assert told({"type": "object", **schema}, **written) == [problem]


def test_what_depends_on_a_faulty_input_is_not_told_yet() -> None:
    schema: Schema = {
        "properties": {**THREE, "n": NUMBER},
        "oneOf": [form("a", "prompt"), form("b", "start")],
    }
    assert told(schema, n="x") == ["n: x is not a number as JSON writes it"]


def test_what_always_holds_is_told_beside_other_problems() -> None:
    schema: Schema = {
        "properties": {**THREE, "n": NUMBER},
        "allOf": [{"properties": {"prompt": {"maxLength": 1}}}],
    }
    assert len(told(schema, n="x", prompt="yy")) == 2


# A reference, and the document beside it that it leads into.
REFERENCES: dict[str, tuple[str, Schema]] = {
    "a blank": ("#/definitions/Image%20Size", {"definitions": {"Image Size": NUMBER}}),
    "a slash": ("#/$defs/a~1b", {"$defs": {"a/b": NUMBER}}),
    "a tilde": ("#/$defs/a~0b", {"$defs": {"a~b": NUMBER}}),
    "a percent": ("#/$defs/a%25b", {"$defs": {"a%b": NUMBER}}),
    "an index": ("#/x-forms/1", {"x-forms": [TEXT, NUMBER]}),
    "an anchor": ("#size", {"$defs": {"s": {"$anchor": "size", **NUMBER}}}),
    "an anchor of old": ("#size", {"$schema": OLD, "definitions": {"s": {"$id": "#size", **NUMBER}}}),
    "an identifier": ("size.json", {"$id": "https://e.com/a.json", "$defs": {"s": {"$id": "size.json", **NUMBER}}}),
    "its own identifier": ("a.json#/$defs/s", {"$id": "https://e.com/a.json", "$defs": {"s": NUMBER}}),
    "two steps": ("#/$defs/s", {"$defs": {"s": {"$ref": "#/$defs/t"}, "t": NUMBER}}),
}  # fmt: skip


@pytest.mark.parametrize(("reference", "beside"), REFERENCES.values(), ids=REFERENCES)
def test_a_reference_leads_to_its_target(reference: str, beside: Schema) -> None:
    model = model_of({**beside, "properties": {"size": {"$ref": reference}}})
    assert [wanted.type for wanted in model.inputs] == ["number"]
    assert [field for field, _ in model.body_faults({"size": "x"})] == ["size"]


def test_what_stands_beside_a_reference_holds_unless_the_draft_is_old() -> None:
    schema: Schema = {
        "properties": {"n": {"$ref": "#/$defs/n", "maximum": 3, "default": 9}},
        "$defs": {"n": NUMBER},
    }
    assert told(schema, n="4") == ["n: 4 is more than 3"]
    assert told({"$schema": OLD, **schema}, n="4") == []
    [old] = model_of({"$schema": OLD, **schema}).inputs
    assert old.default == 9


def test_fields_beside_a_reference_do_not_open_a_closed_target() -> None:
    closed: Schema = {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False}
    model = model_of(
        {"properties": {"x": {"$ref": "#/$defs/c", "properties": {"b": TEXT}}}, "$defs": {"c": closed}}
    )
    assert model.body_faults({"x": {"a": "1"}}) == []
    assert model.body_faults({"x": {"b": "1"}}) == [("x.b", "is not allowed here")]


def test_a_choice_that_stands_behind_a_reference_is_described_as_if_it_stood_here() -> None:
    size: Schema = {"allOf": [{"$ref": "#/$defs/Size"}], "default": "s", "x-order": 3}
    [wanted] = model_of(
        {"properties": {"size": size}, "$defs": {"Size": {"enum": ["s", "m"], "title": "Size"}}}
    ).inputs
    assert (wanted.title, wanted.allowed, wanted.default) == ("Size", ("s", "m"), "s")


def test_a_recursive_schema_is_refused_with_a_sentence() -> None:
    tree: Schema = {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}}}
    with pytest.raises(
        SchemaInvalid, match=r"#/\$defs/tree leads back to itself; a recursive schema is not supported"
    ):
        model_of({"properties": {"t": {"$ref": "#/$defs/tree"}}, "$defs": {"tree": tree}})


def test_the_inputs_of_fragments_are_inputs() -> None:
    model = model_of(
        {
            "allOf": [{"properties": {"seed": {"type": "integer", "default": 7}}, "required": ["prompt"]}],
            "oneOf": [
                {"properties": {"prompt": {"title": "Prompt", **TEXT}, "n": {"default": 3, **NUMBER}}},
                {"properties": {"prompt": TEXT, "start": TEXT}, "required": ["start"]},
            ],
        }
    )
    found = {wanted.name: (wanted.type, wanted.required, wanted.default) for wanted in model.inputs}
    assert found == {
        "seed": ("integer", False, 7),
        "prompt": ("string", True, MISSING),
        # What one form would send is not sent in another.
        "n": ("number", False, MISSING),
        "start": ("string", False, MISSING),
    }
    assert model.by_name["prompt"].title == "Prompt"


def test_a_field_that_a_condition_describes_may_be_given() -> None:
    camera: Schema = {
        "type": "object",
        "properties": {"type": TEXT},
        "if": {"properties": {"type": {"const": "pan"}}},
        "then": {"properties": {"x": {"type": "number", "maximum": 3}}},
    }
    schema: Schema = {"properties": {"camera": camera}}
    assert told(schema, **{"camera.type": "pan", "camera.x": "2.5"}) == []
    assert told(schema, **{"camera.type": "pan", "camera.x": "5"}) == ["camera.x: 5 is more than 3"]
    assert told(schema, **{"camera.type": "pan", "camera.y": "5"}) == ["camera.y: unknown field"]


def test_an_input_that_is_excluded_stays_so() -> None:
    model = model_of(
        {"properties": {"a": False, "b": TEXT}, "dependentSchemas": {"b": {"properties": {"a": TEXT}}}}
    )
    assert [field for field, _ in model.body_faults({"a": "x"})] == ["a"]


def test_a_root_that_is_a_reference_is_read() -> None:
    model = model_of({"$ref": "#/$defs/Input", "$defs": {"Input": {"type": "object", "properties": THREE}}})
    assert [*model.by_name] == [*THREE]


def test_an_input_of_a_form_that_was_not_chosen_is_refused_where_the_schema_closes() -> None:
    forms: list[JsonValue] = [
        {"properties": {"mode": {"const": "a"}, "prompt": TEXT}},
        {"properties": {"mode": {"const": "b"}, "start": TEXT}},
    ]
    model = model_of({"oneOf": forms, "unevaluatedProperties": False})
    assert model.body_faults({"mode": "a", "prompt": "x"}) == []
    assert model.body_faults({"mode": "a", "start": "x"}) != []


@pytest.mark.parametrize("keyword", ["anyOf", "allOf", "enum"])
def test_what_openapi_calls_nullable_may_be_null(keyword: str) -> None:
    rules: JsonValue = ["s"] if keyword == "enum" else [TEXT]
    model = model_of({"properties": {"a": {keyword: rules, "nullable": True}}})
    assert model.body_faults({"a": None}) == []
    assert model.body_faults({"a": "s"}) == []
    assert model.body_faults({"a": 5}) != []


LISTS: list[JsonValue] = [[1, "a"], {"w": 16, "h": 9}, None, True]


@pytest.mark.parametrize("value", LISTS)
def test_choices_may_be_lists_and_mappings(value: JsonValue) -> None:
    model = model_of({"properties": {"a": {"enum": LISTS}}})
    assert model.body_faults({"a": value}) == []
    assert model.body_faults({"a": 1}) != []


NAMES = ("a", "b", "c")
SMALL = st.integers(0, 3)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.sampled_from(["", "a", "b", "aaaa", 0, 1, 2.5, True, None]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=4,
)
LEAVES: st.SearchStrategy[JsonValue] = st.one_of(
    st.booleans(),
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "number", "boolean", "array", "object"])}),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("minLength", "maximum", "maxItems", "minProperties"), SMALL)),
    st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"const": VALUES}),
    st.fixed_dictionaries({"required": st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)}),
    st.fixed_dictionaries({"$ref": st.sampled_from(["#/$defs/one", "#/$defs/two", "#three"])}),
    st.fixed_dictionaries({"pattern": st.sampled_from(["^a", "b?$", "[ab]{2}"])}),
)  # fmt: skip


def containing(inner: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[Schema]:
    some, named = (
        st.lists(inner, min_size=1, max_size=2),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    )
    several = dict.fromkeys(("allOf", "anyOf", "oneOf"), some)
    one = dict.fromkeys(
        ("not", "if", "then", "else", "items", "contains", "propertyNames", "additionalProperties"), inner
    )
    by_name = dict.fromkeys(("properties", "dependentSchemas"), named)
    other: dict[str, st.SearchStrategy[JsonValue]] = {
        "unevaluatedProperties": st.booleans(),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=1),
        "dependentRequired": st.dictionaries(st.sampled_from(NAMES), st.just(["b"]), max_size=1),
        "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two", "#three"]),
    }
    return st.fixed_dictionaries({}, optional={**several, **one, **by_name, **other})


PARTS = st.recursive(LEAVES, containing, max_leaves=5)


@given(
    schema=containing(PARTS),
    properties=st.dictionaries(st.sampled_from(NAMES), PARTS, min_size=3),
    defs=st.tuples(PARTS, PARTS, LEAVES),
    bodies=st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES), min_size=1, max_size=4),
)
def test_any_schema_is_refused_or_gets_the_verdicts_of_jsonschema(
    schema: Schema, properties: Schema, defs: tuple[JsonValue, ...], bodies: list[dict[str, JsonValue]]
) -> None:
    one, two, three = defs
    anchored: JsonValue = {"$anchor": "three", "allOf": [three]}
    whole = {**schema, "properties": properties, "$defs": {"one": one, "two": two, "three": anchored}}
    original = json.loads(json.dumps(whole))
    try:
        model = model_of(whole)
    except SchemaInvalid:
        return
    assert whole == original
    judge = validator_for(original)(original)
    for body in bodies:
        assert (model.body_faults(body) == []) == judge.is_valid(body)
