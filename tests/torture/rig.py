"""A rig: one manifest, one run directory, one counting server, and any number of lives of the command.

In: how many takes, which weather, which settings. Out: a `Tally` that grows with every check. After each life the core
check is made; at the end every doubt is answered from the ledger, as a person would, and the run must complete.
The command is run as a process from `tree`, so that a patched copy can stand in for the product.
"""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.domain.errors import ShotrunnerError
from runner.domain.states import Adopted, DeclaredNotSent
from runner.store.state_file import StateFile
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.torture import canary, core
from tests.torture.life import Life, environment
from tests.torture.recorded import Recorded, read
from tests.torture.registry import Verdict
from tests.torture.weather import Weather

REPOSITORY = Path(__file__).parents[2]
QUICK = Settings(service=0.06, jitter=0.8, slots=8, clip_bytes=6000, token=canary.CANARY)
"""Jobs of a few hundredths of a second, and the canary as the token."""

_BY_ITSELF = frozenset({0, 2, 3, 4, 69})


@dataclass(slots=True)
class Tally:
    """What a case has found so far."""

    kills: int = 0
    doubled: int = 0
    lost: int = 0
    mispaired: int = 0
    held: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """True once anything is wrong."""
        return bool(self.doubled or self.lost or self.mispaired or self.failures)

    def verdict(self, cases: int = 1) -> Verdict:
        """Return it as the verdict of so many cases."""
        failures = tuple(dict.fromkeys(self.failures))
        return Verdict(cases, self.kills, self.doubled, self.lost, self.mispaired, self.held, failures)


class Rig:
    """Use it in a `with` statement: the server lives as long as the block.

    `window` and `jobs` are the command's own options. An `adapting` run chooses its window and may become `window`
    wide. Unless `jobs` are given they are eight for each place in the window. `download` says whether lives bring clips
    home, the last one always does. `ids` are the shots' names, if the usual ones will not do. What a scenario does by
    hand it says here: `agreed` counts by take the further charges it asked for, `spoilt` are the takes whose clip it
    damaged, `exempt` the request ids that a person looked up. Lives also get the variables of `environ`.
    """

    def __init__(
        self,
        folder: Path,
        tally: Tally,
        *,
        takes: int,
        weather: Weather | None = None,
        settings: Settings = QUICK,
        window: int = 1,
        adapting: bool = False,
        jobs: int | None = None,
        download: bool = True,
        ids: Sequence[str] = (),
        tree: Path = REPOSITORY,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.tally = tally
        self.weather = weather or Weather(0)
        self.server = OutsideServer(settings, faults=self.weather)
        self.place = folder / "reports" / "board"
        self.manifest = folder / "board.csv"
        self.recorded = Recorded()
        self.agreed: Counter[str] = Counter()
        self.spoilt: set[str] = set()
        self.exempt: set[str] = set()
        self.lives = 0
        self.takes = takes
        self._moved = 0
        self._ids = ids
        self._window = window
        asked = "auto" if adapting else str(window)
        self._flags = ["-j", str(jobs or 8 * window), "--submit-window", asked, "--max-unknown", "1000"]
        self._download = download
        self._tree = tree
        self._environ = environ or {}
        self._doubt = 0
        self._losses = 0
        self._bodies: dict[str, str] = {}
        self._counts = {"doubled": 0, "lost": 0, "mispaired": 0}

    def __enter__(self) -> Self:
        (self.folder / "home").mkdir(parents=True)
        self.grow(self.takes)
        self.server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.__exit__(kind, error, trace)

    def grow(self, takes: int) -> None:
        """Let the manifest have so many takes; those it had stay as they were."""
        self.takes = takes
        write_board(self.manifest, takes, moved=self._moved, ids=self._ids)

    def renumber(self) -> None:
        """Let every shot have the id of the next one, and the last that of the first."""
        self._moved += 1
        write_board(self.manifest, self.takes, moved=self._moved, ids=self._ids)

    def run_arguments(self, *, download: bool | None = None) -> list[str]:
        """Return the arguments of `run` for this rig."""
        wanted = self._download if download is None else download
        own = [
            "run",
            str(self.manifest),
            "-y",
            "--poll-interval",
            "0.05",
            "--progress",
            "plain",
            *self._flags,
        ]
        return own if wanted else [*own, "--no-download"]

    def start(
        self,
        arguments: Sequence[str] = (),
        *,
        failpoints: str = "",
        pipes: tuple[int | None, int | None] = (None, None),
    ) -> Life:
        """Start a life of `run`, or of the command in `arguments`."""
        self.lives += 1
        env = environment(
            HOME=str(self.folder / "home"),
            PYTHONPATH=str(self._tree),
            RUNCOMFY_MODEL_API_BASE=f"{self.server.url}/v1",
            RUNCOMFY_TOKEN=canary.CANARY,
            SHOTRUNNER_FAILPOINTS=failpoints,
            **self._environ,
        )
        argv = [sys.executable, "-m", "runner", *(arguments or self.run_arguments())]
        return Life(argv, cwd=self.folder, env=env, words=self.folder / f"life-{self.lives:03}", pipes=pipes)

    def complain(self, words: str) -> None:
        """Add a failure."""
        self.tally.failures.append(
            f"{self.folder.parent.name}/{self.folder.name}, life {self.lives}: {words}"
        )

    def check(self, *lives: Life, codes: frozenset[int] = _BY_ITSELF, hurried: int = 0) -> None:
        """Make the core check once these lives have ended; each was killed or may have ended with one of `codes`.

        `hurried` of them were told not to wait for the answers that were on their way, and may leave doubts as a
        kill does.
        """
        for life in lives:
            self._check_end(life, codes)
        kills = sum(life.killed for life in lives)
        self.tally.kills += kills
        self.recorded = read(self.place)
        ledger = self.server.ledger()
        self._bodies |= {core.body_hash(take.body): take.take_id for take in self.recorded.takes.values()}
        self._count(core.judge(self.recorded, ledger, known_bodies=self._bodies, agreed=self.agreed))
        self._check_doubt(kills + hurried)
        for words in core.used_too_early(self.recorded, self.server.arrivals(), exempt=self.exempt):
            self.complain(f"{words} was used before it was on disk")
        for take_id in set(core.clips_missing(self.recorded, self.place)) - self.spoilt:
            self.complain(f"{take_id} counts as delivered, and its clip is not there or not whole")

    def _check_end(self, life: Life, codes: frozenset[int]) -> None:
        if not life.killed and life.code not in codes:
            self.complain(f"exit code {life.code}: {life.said()}")
        if canary.forms_in(life.seen_command):
            self.complain("the token stands in the command line")
        if "Traceback" in life.words():
            self.complain(f"a traceback: {life.said()}")

    def _count(self, findings: core.Findings) -> None:
        """Add what is new: a charge that is lost stays lost, and is to be counted once."""
        for name in self._counts:
            found = len(getattr(findings, name))
            if found > self._counts[name]:
                setattr(self.tally, name, getattr(self.tally, name) + found - self._counts[name])
                self._counts[name] = found
                self.complain(f"{name}: {', '.join(getattr(findings, name))}")
        for words in findings.others:
            self.complain(words)

    def _check_doubt(self, kills: int) -> None:
        """Hold the new doubts against the kills; what the weather took away is not theirs."""
        doubt, losses = len(self.recorded.in_doubt), self.weather.losses
        mine = doubt - self._doubt - (losses - self._losses)
        if mine > self._window * kills:
            self.complain(f"{mine} takes in doubt after {kills} kills with a window of {self._window}")
        self.tally.held += max(0, mine)
        self._doubt, self._losses = doubt, losses

    def check_peace(self) -> None:
        """Complain of submits that came while the server had asked for peace; right only within one life."""
        if early := core.impatient(self.server.arrivals(), self.weather.rests):
            self.complain(f"{early} submits came within a pause that the server had asked for")

    @property
    def unfinished(self) -> bool:
        """True while a life of `run` would find something to submit, watch or fetch."""
        done = {"failed", "cancelled", "held", "dropped"}
        return not self.recorded.takes or any(
            take.state not in done
            and not (take.state == "succeeded" and (take.delivery == "delivered" or not self._download))
            for take in self.recorded.takes.values()
        )

    def finish(self) -> None:
        """Answer every doubt from the ledger, run once more in calm weather, and look at everything."""
        self.weather.calm()
        self.weather.forget_strike()
        self.answer_doubts()
        life = self.start(self.run_arguments(download=True))
        life.end()
        self.check(life, codes=frozenset({0, 2}))
        self._check_ends(life.code)
        for number in core.shared_connections(self.server.arrivals()):
            self.complain(f"a submit shared connection {number}")
        if leaks := self.server.stats()["leaks"]:
            self.complain(f"{leaks} downloads carried the token")
        for words in canary.search(self.folder):
            self.complain(words)

    def _check_ends(self, code: int | None) -> None:
        """Hold every take against what its job came to, and the exit code against all of them."""
        ends = self.server.ends()
        wrong, bad = [], 0
        for take in self.recorded.takes.values():
            wanted = ends.get(take.request_id or "", "a job")
            bad += wanted != "succeeded"
            if take.state != wanted:
                wrong.append(f"{take.take_id} is {take.state} and not {wanted}")
            elif wanted == "succeeded":
                self._check_clip(take.take_id)
        if wrong:
            self.complain(f"at the end {', '.join(wrong[:4])}{', …' if wrong[4:] else ''}")
        if code != (2 if bad else 0):
            self.complain(f"exit code {code} at the end, with {bad} takes that did not succeed")

    def _check_clip(self, take_id: str) -> None:
        take = self.recorded.takes[take_id]
        try:
            found = (self.place / (take.file or "none")).read_bytes()
        except OSError as error:
            self.complain(f"the clip of {take_id} cannot be read: {error.strerror}")
            return
        if found != self.server.clip(take.request_id or ""):
            self.complain(f"the clip of {take_id} is not the one its job made")

    def doubts(self) -> dict[str, str]:
        """Return by doubtful take the id of its charge, as a person would find it at the provider; empty for none."""
        unclaimed = {
            self._bodies[entry.sha256]: entry.request_id
            for entry in self.server.ledger()
            if entry.request_id not in self.recorded.known and entry.sha256 in self._bodies
        }
        return {take_id: unclaimed.get(take_id, "") for take_id in sorted(self.recorded.in_doubt)}

    def answer_doubts(self) -> None:
        """Do what a person would do who looks every doubtful take up on the provider's site."""
        if not self.recorded.in_doubt:
            return
        try:
            # What the last runner was sending becomes held, and ids that it kept beside the file are entered.
            with StateFile.open(self.place / "state.db") as state:
                state.begin(at=time.time())
            self.recorded = read(self.place)
            with StateFile.open(self.place / "state.db") as state:
                for take_id, request_id in self.doubts().items():
                    by = "the ledger"
                    fact = Adopted(request_id, by=by) if request_id else DeclaredNotSent(by=by)
                    state.record(take_id, fact, at=time.time()).result(10)
                    self.exempt.add(request_id)
        except ShotrunnerError as error:
            self.complain(f"the doubts cannot be answered: {type(error).__name__}: {error}")


def write_board(path: Path, takes: int, *, moved: int = 0, ids: Sequence[str] = ()) -> None:
    """Write a CSV manifest of so many takes, no two with the same request; ids have `moved` on by so many shots."""
    names = ids or [f"t{number:03}" for number in range(takes)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "model", "keyFramesFirst", "keyFramesLast", "promptText", "duration", "seed"])
        for number in range(takes):
            frames = (f"https://example.com/{number}{which}.jpg" for which in "ab")
            writer.writerow(
                [
                    names[(number + moved) % takes],
                    "pika/pikaframes",
                    *frames,
                    f"Shot number {number}.",
                    1,
                    number,
                ]
            )


def settings(**values: float | bool | str) -> Settings:
    """Return the quick settings with other values."""
    return replace(QUICK, **values)  # type: ignore[arg-type]  # the names are those of Settings
