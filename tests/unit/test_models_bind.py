"""From what a user wrote to a request body: the text rule on whole inputs, defaults, and every problem at its place."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from runner.domain.errors import Position, Problem, Severity
from runner.domain.shots import Fields, Items, Node, Text
from runner.models.model import Model, RequestBody
from runner.models.registry import Models
from runner.models.schema_file import ModelFile, Schema
from runner.system.canonical_json import JsonValue

SHOT_AT = Position("board.yaml", 10, 3)
KEY_AT = Position("board.yaml", 12, 5)
VALUE_AT = Position("board.yaml", 12, 20)
NO_BRACKETS = 'is a list where text is needed; if its brackets are meant, quote the text: "[]"'
A, B = "https://example.com/a.jpg", "https://example.com/b.jpg"


def text(value: str, *, quoted: bool = False, at: Position = VALUE_AT) -> Text:
    return Text(value, at, quoted)


def frames(**changes: Node | None) -> dict[str, Node]:
    """Return complete inputs for pikaframes with some changed, or left out by None."""
    whole: dict[str, Node | None] = {
        "keyFramesFirst": text(A),
        "keyFramesLast": text(B),
        "promptText": text("a hand"),
    }
    return {name: node for name, node in {**whole, **changes}.items() if node is not None}


def made(properties: Schema, **more: JsonValue) -> Model:
    schema: Schema = {"type": "object", "properties": properties, **more}
    return Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, schema))


def pikaframes() -> Model:
    model = Models.bundled().find("pika/pikaframes")
    assert model is not None
    return model


def bind(model: Model, inputs: Mapping[str, Node], *, allow_private_media: bool = False) -> RequestBody:
    keys_at = dict.fromkeys(inputs, KEY_AT)
    return model.bind(
        inputs, subject="shot s010", at=SHOT_AT, keys_at=keys_at, allow_private_media=allow_private_media
    )


def only_problem(model: Model, inputs: Mapping[str, Node]) -> Problem:
    (problem,) = bind(model, inputs).problems
    return problem


def test_a_whole_shot_becomes_a_body_with_its_defaults() -> None:
    bound = bind(pikaframes(), frames(duration=text("7")))
    assert bound.problems == ()
    assert bound.body == {
        "keyFramesFirst": A,
        "keyFramesLast": B,
        "promptText": "a hand",
        "negativePrompt": "",
        "seed": 90190857,
        "resolution": "1080p",
        "duration": 7,
    }


def test_an_optional_input_without_default_stays_out() -> None:
    model = Models.bundled().find("pika/pika-2-2/image-to-video")
    assert model is not None
    assert bind(model, {"image": text(A)}).body == {"image": A, "resolution": "1080p", "duration": 5}


@pytest.mark.parametrize(
    "written", ["16:9", "no", "007", "1e3", "on", "2024-13-45", "  two  ", "a\nb", "null hypothesis", "é🎬"]
)
def test_a_text_input_keeps_the_text_exactly(written: str) -> None:
    assert bind(pikaframes(), frames(promptText=text(written))).body["promptText"] == written


@pytest.mark.parametrize("written", ["null", "~", "", "no", "5"])
def test_quoted_text_is_always_text(written: str) -> None:
    assert (
        bind(pikaframes(), frames(negativePrompt=text(written, quoted=True))).body["negativePrompt"]
        == written
    )


def test_zero_and_empty_are_values_and_not_absences() -> None:
    body = bind(pikaframes(), frames(seed=text("0"), negativePrompt=text("", quoted=True))).body
    assert (body["seed"], body["negativePrompt"]) == (0, "")


def test_false_is_a_value_where_the_default_is_true() -> None:
    model = made({"loop": {"type": "boolean", "default": True}})
    assert bind(model, {"loop": text("false")}).body == {"loop": False}


# Input, what is written, then the problem: message, allowed values, nearest one.
WRONG: dict[str, tuple[str, Node, str, tuple[str, ...], str | None]] = {
    "not in a range": ("duration", text("11"), "11 is not an allowed value", ("1…10",), None),
    "not a choice": (
        "resolution",
        text("1080P"),
        "1080P is not an allowed value",
        ("720p", "1080p"),
        "1080p",
    ),
    "octal": ("seed", text("007"), "007 has leading zeros, which could mean octal", (), "7"),
    "exponent": ("duration", text("1e0"), "1e0 is not a whole number in plain digits", ("1…10",), "1"),
    "clock": ("duration", text("0:05"), "0:05 is not a whole number in plain digits", ("1…10",), "5"),
    "quoted number": (
        "seed",
        text("5", quoted=True),
        "is text (in quotes) where a whole number is needed; remove the quotes",
        (),
        None,
    ),
    "quoted words": (
        "seed",
        text("five", quoted=True),
        "is text (in quotes) where a whole number is needed",
        (),
        None,
    ),
    "no value": ("seed", text(""), "no value given; write one or leave the key out", (), None),
    "null": ("promptText", text("null"), "no value given; write one or leave the key out", (), None),
    "too long": (
        "promptText",
        text("é" * 2001),
        "is 2001 characters long; at most 2000 are allowed",
        (),
        None,
    ),
    "required but empty": (
        "promptText",
        text("", quoted=True),
        "is empty, and the model requires it",
        (),
        None,
    ),
    "required but blank": (
        "promptText",
        text(" \n", quoted=True),
        "is empty, and the model requires it",
        (),
        None,
    ),
    "list for text": ("promptText", Items((), VALUE_AT), NO_BRACKETS, (), None),
    "mapping for number": (
        "seed",
        Fields({}, VALUE_AT),
        "is a mapping where a whole number is needed",
        (),
        None,
    ),
    "half a character": (
        "promptText",
        text("a\ud800"),
        "holds half a character (a lone surrogate)",
        (),
        None,
    ),
    "plain http": (
        "keyFramesFirst",
        text("http://example.com/a"),
        "http is not https; the API fetches media itself, from public https URLs only",
        (),
        None,
    ),
}


@pytest.mark.parametrize(("name", "node", "message", "allowed", "nearest"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_one_problem_at_the_value(
    name: str, node: Node, message: str, allowed: tuple[str, ...], nearest: str | None
) -> None:
    problem = only_problem(pikaframes(), frames(**{name: node}))
    assert problem == Problem(VALUE_AT, f"shot s010, inputs.{name}", message, allowed, nearest)


def test_a_prompt_of_exactly_the_limit_passes() -> None:
    assert bind(pikaframes(), frames(promptText=text("🎬" * 2000))).problems == ()


def test_a_missing_required_input_is_told_at_the_shot_and_never_filled_from_the_example() -> None:
    bound = bind(pikaframes(), frames(keyFramesLast=None))
    assert bound.problems == (
        Problem(SHOT_AT, "shot s010, inputs.keyFramesLast", "missing, and the model requires it"),
    )
    assert "keyFramesLast" not in bound.body


def test_an_unknown_input_is_told_at_its_name() -> None:
    problem = only_problem(pikaframes(), frames(fps=text("24")))
    assert problem == Problem(KEY_AT, "shot s010, inputs.fps", "unknown input")


def test_a_misspelled_required_input_is_one_problem_and_not_two() -> None:
    problem = only_problem(pikaframes(), frames(keyFramesFirst=None, keyFrameFirst=text(A)))
    assert problem.nearest == "keyFramesFirst"
    assert problem.subject == "shot s010, inputs.keyFrameFirst"


def test_all_problems_come_in_one_pass() -> None:
    inputs = frames(
        keyFramesLast=None, seed=text("x"), duration=text("11"), promptText=text(""), fps=text("1")
    )
    told = [
        problem.subject.removeprefix("shot s010, inputs.") for problem in bind(pikaframes(), inputs).problems
    ]
    assert sorted(told) == ["duration", "fps", "keyFramesLast", "promptText", "seed"]


def test_private_links_pass_only_when_allowed() -> None:
    inputs = frames(keyFramesFirst=text("http://127.0.0.1:1/a.jpg"))
    assert bind(pikaframes(), inputs).problems
    assert bind(pikaframes(), inputs, allow_private_media=True).problems == ()


def test_the_files_media_list_goes_before_the_rule() -> None:
    schema: Schema = {
        "type": "object",
        "properties": {"image": {"type": "string"}, "src": {"type": "string"}},
    }
    model = Model.from_file(ModelFile("m", "f", {}, ("src",), schema))
    (problem,) = bind(model, {"image": text("a cat"), "src": text("a.jpg")}).problems
    assert problem.subject == "shot s010, inputs.src"


NESTED = made(
    {
        "camera": {
            "type": "object",
            "properties": {"zoom": {"type": "number", "minimum": 1}, "mode": {"enum": ["pan", "tilt"]}},
            "required": ["zoom"],
        },
        "images": {"type": "array", "items": {"type": "string", "format": "uri"}, "maxItems": 2},
        "weights": {"type": "array", "items": {"type": "number"}},
        "extra": {"type": "object"},
    }
)
INNER_AT, INNER_KEY_AT = Position("board.yaml", 14, 9), Position("board.yaml", 14, 3)


def camera(**items: Node) -> dict[str, Node]:
    return {"camera": Fields(items, VALUE_AT, dict.fromkeys(items, INNER_KEY_AT))}


def test_lists_and_mappings_are_typed_all_the_way_down() -> None:
    inputs = {
        **camera(zoom=text("1.50"), mode=text("pan")),
        "images": Items((text(A), text(B)), VALUE_AT),
        "weights": Items((text("1"), text("0.5")), VALUE_AT),
        "extra": Fields({"free": text("007"), "deep": Items((text("no"),), VALUE_AT)}, VALUE_AT),
    }
    assert bind(NESTED, inputs).body == {
        "camera": {"zoom": 1.5, "mode": "pan"},
        "images": [A, B],
        "weights": [1, 0.5],
        "extra": {"free": "007", "deep": ["no"]},
    }


INNER: dict[str, tuple[dict[str, Node], Problem]] = {
    "type": (
        camera(zoom=text("wide", at=INNER_AT)),
        Problem(INNER_AT, "shot s010, inputs.camera.zoom", "wide is not a number as JSON writes it"),
    ),
    "range": (
        camera(zoom=text("0.5", at=INNER_AT)),
        Problem(INNER_AT, "shot s010, inputs.camera.zoom", "0.5 is less than 1"),
    ),
    "choice": (
        camera(zoom=text("1"), mode=text("pam", at=INNER_AT)),
        Problem(
            INNER_AT, "shot s010, inputs.camera.mode", "pam is not an allowed value", ("pan", "tilt"), "pan"
        ),
    ),
    "unknown field": (
        camera(zoom=text("1"), mod=text("pan", at=INNER_AT)),
        Problem(INNER_KEY_AT, "shot s010, inputs.camera.mod", "unknown field", (), "mode"),
    ),
    "missing field": (
        camera(mode=text("pan")),
        Problem(VALUE_AT, "shot s010, inputs.camera.zoom", "missing, and the model requires it"),
    ),
    "second link": (
        {"images": Items((text(A), text("b.jpg", at=INNER_AT)), VALUE_AT)},
        Problem(
            INNER_AT,
            "shot s010, inputs.images.1",
            "b.jpg is a file on this machine, and the API fetches media itself, from public https URLs only; "
            "put the file on a public https host that asks for no login, and write its address",
        ),
    ),
    "too many": (
        {"images": Items((text(A), text(B), text(A)), VALUE_AT)},
        Problem(VALUE_AT, "shot s010, inputs.images", "has 3 items; at most 2 are allowed"),
    ),
    "text for a list": (
        {"images": text(A)},
        Problem(
            VALUE_AT, "shot s010, inputs.images", "is text where a list is needed; put brackets around it"
        ),
    ),
}


@pytest.mark.parametrize(("inputs", "problem"), INNER.values(), ids=INNER)
def test_a_problem_inside_a_value_has_its_own_address(inputs: dict[str, Node], problem: Problem) -> None:
    assert only_problem(NESTED, inputs) == problem


def test_dotted_names_fold_into_mappings_and_lists() -> None:
    inputs = {"camera.zoom": text("2"), "images.1": text(B), "images.0": text(A), "camera.mode": text("tilt")}
    assert bind(NESTED, inputs).body == {"camera": {"zoom": 2, "mode": "tilt"}, "images": [A, B]}


def test_a_wrong_dotted_cell_keeps_its_own_place() -> None:
    problem = only_problem(NESTED, {"camera.zoom": text("wide", at=Position("b.csv", 2, cell="C2"))})
    assert str(problem.at) == "b.csv:2 (cell C2)"


@pytest.mark.parametrize("order", [["camera", "camera.zoom"], ["camera.zoom", "camera"]])
def test_an_input_given_whole_and_in_part_is_a_problem(order: list[str]) -> None:
    nodes = {**camera(zoom=text("1")), "camera.zoom": text("2")}
    problem = only_problem(NESTED, {name: nodes[name] for name in order})
    assert problem.message == "is given here and also as part of another input"


def test_a_dotted_name_below_no_input_is_unknown() -> None:
    assert only_problem(NESTED, {"lens.zoom": text("1")}).message == "unknown input"


SEVERAL: dict[str, tuple[JsonValue, Text, JsonValue]] = {
    "integer or text, a number": ({"type": ["integer", "string"]}, text("7"), 7),
    "integer or text, quoted": ({"type": ["integer", "string"]}, text("7", quoted=True), "7"),
    "integer or text, a word": ({"type": ["integer", "string"]}, text("auto"), "auto"),
    "text or null, null": ({"type": ["string", "null"]}, text("null"), None),
    "one of two forms": ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, text("7"), 7),
    "all of two": ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, text("7"), 7),
    "no type": ({}, text("007"), "007"),
    "type of a default": ({"default": 5}, text("6"), 6),
}


@pytest.mark.parametrize(("schema", "node", "value"), SEVERAL.values(), ids=SEVERAL)
def test_an_input_of_several_types_takes_the_first_that_the_text_spells(
    schema: JsonValue, node: Text, value: JsonValue
) -> None:
    bound = bind(made({"a": schema}), {"a": node})
    assert (bound.body, bound.problems) == ({"a": value}, ())


def test_the_items_of_a_tuple_have_types_of_their_own() -> None:
    model = made({"size": {"prefixItems": [{"type": "integer"}, {"type": "string"}]}})
    assert bind(model, {"size": Items((text("16"), text("9")), VALUE_AT)}).body == {"size": [16, "9"]}


def test_a_problem_with_several_forms_is_told_by_the_nearest_one() -> None:
    model = made(
        {"a": {"oneOf": [{"type": "integer", "maximum": 3}, {"type": "array", "items": {"type": "integer"}}]}}
    )
    assert only_problem(model, {"a": text("7")}).message == "7 is more than 3"


RULES: dict[str, tuple[JsonValue, str, str]] = {
    "below": ({"type": "integer", "minimum": 3}, "2", "2 is less than 3"),
    "above": ({"type": "integer", "maximum": 3}, "4", "4 is more than 3"),
    "not above": ({"type": "number", "exclusiveMinimum": 0}, "0", "0 is not more than 0"),
    "not below": ({"type": "number", "exclusiveMaximum": 1}, "1", "1 is not less than 1"),
    "too short": ({"type": "string", "minLength": 3}, "ab", "is 2 characters long; at least 3 are needed"),
    "pattern": ({"type": "string", "pattern": "^#[0-9a-f]{6}$"}, "red", "red does not match ^#[0-9a-f]{6}$"),
    "step": ({"type": "number", "multipleOf": 0.1}, "0.35", "0.35 is not a multiple of 0.1"),
    "constant": ({"const": "x"}, "y", "y is not an allowed value"),
    "not": ({"type": "string", "not": {"enum": ["a"]}}, "a", "a is what the model excludes here"),
    "never": (False, "a", "is not taken beside the other values here; leave it out"),
}


@pytest.mark.parametrize(("schema", "written", "message"), RULES.values(), ids=RULES)
def test_a_broken_rule_is_said_in_plain_words(schema: JsonValue, written: str, message: str) -> None:
    assert only_problem(made({"a": schema}), {"a": text(written)}).message == message


@pytest.mark.parametrize(("step", "written"), [(0.1, "0.3"), (0.01, "1.13"), (0.1, "0")])
def test_multiples_are_counted_in_decimal(step: float, written: str) -> None:
    bound = bind(made({"a": {"type": "number", "multipleOf": step}}), {"a": text(written)})
    assert bound.problems == ()


def test_a_text_too_long_for_its_pattern_is_refused_and_not_tried() -> None:
    problem = only_problem(made({"a": {"type": "string", "pattern": "^.*.*$"}}), {"a": text("x" * 5000)})
    assert problem.message == "is 5000 characters long; at most 2048 can be checked against ^.*.*$"


def test_what_another_input_requires_is_missing_at_the_shot() -> None:
    model = made({"a": {"type": "string"}, "b": {"type": "string"}}, dependentRequired={"a": ["b"]})
    problem = only_problem(model, {"a": text("x")})
    assert (problem.at, problem.subject) == (SHOT_AT, "shot s010, inputs.b")
    assert problem.message == "missing, and the model requires it with a"


def test_a_rule_over_the_whole_body_is_told_at_the_shot() -> None:
    model = made({"a": {"type": "string"}, "b": {"type": "string"}}, minProperties=2)
    problem = only_problem(model, {"a": text("x")})
    assert (problem.at, problem.subject) == (SHOT_AT, "shot s010, inputs")
    assert problem.message == "has 1 fields; at least 2 are needed"


def test_such_a_rule_is_silent_while_the_body_is_incomplete_for_other_reasons() -> None:
    model = made({"a": {"type": "string"}, "b": {"type": "integer"}}, dependentRequired={"a": ["b"]})
    assert only_problem(model, {"a": text("x"), "b": text("y")}).subject == "shot s010, inputs.b"


def test_two_bodies_share_no_default() -> None:
    model = made({"a": {"type": "array", "default": ["x"]}})
    first, second = bind(model, {}).body["a"], bind(model, {}).body["a"]
    assert first == second == ["x"]
    assert first is not second


def test_the_seed_input_is_an_integer_called_seed() -> None:
    found = made({"SEED": {"type": "integer"}}).seed_input
    assert found is not None
    assert found.name == "SEED"
    assert made({"seed": {"type": "string"}, "seeds": {"type": "integer"}}).seed_input is None


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({}, []),
        ({"extra": 1}, []),
        ({"duration": 11}, [("duration", "11 is not an allowed value (allowed: 1…10)")]),
        ({"seed": True}, [("seed", "true is not of type integer")]),
        ({"seed": "5"}, [("seed", "5 is not of type integer")]),
        ({"promptText": "x" * 2001}, [("promptText", "is 2001 characters long; at most 2000 are allowed")]),
    ],
    ids=["good", "extra", "enum", "boolean", "text", "long"],
)
def test_a_json_body_is_judged_as_the_api_would(
    change: dict[str, JsonValue], faults: list[tuple[str, str]]
) -> None:
    body: dict[str, JsonValue] = {"keyFramesFirst": A, "keyFramesLast": B, "promptText": "x", **change}
    assert pikaframes().body_faults(body) == faults


def test_every_missing_field_of_a_json_body_is_named() -> None:
    missing = "missing, and the model requires it"
    assert pikaframes().body_faults({}) == [
        (name, missing) for name in ("keyFramesFirst", "keyFramesLast", "promptText")
    ]


def test_an_input_that_is_required_beside_another_one_is_missing_when_that_one_is_given() -> None:
    rule: Schema = {"if": {"required": ["a"]}, "then": {"required": ["b"]}}
    model = made({"a": {"type": "string"}, "b": {"type": "string"}}, **rule)
    missing = only_problem(model, {"a": text("x")})
    assert (missing.at, missing.subject) == (SHOT_AT, "shot s010, inputs.b")
    assert bind(model, {"a": text("x"), "b": text("y")}).problems == ()


def test_a_proposal_that_would_be_refused_next_is_not_made() -> None:
    problem = only_problem(pikaframes(), frames(duration=text("12 seconds")))
    assert (problem.nearest, problem.allowed) == (None, ("1…10",))


PROPOSALS: dict[str, tuple[Schema, str, str | None]] = {
    "the title of a value": ({"oneOf": [{"const": "a", "title": "Slow"}, {"const": "b"}]}, "Slow", "a"),
    "another number": ({"type": "string", "enum": ["voice_50", "voice_60"]}, "voice_250", None),
    "a wrong letter": ({"type": "string", "enum": ["voice_50", "voice_60"]}, "vioce_50", "voice_50"),
}


@pytest.mark.parametrize(("schema", "written", "nearest"), PROPOSALS.values(), ids=PROPOSALS)
def test_a_proposal_is_the_value_that_was_meant(schema: Schema, written: str, nearest: str | None) -> None:
    assert only_problem(made({"a": schema}), {"a": text(written)}).nearest == nearest


@pytest.mark.parametrize(("cell", "value"), [("TRUE", True), ("False", False), ("true", True)])
def test_a_boolean_is_read_as_a_spreadsheet_writes_it(cell: str, value: bool) -> None:
    assert bind(made({"audio": {"type": "boolean"}}), {"audio": text(cell)}).body == {"audio": value}


# what a schema leaves open

WHERE = Position("board.yaml", 13, 1)
OPEN_PARTS = {
    "decimal": (text("0.8"), 0.8),
    "whole": (text("5"), 5),
    "boolean": (text("true"), True),
    "word": (text("slow"), "slow"),
    "null": (text("null"), None),
    "quoted": (text("5", quoted=True), "5"),
    "no number of JSON": (text("007"), "007"),
    "more digits than a number keeps": (text("9" * 25), "9" * 25),
    "list": (Items((text("1"), text("b")), WHERE), [1, "b"]),
    "mapping": (Fields({"x": text("1.5")}, WHERE), {"x": 1.5}),
}
OPEN_SCHEMAS: dict[str, Schema] = {
    "free": {"type": "object"},
    "field without a type": {"type": "object", "properties": {"part": {"description": "anything"}}},
    "true": {"type": "object", "properties": {"part": True}},
    "open": {"type": "object", "properties": {"other": {}}, "additionalProperties": True},
}


@pytest.mark.parametrize("schema", OPEN_SCHEMAS.values(), ids=OPEN_SCHEMAS)
@pytest.mark.parametrize(("node", "value"), OPEN_PARTS.values(), ids=OPEN_PARTS)
def test_a_part_without_a_type_keeps_what_is_written(schema: Schema, node: Node, value: JsonValue) -> None:
    bound = bind(made({"camera": schema}), {"camera": Fields({"part": node}, WHERE)})
    assert (bound.body, bound.problems) == ({"camera": {"part": value}}, ())


@pytest.mark.parametrize(("node", "value"), OPEN_PARTS.values(), ids=OPEN_PARTS)
def test_an_item_without_a_type_keeps_what_is_written(node: Node, value: JsonValue) -> None:
    bound = bind(made({"points": {"type": "array"}}), {"points": Items((node,), WHERE)})
    assert (bound.body, bound.problems) == ({"points": [value]}, ())


def test_text_without_a_type_stays_text_where_it_is_an_input_of_its_own() -> None:
    assert bind(made({"prompt": {"title": "Prompt"}}), {"prompt": text("5")}).body == {"prompt": "5"}


KEYS: dict[str, Schema] = {
    "any key": {"type": "object", "additionalProperties": {"type": "number"}},
    "beside fields": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "additionalProperties": {"type": "number"},
    },
    "keys of a pattern": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "patternProperties": {"^style_": {"type": "number"}},
    },
}


@pytest.mark.parametrize("schema", KEYS.values(), ids=KEYS)
def test_a_key_that_is_not_listed_has_the_type_that_its_schema_says(schema: Schema) -> None:
    bound = bind(made({"weights": schema}), {"weights": Fields({"style_a": text("0.8")}, WHERE)})
    assert (bound.body, bound.problems) == ({"weights": {"style_a": 0.8}}, ())


def test_a_typed_key_keeps_text_where_its_schema_says_text() -> None:
    schema: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
    bound = bind(made({"labels": schema}), {"labels": Fields({"a": text("5")}, WHERE)})
    assert bound.body == {"labels": {"a": "5"}}


BOUNDS: dict[str, Schema] = {
    "maximum": {"minimum": 0, "maximum": 100},
    "exclusive": {"exclusiveMaximum": 100},
    "draft 4": {"maximum": 100, "exclusiveMaximum": True},
    "steps": {"multipleOf": 3},
    "nullable": {"anyOf": [{"maximum": 100}, {"type": "null"}]},
    "in a form": {"anyOf": [{"maximum": 100}, {"maximum": 50}]},
}


@pytest.mark.parametrize("schema", BOUNDS.values(), ids=BOUNDS)
def test_a_number_is_compared_with_bounds_that_have_no_type(schema: Schema) -> None:
    assert "500" in only_problem(made({"strength": schema}), {"strength": text("500")}).message
    assert bind(made({"strength": schema}), {"strength": text("48")}).body == {"strength": 48}


NUMBERS: Schema = {"type": "array", "items": {"type": "number"}}
WORDS: Schema = {"type": "array", "items": {"type": "string"}}
PAIRS: Schema = {"type": "array", "items": NUMBERS}
LISTS: dict[str, tuple[list[JsonValue], Node, JsonValue]] = {
    "numbers": ([NUMBERS, WORDS], Items((text("1"), text("2.5")), WHERE), [1, 2.5]),
    "words": ([NUMBERS, WORDS], Items((text("a"), text("b")), WHERE), ["a", "b"]),
    "words that look like numbers": ([WORDS, NUMBERS], Items((text("1"), text("b")), WHERE), ["1", "b"]),
    "pairs": ([NUMBERS, PAIRS], Items((Items((text("1"), text("2")), WHERE),), WHERE), [[1, 2]]),
}


@pytest.mark.parametrize(("forms", "node", "value"), LISTS.values(), ids=LISTS)
def test_an_item_may_be_of_any_form_of_its_list(forms: list[JsonValue], node: Node, value: JsonValue) -> None:
    bound = bind(made({"values": {"anyOf": forms}}), {"values": node})
    assert (bound.body, bound.problems) == ({"values": value}, ())


def test_a_whole_default_without_a_type_allows_fractions() -> None:
    assert bind(made({"scale": {"default": 1}}), {"scale": text("0.5")}).body == {"scale": 0.5}


def test_a_form_with_bounds_alone_reads_a_number_that_another_form_refuses() -> None:
    model = made({"strength": {"anyOf": [{"type": "integer"}, {"minimum": 2}]}})
    assert bind(model, {"strength": text("2.5")}).body == {"strength": 2.5}


def test_a_part_that_only_narrows_a_field_leaves_its_type() -> None:
    narrowed: Schema = {
        "type": "object",
        "properties": {"zoom": {"type": "integer"}},
        "allOf": [{"properties": {"zoom": {"maximum": 10}}}],
    }
    camera = Fields({"zoom": text("5")}, WHERE)
    assert bind(made({"camera": narrowed}), {"camera": camera}).body == {"camera": {"zoom": 5}}


# links in every place

LINK: Schema = {"type": "string"}
PLACES: dict[str, tuple[str, Schema, Node]] = {
    "nullable": ("image_url", {"type": ["string", "null"]}, text("a.png")),
    "one of several forms": ("image", {"anyOf": [LINK, {"type": "null"}]}, text("a.png")),
    "form with a format": (
        "source",
        {"oneOf": [{"type": "integer"}, {"type": "string", "format": "uri"}]},
        text("a.png"),
    ),
    "list": ("images", {"type": "array", "items": LINK}, Items((text("a.png"),), WHERE)),
    "list without items": ("images", {"type": "array"}, Items((text("a.png"),), WHERE)),
    "list with a format": ("refs", {"type": "array", "format": "image_uris"}, Items((text("a.png"),), WHERE)),
    "list with described places": (
        "images",
        {"type": "array", "prefixItems": [LINK, LINK], "items": False},
        Items((text("a.png"),), WHERE),
    ),
    "nullable list": (
        "image_urls",
        {"type": ["array", "null"], "items": LINK},
        Items((text("a.png"),), WHERE),
    ),
    "text or list": (
        "images",
        {"anyOf": [LINK, {"type": "array", "items": LINK}]},
        Items((text("a.png"),), WHERE),
    ),
    "list with defaults": (
        "refs",
        {"type": "array", "items": LINK, "default": ["https://example.com/a.jpg"]},
        Items((text("a.png"),), WHERE),
    ),
    "field of a mapping": (
        "reference",
        {"type": "object", "properties": {"image_url": LINK}},
        Fields({"image_url": text("a.png")}, WHERE),
    ),
    "list of mappings": (
        "elements",
        {"type": "array", "items": {"type": "object", "properties": {"frontal_image": LINK}}},
        Items((Fields({"frontal_image": text("a.png")}, WHERE),), WHERE),
    ),
    "mapping of links": (
        "images",
        {"type": "object", "additionalProperties": LINK},
        Fields({"left": text("a.png")}, WHERE),
    ),
}


@pytest.mark.parametrize(("name", "schema", "node"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("a.png", "file on this machine"),
        ("http://example.com/a.png", "not https"),
        ("data:image/png;base64,AA", "data"),
    ],
)
def test_a_link_is_refused_wherever_it_stands(
    name: str, schema: Schema, node: Node, written: str, reason: str
) -> None:
    assert reason in only_problem(made({name: schema}), {name: _with(node, written)}).message


def _with(node: Node, written: str) -> Node:
    match node:
        case Text():
            return text(written)
        case Items():
            return Items(tuple(_with(item, written) for item in node), node.at)
        case Fields():
            return Fields({key: _with(inner, written) for key, inner in node.items.items()}, node.at)


def test_a_word_that_the_schema_lists_is_not_a_link() -> None:
    model = made({"image": {"anyOf": [{"enum": ["auto"]}, {"type": "string", "format": "uri"}]}})
    assert bind(model, {"image": text("auto")}).body == {"image": "auto"}
    assert "file on this machine" in only_problem(model, {"image": text("autos")}).message


def test_a_list_that_may_hold_numbers_is_not_a_list_of_links() -> None:
    model = made({"frames": {"type": "array"}})
    assert bind(model, {"frames": Items((text("0"), text("24")), WHERE)}).body == {"frames": [0, 24]}


def test_a_share_page_is_a_warning_at_each_of_its_places() -> None:
    model, link = made({"image": LINK}), "https://drive.google.com/file/d/1AbC/view"
    for _ in range(2):
        bound = bind(model, {"image": text(link)})
        (warning,) = bound.warnings
        assert (bound.problems, warning.at, warning.severity) == ((), VALUE_AT, Severity.WARNING)
        assert "https://drive.google.com/uc?export=download&id=1AbC" in warning.message


@pytest.mark.parametrize("written", ["", "  "])
def test_an_empty_prompt_is_a_warning(written: str) -> None:
    bound = bind(
        made({"prompt": LINK, "negative_prompt": LINK}),
        dict.fromkeys(("prompt", "negative_prompt"), text(written, quoted=True)),
    )
    assert [(warning.subject, warning.at) for warning in bound.warnings] == [
        ("shot s010, inputs.prompt", VALUE_AT)
    ]


@pytest.mark.parametrize(
    ("written", "count"), [("a.png", 1), ("C:/my board/a.png", 1), ("A hand opens a.png", 0)]
)
def test_a_path_in_a_text_input_is_a_warning(written: str, count: int) -> None:
    bound = bind(made({"background": LINK}), {"background": text(written)})
    assert (bound.problems, len(bound.warnings)) == ((), count)


def test_an_address_that_the_api_calls_is_not_media() -> None:
    bound = bind(
        made({"webhook_url": {"type": "string", "format": "uri"}}),
        {"webhook_url": text("http://example.com/done")},
    )
    assert (bound.problems, bound.warnings) == ((), ())


@pytest.mark.parametrize(
    ("choices", "written", "nearest"),
    [
        (["5", "10"], "5s", "5"),
        (["5", "10"], "0:05", "5"),
        (["5", "10"], "15", None),
        (["4s", "8s"], "8", "8s"),
        (["4s", "8s"], "8 sec", "8s"),
        (["16:9", "9:16"], "16:09:00", "16:9"),
        (["16:9", "9:16"], "0.672916667", "16:9"),
        (["16:9", "9:16"], "0.5", None),
    ],
)
def test_a_choice_in_another_spelling_is_proposed(
    choices: list[str], written: str, nearest: str | None
) -> None:
    model = made({"a": {"type": "string", "enum": list[JsonValue](choices)}})
    problem = only_problem(model, {"a": text(written)})
    assert problem.nearest == nearest
    assert ("a spreadsheet made a time of it" in problem.message) == (nearest == "16:9")


def test_a_frame_is_the_input_of_one_picture_before_that_of_several() -> None:
    model = made({"images": {"type": "array", "items": LINK}, "image_url": LINK})
    assert model.frames == ("image_url", None)


OPTIONAL: Schema = {"prompt": {"type": "string"}, "size": {"type": "string"}, "after": {"type": "string"}}
LONG: Schema = {
    **OPTIONAL,
    "duration": {"enum": [5, 10], "default": 10},
    "fps": {"type": "integer", "default": 24},
}
SHORT_AT_4K: Schema = {
    "if": {"properties": {"size": {"const": "4k"}}, "required": ["size"]},
    "then": {"properties": {"duration": {"const": 5}}},
}
# A model, a shot, and its body; the defaults of the model are not written.
DEFAULTS_LEFT_OUT: dict[str, tuple[Schema, Schema, dict[str, Node], Schema]] = {
    "a default that needs another input": (
        {**OPTIONAL, "tail": {"type": "string", "default": "x"}},
        {"dependentRequired": {"tail": ["after"]}},
        {"prompt": text("a cat")},
        {"prompt": "a cat"},
    ),
    "a default that a condition refuses": (
        LONG,
        SHORT_AT_4K,
        {"size": text("4k")},
        {"size": "4k", "fps": 24},
    ),
}


@pytest.mark.parametrize(
    ("properties", "rules", "inputs", "body"), DEFAULTS_LEFT_OUT.values(), ids=DEFAULTS_LEFT_OUT
)
def test_a_default_that_a_rule_refuses_is_left_out_with_a_warning(
    properties: Schema, rules: Schema, inputs: dict[str, Node], body: Schema
) -> None:
    bound = bind(made(properties, **rules), inputs)
    assert (bound.problems, bound.body) == ((), body)
    (warning,) = bound.warnings
    assert "is left out where other inputs do not allow it" in warning.message
    assert warning.subject.startswith("shot s")
    assert warning.at.line


def test_a_default_that_fits_stays_and_a_written_value_is_never_left_out() -> None:
    model = made(LONG, **SHORT_AT_4K)
    assert bind(model, {"size": text("hd")}).body == {"size": "hd", "duration": 10, "fps": 24}
    assert only_problem(model, {"size": text("4k"), "duration": text("10")}).allowed == ("5",)


def test_a_default_that_can_neither_stay_nor_go_is_named_as_the_default() -> None:
    rules: Schema = {
        **SHORT_AT_4K,
        "then": {"properties": {"duration": {"const": 5}}, "required": ["duration"]},
    }
    problem = only_problem(made(LONG, **rules), {"size": text("4k")})
    assert problem.message == "10 is not an allowed value; it is the default, so write a value that fits"


FURTHER: Schema = {"patternProperties": {r"^image_\d+$": {"type": "string", "format": "uri"}}}
SCALES: Schema = {"additionalProperties": {"type": "number", "maximum": 2}}


def test_a_name_that_a_pattern_describes_is_an_input_with_its_rules() -> None:
    model = made(OPTIONAL, **FURTHER)
    assert bind(model, {"image_1": text(A)}).body == {"image_1": A}
    assert "is a file on this machine" in only_problem(model, {"image_2": text("a.jpg")}).message
    assert only_problem(model, {"image_x": text(A)}).message == "unknown input"


def test_names_that_are_not_listed_are_inputs_if_the_schema_describes_them() -> None:
    model = made(OPTIONAL, **SCALES)
    assert bind(model, {"film_grain": text("1.5")}).body == {"film_grain": 1.5}
    parts = made({"camera": {"type": "object"}}, **SCALES)
    assert bind(parts, {"camera.zoom": text("1")}).body == {"camera": {"zoom": 1}}
    assert only_problem(model, {"film_grain": text("3")}).message == "3 is more than 2"
    assert only_problem(model, {"promt": text("1")}).nearest == "prompt"


CONDITIONAL_TYPES: dict[str, tuple[Schema, str, JsonValue]] = {
    "a listed text of digits": ({"enum": [5, "10"]}, "10", "10"),
    "a listed number beside it": ({"enum": [5, "10"]}, "5", 5),
    "a number": ({"if": {"minimum": 3}, "then": {"type": "boolean"}, "else": {"type": "number"}}, "0.5", 0.5),
    "a boolean": (
        {"if": {"type": "integer"}, "then": {"type": "object"}, "else": {"type": "boolean"}},
        "false",
        False,
    ),
    "a text that both allow": ({"if": {"type": "string"}, "else": {"type": "integer"}}, "5", "5"),
}


@pytest.mark.parametrize(("schema", "written", "value"), CONDITIONAL_TYPES.values(), ids=CONDITIONAL_TYPES)
def test_a_text_is_read_as_the_type_that_its_schema_accepts(
    schema: Schema, written: str, value: JsonValue
) -> None:
    model = made({"q": schema})
    # The second shot takes the value that the first one has left.
    for bound in (bind(model, {"q": text(written)}), bind(model, {"q": text(written)})):
        assert (bound.problems, bound.body) == ((), {"q": value})


def test_a_number_past_its_bound_does_not_become_text() -> None:
    assert only_problem(made({"q": {"maximum": 10}}), {"q": text("12")}).message == "12 is more than 10"
