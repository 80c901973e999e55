"""A hostile or broken schema is refused before anything walks, fetches or matches with it."""

from __future__ import annotations

import pytest

from runner.domain.errors import SchemaInvalid
from runner.models.model import Model
from runner.models.regex_safety import LONGEST_PATTERN, pattern_fault
from runner.models.resolve_refs import expand
from runner.models.schema_file import ModelFile, Schema
from runner.system.canonical_json import JsonValue


def properties(**named: JsonValue) -> Schema:
    return {"type": "object", "properties": dict(named)}


def deep(levels: int) -> Schema:
    schema: Schema = {}
    for _ in range(levels):
        schema = {"items": schema}
    return properties(a=schema)


def patterns(count: int) -> JsonValue:
    return {f"a{n}": {"pattern": f"a{n}"} for n in range(count)}


def doubling(levels: int) -> Schema:
    """Return a schema of a few lines that unfolds to 2**levels nodes."""
    defs: Schema = {"d0": {"type": "string"}}
    for i in range(levels):
        ref: JsonValue = {"$ref": f"#/$defs/d{i}"}
        defs[f"d{i + 1}"] = {"allOf": [ref, ref]}
    return {**properties(a={"$ref": f"#/$defs/d{levels}"}), "$defs": defs}


REFUSED: dict[str, tuple[Schema, str]] = {
    "http reference": (
        properties(a={"$ref": "http://127.0.0.1:1/x.json"}),
        "only point into the schema itself",
    ),
    "https reference": (
        properties(a={"$ref": "https://example.com/x.json#/a"}),
        "only point into the schema itself",
    ),
    "file reference": (properties(a={"$ref": "file:///etc/passwd"}), "only point into the schema itself"),
    "relative reference": (properties(a={"$ref": "other.json"}), "only point into the schema itself"),
    "reference to itself": (properties(a={"$ref": "#"}), "leads back to itself"),
    "mutual references": (
        {
            **properties(a={"$ref": "#/$defs/x"}),
            "$defs": {"x": {"allOf": [{"$ref": "#/$defs/y"}]}, "y": {"$ref": "#/$defs/x"}},
        },
        "leads back to itself",
    ),
    "reference to nothing": (properties(a={"$ref": "#/$defs/none"}), "points at nothing"),
    "dynamic reference": (properties(a={"$dynamicRef": "#x"}), "not supported"),
    "too deep": (deep(65), "levels deep"),
    "far too deep": (deep(5000), "levels deep"),
    "deep data": (properties(a={"default": deep(70)}), "levels deep"),
    "exponential": (doubling(30), "more than 20000 nodes"),
    "unknown dialect": ({**properties(), "$schema": "https://example.com/mine"}, "unknown $schema"),
    "hanging regex where all that is said counts": (
        properties(a={"patternProperties": {"^(a+)+$": {}}, "unevaluatedProperties": False}),
        "could take forever",
    ),
    "keyword of an old draft": (properties(a={"disallow": "string"}), "disallow is not supported"),
    "keyword in another case": (
        properties(a={"maxlength": 5}),
        "maxlength is not a keyword; write maxLength",
    ),
    "keyword with underscores": ({**properties(), "any_of": []}, "any_of is not a keyword; write anyOf"),
    "dependencies as a list": ({**properties(a={}), "dependencies": ["a"]}, "dependencies must be an object"),
    "required as a number": ({**properties(a={}), "required": 5}, "5 is not of type 'array'"),
    "an identifier that is no text": (properties(a={"$id": 5}), "$id must be a text"),
    "an identifier that is no text, elsewhere": (
        {**properties(a={"$ref": "#x"}), "$defs": {"b": {"$id": 5}}},
        "references by name, and an $id or $anchor is not usable",
    ),
    "many patterns": (properties(a={"properties": patterns(201)}), "more than 200 patterns"),
    "no schema": (properties(a=5), "must be an object"),
    "wrong keyword": (properties(a={"maxLength": "long"}), "is not of type 'integer'"),
    "not an object": ({"type": "string"}, "not an object with properties"),
    "a list at the top": ({"type": "array", "properties": {}}, "not an object with properties"),
}


@pytest.mark.parametrize(("schema", "reason"), REFUSED.values(), ids=REFUSED)
def test_an_unsafe_schema_is_refused_with_file_and_reason(schema: Schema, reason: str) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, schema))
    assert caught.value.message.startswith("dream.json: ")
    assert reason in caught.value.message
    assert len(caught.value.message) < 2000


def test_references_into_the_schema_are_put_in_place() -> None:
    schema: Schema = {
        **properties(mode={"$ref": "#/$defs/a~1b", "default": "x"}, other={"$ref": "#/properties/mode"}),
        "$defs": {"a/b": {"type": "string", "enum": ["x", "y"]}},
    }
    mode: Schema = {"type": "string", "enum": ["x", "y"], "default": "x"}
    assert expand(schema, file="f") == properties(mode=mode, other=mode)


def test_a_rule_beside_a_reference_holds_as_well_as_the_one_behind_it() -> None:
    schema = properties(a={"$ref": "#/$defs/short", "maxLength": 100})
    schema["$defs"] = {"short": {"maxLength": 5}}
    assert expand(schema, file="f")["properties"] == {"a": {"maxLength": 100, "allOf": [{"maxLength": 5}]}}


def test_names_and_data_that_look_like_keywords_are_left_alone() -> None:
    schema: Schema = {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "pattern": {"enum": ["("], "default": "("}},
    }
    assert expand(schema, file="f") == schema


def test_a_moderate_unfolding_is_fine() -> None:
    assert "properties" in expand(doubling(5), file="f")


SAFE = [
    r"^https?://.+\.(png|jpg)$",
    r"^#[0-9a-fA-F]{6}$",
    r"^\d+:\d+$",
    r"^\(\?$",
    r"^[^\]]+]$",
    r"[(?=]x",
    r"^(?:ab){0,5}$",
    r"^a\\1$",
    "a|b+",
    "",
    "(?P<x>a)",
    r"\p{L}",
    "[[a]",
]
UNSAFE = {
    "nested repeats": r"^(a+)+$",
    "repeated choice": r"(a|a)*b",
    "optional many times": "a?" * 30 + "a" * 30,
    "optional repeated": "(a?){30}b",
    "three open ends": "^.*.*.*x$",
    "two open ends anywhere": ".*.*x",
    "choice hides the anchor": "^a|.*.*x",
    "nested counts": "^((((a{0,9}){0,9}){0,9}){0,9})$",
    "look-ahead": "(?=a)b",
    "look-behind": "(?<!a)b",
    "back-reference": r"(a)\1",
    "flag": "(?i)a",
    "script": r"\p{Script=Latin}",
    "foreign syntax": r"\Aa\Z",
    "unbalanced": "a)",
    "too many classes of Unicode": r"\p{L}" * 10,
    "too long": "x" * (LONGEST_PATTERN + 1),
}


@pytest.mark.parametrize("pattern", SAFE)
def test_an_ordinary_pattern_may_be_used(pattern: str) -> None:
    assert pattern_fault(pattern) is None


@pytest.mark.parametrize("pattern", UNSAFE.values(), ids=UNSAFE)
def test_a_pattern_that_could_hang_is_refused_with_a_reason(pattern: str) -> None:
    fault = pattern_fault(pattern)
    assert fault is not None
    assert fault.startswith("the pattern ")
