"""Whole runs beside the scripts that users would write: three loads, each against a fresh counting server.

In: how often. Out: figures. Every contender does the same load in turn, so that a busy moment meets all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from tests.benchmarks.bench import run, say, table
from tests.benchmarks.contenders import Contender, contenders
from tests.benchmarks.figures import Load, Measurement, peak_mib
from tests.benchmarks.reached import Figure

SHELL_TAKES = 200
_GIVE_UP = 90.0
"""Times the least possible makespan."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load: who takes part, `own` first, and how its figures follow from the runs of each contender."""

    load: Load
    own: str
    peers: tuple[str, ...]
    figures: Callable[[str, Mapping[str, Sequence[Measurement]], str], Iterator[Figure]]

    @property
    def name(self) -> str:
        """The load in words."""
        load = self.load
        away = f", {load.delay * 1000:.0f} ms away" if load.delay else ""
        return f"{load.takes:,} takes, cap {load.cap}, jobs of {load.service:g} s ± {load.jitter:.0%}{away}"

    def smaller(self) -> Scenario:
        """Return the same with a tenth of the takes and slots, and jobs of at most two seconds."""
        load = self.load
        takes, cap = load.takes // 10, load.cap // 10
        return replace(
            self, load=replace(load, takes=takes, cap=cap, slots=cap, service=min(load.service, 2.0))
        )


def _against_a_script(name: str, runs: Mapping[str, Sequence[Measurement]], own: str) -> Iterator[Figure]:
    """Compare first submit to last job done with the aiohttp script's."""
    mine = [measured.makespan for measured in runs[own]]
    peer = [measured.makespan for measured in runs.get("aiohttp script", ())]
    pairs = tuple(one / other for one, other in zip(mine, peer, strict=False))
    yield Figure(f"{name}: makespan over the aiohttp script's", pairs, "×", most=1.35)
    yield Figure(f"{name}: makespan", tuple(mine), "s", beside=_beside(runs, own, "makespan", "s"))
    yield from _costs(name, runs, own)


def _against_the_least(
    name: str,
    runs: Mapping[str, Sequence[Measurement]],
    own: str,
    *,
    most: float = 1.25,
    cpu: float | None = None,
) -> Iterator[Figure]:
    """Compare the same span with the least possible."""
    ratios = tuple(measured.makespan_ratio for measured in runs[own])
    beside = _beside(runs, own, "makespan_ratio", "×")
    yield Figure(f"{name}: makespan over the least", ratios, "×", most=most, beside=beside)
    yield from _costs(name, runs, own, cpu=cpu)


def _costs(
    name: str, runs: Mapping[str, Sequence[Measurement]], own: str, *, cpu: float | None = None
) -> Iterator[Figure]:
    mine = runs[own]
    times = tuple(measured.cpu_ms_per_take for measured in mine)
    looks, peaks = (measured.looks_per_take for measured in mine), (peak_mib(one.usage) for one in mine)
    yield Figure(
        f"{name}: CPU a take", times, "ms", most=cpu, beside=_beside(runs, own, "cpu_ms_per_take", "ms")
    )
    yield Figure(f"{name}: looks a take", tuple(looks), beside=_beside(runs, own, "looks_per_take", ""))
    yield Figure(f"{name}: peak memory", tuple(map(float, peaks)), "MiB")


def _beside(runs: Mapping[str, Sequence[Measurement]], own: str, figure: str, unit: str) -> str:
    """Return the peers' medians in words."""
    peers = {name: Figure(name, tuple(getattr(one, figure) for one in done)) for name, done in runs.items()}
    return ", ".join(
        f"{name} {peer.median:.3g} {unit}".strip() for name, peer in peers.items() if name != own
    )


def _busy(name: str, runs: Mapping[str, Sequence[Measurement]], own: str) -> Iterator[Figure]:
    return _against_the_least(name, runs, own, most=1.06, cpu=2.5)


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "far": Scenario(
            Load(400, 400, 400, 10.0, delay=0.2, own_poll=None),
            "shotrunner",
            ("aiohttp script",),
            _against_a_script,
        ),
        "slots": Scenario(
            Load(200, 50, 50, 5.0, delay=0.2, own_poll=None),
            "shotrunner",
            ("aiohttp script",),
            _against_the_least,
        ),
        "near": Scenario(
            Load(own_poll=0.05),
            "shotrunner --no-download",
            ("httpx script", "aiohttp script", "GNU parallel"),
            _busy,
        ),
    }
)


def measure_scenario(key: str, *, times: int, quick: bool) -> Iterator[Figure]:
    """Run everyone who takes part in a scenario so often, print the table of the middle runs, yield the figures."""
    scenario = SCENARIOS[key].smaller() if quick else SCENARIOS[key]
    everyone = {each.name: each for each in contenders(shell_takes=SHELL_TAKES)}
    present: list[Contender] = []
    for name in (scenario.own, *scenario.peers):
        if reason := everyone[name].absence():
            say(f"{name}: does not take part, {reason}")
        else:
            present.append(everyone[name])
    runs: dict[str, list[Measurement]] = {}
    for number in range(times):
        for contender in present:
            # The shell is as slow each time.
            if number == 0 or contender.takes_at_most is None:
                runs.setdefault(contender.name, []).append(run(contender, scenario.load, factor=_GIVE_UP))
    middle = [(each, _middle(runs[each.name])) for each in present]
    say("", f"{scenario.name}; least possible {scenario.load.least:.1f} s; middle runs", table(middle), "")
    if unsound := [name for name, done in runs.items() if not all(one.sound for one in done)]:
        say(f"NOT SOUND, and so without a figure: {', '.join(unsound)}")
    sound = {name: [one for one in done if one.sound] for name, done in runs.items()}
    yield from scenario.figures(scenario.name, sound, scenario.own)


def _middle(done: Sequence[Measurement]) -> Measurement:
    return sorted(done, key=lambda measured: measured.makespan)[len(done) // 2]
