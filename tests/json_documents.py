"""What a command prints with `--output json`, compared with the schema of its format.

In: the text of standard output. Out: the object, which the schema in `schemas/` describes to the last member.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).parents[1] / "schemas"


def checked_document(text: str) -> dict[str, Any]:
    """Return the one object in `text`; fails where its schema does not describe it."""
    document: dict[str, Any] = json.loads(text)
    _validator(document["format"]).validate(document)
    return document


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    kind = name.removeprefix("shotrunner-").removesuffix("/1")
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{kind}.schema.json").read_text("utf-8")))
