"""Which input of a request is its prompt: the one rule that the pages and the cut share."""

from __future__ import annotations

import json
from collections.abc import Mapping

from runner.system.canonical_json import JsonValue


def is_prompt(name: str, given: JsonValue) -> bool:
    """Return whether an input of this name is a prompt that says something."""
    name = name.casefold()
    return isinstance(given, str) and bool(given) and "prompt" in name and "negative" not in name


def prompt_of(body: str) -> str:
    """Return the first prompt in a request body, empty if there is none."""
    inputs: Mapping[str, JsonValue] = json.loads(body)
    return next((str(given) for name, given in inputs.items() if is_prompt(name, given)), "")
