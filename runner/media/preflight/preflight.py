"""The whole pre-flight check: find the links, reuse the probes of the last hour, probe the others, judge.

In: takes and models, the text of an earlier check, a way to probe, the time. Out: a `PreflightReport`, with the text to
keep for the next one. It opens neither file nor connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from runner.domain.errors import Severity
from runner.domain.shots import Take
from runner.media.formats import Kind
from runner.media.preflight.findings import Fault, Finding, Findings
from runner.media.preflight.frame_fit import fit_faults
from runner.media.preflight.link_rules import is_sound, link_faults
from runner.media.preflight.media_links import TakeMedia, media_of
from runner.media.preflight.probe import LinkProbe
from runner.media.preflight.probe_cache import CacheDamaged, as_text, fresh_looks, key_of
from runner.models.model import Model

WAIT_S = 12 * 3600.0
"""How long a job may wait before the API fetches its pictures: a night."""


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """The result: the number of links, how many of them an earlier check covered, and what is wrong.

    `notes` are about the check itself; `to_keep` is text for the next check.
    """

    links: int
    reused: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    to_keep: str

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The faults that would make a job fail, or spoil its clip."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The faults that a person should know."""
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
    recent, notes = _recent(kept, now)
    known = {url: recent[key] for url in urls if (key := key_of(url)) in recent}
    looks = {**known, **look_at_all([url for url in urls if url not in known])}
    sound = {key_of(url): look for url, look in looks.items() if is_sound(look)}
    return PreflightReport(
        links=len(urls),
        reused=len(known),
        findings=_judged(media, looks, now=now, wait=wait),
        notes=notes,
        to_keep=as_text({**recent, **sound}),
    )


def _recent(kept: str, now: float) -> tuple[dict[str, LinkProbe], tuple[str, ...]]:
    if not kept:
        return {}, ()
    try:
        return fresh_looks(kept, now=now), ()
    except CacheDamaged:
        return {}, ("the results of an earlier check are damaged; every link is checked again",)


def _judged(
    media: Sequence[TakeMedia], looks: Mapping[str, LinkProbe], *, now: float, wait: float
) -> tuple[Finding, ...]:
    findings = Findings()

    @cache
    def faults(url: str, wants: Kind | None) -> tuple[Fault, ...]:
        return link_faults(url, looks[url], wants=wants, now=now, wait=wait)

    for take in media:
        for place in take.places:
            for fault in faults(place.url, place.wants):
                findings.add(take, place, fault)
        for place, fault in fit_faults(take, looks):
            findings.add(take, place, fault)
    return tuple(findings)
