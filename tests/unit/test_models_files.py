"""A schema file is taken as it is, or refused with its name and the reason."""

from __future__ import annotations

import hashlib
import json

import pytest

from runner.domain.errors import SchemaInvalid
from runner.models.model import Model
from runner.models.schema_file import MOST_BYTES, ModelFile, parse_model_file
from runner.system.canonical_json import JsonValue, canonical_hash, canonical_json

SCHEMA: dict[str, JsonValue] = {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}}
GOOD_HASHES: dict[str, JsonValue] = {"input": canonical_hash(SCHEMA), "output": canonical_hash({})}


def parse(document: JsonValue | bytes, *, hashes_needed: bool = False) -> ModelFile:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_model_file(data, model="acme/dream", file="dream.json", hashes_needed=hashes_needed)


def test_a_wrapper_is_taken_apart_and_left_unchanged() -> None:
    found = parse(
        {"model": "acme/dream", "source": {"url": "u"}, "media": ["b"], "input": SCHEMA, "output": {}}
    )
    assert found == ModelFile("acme/dream", "dream.json", {"url": "u"}, ("b",), SCHEMA, found.sha256)
    assert list(found.input["properties"] or ()) == ["b", "a"]  # type: ignore[arg-type]


def test_a_bare_schema_needs_no_wrapper() -> None:
    assert parse(SCHEMA).input == SCHEMA


@pytest.mark.parametrize("name", ["input_schema", "inputSchema"])
def test_the_answer_of_a_catalogue_is_a_wrapper(name: str) -> None:
    assert parse({"model_id": "acme/dream", "base_price_usd": 0.1, name: SCHEMA}).input == SCHEMA
    with pytest.raises(SchemaInvalid, match="describes acme/other"):
        parse({"model_id": "acme/other", name: SCHEMA})


def test_a_file_is_known_by_the_hash_of_its_bytes() -> None:
    data = json.dumps(SCHEMA).encode()
    assert parse(data).sha256 == hashlib.sha256(data).hexdigest() != parse(data + b"\n").sha256


def test_a_bare_schema_may_have_an_input_called_input() -> None:
    bare: dict[str, JsonValue] = {"properties": {"input": {"type": "string"}}, "input": {}}
    assert parse(bare).input == bare


def test_a_byte_order_mark_is_no_harm() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(SCHEMA).encode()).input == SCHEMA


def test_right_hashes_pass() -> None:
    document: JsonValue = {"sha256": GOOD_HASHES, "input": SCHEMA, "output": {}}
    assert parse(document, hashes_needed=True).input == SCHEMA


REFUSED: dict[str, tuple[JsonValue | bytes, bool, str]] = {
    "not json": (b"{", False, "not usable JSON"),
    "not utf-8": (b"\xff\xfe{\x00", False, "not usable JSON"),
    "a list": ([], False, "not a JSON object"),
    "a key twice": (b'{"a": 1, "a": 2}', False, "the key 'a' appears twice"),
    "nan": (b'{"default": NaN}', False, "NaN is not JSON"),
    "too deep to parse": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", False, "nested too deeply"),
    "too large": (b" " * (MOST_BYTES + 1), False, "larger than 4 MiB"),
    "about another model": ({"model": "acme/other", "input": SCHEMA}, False, "describes acme/other"),
    "hash of other input": (
        {"sha256": {"input": "0" * 64}, "input": SCHEMA},
        False,
        "input schema is not what",
    ),
    "bundled without hashes": ({"input": SCHEMA, "output": {}}, True, "input schema is not what"),
    "bundled bare": (SCHEMA, True, "has no `input`"),
}


@pytest.mark.parametrize(("document", "hashes_needed", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_bad_file_is_refused_by_name(
    document: JsonValue | bytes, *, hashes_needed: bool, reason: str
) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        parse(document, hashes_needed=hashes_needed)
    assert caught.value.message.startswith("dream.json: ")
    assert reason in caught.value.message
    assert caught.value.advice


def test_canonical_json_is_sorted_tight_and_unescaped() -> None:
    assert canonical_json({"b": [1, None, True], "a": "é"}) == '{"a":"é","b":[1,null,true]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_canonical_json_refuses_what_json_has_not(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": value})


@pytest.mark.parametrize(
    ("model", "outputs", "makes_pictures"),
    [
        ("acme/dream", {"image": {}, "images": {}}, True),
        ("acme/text-to-image", {"video": {}}, False),
        ("acme/text-to-image", {"image": {}, "video": {}}, True),
        ("acme/image-to-video", {"image": {}, "video": {}}, False),
        ("acme/dream", {}, False),
    ],
)
def test_a_model_makes_pictures_if_its_output_or_else_its_id_says_so(
    model: str, outputs: dict[str, object], makes_pictures: bool
) -> None:
    document = {"model": model, "input": SCHEMA, "output": {"properties": outputs}}
    published = parse_model_file(json.dumps(document).encode(), model=model, file="dream.json")
    assert Model.from_file(published).makes_pictures is makes_pictures
