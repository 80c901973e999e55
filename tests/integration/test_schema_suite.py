"""A model's schema gets the verdicts of the published JSON-Schema-Test-Suite, or is refused for a reason listed here.

The suite comes with the source of `jsonschema`. The test has pip download that, and skips where there is none.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.domain.errors import Position, SchemaInvalid
from runner.domain.shots import Fields, Items, Node, Text
from runner.models.model import Model
from runner.models.schema_file import ModelFile, Schema
from runner.system.canonical_json import JsonValue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SOURCE = "jsonschema==4.26.0"
DIALECTS = {
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
NO_VERDICT = {
    "optional/content.json": "what a text encodes is a note: no API of a model decodes it to validate it"
}
REFUSED: dict[str, dict[str, tuple[str, ...]]] = {
    # A reference to another document: nothing is fetched, so that no stranger chooses an address.
    "may only point into": {
        "definitions.json": ("validate definition against metaschema",),
        "defs.json": ("validate definition against metaschema",),
        "dynamicRef.json": (
            "$ref and $dynamicAnchor are independent of order - $defs first",
            "$ref and $dynamicAnchor are independent of order - $ref first",
            "$ref to $dynamicRef finds detached $dynamicAnchor",
            "strict-tree schema, guards against misspelled properties",
            "tests for implementation dynamic anchor and reference link",
        ),
        "optional/cross-draft.json": (
            "refs to future drafts are processed as future drafts",
            "refs to historic drafts are processed as historic drafts",
        ),
        "ref.json": ("remote ref, containing refs itself",),
        "refRemote.json": (
            "$ref to $ref finds detached $anchor",
            "$ref to $ref finds location-independent $id",
            "Location-independent identifier in remote ref",
            "anchor within remote ref",
            "base URI change",
            "base URI change - change folder",
            "base URI change - change folder in subschema",
            "fragment within remote ref",
            "ref within remote ref",
            "remote HTTP ref with different $id",
            "remote HTTP ref with different URN $id",
            "remote HTTP ref with nested absolute ref",
            "remote ref",
            "remote ref with ref to definitions",
            "remote ref with ref to defs",
            "retrieved nested refs resolve relative to their URI not $id",
            "root ref in remote ref",
        ),
    },
    # A recursive schema: a request body is finite, and so is a form of inputs.
    "leads back": {
        "ref.json": (
            "Recursive references between schemas",
            "root pointer ref",
            "simple URN base URI with $ref via the URN",
        ),
        "unevaluatedProperties.json": ("unevaluatedProperties + single cyclic ref",),
    },
    # A reference whose target depends on the way to it: no model's schema has one.
    "$dynamicRef is not": {
        "dynamicRef.json": (
            "$dynamicRef points to a boolean schema",
            "$dynamicRef skips over intermediate resources - direct reference",
            "A $dynamicRef resolves to the first $dynamicAnchor still in scope that",
            "A $dynamicRef that initially resolves to a schema with a matching $dyn",
            "A $dynamicRef that initially resolves to a schema without a matching $",
            "A $dynamicRef to a $dynamicAnchor in the same schema resource behaves ",
            "A $dynamicRef to an $anchor in the same schema resource behaves like a",
            "A $dynamicRef with a non-matching $dynamicAnchor in the same schema re",
            "A $dynamicRef with intermediate scopes that don't include a matching $",
            "A $dynamicRef without a matching $dynamicAnchor in the same schema res",
            "A $dynamicRef without anchor in fragment behaves identical to $ref",
            "An $anchor with the same name as a $dynamicAnchor is not used for dyna",
            "after leaving a dynamic scope, it is not used by a $dynamicRef",
            "multiple dynamic paths to the $dynamicRef keyword",
        ),
        "optional/dynamicRef.json": (
            "$dynamicRef skips over intermediate resources - pointer reference acro",
        ),
        "unevaluatedItems.json": ("unevaluatedItems with $dynamicRef",),
        "unevaluatedProperties.json": ("unevaluatedProperties with $dynamicRef",),
    },
    # Words of the schema's own: nobody knows which rules they set.
    "unknown $schema": {
        "optional/format-assertion.json": (
            "schema that uses custom metaschema with format-assertion: false",
            "schema that uses custom metaschema with format-assertion: true",
        ),
        "vocabulary.json": (
            "ignore unrecognized optional vocabulary",
            "schema that uses custom metaschema with with no validation vocabulary",
        ),
    },
}
"""The tests that are refused on purpose, by what the message says; names end after 70 characters."""

AT = Position("board.yaml", 1, 1)


@dataclass(frozen=True, slots=True)
class Case:
    """One schema of the suite, as the whole input of a model or as the schema of its input `x`."""

    name: str
    schema: Schema
    tests: tuple[tuple[str, dict[str, JsonValue], bool], ...]


@pytest.fixture(scope="session")
def suite(pytestconfig: pytest.Config) -> Path:
    """Return the folder of the suite, downloaded once for all runs of the tests."""
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("json-schema-test-suite")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "jsonschema", SOURCE]
    if not list(folder.glob("*.tar.gz")):
        try:
            subprocess.run([*command, "-d", str(folder)], check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"the source of {SOURCE}, which holds the suite, cannot be downloaded: {error}")
    [archive] = folder.glob("*.tar.gz")
    unpacked = archive.with_name(archive.name.removesuffix(".tar.gz"))
    with tarfile.open(archive) as source:
        source.extractall(folder, filter="data")
    return unpacked / "json" / "tests"


def cases(suite: Path) -> Iterator[Case]:
    for dialect, uri in DIALECTS.items():
        folder = suite / dialect
        for file in (*sorted(folder.glob("*.json")), *sorted(folder.glob("optional/*.json"))):
            name = file.relative_to(folder).as_posix()
            for published in json.loads(file.read_text("utf-8")) if name not in NO_VERDICT else ():
                yield from of_published(f"{dialect}/{name}: {published['description'][:70]}", published, uri)


def of_published(name: str, published: dict[str, Any], uri: str) -> Iterator[Case]:
    schema, tests = published["schema"], published["tests"]
    if isinstance(schema, dict) and "properties" in schema and schema.get("type", "object") == "object":
        whole = tuple((t["description"], t["data"], t["valid"]) for t in tests if isinstance(t["data"], dict))
        yield Case(name, {"$schema": uri, **schema}, whole)
    inside: Any = schema
    if isinstance(schema, dict) and not (uri == DIALECTS["draft7"] and "$ref" in schema):
        # References of the schema lead into itself, wherever it is.
        inside = {"$id": "https://suite.example/", **{k: v for k, v in schema.items() if k != "$schema"}}
    yield Case(
        name,
        {
            "$schema": schema.get("$schema", uri) if isinstance(schema, dict) else uri,
            "properties": {"x": inside},
        },
        tuple((t["description"], {"x": t["data"]}, t["valid"]) for t in tests),
    )


def node(value: JsonValue) -> Node:
    """Return `value` as a manifest spells it."""
    if isinstance(value, list):
        return Items(tuple(map(node, value)), AT)
    if isinstance(value, dict):
        return Fields({key: node(part) for key, part in value.items()}, AT)
    return Text(value, AT, quoted=True) if isinstance(value, str) else Text(json.dumps(value), AT)


def test_the_published_suite_gets_the_published_verdicts(suite: Path) -> None:
    refused: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    verdicts = 0
    for case in cases(suite):
        try:
            model = Model.from_file(ModelFile("acme/dream", "dream.json", {}, None, case.schema))
        except SchemaInvalid as error:
            refused[case.name.partition("/")[2]] = error.message
            continue
        for description, body, is_valid in case.tests:
            verdicts += 1
            if bool(model.body_faults(body)) == is_valid:
                wrong.append((case.name, description))
            inputs = {name: node(value) for name, value in body.items()}
            bound = model.bind(inputs, subject="", at=AT, keys_at={}, allow_private_media=True)
            if not bound.problems and bound.body == body and not is_valid:
                wrong.append((case.name, f"bind: {description}"))
    assert wrong == []
    assert verdicts > 2000
    listed = {
        f"{file}: {each}": part for part, files in REFUSED.items() for file in files for each in files[file]
    }
    assert refused.keys() == listed.keys()
    assert [name for name, message in refused.items() if listed[name] not in message] == []
