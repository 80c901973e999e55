"""Boards of a model that takes every kind of value, with texts that YAML, CSV and templates would mangle.

In: hypothesis. Out: inputs of shots, and the text of a manifest that asks for exactly these. It plans nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

from runner.system.canonical_json import JsonValue

MODEL = "acme/any"
SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {"type": "string"},
        "whole": {"type": "integer"},
        "number": {"type": "number"},
        "truth": {"type": "boolean", "default": True},
        "either": {"type": ["integer", "boolean", "string"]},
        "maybe": {"type": ["string", "null"]},
        "words": {"type": "array", "items": {"type": "string"}},
        "camera": {
            "type": "object",
            "properties": {
                "zoom": {"type": "number"},
                "name": {"type": "string"},
                "file": {"type": "string"},
            },
            "additionalProperties": False,
        },
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"move": {"type": "string"}, "at": {"type": "integer"}},
            },
        },
        "seconds": {"type": "integer"},
        "file": {"type": "string"},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
    },
}
AWKWARD = (
    "", " ", "16:9", "no", "~", "null", "true", "007", "1e3", "-5", "5.0", "1_000", "0x1F", "[]", "{}", "[1, 2]",
    "{a: b}", '"', '""', '"""', '""""', '"no"', "'", "'=1", "=1+1", "+x", "@door", "@@door", "@@@door", "@ door",
    "{{", "{{{", "{{ id }}", "{{{{", "}}", " leading", "trailing ", "\ttab", "a\tb", "one\ntwo", "one\r\ntwo\r",
    "\n", "# no comment", "a # b", "key: value", "- item", "&anchor", "*alias", "!tag", "%YAML", "---", "...", "|",
    ">", "\u2028line", "\u00a0", "\ufeffbom", "ünï 🎬", "\u202eright to left",
    "\\n", "\\", "C:\\x", "<<", "?", "x" * 9000,
)  # fmt: skip
TEXTS = st.sampled_from(AWKWARD) | st.text("ab 07.:{}@'\"\\=\n\r\t#-[]~|é🎬", max_size=12)
_NUMBERS = st.integers(-(2**53), 2**53) | st.floats(-1e12, 1e12, allow_nan=False).filter(
    lambda n: n != int(n)
)
INPUTS: st.SearchStrategy[dict[str, JsonValue]] = st.fixed_dictionaries(
    {"text": TEXTS.filter(str.strip)},
    optional={
        "whole": st.integers(-(2**63), 2**63 - 1),
        "number": _NUMBERS,
        "truth": st.booleans(),
        "either": st.integers(-9, 9) | st.booleans() | TEXTS,
        "maybe": st.none() | TEXTS,
        "words": st.lists(TEXTS, max_size=3),
        "camera": st.fixed_dictionaries({}, optional={"zoom": _NUMBERS, "name": TEXTS, "file": TEXTS}),
        "steps": st.lists(
            st.fixed_dictionaries({"move": TEXTS}, optional={"at": st.integers(0, 9)}), max_size=2
        ),
        "seconds": st.integers(1, 9),
        "file": TEXTS,
    },
)


def put_schema(folder: Path) -> Path:
    """Write the model's schema into a folder, which is returned."""
    path = folder / "models" / f"{MODEL}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(SCHEMA), "utf-8")
    return folder


def board(shots: Sequence[Mapping[str, JsonValue]], *, seeds: Sequence[int] = ()) -> str:
    """Return a manifest, written as JSON, of one shot for each mapping of inputs; `seeds` are swept."""
    sweep: dict[str, JsonValue] = {"sweep": {"seed": list(seeds)}} if seeds else {}
    entries = [
        {"id": f"s{number:03}", "tags": ["x"], "notes": " =n: 1\n", "inputs": _written(inputs), **sweep}
        for number, inputs in enumerate(shots)
    ]
    document = {"version": 1, "defaults": {"model": MODEL}, "shots": entries}
    return json.dumps(document, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\ufeff", "\\ufeff")


def _written(inputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    # Dotted where a mapping of one key would be a reference to a file or a frame.
    written: dict[str, JsonValue] = {}
    for name, value in inputs.items():
        if name == "camera" and isinstance(value, dict) and list(value) == ["file"]:
            written["camera.file"] = _literal(value["file"])
        elif name == "steps" and isinstance(value, list):
            written |= {
                f"steps.{number}.{key}": _literal(inner)
                for number, step in enumerate(value)
                if isinstance(step, dict)
                for key, inner in step.items()
            } or {"steps": []}
        else:
            written[name] = _literal(value)
    return written


def _literal(value: JsonValue) -> JsonValue:
    match value:
        case str():
            braces = value.replace("{{", "{{{{")
            return (
                f"@{braces}"
                if re.fullmatch(r"@+[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", braces, re.ASCII)
                else braces
            )
        case list():
            return [_literal(item) for item in value]
        case dict():
            return {name: _literal(inner) for name, inner in value.items()}
        case _:
            return value
