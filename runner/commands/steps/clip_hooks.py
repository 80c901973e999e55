"""Starts the user's command once for each delivered clip while a run goes on, a few at once, and records that it ran.

It hears of clips from the engine, and finds in the record those that an earlier session was killed before. Whatever
goes wrong here fails no run and changes no exit code. A kill between a command's end and its record repeats it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from runner.commands.steps.hook_record import OUTPUT, ClipKey, HookRecord, open_record
from runner.commands.steps.request import RunRequest
from runner.commands.steps.signals import heed_skips
from runner.domain.display import counted, visible, with_label
from runner.domain.errors import ShotrunnerError
from runner.domain.records import TakeRecord
from runner.domain.run_events import Event, FactRecorded
from runner.domain.states import Delivered
from runner.media.clips.clip_names import sidecar_name
from runner.notify.program import Finished, run_program
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock
from runner.system.daemon_executor import DaemonExecutor

FORMAT = "shotrunner-delivered/1"
AT_ONCE = 4
LIMIT_S = 600.0
_TICK_S = 0.1
_SILENCE_S = 1.0
_NAMED = 3

Start = Callable[[Sequence[str], str, threading.Event], Finished]
"""Starts a command with a text on its standard input, and waits for its end or for the event."""


class ClipHooks:
    """Runs the hook of one session; it listens to the engine, and `finish` or `stop` ends it."""

    def __init__(
        self, place: RunDir, words: Sequence[str], record: HookRecord, start: Start, clock: Clock
    ) -> None:
        self._place, self._words, self._record = place, words, record
        self._start, self._clock = start, clock
        self._begun: set[ClipKey] = set(record.done)
        self._waiting = 0
        self._left, self._ran = 0, 0
        self._failed: list[str] = []
        self._is_failure_said = False
        self._trouble = ""
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._say: Callable[[str], None] = lambda _: None
        self._has_begun = False
        self._pool = DaemonExecutor(AT_ONCE, name="hook")

    def begin(self, say: Callable[[str], None]) -> None:
        """Run the hook for clips that an earlier session left; `say` shows messages, in the thread of the caller.

        After a reload it only gets another `say`.
        """
        self._say = say
        if self._has_begun:
            return
        self._has_begun = True
        with open_reader(self._place.state_file, checked=True) as reader:
            left = reader.delivered_since(self._record.since)
        for take_id, request_id, sha256 in left:
            if (request_id, sha256) not in self._begun:
                self._add(take_id)

    def on_event(self, event: Event) -> None:
        """Note a clip that has just been delivered."""
        if isinstance(event, FactRecorded):
            if isinstance(event.fact, Delivered):
                self._add(event.take_id)
            self._say_first_failure()

    def finish(self, *, patience: float) -> None:
        """Wait for all commands, but not longer than `patience` seconds or until a signal; then end."""
        began, is_said = time.monotonic(), False
        with heed_skips() as is_asked, self._changed:
            while self._waiting and not is_asked() and time.monotonic() - began < patience:
                self._changed.wait(_TICK_S)
                if not is_said and time.monotonic() - began > _SILENCE_S:
                    is_said = True
                    left = counted(self._waiting, "command")
                    self._say(f"waiting for {left} of --on-delivered (Ctrl-C leaves them to the next run)")
        self.stop()
        self._say_first_failure()

    def stop(self) -> None:
        """End at once; a command that is stopped runs again in the next session that has the hook."""
        self._stop.set()
        self._pool.shutdown()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know about the hooks, one sentence each."""
        said = []
        if failed := self._failed:
            more = f"; and {len(failed) - _NAMED:,} more" if len(failed) > _NAMED else ""
            named = f"{len(failed):,} of {counted(self._ran, 'clip')}: {'; '.join(failed[:_NAMED])}{more}"
            said.append(f"--on-delivered failed for {named}; see {visible(str(self._place.path / OUTPUT))}")
        if self._left:
            said.append(f"{counted(self._left, 'clip')} left to the next run with --on-delivered")
        if self._trouble:
            said.append(f"--on-delivered may run again for clips of this run: {self._trouble}")
        return tuple(said)

    def _add(self, take_id: str) -> None:
        with self._changed:
            self._waiting += 1
        self._pool.submit(self._run, take_id)

    def _say_first_failure(self) -> None:
        """Say it at once, from the thread that shows all else; `remarks` count the others."""
        if self._failed and not self._is_failure_said:
            self._is_failure_said = True
            self._say(f"--on-delivered: {self._failed[0]}")

    def _run(self, take_id: str) -> None:
        is_left = True
        try:
            is_left = self._stop.is_set() or not self._hook(take_id)
        except (ShotrunnerError, OSError) as error:
            self._trouble = visible(str(error))
        finally:
            with self._changed:
                self._waiting -= 1
                self._left += is_left
                self._changed.notify()

    def _hook(self, take_id: str) -> bool:
        """Run the hook for a take's clip, unless it has run; return False if it was stopped."""
        with open_reader(self._place.state_file, checked=True) as reader:
            take, simulated, out = reader.take(take_id), reader.nothing_paid, reader.header.out
        if take is None or take.file is None or (key := self._claimed(take)) is None:
            return True
        # In a store a clip has an address; on this disk there may be no copy of it.
        clip = f"{out}/{take.file}" if out else str((self._place.path / take.file).absolute())
        words = [*self._words, take.take_id, clip]
        ended = self._start(words, about_clip(take, clip, simulated=simulated), self._stop)
        if ended.is_cut:
            return False
        with self._changed:
            self._ran += 1
            if ended.trouble:
                self._failed.append(f"{with_label(take.take_id, take.label)} {ended.trouble}")
            self._record.note(take.take_id, key, ended, at=self._clock.wall())
        return True

    def _claimed(self, take: TakeRecord) -> ClipKey | None:
        """Return the key of a take's clip, once."""
        if take.request_id is None or take.sha256 is None:
            return None
        key = take.request_id, take.sha256
        with self._changed:
            if key in self._begun:
                return None
            self._begun.add(key)
        return key


def about_clip(take: TakeRecord, clip: str, *, simulated: bool) -> str:
    """Return the JSON that a hook gets, as `schemas/delivered.schema.json` describes it."""
    return json.dumps(
        {
            "format": FORMAT,
            "simulated": simulated,
            "take": take.take_id,
            "shot": take.shot_id,
            "label": take.label,
            "model": take.model,
            "seed": take.seed,
            "inputs": json.loads(take.body),
            "tags": list(take.tags),
            "clip": clip,
            "sidecar": f"{clip.rpartition('/')[0]}/{sidecar_name(take.present_stem)}",
            "sha256": take.sha256,
            "request_id": take.request_id,
            "cost_usd": take.cost,
        }
    )


@contextmanager
def hooking(request: RunRequest, place: RunDir) -> Iterator[ClipHooks | None]:
    """Run the request's hook as long as the block lasts; None without one.

    Raises:
        CannotCreate, DiskFailed: the record of the hooks cannot be written.
    """
    if not request.on_delivered:
        yield None
        return
    with open_reader(place.state_file, checked=True) as reader:
        record = open_record(place.path, newest=reader.newest_event)
    hooks = ClipHooks(place, request.on_delivered, record, _starting(request.environ), request.clock)
    try:
        yield hooks
    finally:
        hooks.stop()


def _starting(environ: Mapping[str, str]) -> Start:
    return lambda words, given, stop: run_program(
        words, given=f"{given}\n", environ=environ, limit_s=LIMIT_S, stop=stop
    )
