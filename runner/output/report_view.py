"""What the page shows of each take and of the whole run, as plain values that become JSON.

All words are made here, and none of them holds a hidden character; the page's script only puts them in their places. It
knows no HTML. Only safe addresses are links.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote, urlsplit

from runner.domain import display
from runner.domain.body_diff import Difference
from runner.domain.display import visible, visible_lines
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import ACTIVE, IN_DOUBT, OVER, DeliveryState, TakeState
from runner.output.status_text import Causes
from runner.system.canonical_json import JsonValue
from runner.system.hosts import is_loopback

_CHANGE_SHOWN = 60
_STALE = "stale"
LONGEST_URL = 8192
TEXT_LIMIT = 8192
_encoded = json.JSONEncoder(ensure_ascii=False).encode
_PLAIN_URL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")


class Card(TypedDict):
    """One take on the page; `page.js` declares the same.

    `clip` and `sidecar` are checked links to its files. `seed` is empty if the model has none or `point` already shows
    it. `stale` holds each changed field of its row with the old and the new value. With each text of `outputs` and
    `inputs` comes whether it may be a link. `prompt` is the number of the input that is the prompt, -1 without one.
    """

    id: str
    shot: str
    point: list[str]
    model: str
    standing: str
    stale: list[tuple[str, str, str]]
    note: str
    seed: str
    clip: str | None
    sidecar: str | None
    facts: list[str]
    tags: list[str]
    outputs: list[tuple[str, bool]]
    inputs: list[tuple[str, str, bool]]
    prompt: int
    details: list[tuple[str, str]]


class Head(TypedDict):
    """What the page says of the whole run; `facts` begin with the number of takes, `totals` are counts by state."""

    name: str
    simulated: bool
    version: str
    facts: list[str]
    totals: list[tuple[str, int]]
    causes: list[str]


@dataclass(slots=True)
class Summary:
    """What the page says of the whole run, from all its takes, each noted once."""

    takes: int = 0
    standings: Counter[str] = field(default_factory=Counter)
    causes: Causes = field(default_factory=Causes)

    def note(self, take: TakeRecord) -> None:
        """Count one take."""
        self.takes += 1
        self.standings[display.standing(take.state, take.delivery)] += 1
        self.standings[_STALE] += take.is_stale
        self.causes.note(take)

    @property
    def totals(self) -> list[tuple[str, int]]:
        """Counts by state in the order of `display.STANDINGS`, then of stale takes."""
        words = (*display.STANDINGS, _STALE)
        return [(word, self.standings[word]) for word in words if self.standings[word]]

    def head(self, header: RunHeader, spending: Spending, *, made: float) -> Head:
        """Return the head of the page; `made` is in unix seconds."""
        return Head(
            name=_line(header.name),
            simulated=header.simulated,
            version=_line(header.version),
            facts=[
                display.counted(self.takes, "take"),
                display.spent_words(spending, simulated=header.simulated) or "nothing spent",
                _line(Path(header.manifest).name),
                f"made {display.when(made)}",
            ],
            totals=self.totals,
            causes=list(self.causes.sentences(least=2)),
        )


def card(header: RunHeader, take: TakeRecord, before: Spending = NOTHING_SPENT) -> Card:
    """Return what the page shows of a take; `before` is what its earlier attempts cost."""
    body: dict[str, JsonValue] = json.loads(take.body)
    clip = file_link(take.file) if take.delivery is DeliveryState.DELIVERED else None
    facts = _facts(take, before)
    return Card(
        id=_line(take.take_id),
        shot=_line(take.shot_id),
        point=list(display.sweep(take.point)),
        model=_line(take.model),
        standing=display.standing(take.state, take.delivery),
        stale=[_short(each) for each in take.stale_fields()] if take.is_stale else [],
        note=_note(take),
        seed="" if "seed" in take.point or take.seed is None else str(take.seed),
        clip=clip,
        sidecar=clip and sidecar(clip),
        facts=facts if take.position is not None else [*facts, "no longer in the manifest"],
        tags=[_line(tag) for tag in take.tags],
        outputs=[(_line(url), _is_link(header, url)) for url in take.outputs],
        inputs=[_input(header, name, given) for name, given in body.items()],
        prompt=next((at for at, item in enumerate(body.items()) if _is_prompt(*item)), -1),
        details=[(name, _lines(text)) for name, text in _details(header, take)],
    )


def _line(text: str) -> str:
    return visible(text, TEXT_LIMIT)


def _lines(text: str) -> str:
    return visible_lines(text, TEXT_LIMIT)


def _short(changed: Difference) -> tuple[str, str, str]:
    old, new = display.apart(changed.old, changed.new, _CHANGE_SHOWN)
    name = changed.field.removeprefix("inputs.")
    return _line(name), visible(old, 2 * _CHANGE_SHOWN), visible(new, 2 * _CHANGE_SHOWN)


def _is_prompt(name: str, given: JsonValue) -> bool:
    name = name.lower()
    return isinstance(given, str) and bool(given) and "prompt" in name and "negative" not in name


def _input(header: RunHeader, name: str, given: JsonValue) -> tuple[str, str, bool]:
    if isinstance(given, str):
        return _line(name), _lines(given), _is_link(header, given)
    return _line(name), _lines(_encoded(given)), False


def _is_link(header: RunHeader, url: str) -> bool:
    return web_link(url, simulated=header.simulated) is not None


def _note(take: TakeRecord) -> str:
    if take.state is TakeState.HELD:
        reason = display.trouble(None, take.reason)
        return f"{reason}; {display.HELD_ADVICE}" if reason else display.HELD_ADVICE
    lost = "the clip could not be downloaded; its link is kept"
    otherwise = lost if take.delivery is DeliveryState.UNDELIVERABLE and take.state not in OVER else ""
    return display.trouble(take.failure if take.state in OVER else None, take.reason) or otherwise


def _facts(take: TakeRecord, before: Spending) -> list[str]:
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
    return said


def _details(header: RunHeader, take: TakeRecord) -> tuple[tuple[str, str], ...]:
    said = {
        "request": take.request_id,
        "submitted": None if take.submitted_at is None else display.when(take.submitted_at),
        "finished": None if take.finished_at is None else display.when(take.finished_at),
        "attempts": str(take.attempts) if take.attempts else None,
        "notes": take.notes or None,
        "file": take.file,
        "sha256": take.sha256,
        "fingerprint": take.fingerprint,
    }
    missed = () if take.delivery is DeliveryState.DELIVERED else take.links(header.api_base).doubtful
    left = (("not taken", str(each)) for each in missed)
    return (*((name, text) for name, text in said.items() if text), *left)


def web_link(url: str, *, simulated: bool) -> str | None:
    """Return `url` if a browser may be sent there: https, or http to this machine for a simulated run.

    It refuses other schemes, user names in the address, and every character that RFC 3986 does not allow.
    """
    if "://" not in url or len(url) > LONGEST_URL or not _PLAIN_URL.fullmatch(url):
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
    if file.startswith("/") or ".." in file.split("/"):
        return None
    return quote(file, errors="replace")


def sidecar(file: str) -> str:
    """Return the name of the JSON file that lies beside a clip, or its link for a clip's link."""
    return f"{file.rpartition('.')[0] or file}.json"
