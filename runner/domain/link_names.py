"""What the names of a record's fields say of their links: output or input, page or preview, and which kind.

It knows no link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from runner.system.canonical_json import JsonValue

Path: TypeAlias = tuple[str | int, ...]

LONGEST_NAME = 200
KINDS = ("video", "image", "audio", "file", "")
"""Kinds of links in undocumented fields, the best first: only links of the first kind found are fetched."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NAMES_OF = {
    "video": "video videos movie mp4 clip clips film footage animation",
    "image": "image images img picture photo frame frames png",
    "audio": "audio audios sound music speech voice",
}
KIND_WORDS = {word: kind for kind, words in _NAMES_OF.items() for word in words.split()}
_OUTPUTS = (
    "output outputs result results file files asset assets artifact artifacts artefact artefacts download downloads"
    " media generation generations generated render renders rendered sample samples deliverable deliverables"
)
_PREVIEWS = (
    "thumbnail thumbnails thumb thumbs poster posters preview previews cover covers placeholder icon logo avatar"
    " sprite blurhash"
)
_INPUTS = "input inputs params parameters arguments args prompt reference references init"
_PAGES = (
    "webhook webhooks hook callback callbacks docs doc documentation help support homepage website license licence"
    " terms privacy schema get web poll polling queue logs log metrics dashboard playground console billing invoice"
    " status cancel error errors warning warnings traceback share self next previous prev health"
)
_SENT = (
    "source sources src original originals request requested uploaded upload uploads mask control guide conditioning"
    " first last start end begin initial"
)
OUTPUT_WORDS, PREVIEW_WORDS = frozenset(_OUTPUTS.split()), frozenset(_PREVIEWS.split())
INPUT_WORDS, PAGE_WORDS = frozenset(_INPUTS.split()), frozenset(_PAGES.split())
ADDRESS_WORDS = frozenset({"url", "uri", "link", "href"})
_SENT_WORDS, _ADDRESSES_TOO = frozenset(_SENT.split()), frozenset({"source", "src", "original"})
_TYPE_FIELDS = "content_type contentType mime_type mimeType mimetype mime media_type type"


def words_of(*steps: str | int) -> frozenset[str]:
    """Return the words that names are made of: `thumbnailUrl` and `thumbnail_url` have the same two."""
    return frozenset(
        word.lower() for step in steps if isinstance(step, str) for word in _WORD.findall(step[:LONGEST_NAME])
    )


def is_of_what_was_sent(path: Path) -> bool:
    """Return whether a name in the path says that a link is to an input that was sent: `source_image`, `firstFrame`.

    Below another field `source`, `src` and `original` are names for a file's address.
    """
    words = words_of(*path[-1:])
    is_address = len(path) > 1 and words <= _ADDRESSES_TOO | ADDRESS_WORDS
    return bool(words_of(*path[:-1]) & _SENT_WORDS or (words & _SENT_WORDS and not is_address))


def told_kind(told: Mapping[str, JsonValue]) -> str:
    """Return the kind that an object says it has: `content_type: video/mp4`, `type: video`."""
    for name in _TYPE_FIELDS.split():
        said = told.get(name)
        kind = said.strip().lower().partition("/")[0] if isinstance(said, str) else ""
        if kind in KINDS:
            return kind
    return ""


def named_kind(path: Path) -> str:
    """Return the kind that the nearest name says; for `image_to_video` it is the video."""
    for step in reversed(path):
        said = {KIND_WORDS[word] for word in words_of(step) if word in KIND_WORDS}
        if said:
            return min(said, key=KINDS.index)
    return ""
