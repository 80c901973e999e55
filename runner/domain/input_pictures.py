"""Finds the pictures among a take's inputs, by the ends of their links or by the names of their inputs.

It knows no schema, so a page can be made from the record alone. The same pictures get small copies beside the clips.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from runner.system.canonical_json import JsonValue
from runner.system.web_links import kind_of

_PICTURE = re.compile("image|picture|photo|frame|still", re.IGNORECASE)
_EMBEDDED = "data:image/"


def input_pictures(body: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Yield name and link of each picture in a request body, of a list with its number; links may be data: URLs."""
    for name, given in body.items():
        links = given if isinstance(given, list) else [given]
        for number, link in enumerate(links, 1):
            if isinstance(link, str) and _is_picture(name, link):
                yield f"{name} {number}" if len(links) > 1 else name, link


def is_embedded(link: str) -> bool:
    """Return whether a link is not an address but the picture itself."""
    return link[: len(_EMBEDDED)].lower() == _EMBEDDED


def _is_picture(name: str, link: str) -> bool:
    if is_embedded(link):
        return True
    if "://" not in link:
        return False
    try:
        kind = kind_of(link)
    except ValueError:
        return False
    return kind == "image" or (not kind and _PICTURE.search(name) is not None)
