"""The core check, the same after every scenario: what the ledger says was charged against what the state file knows.

In: the recorded state, the server's ledger and its list of arrivals. Out: findings, each with the thing's name. It is
pure and knows no process. The rules:

- no body is charged twice, unless a person asked for it;
- every accepted id is recorded under the take whose body it was, or that take is in doubt; one doubt excuses one id;
- no recorded id is foreign or stands under another take;
- an id that was used in a request is on disk; a clip that counts as delivered is on disk, whole;
- each submit has a connection of its own, and none comes while the server has asked for peace.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.outside.jobs import Entry
from tests.outside.server import Arrival
from tests.torture.recorded import IN_DOUBT, Recorded, RecordedTake

_USES = frozenset({"status", "result", "cancel"})


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong: request ids, or for `doubled` one entry for each charge too many; `others` are sentences."""

    doubled: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    mispaired: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def judge(
    recorded: Recorded,
    ledger: Sequence[Entry],
    *,
    known_bodies: Mapping[str, str],
    agreed: Mapping[str, int],
) -> Findings:
    """Hold the state file against the ledger.

    `known_bodies` maps the hash of every body a take ever had to the take's id; `agreed` says for how many further
    charges of a take somebody has asked.
    """
    owner = {entry.request_id: known_bodies.get(entry.sha256, "") for entry in ledger}
    return Findings(
        doubled=_doubled(ledger, known_bodies, agreed),
        lost=_lost(recorded, ledger, owner),
        mispaired=_mispaired(recorded, owner),
        others=(f"the state file is damaged: {recorded.damage}",) if recorded.damage else (),
    )


def _doubled(
    ledger: Sequence[Entry], known_bodies: Mapping[str, str], agreed: Mapping[str, int]
) -> tuple[str, ...]:
    charges = Counter((entry.model, entry.sha256) for entry in ledger)
    extra = {
        sha256: count - 1 - agreed.get(known_bodies.get(sha256, ""), 0)
        for (_, sha256), count in charges.items()
    }
    return tuple(
        known_bodies.get(sha256, sha256) for sha256, count in extra.items() for _ in range(max(0, count))
    )


def _lost(recorded: Recorded, ledger: Sequence[Entry], owner: Mapping[str, str]) -> tuple[str, ...]:
    lost: list[str] = []
    excused: Counter[str] = Counter()
    for entry in ledger:
        take = recorded.takes.get(owner[entry.request_id])
        if take is not None and entry.request_id in recorded.ids_of(take.take_id):
            continue
        # A lost answer is excused by the doubt in which its take is, and a doubt can hide only one charge.
        if take is not None and take.state in IN_DOUBT and not excused[take.take_id]:
            excused[take.take_id] += 1
            continue
        lost.append(entry.request_id)
    return tuple(lost)


def _mispaired(recorded: Recorded, owner: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        request_id
        for take_id in recorded.takes
        for request_id in recorded.ids_of(take_id)
        if owner.get(request_id) != take_id
    )


def used_too_early(
    recorded: Recorded, arrivals: Sequence[Arrival], *, exempt: Collection[str] = ()
) -> list[str]:
    """Return the ids that a request named although the state file does not have them; `exempt` are a person's."""
    used = {arrival.request_id for arrival in arrivals if arrival.route in _USES}
    return sorted(used - recorded.known - set(exempt))


def clips_missing(recorded: Recorded, run_dir: Path) -> list[str]:
    """Return the takes whose clip counts as delivered and is not on disk in its full length."""
    return [
        take.take_id
        for take in recorded.takes.values()
        if take.delivery == "delivered" and take.size not in map(_size, _places(take, run_dir))
    ]


def _places(take: RecordedTake, run_dir: Path) -> list[Path]:
    """Return where a delivered clip may be: where the record says, and on the way to the name of a renamed take."""
    file = run_dir / (take.file or "")
    if not take.file or file.stem == take.take_id:
        return [file]
    # A kill between a clip's new name and its record: the next run finds it there by its hash.
    return [file, *(file.with_name(f"{take.take_id}{mark}{file.suffix}") for mark in ("", "+moving"))]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def shared_connections(arrivals: Sequence[Arrival]) -> list[int]:
    """Return the connections that carried a submit and anything else."""
    routes: dict[int, list[str]] = defaultdict(list)
    for arrival in arrivals:
        routes[arrival.connection].append(arrival.route)
    return [number for number, carried in routes.items() if "submit" in carried and len(carried) > 1]


def impatient(arrivals: Sequence[Arrival], rests: Sequence[tuple[float, float]]) -> int:
    """Return how many submits came while the server had asked for peace; `rests` are from and to, monotonic seconds."""
    moments = [arrival.at for arrival in arrivals if arrival.route == "submit"]
    return sum(begin < moment < end for moment in moments for begin, end in rests)


def body_hash(body: str) -> str:
    """Return the hash by which a body is known to the ledger."""
    return hashlib.sha256(body.encode()).hexdigest()
