"""The faults of one link: it cannot be fetched, is of the wrong kind, too large or misnamed, or expires soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from runner.domain import display
from runner.domain.errors import Severity
from runner.media.file_kinds import FORMATS, SUFFIXES, Family, Format
from runner.media.preflight.probe import LinkProbe
from runner.media.preflight.signed_urls import ends_at
from runner.models.share_pages import share_page

MOST_BYTES = 50_000_000
MOST_VIDEO_BYTES = 100_000_000
"""The provider's pages give these as the most that the API fetches."""

_PUBLIC = "the API fetches it without login: make it public, or move it to a public place"
_REFUSALS = {
    401: ("asks for a login", _PUBLIC),
    403: ("is forbidden", _PUBLIC),
    404: ("is not there", "correct the address, or upload the file"),
    410: ("is gone", "upload the file again and write its new address"),
}
_BUSY = frozenset({408, 425, 429})
_SIGNATURE_REFUSED = frozenset({400, 401, 403, 404, 410})
_SELDOM_TAKEN = frozenset({"AVIF", "HEIC", "SVG", "TIFF"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what it is, and what to do about it.

    With one that `is_certain`, the job fails whatever the API does. With one that `is_silent`, no one has answered.
    """

    message: str
    advice: str
    severity: Severity = Severity.ERROR
    is_certain: bool = False
    is_silent: bool = False


def link_faults(
    url: str, look: LinkProbe, *, wants: Family | None, now: float, wait: float
) -> tuple[Fault, ...]:
    """Return what is wrong with `url`; `wait` is how many seconds from `now` the API may fetch it."""
    ends = ends_at(url)
    over = ends is not None and ends <= now
    if look.trouble:
        # The expired signature explains the refusal, and one fault is enough.
        others = [] if over and look.status in _SIGNATURE_REFUSED else [_unreachable(look)]
    else:
        others = list(_of_file(url, look, wants))
    return (*_ending(ends, now=now, wait=wait), *others)


def is_sound(look: LinkProbe) -> bool:
    """Return whether the probe found a file that an input could want; any other result may change at any moment."""
    faults = _of_file("", look, None)
    return not look.trouble and all(fault.severity is not Severity.ERROR for fault in faults)


def _unreachable(look: LinkProbe) -> Fault:
    status = look.status
    if status is None:
        advice = "check that the address opens without login, by https alone"
        message = f"cannot be fetched: {look.trouble}"
        return Fault(message, advice, is_certain=not look.away, is_silent=look.away)
    if status in _BUSY:
        message = f"was not looked at: its server gets too many requests (HTTP {status})"
        return Fault(message, "check again later", Severity.WARNING)
    if status >= 500:
        message = f"cannot be fetched: its server fails (HTTP {status})"
        return Fault(message, "check again later, or move the file")
    words, advice = _REFUSALS.get(status, ("is refused", _PUBLIC))
    return Fault(f"{words} (HTTP {status})", advice, is_certain=status in _REFUSALS)


def _of_file(url: str, look: LinkProbe, wants: Family | None) -> Iterator[Fault]:
    found = FORMATS.get(look.format)
    if look.size == 0:
        yield Fault("is empty", "upload the file again", is_certain=True)
    elif (
        found is None or found.family in {Family.PAGE, Family.OTHER} or (wants and found.family is not wants)
    ):
        yield _wrong_kind(url, look, found, wants or Family.IMAGE)
    else:
        if found.name in _SELDOM_TAKEN:
            advice = "JPEG, PNG and WebP are taken everywhere"
            yield Fault(f"is {found.name}, which few models take", advice, Severity.WARNING)
        yield from _size_faults(look, found)
        yield from _misnamed(url, look, found)


def _wrong_kind(url: str, look: LinkProbe, found: Format | None, wanted: Family) -> Fault:
    html = FORMATS["HTML"]
    if found is html or (found is None and look.content_type in html.types):
        return Fault(f"is a web page, not a {wanted}", _direct_link(url, look), is_certain=True)
    if found is None:
        said = f", though its server calls it {look.content_type}" if look.content_type else ""
        return Fault(f"does not begin like a known {wanted}{said}", f"give a {wanted} in a common format")
    # An input that is called after pictures may want an archive of them.
    is_certain = found.family is not Family.OTHER
    return Fault(
        f"is a {found.family} ({found.name}), not a {wanted}", f"give a {wanted}", is_certain=is_certain
    )


def _direct_link(url: str, look: LinkProbe) -> str:
    for address in (url, look.url):
        if _host(address).split(".")[0] in {"accounts", "login", "signin", "auth"}:
            return f"it leads to a login; {_PUBLIC}"
        if page := share_page(address):
            return f"{page.owner} shows a page of its own; {page.advice}"
    return "is it a share link? write the address of the file itself"


def _size_faults(look: LinkProbe, found: Format) -> Iterator[Fault]:
    most = MOST_VIDEO_BYTES if found.family is Family.VIDEO else MOST_BYTES
    if look.size is None:
        message = f"does not say how large it is, so it may be larger than {display.size(most)}"
        yield Fault(message, "check its size yourself", Severity.WARNING)
    elif look.size > most:
        message = f"has {look.size:,} bytes, and the API fetches at most {display.size(most)}"
        yield Fault(message, "make it smaller", is_certain=True)


def _misnamed(url: str, look: LinkProbe, found: Format) -> Iterator[Fault]:
    lies = []
    suffix = urlsplit(url).path.rpartition("/")[2].rpartition(".")[2].lower()
    if suffix in SUFFIXES and suffix not in found.suffixes:
        lies.append(f"its name ends in .{suffix}")
    media = look.content_type.partition("/")[0]
    if media in {"image", "video", "audio", "text"} and look.content_type not in found.types:
        lies.append(f"its server calls it {look.content_type}")
    if lies:
        message = f"is {found.name} by its first bytes, but {' and '.join(lies)}"
        advice = "a server that goes by the name may refuse it; name it for what it is"
        yield Fault(message, advice, Severity.WARNING)


def expiry_faults(url: str, *, now: float, wait: float) -> tuple[Fault, ...]:
    """Return what the link itself shows of its end: it has expired, or does within `wait` seconds from `now`."""
    return tuple(_ending(ends_at(url), now=now, wait=wait))


def _ending(ends: float | None, *, now: float, wait: float) -> Iterator[Fault]:
    if ends is None:
        return
    if ends <= now:
        message = f"is a signed link that expired at {display.when(ends)}"
        yield Fault(message, "sign it again", is_certain=True)
    elif ends < now + wait:
        message = (
            f"is a signed link that expires at {display.when(ends)}, in {display.duration(ends - now)}; "
            f"a job may wait {display.duration(wait)}"
        )
        advice = "sign it again for longer; `check --wait` says how long jobs wait"
        yield Fault(message, advice, Severity.WARNING)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
