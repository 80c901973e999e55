"""What the page shows of each take and of the whole run, as plain values for a template.

It knows no HTML: texts are as recorded, and the template escapes them. Only safe addresses are links.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit

from runner.domain import display
from runner.domain.body_diff import Difference
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import ACTIVE, IN_DOUBT, OVER, DeliveryState, TakeState
from runner.system.canonical_json import JsonValue
from runner.system.hosts import is_loopback

_CHANGE_SHOWN = 60
_STALE = "stale"
LONGEST_URL = 8192
_PLAIN_URL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
EAGER_PLAYERS = 24
"""Players that load their first frame at once; a script loads the others when they come near the screen."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link's text and its checked target; None where the address may not become a link."""

    text: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """One take on the page. `player` is the checked link to its clip, `eager` whether it loads at once.

    `seed` is None if the model has none or `point` already shows it. `stale` holds what has changed in its row since.
    """

    take: TakeRecord
    point: tuple[str, ...]
    standing: str
    note: str
    prompt: str
    seed: int | None
    player: str | None
    eager: bool
    facts: tuple[str, ...]
    links: tuple[Link, ...]
    inputs: tuple[tuple[str, Link], ...]
    details: tuple[tuple[str, str], ...]
    stale: tuple[Difference, ...]


def totals(takes: Sequence[TakeRecord]) -> tuple[tuple[str, int], ...]:
    """Return counts by state in the order of `display.STANDINGS`, then of stale takes."""
    counts = Counter(display.standing(take.state, take.delivery) for take in takes)
    counts[_STALE] = sum(1 for take in takes if take.is_stale)
    return tuple((word, counts[word]) for word in (*display.STANDINGS, _STALE) if counts[word])


def cards(
    header: RunHeader, takes: Sequence[TakeRecord], spending: Spending = NOTHING_SPENT
) -> tuple[Card, ...]:
    """Return a card for each take, in the order given; `spending` says what earlier attempts cost."""
    earlier = spending.earlier
    made: list[Card] = []
    players = 0
    for take in takes:
        before = earlier.get(take.take_id, NOTHING_SPENT)
        made.append(_card(header, take, eager=players < EAGER_PLAYERS, before=before))
        players += made[-1].player is not None
    return tuple(made)


def _card(header: RunHeader, take: TakeRecord, *, eager: bool, before: Spending) -> Card:
    body: dict[str, JsonValue] = json.loads(take.body)
    file = take.file if take.delivery is DeliveryState.DELIVERED else None
    player = file_link(file)
    here = [("clip", player), ("data", file_link(sidecar(file)))] if file else []
    names = (
        ["output link"] if len(take.outputs) == 1 else [f"output {at + 1}" for at in range(len(take.outputs))]
    )
    there = [(name, _web(header, url)) for name, url in zip(names, take.outputs, strict=True)]
    return Card(
        take,
        point=display.sweep(take.point),
        standing=display.standing(take.state, take.delivery),
        note=_note(take),
        prompt=next((str(given) for name, given in body.items() if _is_prompt(name, given)), ""),
        seed=None if "seed" in take.point else take.seed,
        player=player,
        eager=eager,
        facts=_facts(take, before),
        links=tuple(Link(name, href) for name, href in (*here, *there)),
        inputs=tuple((name, _input(header, given)) for name, given in body.items()),
        details=_details(header, take),
        stale=tuple(map(_short, take.stale_fields())) if take.is_stale else (),
    )


def _short(changed: Difference) -> Difference:
    old, new = display.apart(changed.old, changed.new, _CHANGE_SHOWN)
    field = changed.field.removeprefix("inputs.")
    return Difference(field, display.visible(old, 2 * _CHANGE_SHOWN), display.visible(new, 2 * _CHANGE_SHOWN))


def _is_prompt(name: str, given: JsonValue) -> bool:
    name = name.lower()
    return isinstance(given, str) and bool(given) and "prompt" in name and "negative" not in name


def _input(header: RunHeader, given: JsonValue) -> Link:
    if isinstance(given, str):
        return Link(given, _web(header, given))
    return Link(json.dumps(given, ensure_ascii=False), None)


def _web(header: RunHeader, url: str) -> str | None:
    return web_link(url, simulated=header.simulated)


def _note(take: TakeRecord) -> str:
    if take.state is TakeState.HELD:
        reason = display.trouble(None, take.reason)
        return f"{reason}; {display.HELD_ADVICE}" if reason else display.HELD_ADVICE
    lost = "the clip could not be downloaded; its link is kept"
    otherwise = lost if take.delivery is DeliveryState.UNDELIVERABLE and take.state not in OVER else ""
    return display.trouble(take.failure if take.state in OVER else None, take.reason) or otherwise


def _facts(take: TakeRecord, before: Spending) -> tuple[str, ...]:
    said = []
    if take.seconds is not None:
        said.append(f"took {display.duration(take.seconds)}")
    if take.cost is not None:
        said.append(display.money(take.cost))
    elif take.request_id is not None or take.state in IN_DOUBT:
        said.append("cost not known yet" if take.state in ACTIVE else "cost unknown")
    # An estimate that equals the cost would add nothing.
    if take.estimate is not None and take.estimate != take.cost:
        said.append(f"{display.money(take.estimate)} expected")
    if before.charges:
        said.append(display.earlier_words(before))
    if take.bytes is not None:
        said.append(display.size(take.bytes))
    return tuple(said)


def _details(header: RunHeader, take: TakeRecord) -> tuple[tuple[str, str], ...]:
    said = {
        "model": take.model,
        "request": take.request_id,
        "submitted": None if take.submitted_at is None else display.when(take.submitted_at),
        "finished": None if take.finished_at is None else display.when(take.finished_at),
        "attempts": str(take.attempts) if take.attempts else None,
        "notes": take.notes or None,
        "file": take.file,
        "sha256": take.sha256,
        "fingerprint": take.fingerprint,
    }
    outputs = (("output", url) for url in take.outputs)
    missed = () if take.delivery is DeliveryState.DELIVERED else take.links(header.api_base).doubtful
    left = (("not taken", str(each)) for each in missed)
    return (*((name, text) for name, text in said.items() if text), *outputs, *left)


def web_link(url: str, *, simulated: bool) -> str | None:
    """Return `url` if a browser may be sent there: https, or http to this machine for a simulated run.

    It refuses other schemes, user names in the address, and every character that RFC 3986 does not allow.
    """
    if len(url) > LONGEST_URL or not _PLAIN_URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if not host or "@" in parts.netloc:
        return None
    if parts.scheme == "https" or (parts.scheme == "http" and simulated and is_loopback(host)):
        return url
    return None


def file_link(file: str | None) -> str | None:
    """Return a path below the run directory as a relative, percent-encoded reference; None if it leads outside."""
    if not file or "\\" in file or "\0" in file:
        return None
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        return None
    return quote(path.as_posix(), safe="/", errors="replace")


def sidecar(file: str) -> str:
    """Return the name of the JSON file that lies beside a clip."""
    return PurePosixPath(file).with_suffix(".json").as_posix()
