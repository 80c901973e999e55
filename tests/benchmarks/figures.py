"""The arithmetic of the benchmark: what was asked, what it used, what the server counted, and the ratios.

In: plain numbers. Out: plain numbers. It starts nothing and prints nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Load:
    """What every contender is asked to do; `service`, `poll` and `delay` in seconds, `jitter` as a share of `service`.

    `delay` comes before each answer. `poll` is for the peers; `own_poll` is Shotrunner's least interval, None for its
    default.
    """

    takes: int = 2000
    cap: int = 100
    slots: int = 100
    service: float = 1.0
    jitter: float = 0.3
    poll: float = 0.25
    seed: int = 1
    delay: float = 0.0
    own_poll: float | None = 0.1

    @property
    def least(self) -> float:
        """The least possible makespan in seconds: every usable slot busy from the first moment to the last."""
        return self.takes * self.service / min(self.slots, self.cap)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process and the descendants it waited for used: seconds and bytes.

    `peak_bytes` is that of the largest single process, never a sum. Linux lets a child inherit its
    parent's peak when it is started, so a figure at or below `floor_bytes` only says "no more than that".
    """

    exit_code: int
    wall: float
    cpu: float
    peak_bytes: int
    floor_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One contender's run: its load, its usage, and the server's counts at the end."""

    contender: str
    load: Load
    usage: Usage
    stats: Mapping[str, float]
    calls: Mapping[str, int]

    @property
    def makespan(self) -> float:
        """Seconds from the first accepted submit to the last job's end, by the server's clock."""
        return max(0.0, self.stats["last_done"] - self.stats["first_submit"])

    @property
    def makespan_ratio(self) -> float:
        """Makespan over the least possible: 1 is perfect."""
        return self.makespan / self.load.least

    @property
    def wall_ratio(self) -> float:
        """The whole process, from start to exit, over the least possible makespan."""
        return self.usage.wall / self.load.least

    @property
    def cpu_ms_per_take(self) -> float:
        """User and system milliseconds of the contender's whole process tree, per take."""
        return self.usage.cpu * 1000 / self.load.takes

    @property
    def looks_per_take(self) -> float:
        """Status calls per take."""
        return self.calls.get("status", 0) / self.load.takes

    @property
    def results_per_take(self) -> float:
        """Result calls per take: 1 is the least, since the result alone says how a job ended."""
        return self.calls.get("result", 0) / self.load.takes

    @property
    def sound(self) -> bool:
        """True if it ended well, each take was paid once, all jobs ended, and the cap was kept."""
        paid_once = self.stats["submits"] == self.stats["distinct"] == self.load.takes
        cap_kept = self.stats["peak_outstanding"] <= self.load.cap
        all_ended = self.stats["outstanding"] == 0
        return self.usage.exit_code == 0 and paid_once and all_ended and cap_kept

    def as_json(self) -> dict[str, object]:
        """Return everything measured and derived, ready for JSON."""
        derived = ("makespan", "makespan_ratio", "wall_ratio", "cpu_ms_per_take")
        more = ("looks_per_take", "results_per_take", "sound")
        figures = {name: getattr(self, name) for name in (*derived, *more)}
        asked = {**asdict(self.load), "least": self.load.least}
        rest = {"usage": asdict(self.usage), "stats": dict(self.stats), "calls": dict(self.calls)}
        return {"contender": self.contender, **figures, "load": asked, **rest}


def usable_cpus(affinity: int, cpu_max: str | None) -> float:
    """Return how many processors this process may really use.

    `affinity` is the number it may be scheduled on, `cpu_max` the text of a cgroup's `cpu.max` ("200000 100000",
    or "max 100000" without a quota), None where there is no such file.
    """
    quota, _, period = (cpu_max or "max").strip().partition(" ")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return float(affinity)
    return min(float(affinity), int(quota) / int(period))


def at_floor(usage: Usage) -> bool:
    """Return whether the peak says no more than that it was below the harness's own."""
    return usage.peak_bytes <= usage.floor_bytes


def peak_mib(usage: Usage) -> int:
    """Return the peak in whole MiB, rounded up."""
    return math.ceil(usage.peak_bytes / MIB)
