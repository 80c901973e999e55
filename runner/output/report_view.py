"""What the page shows of each take, as plain values that become JSON.

All words are made here, and none of them holds a hidden character; the page's script only puts them in their places. It
knows no HTML. Only safe addresses are links.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypedDict
from urllib.parse import urlsplit

from runner.domain import display
from runner.domain.body_diff import Difference
from runner.domain.clip_checks import flags_as_json
from runner.domain.display import visible, visible_lines
from runner.domain.input_pictures import input_pictures
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.picks import NO_PICKS, Pick, Picks, newest
from runner.domain.preview_names import input_name, preview_names
from runner.domain.prompts import is_prompt
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import ACTIVE, IN_DOUBT, OVER, DeliveryState
from runner.output.clip_links import BESIDE_THE_PAGE, ClipLinks, file_link, sidecar
from runner.output.take_advice import advice
from runner.system.canonical_json import JsonValue
from runner.system.hosts import is_loopback

_CHANGE_SHOWN = 60
LONGEST_URL = 8192
TEXT_LIMIT = 8192
_encoded = json.JSONEncoder(ensure_ascii=False).encode
_PLAIN_URL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")


class Poster(TypedDict):
    """Checked links to the pictures that were made of a clip; None for each that is not there."""

    small: str | None
    large: str | None
    first: str | None
    last: str | None
    motion: str | None


class Card(TypedDict):
    """One take on the page; `data.js` declares the same.

    `clip` and `sidecar` are checked links to its files. `seed` is empty if the model has none or `point` already shows
    it. `stale` holds each changed field of its row with the old and the new value. With each text of `outputs`
    and `inputs` comes whether it may be a link. `frames` are the input pictures: name, address, whether that may be a
    link, and a checked link to the small copy, None without one. `prompt` is the number of the input that is the
    prompt, -1 without one.

    `flags` are pairs of kind and phrase, `advice` is a sentence and a command, empty if there is nothing to do.
    `decision` (empty without one), `remark`, `who` and `when` are the word in the file of picks that counts, and each
    of `comments` is who said what at which place of the clip. `clipSeconds` and `fps` are measured, None if unknown.
    `began` and `ended` are unix seconds, `took` is in seconds and `cost` in US dollars.
    """

    id: str
    shot: str
    label: str
    number: int
    point: list[str]
    model: str
    standing: str
    stale: list[tuple[str, str, str]]
    note: str
    notes: str
    failure: str
    flags: list[tuple[str, str]]
    advice: tuple[str, str]
    decision: str
    remark: str
    who: str
    when: str
    comments: list[tuple[str, str, str]]
    seed: str
    poster: Poster | None
    clip: str | None
    sidecar: str | None
    facts: list[str]
    tags: list[str]
    outputs: list[tuple[str, bool]]
    inputs: list[tuple[str, str, bool]]
    prompt: int
    frames: list[tuple[str, str, bool, str | None]]
    details: list[tuple[str, str]]
    clipSeconds: float | None
    fps: float | None
    began: int | None
    ended: int | None
    took: float | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a run's record: the names of previews, what people decided, by the take's id, and the clips."""

    previews: AbstractSet[str] = frozenset()
    decided: Mapping[str, Pick] = field(default_factory=dict)
    comments: Mapping[str, Sequence[Pick]] = field(default_factory=dict)
    links: ClipLinks = BESIDE_THE_PAGE

    @classmethod
    def of(
        cls,
        previews: AbstractSet[str] = frozenset(),
        picks: Picks = NO_PICKS,
        links: ClipLinks = BESIDE_THE_PAGE,
    ) -> Beside:
        """Return it of the `previews` that are there, relative to the run directory, and of a file of picks."""
        comments: dict[str, list[Pick]] = {}
        for row in picks.rows:
            if row.is_comment and row.note:
                comments.setdefault(row.take, []).append(row)
        return cls(previews, newest(picks.rows), comments, links)


NOTHING_BESIDE = Beside()


def card(
    header: RunHeader,
    take: TakeRecord,
    before: Spending = NOTHING_SPENT,
    *,
    beside: Beside = NOTHING_BESIDE,
    goes_on: bool = False,
) -> Card:
    """Return what the page shows of a take; `before` is what its earlier attempts cost.

    `goes_on` says that the run goes on.
    """
    body: dict[str, JsonValue] = json.loads(take.body)
    clip = beside.links.page(take) if take.delivery is DeliveryState.DELIVERED else None
    facts = _facts(take, before)
    said = beside.decided.get(take.take_id)
    inputs = [_input(header, name, given) for name, given in body.items()]
    return Card(
        id=_line(take.take_id),
        shot=_line(take.shot_id),
        label=_line(take.label),
        number=take.number,
        point=list(display.sweep(take.point)),
        model=_line(take.model),
        standing=display.standing(take.state, take.delivery),
        stale=[_short(each) for each in take.stale_fields()] if take.is_stale else [],
        note=_note(take),
        notes=_lines(take.notes),
        failure=take.failure.value if take.failure else "",
        flags=[(kind, _line(text)) for kind, text in flags_as_json(take.flags)],
        advice=advice(header, take, goes_on=goes_on),
        decision=said.decision.value if said and said.decision else "",
        remark=_line(said.note) if said else "",
        who=_line(said.who) if said else "",
        when=_line(said.when) if said else "",
        comments=[_comment(each) for each in beside.comments.get(take.take_id, ())],
        poster=_poster(take, beside.previews) if clip else None,
        seed="" if "seed" in take.point or take.seed is None else str(take.seed),
        clip=clip,
        sidecar=sidecar(clip) if clip and clip == file_link(take.file) else None,
        facts=facts if take.position is not None else [*facts, "no longer in the manifest"],
        tags=[_line(tag) for tag in take.tags],
        outputs=[(_line(url), _is_link(header, url)) for url in take.outputs],
        inputs=inputs,
        prompt=next((at for at, item in enumerate(body.items()) if is_prompt(*item)), -1),
        frames=[_frame(header, name, link, beside.previews) for name, link in input_pictures(body)],
        details=[(name, _lines(text)) for name, text in _details(header, take)],
        clipSeconds=take.probe.seconds if take.probe else None,
        fps=take.probe.fps if take.probe else None,
        began=_whole(take.submitted_at),
        ended=_whole(take.finished_at),
        took=take.seconds,
        cost=take.cost,
    )


def _whole(unix: float | None) -> int | None:
    return None if unix is None or not math.isfinite(unix) else round(unix)


def _comment(said: Pick) -> tuple[str, str, str]:
    at = "" if said.at is None else f"{int(said.at // 60)}:{said.at % 60:05.2f}"
    return _line(said.who), at, _lines(said.note)


def _poster(take: TakeRecord, previews: AbstractSet[str]) -> Poster | None:
    """Return which previews of a clip are there; None if no picture is."""
    if not previews or not take.sha256:
        return None
    names = preview_names(take.sha256)
    there = Poster(
        small=_preview(names.small, previews),
        large=_preview(names.large, previews),
        first=_preview(names.first, previews),
        last=_preview(names.last, previews),
        motion=_preview(names.motion, previews),
    )
    return there if any(there.values()) else None


def _preview(name: str, previews: AbstractSet[str]) -> str | None:
    return file_link(name) if name in previews else None


def _frame(
    header: RunHeader, name: str, link: str, previews: AbstractSet[str]
) -> tuple[str, str, bool, str | None]:
    is_link = _is_link(header, link)
    copy = _preview(input_name(link), previews) if previews else None
    return _line(name), _line(link) if is_link else "", is_link, copy


def _line(text: str) -> str:
    return visible(text, TEXT_LIMIT)


def _lines(text: str) -> str:
    return visible_lines(text, TEXT_LIMIT)


def _short(changed: Difference) -> tuple[str, str, str]:
    old, new = display.apart(changed.old, changed.new, _CHANGE_SHOWN)
    name = changed.field.removeprefix("inputs.")
    return _line(name), visible(old, 2 * _CHANGE_SHOWN), visible(new, 2 * _CHANGE_SHOWN)


def _input(header: RunHeader, name: str, given: JsonValue) -> tuple[str, str, bool]:
    if isinstance(given, str):
        return _line(name), _lines(given), _is_link(header, given)
    return _line(name), _lines(_encoded(given)), False


def _is_link(header: RunHeader, url: str) -> bool:
    return web_link(url, simulated=header.simulated) is not None


def _note(take: TakeRecord) -> str:
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
