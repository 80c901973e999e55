"""A pattern of a schema means what it means in JavaScript, in which JSON Schema writes it."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.commands.check import check
from runner.domain.errors import Severity
from runner.models.ecma_patterns import python_pattern
from runner.models.model import Model
from runner.models.regex_safety import longest_text, pattern_fault
from runner.models.schema_file import ModelFile, Schema
from runner.system.canonical_json import JsonValue

# A pattern, the texts in which JavaScript finds it, and texts in which it does not.
MEANT: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "the end is the end": ("^a$", ("a",), ("a\n",)),
    "a dollar in a class": ("^[$]$", ("$",), ("a",)),
    "digits are 0 to 9": (r"^\d+$", ("09",), ("１２", "٣")),
    "no digit": (r"^\D$", ("a", "３"), ("3",)),
    "words are ASCII": (r"^\w+$", ("aZ_9",), ("é",)),
    "no word": (r"^\W$", ("é", "-"), ("_",)),
    "no word in a class": (r"^[\W\d]$", ("é", "5"), ("a",)),
    "blanks": (r"^\s$", ("\ufeff", "\u00a0", "\u2028", "\t"), ("\x1c", "\u200b")),
    "no blank": (r"^\S$", ("\x1c",), ("\ufeff",)),
    "anything": (r"^[\s\S]$", ("\n", "🎬"), ()),
    "the edge of a word": (r"\bcat\b", ("a cat", "écat"), ("cats",)),
    "a dot stops at every line end": ("^.$", ("a", "\x85"), ("\n", "\r", "\u2028")),
    "letters": (r"^\p{L}+$", ("Ännaж", "𝒜"), ("a1", "a b")),
    "letters by their long name": (r"^\p{Letter}$", ("é",), ("1",)),
    "letters by category": (r"^\p{gc=Lu}$", ("É",), ("é",)),
    "no letters": (r"^\P{L}+$", ("1 ",), ("é",)),
    "letters among others": (r"^[\p{L}\p{N} _-]+$", ("Änna ½-_",), ("a!",)),
    "a group with a name": ("^(?<year>[0-9]{4})$", ("2024",), ("24",)),
    "a group with Python's name": ("^(?P<year>[0-9]{4})$", ("2024",), ("24",)),
    "an escaped slash": (r"^https:\/\/a\.b$", ("https://a.b",), ("https://aXb",)),
    "an escaped hyphen": (r"^a\-b$", ("a-b",), ("ab",)),
    "a code": (r"^\u0041\x42$", ("AB",), ("ab",)),
    "a code in braces": (r"^\u{1F3AC}$", ("🎬",), ("u",)),
    "two halves of a character": (r"^[\ud83c\udfac]$", ("🎬",), ("\ud83c",)),
    "a control": (r"^\cJ\0$", ("\n\x00",), ("J0",)),
    "braces that repeat nothing": ("^a{,2}$", ("a{,2}",), ("aa",)),
    "an empty class": ("^a[]b$", (), ("ab", "a[]b")),
    "all but an empty class": ("^a[^]b$", ("a\nb",), ("ab",)),
    "a bracket in a class": ("^[[a]+$", ("[a",), ("]",)),
    "a closing bracket alone": ("^]$", ("]",), ("a",)),
    "signs of sets in a class": ("^[a&&||~~b]+$", ("a&",), ("c",)),
    "a hyphen at the end": ("^[a-]+$", ("a-",), ("b",)),
    "a set before a hyphen": (r"^[\d-x]+$", ("5-x",), ("w",)),
    "not a class": ("^[^a-c]$", ("d", "\n"), ("b",)),
    "a lazy repeat": ("^a+?b{1,2}?$", ("aabb",), ("b",)),
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "found", "not_found"), MEANT.values(), ids=MEANT)
def test_a_pattern_is_found_where_javascript_finds_it(
    pattern: str, found: tuple[str, ...], not_found: tuple[str, ...]
) -> None:
    matcher = re.compile(python_pattern(pattern))
    assert [text for text in found if not matcher.search(text)] == []
    assert [text for text in not_found if matcher.search(text)] == []


@given(st.characters(), st.sampled_from(["L", "Lu", "N", "Nd", "P", "Zs"]))
def test_a_category_holds_the_characters_of_unicode(char: str, category: str) -> None:
    is_of_it = unicodedata.category(char).startswith(category)
    assert bool(re.search(python_pattern(rf"^\p{{{category}}}$"), char)) == is_of_it


@pytest.mark.parametrize("pattern", [r"^\p{L}+$", r"^[\p{L}\d _'-]{1,80}$", r"\p{Lu}"])
def test_a_class_of_letters_can_be_matched_against_a_name(pattern: str) -> None:
    assert pattern_fault(pattern) is None
    assert longest_text(pattern) >= 256


REASONS: dict[str, tuple[str, str]] = {
    "script": (r"\p{Script=Greek}", "only general categories"),
    "back-reference": (r"(a)\1", "has a back-reference"),
    "named back-reference": (r"(?<x>a)\k<x>", "has a back-reference"),
    "an anchor of Python": (r"\Aa", "has \\A, which means nothing in JavaScript"),
    "look-ahead": ("^(?!a)", "has look-around"),
    "look-behind": ("(?<=a)b", "has look-around"),
    "an order": ("[z-a]", "out of order"),
    "no character": (r"\u{110000}", "not a character"),
}


@pytest.mark.parametrize(("pattern", "reason"), REASONS.values(), ids=REASONS)
def test_what_cannot_be_translated_is_named(pattern: str, reason: str) -> None:
    assert reason in (pattern_fault(pattern) or "")


def model_of(**properties: JsonValue) -> Model:
    schema: Schema = {"type": "object", "properties": properties}
    return Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, schema))


def test_a_pattern_that_cannot_be_used_is_set_aside_with_a_word() -> None:
    model = model_of(name={"type": "string", "pattern": r"^\p{Script=Greek}+$", "maxLength": 3})
    assert model.body_faults({"name": "Anna"}) == [("name", "is 4 characters long; at most 3 are allowed")]
    [note] = model.notes
    assert note.startswith("nothing is checked against ^\\p{Script=Greek}+$: the pattern has \\p{Script")


BAD = "^(?=a)a"
A: Schema = {"type": "string", "pattern": BAD}
# A schema with a pattern that cannot be used, a value that it allows, and one that it still refuses.
LOOSER: dict[str, tuple[Schema, JsonValue, JsonValue]] = {
    "not": ({"type": "string", "not": A}, "b", 5),
    "not of a not": ({"type": "string", "not": {"not": A}}, "a", 5),
    "if": ({"if": A, "then": {"maxLength": 1}, "else": {"maxLength": 2}, "type": "string"}, "bb", 5),
    "contains": ({"type": "array", "contains": A, "maxContains": 1}, ["a", "b", "b"], 5),
    "one of": ({"oneOf": [A, {"const": "b"}]}, "b", 5),
    "any of": ({"anyOf": [A, {"type": "integer"}]}, "b", 2.5),
    "names": ({"type": "object", "propertyNames": A}, {"a": 1}, 5),
    "named by a pattern": ({"type": "object", "patternProperties": {BAD: {"type": "string"}}}, {"a": "x"}, 5),
    "the rest": (
        {"type": "object", "patternProperties": {BAD: {}, "^b": {"type": "string"}}, "additionalProperties": False},
        {"a": 1},
        {"b": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "allowed", "refused"), LOOSER.values(), ids=LOOSER)
def test_without_an_unusable_pattern_a_schema_allows_more_and_never_less(
    schema: Schema, allowed: JsonValue, refused: JsonValue
) -> None:
    model = model_of(x=schema)
    assert len(model.notes) == 1
    assert model.body_faults({"x": allowed}) == []
    assert model.body_faults({"x": refused}) != []


def test_check_warns_of_a_pattern_that_was_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "schemas" / "acme" / "dream.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"type": "object", "properties": {"p": A}}), "utf-8")
    board = tmp_path / "board.yaml"
    board.write_text("version: 1\nshots:\n  - {id: s, model: acme/dream, inputs: {p: b}}\n", "utf-8")
    [warning] = check(board).warnings
    assert (warning.at.file, warning.subject, warning.severity) == (
        str(file),
        "model acme/dream",
        Severity.WARNING,
    )
    assert BAD in warning.message


def test_names_are_matched_as_javascript_does() -> None:
    keyed: JsonValue = {r"^\d$": {"type": "number"}, "^[0-9]$": {"minimum": 3}}
    model = model_of(a={"type": "object", "patternProperties": keyed, "additionalProperties": False})
    assert model.body_faults({"a": {"5": 3}}) == []
    assert [field for field, _ in model.body_faults({"a": {"5": "x"}})] == ["a.5"]
    assert [field for field, _ in model.body_faults({"a": {"5": 2}})] == ["a.5"]
    assert [field for field, _ in model.body_faults({"a": {"٣": 3}})] != []


def test_a_message_shows_the_pattern_as_the_schema_has_it() -> None:
    [(_, message)] = model_of(a={"type": "string", "pattern": r"^\d\/$"}).body_faults({"a": "x"})
    assert message == r"x does not match ^\d\/$"
