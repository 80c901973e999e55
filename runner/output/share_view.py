"""What a page for others shows of each take: clips, posters and short names. What is not for them is not in it.

A take has no id, no money, no error and no address here. Each field is named, so that a new field of the page stays
empty until a person decides about it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runner.domain import display
from runner.domain.picks import Decision
from runner.domain.prompts import is_prompt
from runner.domain.records import RunHeader, TakeRecord
from runner.output.report_head import Head
from runner.output.report_view import TEXT_LIMIT, Card, Poster
from runner.system.canonical_json import JsonValue
from runner.system.escapes import visible, visible_lines

SHARE, DECIDE = "share", "decide"
"""The modes of a page for others: with comments alone, or with decisions as well."""

_DELIVERED = "delivered"
_STEM = 80
_PLAIN_WORD = re.compile(r"[A-Za-z0-9._-]{1,24}", re.ASCII)
_PLAIN_AXIS = re.compile(r"[\w.-]{1,60}=[\w.-]{1,24}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SharedTake:
    """A take to hand over; `clip` and the posters are names in the folder, the posters None if they do not exist."""

    take: TakeRecord
    clip: str
    small: str | None = None
    large: str | None = None
    decision: Decision | None = None


def shared_card(shared: SharedTake, *, prompts: bool = False) -> Card:
    """Return what the page shows of a take; a prompt, and what is swept in it, only with `prompts`."""
    take = shared.take
    label = visible(take.label, TEXT_LIMIT)
    said = _prompts(take) if prompts else []
    return Card(
        id=label,
        shot=visible(take.shot_id, TEXT_LIMIT),
        label=label,
        number=take.number,
        point=_point(take, prompts=prompts),
        model="",
        standing=_DELIVERED,
        stale=[],
        note="",
        notes="",
        failure="",
        flags=[],
        advice=("", ""),
        decision=Decision.PICK.value if shared.decision is Decision.PICK else "",
        remark="",
        who="",
        when="",
        comments=[],
        seed="" if "seed" in take.point or take.seed is None else str(take.seed),
        poster=_poster(shared),
        clip=shared.clip,
        sidecar=None,
        facts=[],
        tags=[],
        outputs=[],
        inputs=[(name, visible_lines(text, TEXT_LIMIT), False) for name, text in said],
        prompt=0 if said else -1,
        frames=[],
        details=[],
        clipSeconds=take.probe.seconds if take.probe else None,
        fps=take.probe.fps if take.probe else None,
        began=None,
        ended=None,
        took=None,
        cost=None,
    )


def shared_head(
    header: RunHeader, shared: Sequence[SharedTake], *, simulated: bool, made: float, decide: bool = False
) -> Head:
    """Return the head of the page; `made` is in unix seconds. With `simulated` nothing was paid."""
    shots = len({each.take.shot_id for each in shared})
    return Head(
        mode=DECIDE if decide else SHARE,
        key=hashlib.sha256(f"share {header.run_id}".encode()).hexdigest()[:16],
        name=visible(header.name, TEXT_LIMIT),
        simulated=simulated,
        version="",
        made=f"Made {display.when(made)}",
        facts=[display.counted(len(shared), "take"), display.counted(shots, "shot")],
        totals=[(_DELIVERED, len(shared))],
        causes=[],
        models=[],
        classes=[],
        needs=[],
        importCommand="",
    )


def file_names(takes: Iterable[TakeRecord]) -> Mapping[str, str]:
    """Return a plain name for the files of each take, by its id: its label, unique on any disk."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for take in takes:
        stem = "".join(
            each if each.isascii() and (each.isalnum() or each in "_-~") else "_" for each in take.label
        )
        names[take.take_id] = name = _free(stem.lstrip("-~")[:_STEM] or "take", taken)
        taken.add(name.casefold())
    return names


def _free(stem: str, taken: Collection[str]) -> str:
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def suffix_of(file: str) -> str:
    """Return the ending of a clip's file, such as `.mp4`, if it is a plain one."""
    ending = PurePosixPath(file).suffix.lower()
    return ending if ending[1:].isascii() and ending[1:].isalnum() else ""


def _poster(shared: SharedTake) -> Poster | None:
    if not (shared.small or shared.large):
        return None
    return Poster(small=shared.small, large=shared.large, first=None, last=None, motion=None)


def _prompts(take: TakeRecord) -> list[tuple[str, str]]:
    body: dict[str, JsonValue] = json.loads(take.body)
    return [
        (name, given) for name, given in body.items() if isinstance(given, str) and is_prompt(name, given)
    ]


def _point(take: TakeRecord, *, prompts: bool) -> list[str]:
    """Return the swept values; without `prompts` only numbers and plain words, as long as no prompt has them."""
    written = " ".join(text for _, text in _prompts(take))
    shown = {
        axis: given
        for axis, given in take.point.items()
        if prompts or not isinstance(given, str) or (_PLAIN_WORD.fullmatch(given) and given not in written)
    }
    return [text for text in display.sweep(shown) if prompts or _PLAIN_AXIS.fullmatch(text)]
