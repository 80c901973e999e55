"""Identifies a take: its id, the seed that is made for it, and the fingerprint of its request.

In: a shot id, swept values, a model and a body. Out: an id such as `s010@resolution=720p,seed=1001`, a seed, a hash.
An id is a safe file name and depends on its own shot and point alone. It knows no other take.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final

from runner.models.inputs import Input, WholeNumbers
from runner.system.canonical_json import JsonValue, canonical_hash, canonical_json

LONGEST: Final = 180
LARGEST: Final = 2**31 - 1
MODEL: Final = "model"
REPEAT: Final = "repeat"
"""The two axes that are not inputs: which model, and which rendering of the same body, counted from 2."""

_TRIES: Final = 64
"""How many seeds are drawn for each one that is wanted: few of a model with few seeds are new."""
_REPEATED: Final = f"{REPEAT}="
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,24}", re.ASCII)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9]+", re.ASCII)


def take_id(shot_id: str, point: Mapping[str, JsonValue]) -> str:
    """Return the id of a shot at one point of its sweep, at most 180 bytes of plain ASCII.

    Axes are sorted by name. A value or name that is not short and plain becomes its first word and six hex digits
    of its hash. A model loses its vendor's name and gets such digits. An id that is still too long is cut and ends in
    twelve digits.
    """
    if not point:
        return shot_id
    axes = ",".join(f"{_plain(axis)}={_value(axis, point[axis])}" for axis in sorted(point))
    full = f"{shot_id}@{axes}"
    if len(full) <= LONGEST:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:12]
    return f"{full[: LONGEST - len(digest) - 1]}-{digest}"


def repeated_id(take_id: str) -> str | None:
    """Return the id of the take that this one repeats, or None if it is not a repeat."""
    # Nearly no take is a repeat, and every take is asked about.
    if _REPEATED not in take_id:
        return None
    shot_id, _, axes = take_id.partition("@")
    parts = axes.split(",") if axes else []
    others = [part for part in parts if not part.startswith(_REPEATED)]
    if len(others) == len(parts):
        return None
    return f"{shot_id}@{','.join(others)}" if others else shot_id


def _value(axis: str, value: JsonValue) -> str:
    if axis != MODEL or not isinstance(value, str):
        return _plain(value)
    # The digits keep models apart: two vendors may use the same name, and dashes may stand for slashes.
    name = _UNSAFE.sub("-", value.partition("/")[2] or value)[:24].strip("-._")
    return f"{name or MODEL}-{canonical_hash(value)[:6]}"


def _plain(value: JsonValue) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    if _PLAIN.fullmatch(text):
        return text
    word = _WORD.search(text)
    return f"{word[0][:16] if word else 'value'}-{canonical_hash(value)[:6]}"


def derived_seed(shot_id: str, *, lowest: int = 0, highest: int = LARGEST) -> int:
    """Return the shot's own seed from the SHA-256 of its id; it is in `lowest` … `highest`, both included."""
    number = int.from_bytes(hashlib.sha256(shot_id.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return lowest + number % (highest - lowest + 1)


def seed_for(shot_id: str, wanted: Input) -> int:
    """Return a derived seed that the model's rules allow; if the model lists its seeds, it is one of them.

    A model whose bounds leave out all of 0 … 2^31-1 gets its lowest seed, or 0.
    """
    seeds = _seeds(wanted.whole)
    return seeds[derived_seed(shot_id, highest=len(seeds) - 1)]


def fitting_seed(drawn: int, wanted: Input, *, taken: Collection[int]) -> int:
    """Return `drawn` if the model allows it and it is not `taken`, else another seed; `drawn` again if none is left."""
    seeds = _seeds(wanted.whole)
    if drawn in seeds and drawn not in taken:
        return drawn
    tries = (seeds[(drawn + step) % len(seeds)] for step in range(min(len(seeds), len(taken) + 1)))
    return next((seed for seed in tries if seed not in taken), drawn)


def _seeds(allowed: WholeNumbers) -> Sequence[int]:
    """Return the seeds of 0 … 2^31-1 that a model allows, or all that it lists."""
    # They are sorted, because the order in which a page lists its values must not decide what is rendered.
    fitting = (seed for seed in allowed.listed if allowed.least <= seed <= allowed.most)
    if listed := sorted(seed for seed in fitting if seed % allowed.step == 0):
        return listed
    # Counted in steps, and rounded up by the two minus signs.
    lowest = -(-math.ceil(max(0, allowed.least)) // allowed.step)
    highest = max(lowest, math.floor(min(LARGEST, allowed.most)) // allowed.step)
    return range(lowest * allowed.step, highest * allowed.step + 1, allowed.step)


def further_seeds(shot_id: str, wanted: Input, count: int) -> list[int]:
    """Return `count` more seeds of a shot that the model allows, besides its first; a larger count keeps them.

    The first is the model's default or the one of `seed_for`. A model with few seeds may have fewer.
    """
    first = (
        wanted.default if type(wanted.default) is int and not wanted.required else seed_for(shot_id, wanted)
    )
    seeds: dict[int, None] = {first: None}
    for number in range(2, _TRIES * count + 2):
        if len(seeds) > count:
            break
        seeds.setdefault(seed_for(f"{number}:{shot_id}", wanted))
    return list(seeds)[1:]


def fingerprint(model: str, body_text: str) -> str:
    """Return 64 hex digits: the SHA-256 of the canonical JSON list of the model id and the body.

    `body_text` must already be canonical, as `canonical_json` makes it.
    """
    return hashlib.sha256(f"[{_quoted(model)},{body_text}]".encode()).hexdigest()


# A board has a hundred thousand takes of few models.
_quoted = lru_cache(maxsize=64)(canonical_json)
