"""Finds out which inputs are links to media, which of them are frames, and which links the API can fetch.

The API fetches pictures and clips itself, from public https addresses without login. Anything else fails after it was
sent. In: property schemas and URLs. Out: yes or no, or why a URL cannot work. It resolves no host name, so a name that
leads to a private address passes. A message shows only the host of a URL, since the rest may hold a signature or a
password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from runner.models.scalars import shown
from runner.models.schema_file import Schema
from runner.system.hosts import LONGEST_HOST, host_fault, is_public_host, plain_host

_MEDIA_WORDS = frozenset({"image", "video", "audio", "frame", "picture", "photo", "clip", "url", "uri"})
_KINDS_OF_MEDIA = _MEDIA_WORDS - {"url", "uri"} | {"sound"}
_PARTS_OF_MEDIA = frozenset(
    {"tail", "reference", "ref", "input", "file", "mask", "path", "link", "source", "src"}
)
_HOOK_WORDS = frozenset({"webhook", "callback", "hook"})
_LINK_TO_MEDIA = re.compile(
    r"(?:an? |the )?(?:public |https )*(?:url|link)s? (?:of|to|for) [^.]*\b(?:image|video|audio|frame|picture|photo)",
    re.IGNORECASE,
)
FORMS = ("allOf", "anyOf", "oneOf")
"""The keywords of JSON Schema that combine several schemas of one value."""

_CONTAINERS = frozenset({"array", "null", "object"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?=:)")
ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_SECOND = re.compile(r"[\s,;|]https?://", re.IGNORECASE)
_CLOSERS = {
    "(": r"\)",
    "<": ">",
    "[": r"\]",
    "]": r"\[",
    ">": "<",
    "{": "}",
    '"': '"',
    "'": "'",
    "“": "”",
    ",": ",",
    ";": ";",
}
"""What ends an address in a text, by the character before it: Markdown, HTML, BBCode, quotes, and calls of formulas."""

_CELL_ERROR = re.compile(r"#(?:[A-Z]+|DIV/0|N/A|GETTING_DATA)[!?]?|Loading\.\.\.")
_FIRST_WORDS = frozenset({"first", "start", "begin", "initial", "head"})
_LAST_WORDS = frozenset({"last", "end", "final", "tail"})
_PLAIN_WORDS = frozenset({"image", "picture", "photo", "frame", "input", "source", "url", "uri"})
_ORIGIN = re.compile(r"[^/?#]*(?://[^/?#]*)?")
_LIKE_A_HOST = re.compile(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?::\d+)?/")
_ADVICE = "the API fetches media itself, from public https URLs only"
UPLOAD = "put the file on a public https host that asks for no login, and write its address"


def is_media(name: str, schema: Schema) -> bool:
    """Return whether a property holds a media link, or a list or mapping of them.

    It holds one in three cases, if any of its forms is text without an enum. Its `format` mentions a uri, url, image,
    video, audio or file, or its description begins so. Or its default is an https URL. Or its name, or its title of at
    most two words, ends in image, video, frame, url or the like, as does image_tail, and none of its forms is a number.
    An address that the API calls, such as a webhook, is not media. A file's own `media` list overrides this rule.
    """
    if is_hook(name):
        return False
    scalars = list(_scalars(schema))
    texts = [each for each in scalars if _is_text(each) and each.keys().isdisjoint({"enum", "const"})]
    if not texts:
        return False
    default = schema.get("default")
    first = default[0] if isinstance(default, list) and default else default
    if any(map(has_media_format, (schema, *texts))) or str(first).startswith("https://"):
        return True
    if _LINK_TO_MEDIA.match(str(schema.get("description", ""))):
        return True
    if not all(map(_is_text, scalars)):
        return False
    title = words_of(str(schema.get("title", "")))
    words = words_of(name)
    ends = [*words[-1:], *(title[-1:] if len(title) <= 2 else ())]
    is_part = words[-1:] and words[-1] in _PARTS_OF_MEDIA and not _KINDS_OF_MEDIA.isdisjoint(words)
    return bool(is_part) or not _MEDIA_WORDS.isdisjoint(ends)


def is_hook(name: str) -> bool:
    """Return whether a property is an address that the API calls when a job ends."""
    return not _HOOK_WORDS.isdisjoint(words_of(name))


def forms_of(schema: Schema, *keywords: str) -> list[Schema]:
    """Return the schemas under these keywords, or under all of `FORMS`."""
    found = (part for keyword in keywords or FORMS if isinstance(part := schema.get(keyword), list))
    return [form for part in found for form in part if isinstance(form, dict)]


def _scalars(schema: Schema) -> Iterator[Schema]:
    """Yield the schemas of all scalars that a property may hold: its own, and those of its forms and its parts."""
    forms, types = forms_of(schema), _types(schema)
    # A list that says nothing of its items may hold any.
    inner = [schema.get("items", {} if "array" in types else None), schema.get("additionalProperties")]
    parts = [*forms, *forms_of(schema, "prefixItems"), *(part for part in inner if isinstance(part, dict))]
    for part in parts:
        yield from _scalars(part)
    if types - _CONTAINERS or not ("type" in schema or "properties" in schema or parts):
        yield schema


def _is_text(scalar: Schema) -> bool:
    return _types(scalar) - _CONTAINERS <= {"string"}


def _types(schema: Schema) -> frozenset[str]:
    declared = schema.get("type", [])
    return frozenset(map(str, declared if isinstance(declared, list) else [declared]))


def has_media_format(schema: Schema) -> bool:
    """Return whether the schema's `format` or media type says that it is a link to media."""
    # With an encoding, the text is the medium itself.
    media_type = "" if "contentEncoding" in schema else str(schema.get("contentMediaType", ""))
    words = words_of(f"{schema.get('format', '')} {media_type.partition('/')[0]}")
    return not (_MEDIA_WORDS | {"file"}).isdisjoint(words)


def frame_inputs(titles: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return which media inputs are the first and the last frame, from input names with their titles.

    A frame's name or title has a word such as first or start, or last, end or tail. Otherwise the first frame is the
    first input that is plainly called an image. None means that no input matches.
    """
    words = {name: {*words_of(name), *words_of(title)} for name, title in titles.items()}
    last = next((name for name in words if words[name] & _LAST_WORDS), None)
    first = next((name for name in words if words[name] & _FIRST_WORDS and name != last), None)
    plain = (name for name in words if name != last and {*words_of(name)} <= _PLAIN_WORDS)
    return first or next(plain, None), last


def is_local_file(text: str) -> bool:
    """Return whether `text` means a file on this machine, and not a link.

    Only this function distinguishes the two. A feature that uploads files would put the address in here, before the
    request body is made and hashed.
    """
    scheme = _SCHEME.match(text)
    # One letter before a colon is a Windows drive, which the pattern does not match as a scheme.
    return scheme is None or scheme[0].lower() == "file"


def url_fault(url: str, *, allow_private: bool = False) -> str | None:
    """Return why the API could not fetch `url`, or None; `allow_private` is for an API on this machine."""
    is_plain = url.startswith("https://") and "://" not in url[8:]
    if not is_plain and (fault := _fault_of_text(url)):
        return fault
    name = "" if is_plain else url.partition("?")[0]
    if name and is_local_file(url):
        # A forgotten scheme is not the same mistake as a file, but it looks the same here.
        web = "; if it is on the web, begin it with https://" if _LIKE_A_HOST.match(url) else ""
        return f"{shown(name)} is a file on this machine, and {_ADVICE}; {UPLOAD}{web}"
    if url[:5].lower() == "data:":
        return f"embedded data is not taken: {_ADVICE}; {UPLOAD}"
    if not url.isprintable() or " " in url:
        return "the URL has a blank or a control character in it"
    origin = _ORIGIN.match(url)
    return _origin_fault(origin[0] if origin else "", allow_private=allow_private)


def _fault_of_text(text: str) -> str | None:
    """Return why a text is not one address: it holds two, it is a cell's formula or error, or it wraps an address."""
    if ADDRESS.match(text):
        second = _SECOND.search(text) if "://" in text[8:] else None
        # An address may hold another one in its path or query, as those of image proxies do.
        is_list = second and text.count("://", 0, second.start()) == 1
        return "holds more than one address; write one here" if is_list else None
    if (found := ADDRESS.search(text)) and text[:5].lower() != "data:":
        opener = text[found.start() - 1]
        if opener in _CLOSERS or opener.isspace() or not opener.isprintable():
            # Behind a word without brackets, the address ends at the next blank.
            address = re.split(_CLOSERS.get(opener, r"[\s,;]"), text[found.start() :], maxsplit=1)[0]
            plain, _, query = address.partition("?")
            told = f"{shown(plain)}{'?…' if query else ''}"
            return f"is more than an address; write only the address, which stands in it: {told}"
    if text.startswith("="):
        return f"{shown(text)} is a formula; write the address itself"
    return (
        f"{shown(text)} is an error of a spreadsheet, not an address" if _CELL_ERROR.fullmatch(text) else None
    )


# Thousands of links lead to few hosts, and what follows a host decides nothing.
@lru_cache(maxsize=1024)
def _origin_fault(origin: str, *, allow_private: bool) -> str | None:
    """Return why the API could not fetch anything from an origin, such as https://example.com:8443."""
    # The length is checked before parsing, which normalises all characters and is slow if there are many.
    if len(origin.partition("://")[2]) > LONGEST_HOST:
        return "the URL has no usable host"
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the URL is malformed"
    if port == 0:
        return "there is no port 0"
    host = plain_host(host)
    private = not is_public_host(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and private and allow_private):
        return f"{shown(parts.scheme)} is not https; {_ADVICE}"
    if host_fault(host):
        return "the URL has no usable host"
    if parts.username is not None or parts.password is not None:
        return f"the URL for {shown(host)} carries a user name or password; {_ADVICE}, without login"
    if private and not allow_private:
        return f"{shown(host)} is not a public host; {_ADVICE}"
    return None


def words_of(name: str) -> list[str]:
    """Return the lower-case words of a camelCase, snake_case or spaced name, singular and without numbers."""
    return [word.lower().removesuffix("s") for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
