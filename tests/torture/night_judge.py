"""The morning after a virtual night: the record held against the ledger, and the run's manners against its promises.

In: a `Morning`. Out: a `Verdict`. It is pure: nothing is played again here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runner.domain.states import FailureClass, Refused, TakeState
from runner.engine.options import EngineOptions
from tests.torture.night_api import Bad, Spell
from tests.torture.night_life import Morning
from tests.torture.registry import Verdict

DARK = frozenset({Bad.SILENT, Bad.UNREACHABLE})
"""Weather in which nobody answers at all."""

_SLACK = 4
SETTLING = 120.0
"""Seconds of an outage in which what was under way may still fail."""


def judge(morning: Morning) -> Verdict:
    """Hold the record against the ledger, and the run's manners against what was promised."""
    owner = {job.request_id: job.take for job in morning.api.ledger}
    recorded = {
        entry.fact.request_id: entry.take_id
        for entry in morning.journal.written
        if hasattr(entry.fact, "request_id")
    }
    charges = Counter(owner.values())
    doubled = sum(count - 1 for count in charges.values())
    in_doubt = {name for name in morning.journal.takes if morning.journal.state_of(name) is TakeState.HELD}
    lost = [rid for rid, take in owner.items() if rid not in recorded and take not in in_doubt]
    mispaired = [rid for rid, take in recorded.items() if owner.get(rid) != take]
    mispaired += [name for take, name in morning.api.clips if owner.get(name) != take]
    failures = [*morning.failures, *_ends(morning), *_manners(morning)]
    return Verdict(
        cases=1,
        kills=morning.kills,
        doubled=doubled,
        lost=len(lost),
        mispaired=len(mispaired),
        held=morning.held_by_kills,
        failures=tuple(failures),
    )


def _ends(morning: Morning) -> Iterator[str]:
    """Yield every take that is not where the service's own truth says that it should be."""
    journal, api = morning.journal, morning.api
    left = journal.unfinished()
    if left:
        ways = Counter(f"{journal.state_of(name)}" for name in left)
        yield f"{len(left)} takes never came to their end: {dict(ways)} after {len(morning.lives)} lives"
    refused = {entry.take_id for entry in journal.written if isinstance(entry.fact, Refused)}
    for name in set(journal.takes) - set(left):
        state, _, request_id = journal.memory.state_of(name)
        job = api.job(request_id or "")
        fate = "refused" if job is None and name in refused else getattr(job, "fate", "unknown")
        good = (state is TakeState.SUCCEEDED) == (fate == "succeeded")
        if not good or fate == "unknown":
            yield f"{name} is {state}, but the service says {fate}"
    brought = Counter(take for take, _ in api.clips)
    if any(count > 2 for count in brought.values()):
        yield f"clips were fetched again and again: {brought.most_common(3)}"


def _manners(morning: Morning) -> Iterator[str]:
    """Yield what was asked too often, and what was held too much."""
    options = EngineOptions(jobs=morning.plan.jobs)
    if morning.held_per_kill > options.widest_window:
        yield f"one kill left {morning.held_per_kill} takes in doubt"
    # The last of them may have been lost together with the rest of the window.
    if morning.held_per_life >= options.max_unknown + options.widest_window:
        yield f"one run left {morning.held_per_life} takes in doubt"
    for spell in morning.plan.weather:
        if spell.bad in DARK:
            yield from _quiet(morning, spell)
    yield from _false_ends(morning)


def _quiet(morning: Morning, spell: Spell) -> Iterator[str]:
    """Yield an outage in which more than one request left in 30 seconds, once it was known to be one."""
    # Time that the machine slept through is not time in which it could have asked.
    lives = [at for at in morning.lives if spell.begin <= at < spell.end]
    # An outage is known by what it does to requests: with a few long jobs the first one may be minutes away.
    during = [asked.at for asked in morning.api.asked if spell.begin <= asked.at < spell.end]
    known = min(during, default=spell.end) + SETTLING
    moments = [at for at in during if at >= known]
    noisy = [at for at in moments if not any(life <= at < life + SETTLING for life in lives)]
    noisy = [at for at in noisy if not any(end <= at < end + SETTLING for end in _wakings(morning))]
    length = spell.end - known
    if len(noisy) > max(0.0, length) / 30.0 + _SLACK:
        yield f"{len(noisy)} requests in {length:.0f} s of {spell.bad}"
    settled = min(spell.end, spell.begin + SETTLING)
    first = [asked for asked in morning.api.asked if spell.begin <= asked.at < settled]
    if len(first) > 2 * EngineOptions().looks_in_doubt + 8:
        yield f"{len(first)} requests in the first {SETTLING:.0f} s of {spell.bad}"


def _wakings(morning: Morning) -> Iterator[float]:
    slept = 0.0
    for at, seconds in sorted(morning.plan.sleeps):
        slept += seconds
        yield at + slept


def _false_ends(morning: Morning) -> Iterator[str]:
    """Yield jobs that were given up although the service never forgets one."""
    for entry in morning.journal.written:
        failure = getattr(entry.fact, "failure", None)
        if failure in {FailureClass.MISSING, FailureClass.EXPIRED}:
            yield f"{entry.take_id} was given up as {failure}"
