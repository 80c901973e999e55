"""Reads a text as a web link: its normal spelling, the kind of file it names, and why it cannot be fetched."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from runner.system.hosts import is_loopback, is_public_host

LONGEST_LINK = 8192
HTTPS_PORTS = (443,)
PAGE_KIND = "page"
NO_HOST = "a name without a host"
INSIDE = "a link inside a longer text"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,30}):(?=\S)")
_INSIDE = re.compile(r"https?://[^\s\"'<>()\[\]{}\\]{4,}", re.IGNORECASE)
_QUERY = re.compile(r"[&;\"']|%22|%3B", re.IGNORECASE)
_BETWEEN = re.compile(r"\s+|\s*,\s*(?=(?:https?:)?//)", re.IGNORECASE)
_BLANK = re.compile(r"\s")
_BARE_SCHEMES = frozenset({"blob", "ipfs", "file"})

_ENDINGS_OF = {
    "video": "mp4 m4v mov webm mkv avi mpg mpeg ts m2ts mts ogv 3gp flv wmv mxf",
    "image": "png jpg jpeg webp gif avif bmp tif tiff heic heif exr apng jxl",
    "audio": "mp3 wav flac ogg oga m4a aac opus aiff",
    "file": "zip tar gz 7z rar glb gltf obj fbx usdz ply stl psd",
    PAGE_KIND: "html htm json txt md xml css js log csv pdf srt vtt yaml yml",
}
_ENDINGS = {ending: kind for kind, endings in _ENDINGS_OF.items() for ending in endings.split()}


def links_of(text: str) -> list[str]:
    """Return the links of a text that holds only links, else the text."""
    plain = text.strip()
    pieces = _BETWEEN.split(plain)
    return pieces if len(pieces) > 1 and all(map(web_link, pieces)) else [plain]


def web_link(text: str) -> str:
    """Return a text as a web link, with its scheme and host in small letters; empty if it is not one."""
    # The text may still have the escapes of its former JSON or HTML.
    plain = text.strip().strip("<>\"'").replace("\\/", "/").replace("&amp;", "&")
    if plain.startswith("//"):
        plain = f"https:{plain}"
    scheme, colon, rest = plain.partition("://")
    is_web = bool(colon) and scheme.lower() in {"http", "https"}
    if not is_web or _BLANK.search(rest) or len(plain) > LONGEST_LINK:
        return ""
    host, slash, path = rest.partition("/")
    link = f"{scheme.lower()}://{host}{slash}{path}"
    try:
        parts = urlsplit(link)
        # RFC 3986, 3.1 and 3.2.2: scheme and host are the same in capitals.
        small = parts.netloc if "@" in parts.netloc else parts.netloc.lower()
        return link.replace(parts.netloc, small, 1) if parts.hostname else ""
    except ValueError:
        return ""


def links_inside(text: str) -> list[str]:
    """Return the links to files within a longer text, each without the sentence's own punctuation."""
    found = [web_link(link.rstrip(".,;:!?*_`")) for link in _INSIDE.findall(text)]
    return [link for link in found if link and kind_of(link) not in {"", PAGE_KIND}]


def kind_of(link: str) -> str:
    """Return the kind of file that a link's path, or else its query, ends with; empty if neither shows it."""
    parts = urlsplit(link)
    for text in (parts.path, *_QUERY.split(parts.query)):
        kind = _ENDINGS.get(text.rpartition(".")[2].lower(), "")
        if kind and "." in text:
            return kind
    return ""


def is_on_this_machine(origin: str) -> bool:
    """Return whether an API is on this machine, so that links to this machine are allowed."""
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:
        return False


def is_same_api(origin: str, other: str) -> bool:
    """Return whether two origins have the same jobs: a server on this machine gets a new port at each start."""
    return origin == other or (is_on_this_machine(origin) and is_on_this_machine(other))


def trouble_of(link: str, *, allow_loopback: bool, ports: Collection[int] = HTTPS_PORTS) -> str:
    """Return why a web link is not downloaded, empty if it is; `ports` are those allowed on a public host."""
    try:
        parts = urlsplit(link)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "its host or port is not valid"
    is_local = allow_loopback and is_loopback(host)
    if parts.scheme != "https" and not (is_local and parts.scheme == "http"):
        return "it is not https"
    if "@" in parts.netloc:
        return "it holds a login"
    if not is_local and not is_public_host(host):
        return "its host is not public"
    if not is_local and (443 if port is None else port) not in ports:
        return "its port is not the usual one"
    return ""


def why_no_link(text: str, *, is_meant: bool) -> str:
    """Return why a text that is meant as a link cannot be fetched; empty for a text that is not meant as one.

    `is_meant` says that a link is documented for its place.
    """
    scheme = _SCHEME.match(text)
    if text[:5].lower() == "data:":
        return "the file itself in place of a link"
    if scheme and (text[scheme.end() :].startswith("//") or scheme[1].lower() in _BARE_SCHEMES):
        return f"not a web link but {scheme[1].lower()}"
    if _INSIDE.search(text):
        return INSIDE
    ending = _ENDINGS.get(text.rpartition(".")[2].lower(), PAGE_KIND)
    is_file = ending != PAGE_KIND and not _BLANK.search(text)
    return NO_HOST if is_file or (is_meant and text) else ""
