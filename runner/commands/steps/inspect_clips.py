"""Looks into each delivered clip while a run goes on, in a thread of its own, and records what it finds.

It hears of clips from the engine, and finds earlier ones in the record. It can only add remarks: whatever goes wrong
here fails no run, changes no exit code and holds no money. What is left when a run ends is done by the next one, or by
a fetch, which waits for it. When no clip waits, it makes small copies of the pictures that went into the takes.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path

from runner.commands.steps.clip_files import stored_clips
from runner.commands.steps.input_copies import InputCopies, Read
from runner.commands.steps.request import RunRequest
from runner.commands.steps.signals import heed_skips
from runner.delivery.looks import Found
from runner.domain.clip_checks import Flag, FlagKind, Probe, flags_as_json
from runner.domain.display import counted
from runner.domain.environment import NO_INSPECT, is_on
from runner.domain.errors import ShotrunnerError
from runner.domain.preview_names import PREVIEWS, preview_names
from runner.domain.records import TakeRecord
from runner.domain.run_events import Event, FactRecorded
from runner.domain.states import Accepted, Checked, Delivered, DeliveryState
from runner.simulator.clip_cache import fallback_hashes
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import Clock
from runner.system.escapes import command_line
from runner.system.private_files import make_folder, open_private
from runner.video.asked import asked_of
from runner.video.inspector import HeaderInspector, Inspector, NoDecoder, make_inspector
from runner.video.judge import Look, judge, measured, unreadable
from runner.video.kinds import NotReadable

PATIENCE_S = 30.0
"""How long the end of a run waits for clips that are still to be looked into."""
CUT_SHORT_S = 2.0
"""The same for a run that a person stopped."""

INPUTS_PATIENCE_S = 5.0
"""How long the end of a run waits for input pictures, once no clip is left."""

_TICK_S = 0.1
_SILENCE_S = 1.0
_LEAST_REST_S, _MOST_REST_S = 5.0, 30.0
_MOST_JOIN_S = 5.0
_MOST_WAITING = 64
_MOST_KNOWN = 256
_MISSING_EXTRA = (
    "clips were checked by their headers alone; pip install 'shotrunner[video]' also finds black, frozen and damaged"
    " pictures, and makes previews"
)


class ClipInspection:
    """Looks into the clips of one session; it listens to the engine, and `finish` ends it.

    `patience` is how many seconds the end of an undisturbed session waits for clips that are left. `stand_ins` are
    hashes of ready-made clips that no request asked for, so they are not judged. `read` gets an input picture; without
    it no copies of them are made.
    """

    def __init__(
        self,
        place: RunDir,
        state: StateFile,
        clock: Clock,
        inspector: Inspector,
        *,
        patience: float = PATIENCE_S,
        stand_ins: Collection[str] = (),
        read: Read | None = None,
    ) -> None:
        self.patience = patience
        self._place, self._state, self._clock = place, state, clock
        self._inspector = inspector
        self._stand_ins = stand_ins
        self._takes: deque[str] = deque()
        self._previews: dict[str, str] = {}
        self._stored = stored_clips(place, out=state.header.out)
        self._known: dict[str, tuple[Probe, Look | None, str]] = {}
        self._noted: dict[str, Found] = {}
        self._at_delivery: set[str] = set()
        self._recorded: deque[Future[None]] = deque()
        self._sent: deque[str] = deque()
        self._changed = threading.Condition()
        self._inputs = InputCopies(place.path, read, self._wake)
        self._inputs_end: float | None = None
        self._is_ending = self._is_stopped = False
        self._looked, self._trouble = 0, ""
        self._unmade: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inspect", daemon=True)
        self._thread.start()

    def on_event(self, event: Event) -> None:
        """Note a clip that has just been delivered, and a take that has just been sent."""
        if isinstance(event, FactRecorded) and isinstance(event.fact, Delivered | Accepted):
            with self._changed:
                noted = self._takes if isinstance(event.fact, Delivered) else self._sent
                noted.append(event.take_id)
                self._changed.notify()

    def note(self, found: Found) -> None:
        """Take over what a delivery found in a clip, so that its file need not be here; called from any thread."""
        with self._changed:
            self._noted[found.sha256] = found

    def finish(self, *, patience: float, say: Callable[[str], None] = lambda _: None) -> None:
        """Wait until all clips are looked into, but not longer than `patience` seconds or until a signal; then end."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        began, due = time.monotonic(), _SILENCE_S
        with heed_skips() as asked:
            while not self._over.wait(_TICK_S) and not asked():
                waited = time.monotonic() - began
                if waited > patience:
                    break
                if waited > due:
                    say(f"{self._doing} (Ctrl-C leaves the rest to the next fetch)")
                    due = waited + min(max(waited, _LEAST_REST_S), _MOST_REST_S)
        self.stop()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def stop(self) -> None:
        """End at once; what was found is recorded."""
        self._is_stopped = True
        self._wake()
        self._inspector.stop()
        # The record must have no other reader when it is closed.
        self._thread.join(_MOST_JOIN_S)

    @property
    def _doing(self) -> str:
        if self._takes:
            return f"looking into {counted(len(self._takes), 'clip')}"
        if self._inputs.left and not self._previews:
            return f"making small copies of {counted(self._inputs.left, 'input picture')}"
        return f"making previews of {counted(max(len(self._previews), 1), 'clip')}"

    @property
    def left(self) -> int:
        """How many clips are not looked into yet."""
        return len(self._takes)

    @property
    def is_complete(self) -> bool:
        """Whether each clip was looked into and has its previews."""
        return not (self._takes or self._previews)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know about the looks, one sentence each."""
        said = [self._trouble] if self._trouble and self._looked else []
        if self._unmade:
            said.append(
                f"no previews of {counted(len(self._unmade), 'clip')} in {PREVIEWS}/: {self._unmade[0]}"
            )
        if not self.is_complete:
            left = (len(self._takes), "not looked into"), (len(self._previews), "without previews")
            words = "; ".join(f"{what} yet: {counted(number, 'clip')}" for number, what in left if number)
            said.append(f"{words}; go on with: {command_line('fetch', self._place.path)}")
        return tuple(said)

    def _run(self) -> None:
        # Nothing that happens to a remark about a clip may reach the run.
        with suppress(Exception):
            if not self._inspector.decodes:
                self._trouble = _MISSING_EXTRA
                self._inputs.close()
            with open_reader(self._place.state_file, checked=True) as reader:
                self._find_earlier(reader)
                while self._has_work():
                    self._work(reader)
            for recorded in self._recorded:
                recorded.exception()
        self._inputs.close()
        self._inspector.close()
        self._over.set()

    def _find_earlier(self, reader: Reader) -> None:
        """Note earlier clips that were not looked into, those whose previews are missing, and what was sent."""
        with self._changed:
            self._takes.extend(reader.unchecked(decodes=self._inspector.decodes))
            if self._inputs.is_on:
                self._sent.extend(reader.with_links())
        if self._inspector.decodes:
            here = _made(self._place.path) | (self._stored.previews if self._stored else frozenset())
            for sha256, file, probe in reader.checked_clips():
                if not _expected(sha256, probe) <= here:
                    self._previews[sha256] = file

    def _has_work(self) -> bool:
        """Wait for something to do; False at the end."""
        with self._changed:
            while not (self._takes or self._sent or self._previews or self._inputs.is_ready):
                rest = self._rest_s()
                if self._is_stopped or (rest is not None and rest <= 0):
                    return False
                self._changed.wait(rest)
            return not self._is_stopped

    def _rest_s(self) -> float | None:
        """Return how many seconds to wait for something to do; None without a limit."""
        if not self._is_ending:
            return None
        if not self._inputs.left:
            return 0
        if self._inputs_end is None:
            self._inputs_end = time.monotonic() + INPUTS_PATIENCE_S
        return self._inputs_end - time.monotonic()

    def _work(self, reader: Reader) -> None:
        """Look into one clip; previews come when all clips have been looked into, and copies of inputs last."""
        try:
            if self._takes:
                try:
                    self._check(reader, self._takes[0])
                except ShotrunnerError as error:
                    # The store cannot be read now; the next session looks again.
                    self._unmade.append(str(error))
                with self._changed:
                    self._takes.popleft()
            elif self._sent:
                take = reader.take(self._sent.popleft())
                if take is not None:
                    self._inputs.note(take.body)
            elif self._previews:
                sha256, file = next(iter(self._previews.items()))
                del self._previews[sha256]
                self._preview(file, sha256)
            elif (found := self._inputs.take()) is not None:
                self._copy(*found)
        except NoDecoder as error:
            if not self._is_stopped:
                self._inputs.close()
                self._trouble = f"clips were checked by their headers alone: {error}"
                self._previews.clear()
                self._inspector.close()
                self._inspector = HeaderInspector()

    def _copy(self, target: Path, picture: bytes) -> None:
        """Make a small copy of an input picture; without one its link is as good as before."""
        whole = target.with_name(f".{target.stem}.whole")
        with suppress(NotReadable, OSError):
            make_folder(target.parent)
            with os.fdopen(open_private(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(picture)
            try:
                self._inspector.make_copy(whole, target)
            finally:
                whole.unlink(missing_ok=True)

    def _preview(self, file: str, sha256: str) -> None:
        try:
            with self._on_disk(file, sha256) as path:
                self._inspector.make_previews(path, self._place.path, sha256)
        except (NotReadable, ShotrunnerError) as error:
            self._unmade.append(str(error))

    def _on_disk(self, file: str, sha256: str) -> AbstractContextManager[Path]:
        """Return what yields a clip on this disk; one in a store is downloaded for the moment."""
        if self._stored is None:
            return nullcontext(self._place.path / file)
        return self._stored.on_disk(file, sha256=sha256)

    def _has_preview(self, name: str) -> bool:
        return self._stored.has_preview(name) if self._stored else (self._place.path / name).is_file()

    def _check(self, reader: Reader, take_id: str) -> None:
        take = reader.take(take_id)
        if take is None or take.delivery is not DeliveryState.DELIVERED or not (take.file and take.sha256):
            return
        probe, noted = take.probe, self._noted.pop(take.sha256, None)
        if noted is not None:
            self._known[take.sha256] = _known_of(noted)
            self._unmade += [noted.unmade] if noted.unmade else []
            self._at_delivery.add(take.sha256)
        is_hopeless = any(flag.kind is FlagKind.UNREADABLE for flag in take.flags)
        if probe is None or (self._inspector.decodes and not probe.is_decoded and not is_hopeless):
            probe, flags = self._found(take, take.file, take.sha256)
            fact = Checked(take.sha256, probe.to_json(), tuple(flags_as_json(flags)))
            self._recorded.append(self._state.record(take_id, fact, at=self._clock.wall()))
            self._looked += 1
        if len(self._recorded) > _MOST_WAITING:
            self._recorded.popleft().exception()
        # A delivery that looked into a clip has made its previews as well.
        made_here = self._inspector.decodes and take.sha256 not in self._at_delivery
        if made_here and not all(map(self._has_preview, _expected(take.sha256, probe))):
            self._previews[take.sha256] = take.file

    def _found(self, take: TakeRecord, file: str, sha256: str) -> tuple[Probe, tuple[Flag, ...]]:
        """Return what a clip is like, and its flags; clips of the same bytes are looked into once."""
        if sha256 not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            try:
                with self._on_disk(file, sha256) as path:
                    self._known[sha256] = _known_of(Found(sha256, self._inspector.look(path)))
            except NotReadable as error:
                self._known[sha256] = _known_of(Found(sha256, None, str(error)))
        probe, found, reason = self._known[sha256]
        if found is None:
            return probe, unreadable(reason)
        return probe, () if sha256 in self._stand_ins else judge(found, asked_of(json.loads(take.body)))


def _known_of(found: Found) -> tuple[Probe, Look | None, str]:
    return Probe() if found.look is None else measured(found.look), found.look, found.reason


def _made(run_dir: Path) -> frozenset[str]:
    """Return the previews that are there."""
    with suppress(OSError):
        return frozenset(f"{PREVIEWS}/{each.name}" for each in (run_dir / PREVIEWS).iterdir())
    return frozenset()


def _expected(sha256: str, probe: Probe) -> frozenset[str]:
    """Return the previews that a clip has: of a picture the posters alone, of a sound none."""
    names = preview_names(sha256)
    if not (probe.is_decoded and probe.width):
        return frozenset()
    posters = {names.small, names.large}
    return frozenset(posters if probe.seconds is None else {*posters, names.first, names.last, names.motion})


@contextmanager
def inspecting(
    request: RunRequest, place: RunDir, state: StateFile, *, patience: float = PATIENCE_S
) -> Iterator[ClipInspection | None]:
    """Look into the clips of a session as long as the block lasts; None if the request says that no one looks.

    Its end waits `patience` seconds for the clips that are left.
    """
    if not request.inspect or is_on(NO_INSPECT, request.environ):
        yield None
        return
    stand_ins = fallback_hashes() if request.simulated else frozenset[str]()
    read = _read_picture(is_local=request.on_this_machine or state.header.simulated) if request.look else None
    inspection = ClipInspection(
        place, state, request.clock, make_inspector(), patience=patience, stand_ins=stand_ins, read=read
    )
    try:
        yield inspection
    finally:
        inspection.stop()


def _read_picture(*, is_local: bool) -> Read:
    """Return what reads an input picture; a run on this machine asks no other one."""

    @cache
    def reader() -> Callable[[str], bytes]:
        from runner.media.picture_reader import PictureReader

        # It keeps no connection, so it may stay open until the process ends.
        return PictureReader(on_this_machine=is_local).read

    return lambda link: reader()(link)
