"""The whole pre-flight check: find the links, reuse the probes of the last hour, probe the others, judge.

It opens neither file nor connection. What it reports contains no query of a link, since that may be a signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from runner.domain.errors import Position, Problem, Severity
from runner.domain.shots import Take
from runner.media.http.response import shown
from runner.media.preflight.frame_fit import fit_faults
from runner.media.preflight.link_rules import Fault, expiry_faults, is_sound, link_faults
from runner.media.preflight.media_links import Place, TakeMedia, media_of
from runner.media.preflight.probe import CacheDamaged, LinkProbe, as_text, fresh_looks, key_of
from runner.models.model import Model

WAIT_S = 12 * 3600.0
"""How long a job may wait before the API fetches its pictures: a night."""

_SEVERAL = 2
"""One link without an answer says more about the link than about the network."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault at one input, and all takes that have it; `url` has no query, and `at` is the first take's row.

    `is_certain` and `is_silent` are those of the fault.
    """

    severity: Severity
    takes: tuple[str, ...]
    input: str
    url: str
    message: str
    advice: str
    at: Position
    is_certain: bool
    is_silent: bool

    @property
    def problem(self) -> Problem:
        """The finding as a problem of the manifest."""
        more = f" and {len(self.takes) - 1:,} more" if len(self.takes) > 1 else ""
        subject = f"{self.takes[0]}{more}, inputs.{self.input}"
        message = f"{self.url} {self.message}; {self.advice}"
        return Problem(self.at, subject, message, severity=self.severity)


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """The result: the number of links, how many of them an earlier check covered, and what is wrong.

    `notes` are about the check itself; `to_keep` is text for the next check. `unreached` is why no link gave an answer,
    where none did, and is empty otherwise; then there is no finding about a single link.
    """

    links: int
    reused: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    to_keep: str
    unreached: str = ""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The faults that would make a job fail, or spoil its clip."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The faults that a person should know about."""
        return tuple(one for one in self.findings if one.severity is Severity.WARNING)


def inspect(
    takes: Iterable[Take],
    *,
    find: Callable[[str], Model | None],
    look_at_all: Callable[[Sequence[str]], Mapping[str, LinkProbe]],
    kept: str,
    now: float,
    wait: float = WAIT_S,
) -> PreflightReport:
    """Return what is wrong with the media of `takes`.

    `find` returns a model by its id, and `look_at_all` a probe for each link. `kept` is the text of the last
    inspection, or empty to probe everything. `now` is in unix seconds. A link is fetched within `wait` seconds.
    """
    media = media_of(takes, find=find)
    urls = list(dict.fromkeys(place.url for one in media for place in one.places))
    notes: tuple[str, ...] = ()
    try:
        recent = fresh_looks(kept, now=now) if kept else {}
    except CacheDamaged:
        recent, notes = {}, ("the results of an earlier check are damaged; every link is checked again",)
    known = {url: recent[key] for url in urls if (key := key_of(url)) in recent}
    asked = look_at_all([url for url in urls if url not in known])
    looks = {**known, **asked}
    unreached = _unreached(asked)
    sound = {key_of(url): look for url, look in looks.items() if is_sound(look)}

    def faults(place: Place) -> tuple[Fault, ...]:
        if unreached and place.url in asked:
            return expiry_faults(place.url, now=now, wait=wait)
        return link_faults(place.url, looks[place.url], wants=place.wants, now=now, wait=wait)

    findings = _found(media, faults, looks)
    to_keep = as_text({**recent, **sound})
    return PreflightReport(len(urls), len(known), findings, notes, to_keep, unreached)


def expiring(
    takes: Iterable[Take], *, find: Callable[[str], Model | None], now: float, wait: float
) -> tuple[Finding, ...]:
    """Return the signed links of `takes` that have expired, or do within `wait` seconds from `now` (unix seconds).

    The links themselves show it, so no connection is needed.
    """
    return _found(media_of(takes, find=find), lambda place: expiry_faults(place.url, now=now, wait=wait), {})


def _unreached(asked: Mapping[str, LinkProbe]) -> str:
    """Return why none of several links gave an answer, or an empty text if one did."""
    if len(asked) < _SEVERAL or not all(look.away for look in asked.values()):
        return ""
    first = next(iter(asked.values()))
    return f"this machine reached none of {len(asked):,} links: {first.trouble}"


def _found(
    media: Sequence[TakeMedia], faults: Callable[[Place], tuple[Fault, ...]], looks: Mapping[str, LinkProbe]
) -> tuple[Finding, ...]:
    """Return each fault of a link at an input once, in the order of the plan."""
    found: dict[tuple[Fault, str, str], tuple[Position, dict[str, None]]] = {}
    of_link = cache(lambda url, wants: faults(Place("", url, wants)))
    for take in media:
        alone = ((place, fault) for place in take.places for fault in of_link(place.url, place.wants))
        for place, fault in (*alone, *fit_faults(take, looks)):
            _, takes = found.setdefault((fault, place.url, place.input), (take.at, {}))
            takes[take.take_id] = None
    return tuple(
        Finding(
            fault.severity,
            tuple(takes),
            where,
            shown(url),
            fault.message,
            fault.advice,
            at,
            fault.is_certain,
            fault.is_silent,
        )
        for (fault, url, where), (at, takes) in found.items()
    )
