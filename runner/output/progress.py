"""What a person sees during a run: a bar, plain lines, or nothing.

None of them can stop a run: a broken stream is no longer written to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from types import TracebackType
from typing import Literal, Self, TextIO

from runner.domain import display
from runner.domain.errors import UsageError
from runner.domain.run_events import Event, FactRecorded, Message, RunStarted, Steered
from runner.domain.run_pace import SeenJobs, finish_words
from runner.output.live_counts import LiveCounts
from runner.output.problem_text import broken_lines
from runner.output.progress_text import fitted, head_line, sentence, standing_after, steered_line
from runner.output.safe_stream import Canvas, SafeStream
from runner.system.clock import Clock
from runner.system.escapes import escaped

Kind = Literal["bar", "plain", "none"]
TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 300.0

_ACTIVE = ("submitting", "queued", "running", "fetching")
_TROUBLED = ("failed", "held", "undeliverable", "cancelled")
_URGENT = frozenset({"held", "failed", "undeliverable"})
_USUAL = (80, 24)


class Progress:
    """A listener that is entered before the first event and left after the last; this one shows nothing."""

    def on_event(self, event: Event) -> None:
        """Show one event; return quickly, and never raise because of the stream."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the stream ready for the next line of text."""


def make_progress(kind: Kind, *, stream: TextIO, started: RunStarted, clock: Clock) -> Progress:
    """Return the progress called `kind` of a session; `clock` dates what has no time of its own."""
    match kind:
        case "bar":
            return BarProgress(SafeStream.over(stream), started=started, clock=clock)
        case "plain":
            return PlainProgress(SafeStream.over(stream), started=started, clock=clock)
        case "none":
            return Progress()


class _Ticker:
    """Calls `act` every `seconds` in a thread of its own, from `start` to `stop`; never with `seconds` None."""

    def __init__(self, act: Callable[[], None], seconds: float | None) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, args=(act, seconds), daemon=True)
        self._is_wanted = seconds is not None

    def start(self) -> None:
        if self._is_wanted:
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _tick(self, act: Callable[[], None], seconds: float) -> None:
        while not self._stop.wait(seconds):
            act()


class _Followed(Progress):
    """Progress that knows where the whole run stands, and ticks beside it; one lock covers facts and ticks."""

    def __init__(self, *, started: RunStarted, clock: Clock, tick: float | None) -> None:
        self._clock = clock
        self._counts = LiveCounts(started)
        self._jobs = SeenJobs(began_at=started.at)
        self._lock = threading.RLock()
        self._ticker = _Ticker(self.on_tick, tick)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def on_event(self, event: Event) -> None:
        """Follow the event and show it."""
        with self._lock:
            if isinstance(event, FactRecorded):
                self._counts.follow(event)
                self._jobs.follow(event)
            elif isinstance(event, Steered):
                self._counts.steer(event)
            self._show(event)

    def on_tick(self) -> None:
        """Show that the run is alive."""
        with self._lock:
            self._show_time()

    def close(self) -> None:
        """End the ticks."""
        self._ticker.stop()

    def _show(self, event: Event) -> None:
        """Show one event."""

    def _show_time(self) -> None:
        """Show what changes without an event."""

    def _finish_words(self, zone: tzinfo | None = None) -> str:
        """Return when the session will probably be over; empty if it is paused, or too early to say."""
        if self._counts.is_paused:
            return ""
        now = self._clock.wall()
        pace = self._jobs.pace(self._counts.total - self._counts.ended, now=now)
        return finish_words(pace, now=now, zone=zone) if pace.left else ""


class PlainProgress(_Followed):
    """One line for every fact that matters, for pipes and logs, and one every five minutes that says how it goes.

    Each begins with its time in UTC, as the record, `status` and the reports have it. Local times would repeat an hour
    in the night in which summer time ends.
    """

    def __init__(
        self, outlet: SafeStream, *, started: RunStarted, clock: Clock, tick: float | None = TICK_SECONDS
    ) -> None:
        super().__init__(started=started, clock=clock, tick=tick)
        self._outlet = outlet
        self._beat = clock.monotonic()

    def _show(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._line(event.at, head_line(event))
            case Message():
                self._line(self._clock.wall(), display.visible(event.text))
            case Steered():
                self._line(event.at, steered_line(event))
            case FactRecorded() if text := sentence(event.fact):
                self._line(event.at, f"{display.with_label(event.take_id, event.label)}  {text}")

    def _show_time(self) -> None:
        now = self._clock.monotonic()
        if now - self._beat >= HEARTBEAT_SECONDS:
            self._beat = now
            self._line(self._clock.wall(), self._heartbeat())

    def _heartbeat(self) -> str:
        counts = self._counts
        finish = self._finish_words(UTC)
        parts = (
            f"{counts.ended:,} of {display.counted(counts.total, 'take')}",
            f"{counts.done:,} done",
            display.tally(counts.counts, (*_TROUBLED, *_ACTIVE)),
            display.money(counts.billed) if counts.billed else "",
            "paused" if counts.is_paused else "",
            f"finish {finish} UTC" if finish else "",
        )
        return f"still running: {' · '.join(filter(None, parts))}"

    def _line(self, at: float, text: str) -> None:
        self._outlet.line(f"{display.iso(at)}  {_plain_marks(text, self._outlet)}")


class BarProgress(_Followed):
    """A tqdm bar under a head line: takes that have ended, how the whole run stands, its money, its probable finish.

    What needs a person is printed above it. Parts that do not fit the terminal are left out whole. It is drawn with
    each tick, so that a fact costs no drawing.
    """

    def __init__(
        self, outlet: SafeStream, *, started: RunStarted, clock: Clock, tick: float | None = TICK_SECONDS
    ) -> None:
        # tqdm costs a quarter of the start-up allowance; pipes and --help never need it.
        try:
            from tqdm import tqdm
        except ValueError as error:
            # tqdm reads its variables when it is loaded.
            raise UsageError(
                f"the bar cannot be drawn: a variable that begins with TQDM_ has no usable value: {error}",
                advice="unset it, or give --progress plain",
            ) from error

        super().__init__(started=started, clock=clock, tick=tick)
        self._outlet = canvas = Canvas.over(outlet)
        # A thread lock is enough: tqdm's default one makes a semaphore for other processes.
        tqdm.set_lock(threading.RLock())
        self._bar = tqdm(
            total=started.total,
            initial=self._counts.ended,
            file=canvas,
            ascii=not outlet.speaks_unicode,
            # A terminal of unknown width reports 0, and tqdm would draw nothing.
            ncols=_USUAL[0] if outlet.width == 0 else None,
            nrows=_USUAL[1] if outlet.width == 0 else None,
            dynamic_ncols=outlet.width != 0,
            mininterval=0.1,
            bar_format=self._format(),
        )

    def close(self) -> None:
        """Draw the bar for the last time and end its line."""
        super().close()
        self._show_time()
        self._bar.close()

    def _show(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._above(head_line(event, width=self._outlet.width or _USUAL[0]))
            case Message():
                self._above(display.visible(event.text))
            case Steered():
                self._above(steered_line(event))
            case FactRecorded() if standing_after(event.fact) in _URGENT:
                self._above(f"{display.with_label(event.take_id, event.label)}  {sentence(event.fact)}")

    def _show_time(self) -> None:
        self._bar.bar_format = self._format()
        self._bar.n = self._counts.ended
        self._bar.refresh()

    def _format(self) -> str:
        """Return the bar's line as tqdm wants it: text, and a place for the bar itself."""
        counts = self._counts
        parts: Sequence[tuple[int, str]] = (
            (10, f"{counts.ended:,}/{counts.total:,}"),
            (4, "|{bar:10}|"),
            (3, f"{counts.done:,} done"),
            (8, display.tally(counts.counts, _TROUBLED)),
            (1, display.tally(counts.counts, _ACTIVE)),
            (6, display.money(counts.billed) if counts.billed else ""),
            (9, "paused" if counts.is_paused else ""),
            (7, self._finish_words()),
            (2, "{elapsed}"),
        )
        line = fitted(parts, width=self._outlet.width or _USUAL[0])
        return _plain_marks(line.replace(" · |", " |").replace("| · ", "| "), self._outlet)

    def _above(self, line: str) -> None:
        said, width = escaped(_plain_marks(line, self._outlet)), self._outlet.width
        lines = broken_lines(said, width, indent="  ") if width else [said]
        self._bar.write("\n".join(lines), file=self._outlet)


def _plain_marks(text: str, outlet: SafeStream) -> str:
    """Return `text` with the program's own marks in ASCII where the stream has no others."""
    return text if outlet.speaks_unicode else text.replace(" · ", ", ").replace("–", "-")
