"""Situations in which a failpoint may be reached: plain and stormy runs, failing disks, every command that decides.

In: a folder and a seed. Out: a rig that is ready, and the arguments of the command that is to be killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.outside.faults import Fault
from tests.outside.jobs import Settings
from tests.torture.rig import QUICK, REPOSITORY, Rig, Tally, settings
from tests.torture.weather import Chances, Weather, storm

DISK_FAILED = 74


def _nothing(rig: Rig) -> None:
    """Prepare nothing: the command begins with an empty folder."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One situation: `prepare` brings a rig into it, `arguments` is the command to kill, by default `run`.

    `rules` are failpoints armed beside the one that kills; `codes` are the exit codes of a life that outlives its
    failpoint. Points whose names begin as one of `reaches` are looked for here first.
    """

    name: str
    reaches: tuple[str, ...] = ()
    chances: Chances = field(default_factory=dict)
    settings: Settings = QUICK
    takes: int = 12
    prepare: Callable[[Rig], None] = _nothing
    arguments: Callable[[Rig], list[str]] = Rig.run_arguments
    rules: str = ""
    codes: frozenset[int] = frozenset({0, 2, 3, 4, 69})

    def rig(self, folder: Path, tally: Tally, seed: int, *, window: int = 1, tree: Path = REPOSITORY) -> Rig:
        """Return the rig, not yet entered."""
        return Rig(
            folder,
            tally,
            takes=self.takes,
            weather=Weather(seed, self.chances),
            settings=self.settings,
            window=window,
            tree=tree,
        )


def _doubtful(rig: Rig) -> None:
    """Let four lives die with requests in the air: some takes are held, and some are as their runner left them."""
    for _ in range(4):
        _die_in_flight(rig)
    rig.weather.calm()


def _die_in_flight(rig: Rig) -> None:
    rig.weather.strike_at("submit", after=0.005, blow=lambda: life.kill())
    life = rig.start()
    life.end()
    rig.check(life)


def _decide(rig: Rig) -> list[str]:
    """Answer the first doubt that is left by what the ledger says of it."""
    for take_id, request_id in rig.doubts().items():
        rig.exempt.add(request_id)
        decision = ["adopt", take_id, request_id] if request_id else ["not-sent", take_id]
        return ["reconcile", str(rig.place), *decision]
    return ["reconcile", str(rig.place)]


def _unsent(rig: Rig) -> None:
    """Let three lives die between the intent and its first byte: three takes are in doubt, and none was charged."""
    for _ in range(3):
        life = rig.start(failpoints="submit.begun=kill@1")
        life.end()
        rig.check(life)


def _declare(rig: Rig) -> list[str]:
    """Say of all takes that are held that they were not sent, as the ledger does."""
    held = [take_id for take_id, request_id in rig.doubts().items() if not request_id]
    return ["reconcile", str(rig.place), *(["not-sent", *held] if held else [])]


def _done(rig: Rig) -> None:
    """Let a run come to its end."""
    life = rig.start()
    life.end()
    rig.check(life)


def _pay_again(rig: Rig) -> list[str]:
    """Ask for a second attempt of three takes that failed."""
    failed = [take.take_id for take in rig.recorded.takes.values() if take.state == "failed"][:3]
    made = Counter(attempt.take_id for attempt in rig.recorded.attempts)
    # Set and not added: a wish that died before it was on record allows no charge beside that of the next.
    rig.agreed.update({take_id: made[take_id] - rig.agreed[take_id] for take_id in failed})
    _, manifest, *flags = rig.run_arguments()
    return ["retry", manifest, *failed, *flags] if failed else rig.run_arguments()


def _waiting(rig: Rig) -> None:
    """Leave jobs in a slow queue, whose ids are on record: in a wide window all are submitted at the same moment."""
    calls = Counter(rig.server.stats()["calls"])
    life = rig.start()

    def is_watched() -> bool:
        more = Counter(rig.server.stats()["calls"]) - calls
        return more["submit"] >= rig.takes and more["status"] > 0

    life.wait_until(is_watched)
    life.kill()
    rig.check(life)


def _not_fetched(rig: Rig) -> None:
    """Let a run come to its end without its clips."""
    life = rig.start(rig.run_arguments(download=False))
    life.end()
    rig.check(life)


def _spoil(rig: Rig) -> None:
    """Cut every other clip, once, and throw the files beside the others away: with neither it would not be ours."""
    for number, take in enumerate(rig.recorded.takes.values()):
        if take.delivery != "delivered" or take.take_id in rig.spoilt:
            continue
        clip = rig.place / (take.file or "")
        if number % 2:
            clip.with_name(f"{take.take_id}.json").unlink(missing_ok=True)
        else:
            rig.spoilt.add(take.take_id)
            clip.write_bytes(b"cut")


def _spoil_and_verify(rig: Rig) -> list[str]:
    """Spoil what is at home, and ask for all to be read again."""
    _spoil(rig)
    return ["verify", str(rig.place), "--mark"]


def _spoil_and_fetch(rig: Rig) -> list[str]:
    """Spoil what is at home, and ask for it to be brought again."""
    _spoil(rig)
    return ["fetch", str(rig.place)]


def _renumber(rig: Rig) -> list[str]:
    """Give every shot another's id, and run: all clips change names in a circle, and nothing is paid for."""
    rig.renumber()
    return rig.run_arguments()


def _name_files(rig: Rig) -> list[str]:
    """Give all clips of a finished run new names by a template."""
    return ["fetch", str(rig.place), "--name", "{shot}_t{take:02}"]


_DECIDED = frozenset({0, 2, 3, 4, 64})

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("plain"),
        # The commit that fails must be the one that brings an id home, and which one that is depends on the start.
        *(
            Scenario(
                f"disk {nth}",
                reaches=("store.side-file", "store.reconnect"),
                rules=f"store.before-commit=EIO@{nth}+;",
                codes=frozenset({0, 4, DISK_FAILED}),
            )
            for nth in (8, 9, 10, 11)
        ),
        *(
            Scenario(
                f"flaw {nth}", rules=f"store.before-commit=EIO@{nth};", codes=frozenset({0, 4, DISK_FAILED})
            )
            for nth in (8, 9, 10)
        ),
        Scenario(
            "reconcile",
            reaches=("decide.looked", "decide.recorded"),
            chances={"submit": [(1.0, Fault(delay=0.1))]},
            takes=8,
            prepare=_doubtful,
            arguments=_decide,
            codes=_DECIDED,
        ),
        Scenario(
            "not sent",
            reaches=("decide.handed-in",),
            takes=5,
            prepare=_unsent,
            arguments=_declare,
            codes=_DECIDED,
        ),
        Scenario(
            "retry",
            reaches=("retry.",),
            settings=settings(failing=1.0),
            takes=6,
            prepare=_done,
            arguments=_pay_again,
        ),
        Scenario(
            "cancel",
            reaches=("cancel.",),
            settings=settings(slots=1, service=0.5, jitter=0.0),
            takes=5,
            prepare=_waiting,
            arguments=lambda rig: ["cancel", str(rig.place), "--all"],
            codes=_DECIDED,
        ),
        Scenario(
            "fetch",
            takes=6,
            prepare=_not_fetched,
            arguments=lambda rig: ["fetch", str(rig.place)],
            codes=_DECIDED,
        ),
        Scenario(
            "verify",
            reaches=("upkeep.marked",),
            takes=6,
            prepare=_done,
            arguments=_spoil_and_verify,
            codes=_DECIDED,
        ),
        Scenario(
            "spoilt",
            reaches=("upkeep.",),
            takes=6,
            prepare=_done,
            arguments=_spoil_and_fetch,
            codes=_DECIDED,
        ),
        Scenario(
            "named",
            reaches=("recall.named",),
            takes=6,
            prepare=_done,
            arguments=_name_files,
            codes=_DECIDED,
        ),
        Scenario("renumbered", reaches=("recall.",), takes=6, prepare=_done, arguments=_renumber),
        Scenario("storm", chances=storm(0.15), takes=20),
    )
}
"""By name, in the order in which they are tried where none says that it reaches the point."""
