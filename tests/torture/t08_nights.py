"""T8: virtual nights of twelve hours: outages, throttling, slow jobs, sleep, clocks that jump, kills, and the morning.

In: a seed. Out: a verdict by the ledger: nothing charged twice, nothing lost, nothing under another take's name, few
takes held, few requests while nobody answers, and in the end every take at its end. Twelve hours pass in a second.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.torture.night_api import Bad, Fates, Spell
from tests.torture.night_judge import DARK, judge
from tests.torture.night_life import Morning, Plan, live
from tests.torture.registry import Verdict

NAME = "T8 virtual nights"
PR = 1 / 30
NIGHTS = 300
"""Nights at full scale, about four minutes on two cores; ten in the small tier."""

HOUR = 3600.0
NIGHT = 12 * HOUR


@dataclass(frozen=True, slots=True)
class Night:
    """One night, by its seed; `erring` ones are played twice, with bad reads and without."""

    name: str
    seed: int
    erring: bool = False


def cases(seed: int, scale: float) -> Iterable[Night]:
    """Return the nights; one in ten is about the load on a service that errs."""
    for number in range(max(1, round(NIGHTS * scale))):
        erring = number % 10 == 9
        yield Night(f"night-{'erring-' if erring else ''}{number:04}", seed * 10_000 + number, erring)


def run(case: Night, workdir: Path) -> Verdict:  # noqa: ARG001 - nothing is written
    """Live through one night and judge it in the morning."""
    if case.erring:
        return erring(case.seed)
    plan = draw(case.seed)
    morning = live(plan)
    weather = ", ".join(f"{spell.bad.value} for {spell.end - spell.begin:.0f} s" for spell in plan.weather)
    print(
        f"T8 {case.name}: {plan.takes} takes, {plan.jobs} at once, {len(plan.kills)} kills, "
        f"{len(plan.sleeps)} sleeps, {len(plan.jumps)} jumps, {weather}: {len(morning.api.asked)} requests",
        flush=True,
    )
    return judge(morning)


def draw(seed: int) -> Plan:
    """Draw a night: how much work, and what goes wrong when."""
    chance = random.Random(seed)
    jobs = chance.choice((2, 4, 8, 16))
    takes = chance.choice((300, 300, 300, 400, 600, 1000))
    # So long that work lasts into the weather, whatever the cap.
    median = min(400.0, max(30.0, chance.uniform(0.5, 1.2) * 8 * HOUR * jobs / takes))
    return Plan(
        seed,
        takes,
        jobs,
        Fates(median=median),
        weather=tuple(_weather(chance)),
        kills=tuple(sorted(chance.uniform(0, NIGHT) for _ in range(chance.choice((0, 1, 3, 8))))),
        sleeps=tuple(
            (chance.uniform(0, NIGHT), chance.uniform(60, 8 * HOUR)) for _ in range(chance.randint(0, 2))
        ),
        jumps=tuple(
            (chance.uniform(0, NIGHT), chance.choice((-86_400.0, -HOUR, HOUR, 86_400.0)))
            for _ in range(chance.randint(0, 2))
        ),
    )


def _weather(chance: random.Random) -> Iterator[Spell]:
    """Yield spells that do not overlap: one outage of up to eight hours, and some shorter trouble of every kind."""
    at = chance.uniform(0, 2 * HOUR)
    lengths = [
        chance.uniform(0, 8 * HOUR),
        *(chance.expovariate(1 / 900) for _ in range(chance.randint(0, 5))),
    ]
    chance.shuffle(lengths)
    for length in lengths:
        bad = chance.choice(tuple(Bad))
        share = 1.0 if bad in {*DARK, Bad.CLIPS_AWAY} else chance.choice((0.05, 0.3, 1.0))
        yield Spell(bad, at, at + length, share)
        at += length + chance.uniform(300, HOUR)


def erring(seed: int) -> Verdict:
    """Play a night with a service that errs on reads, and the same without; compare what was asked of it meanwhile."""
    chance = random.Random(seed)
    spell = Spell(
        Bad.ERRING,
        HOUR,
        HOUR + chance.uniform(HOUR, 3 * HOUR),
        chance.choice((0.1, 0.3, 0.6)),
        reads_only=True,
    )
    calm = Plan(seed, takes=300, jobs=12, fates=Fates(median=300.0))
    healthy, ill = live(calm), live(replace(calm, weather=(spell,)))
    verdict = judge(ill)
    asked, reads = len(_reads(ill, spell)), _reads(healthy, spell)
    # For each job the look at its end and the read of its result are repeated until they are answered.
    needed = round(len(reads) + 2 * reads.count("result") * spell.share / (1.0 - spell.share))
    print(f"T8 erring night {seed}: {asked} reads with {spell.share:.0%} bad, {needed} needed", flush=True)
    if asked > 1.1 * needed:
        text = f"{asked} reads while {spell.share:.0%} of them failed, where {needed} were needed"
        return replace(verdict, cases=2, failures=(*verdict.failures, text))
    return replace(verdict, cases=2)


def _reads(morning: Morning, spell: Spell) -> list[str]:
    """Return what was asked while the service erred, besides the submits."""
    return [
        asked.verb
        for asked in morning.api.asked
        if spell.begin <= asked.at < spell.end and asked.verb != "submit"
    ]
