"""Settings of a run as they were written: in the `run:` block of a manifest, or in a TOML file.

In: nodes or text. Out: names with their texts and places. It does not know which settings there are, nor their types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Text
from runner.manifest.fields import Section
from runner.manifest.problems import Findings


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `subject` is its name in problems. A list has any number of texts, and anything else has one.

    A mapping is a list of texts such as `NAME=VALUE`.
    """

    name: str
    subject: str
    at: Position
    texts: tuple[str, ...]
    is_list: bool = False


def settings_of(section: Section) -> tuple[Setting, ...]:
    """Return the settings of a `run:` block; what cannot be one is reported and left out."""
    return tuple(filter(None, (_setting(section, name) for name in section.fields.items)))


def _setting(section: Section, name: str) -> Setting | None:
    at, node = section.fields.key_at(name), section.fields.items[name]
    if isinstance(node, Fields):
        pairs = [
            f"{key}={item.text}"
            for key, item in node.items.items()
            if isinstance(item, Text) and not item.is_null
        ]
        if len(pairs) < len(node.items):
            section.error(node.at, name, "must be a mapping of names to single values")
            return None
        return Setting(name, section.where(name), at, tuple(pairs), is_list=True)
    if not isinstance(node, Items):
        text = section.text(name)
        return None if text is None else Setting(name, section.where(name), at, (text.text,))
    texts = [item.text for item in node if isinstance(item, Text) and not item.is_null]
    if len(texts) < len(node.items):
        section.error(node.at, name, "must be a list of single values")
        return None
    return Setting(name, section.where(name), at, tuple(texts), is_list=True)


def toml_settings(text: str, findings: Findings) -> tuple[Setting, ...]:
    """Return the settings of a TOML file; what cannot be one is reported and left out."""
    # Few runs have such a file.
    import tomllib

    try:
        # Text, so that the digits of an amount stay as they were written.
        read = tomllib.loads(text, parse_float=str)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        findings.error(findings.at(), "", f"is not TOML: {error}")
        return ()
    return tuple(_from_toml(read, text.splitlines(), findings))


def _from_toml(read: dict[str, object], lines: list[str], findings: Findings) -> Iterator[Setting]:
    for name, value in read.items():
        keys = (line.partition("=")[0].strip(" \t[]\"'") for line in lines)
        at = findings.at(next((number for number, key in enumerate(keys, 1) if key == name), None))
        is_list = isinstance(value, list | dict)
        if isinstance(value, dict):
            values = [f"{key}={each}" if isinstance(each, str | int) else each for key, each in value.items()]
        else:
            values = value if isinstance(value, list) else [value]
        texts = [
            each if isinstance(each, str) else json.dumps(each)
            for each in values
            if isinstance(each, str | int)
        ]
        if len(texts) == len(values):
            yield Setting(name, name, at, tuple(texts), is_list=is_list)
        else:
            findings.error(at, name, "must be one value or a list of them; put a time in quotes")
