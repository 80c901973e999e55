"""Recognises values that are valid and probably not what is meant, such as the name of a file as a prompt.

In: a text or a link. Out: what is doubtful, as the end of a sentence, or None. It opens nothing and refuses nothing.
"""

from __future__ import annotations

import re

from runner.models.media_inputs import ADDRESS, UPLOAD, is_hook, url_fault, words_of
from runner.models.scalars import shown
from runner.system.web_links import PAGE_KIND, kind_of, web_link

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
_PICTURES = frozenset({"image", "picture", "photo", "frame"})
_OTHER_KINDS = {"video": "a video", "audio": "a sound", PAGE_KIND: "a page"}
_AFTER_A_SENTENCE = (",", ".", ";", ":", ")", "]", "!", "…")
_WEB_PICTURE = (".jpg", ".png", ".jpeg", ".webp")
_NO_WEB_PICTURE = re.compile(r"\.(hei[cf]|ps[db]|exr|dpx|cr2|nef|dng|ai|svg|pdf)$", re.IGNORECASE)


def is_prompt(name: str) -> bool:
    """Return whether an input is called a prompt, as promptText is and negativePrompt is not."""
    folded = name.casefold()
    return "prompt" in folded and "negative" not in folded


def link_doubt(url: str, *, name: str) -> str | None:
    """Return why a link that can be fetched is probably not the one that is meant for the input `name`, or None."""
    if url.endswith(_WEB_PICTURE):
        return None
    last = url[-1]
    if last in _AFTER_A_SENTENCE and not ("(" in url or "[" in url):
        return f"ends in {last!r}, which is probably not a part of the address"
    if "?" not in url and (last == "/" or url.count("/") == 2):
        return "names no file; write the address of the file itself"
    if found := _NO_WEB_PICTURE.search(url[-5:]):
        return f"is a {found[1].upper()} file, which models seldom read; use JPEG, PNG or WebP"
    words = frozenset(words_of(name))
    is_picture = words & _PICTURES and words.isdisjoint(_OTHER_KINDS)
    other = _OTHER_KINDS.get(kind_of(url)) if is_picture else None
    return f"is the address of {other}, not of a picture" if other else None


def text_doubt(text: str, *, name: str, allow_private: bool = False) -> str | None:
    """Return why a word of the input `name`, which is not media, is probably a file or a wrong address, or None.

    `allow_private` is as in `url_fault`.
    """
    if _EMBEDDED.match(text):
        return f"holds embedded data, which few APIs take; {UPLOAD}"
    if len(text) > _LONGEST_PATH:
        return None
    if _TEXT_FILE.fullmatch(text) and not ADDRESS.match(text):
        file = shown(text.removeprefix("@"))
        return f"{file} is the name of a file, and only the name is sent; in YAML write {{file: {file}}}"
    if _MEDIA_FILE.fullmatch(text) and not _is_label(name):
        return f"{shown(text)} is a file on this machine, and only its name is sent; {UPLOAD}"
    if not ADDRESS.match(text):
        return None
    if is_prompt(name):
        return "is only an address, and no model reads what stands there; write the text itself"
    if _is_label(name) or is_hook(name) or kind_of(web_link(text)) not in {"image", "video", "audio"}:
        return None
    return url_fault(text, allow_private=allow_private) or link_doubt(text, name=name)


def _is_label(name: str) -> bool:
    """Return whether an input is the name of a file that is made, or words that are shown, and never a file."""
    words = words_of(name)
    return not is_prompt(name) and ("output" in words or not _LABELS.isdisjoint(words[-1:]))
