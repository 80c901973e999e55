"""Recognises values that are valid and probably not what is meant, such as the name of a file as a prompt.

In: a text or a link. Out: what is doubtful, as the end of a sentence, or None. It opens nothing and refuses nothing.
"""

from __future__ import annotations

import re

from runner.models.media_inputs import ADDRESS, UPLOAD, words_of
from runner.models.scalars import shown

_TEXT_FILE = re.compile(r"@?\S+\.(?:txt|md|rtf|docx?|odt|pages|fdx)", re.IGNORECASE)
_MEDIA_FILE = re.compile(
    r"(?:[A-Z]:[\\/]|~/|file:|\\\\)\S*|/(?:home|Users|Volumes|mnt|media|tmp|var|opt|private)/\S+"
    r"|(?:[A-Z]:[\\/].*|(?!https?://)\S+)\.(?:"
    r"png|jpe?g|webp|gif|bmp|tiff?|hei[cf]|avif|exr|psd|mp4|m4v|mov|webm|mkv|avi|mp3|wav|flac|ogg|m4a|aac)",
    re.IGNORECASE,
)
_EMBEDDED = re.compile(r"data:[a-z]+/[a-z0-9.+-]+[;,]", re.IGNORECASE)
_LONGEST_PATH = 1_000
_LABELS = frozenset({"name", "filename", "text", "title", "label", "caption"})
_AFTER_A_SENTENCE = (",", ".", ";", ":", ")", "]", "!", "…")
_WEB_PICTURE = (".jpg", ".png", ".jpeg", ".webp")
_NO_WEB_PICTURE = re.compile(r"\.(hei[cf]|ps[db]|exr|dpx|cr2|nef|dng|ai|svg|pdf)$", re.IGNORECASE)


def is_prompt(name: str) -> bool:
    """Return whether an input is called a prompt, as promptText is and negativePrompt is not."""
    folded = name.casefold()
    return "prompt" in folded and "negative" not in folded


def link_doubt(url: str) -> str | None:
    """Return why a link that can be fetched is probably not the one that is meant, or None."""
    if url.endswith(_WEB_PICTURE):
        return None
    last = url[-1]
    if last in _AFTER_A_SENTENCE and not ("(" in url or "[" in url):
        return f"ends in {last!r}, which is probably not a part of the address"
    if "?" not in url and (last == "/" or url.count("/") == 2):
        return "names no file; write the address of the file itself"
    if found := _NO_WEB_PICTURE.search(url[-5:]):
        return f"is a {found[1].upper()} file, which models seldom read; use JPEG, PNG or WebP"
    return None


def text_doubt(text: str, *, name: str) -> str | None:
    """Return why a word of the input `name`, which is not media, is probably a file or an address, or None."""
    if _EMBEDDED.match(text):
        return f"holds embedded data, which few APIs take; {UPLOAD}"
    if len(text) > _LONGEST_PATH:
        return None
    if _TEXT_FILE.fullmatch(text) and not ADDRESS.match(text):
        file = shown(text.removeprefix("@"))
        return f"{file} is the name of a file, and only the name is sent; in YAML write {{file: {file}}}"
    if _MEDIA_FILE.fullmatch(text) and not _is_label(name):
        return f"{shown(text)} is a file on this machine, and only its name is sent; {UPLOAD}"
    if is_prompt(name) and ADDRESS.match(text):
        return "is only an address, and no model reads what stands there; write the text itself"
    return None


def _is_label(name: str) -> bool:
    """Return whether an input is the name of a file that is made, or words that are shown, and never a file."""
    words = words_of(name)
    return not is_prompt(name) and ("output" in words or not _LABELS.isdisjoint(words[-1:]))
