"""What a person or a program sees during a run: a bar, plain lines, JSON lines, or nothing.

None of them can stop a run: a broken stream is no longer written to.
"""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from dataclasses import fields
from types import TracebackType
from typing import Literal, Self, TextIO

from runner.domain import display
from runner.domain.errors import UsageError
from runner.domain.run_events import Event, FactRecorded, Message, RunStarted
from runner.output.progress_text import sentence, standing_after
from runner.output.safe_stream import Canvas, SafeStream
from runner.system.clock import Clock
from runner.system.escapes import escaped

Kind = Literal["bar", "plain", "json", "none"]
TICK_SECONDS = 1.0

_OPEN = (
    "submitting",
    "queued",
    "running",
    "fetching",
    "held",
    "failed",
    "undeliverable",
    "cancelled",
    "dropped",
)
_SUCCEEDED = frozenset({"succeeded", "delivered"})
_URGENT = frozenset({"held", "failed", "undeliverable"})
_MOVING = frozenset({"pending", "submitting", "queued", "running", "held"})
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
    """Return the progress called `kind` of a session; `clock` dates messages without a time."""
    match kind:
        case "bar":
            return BarProgress(SafeStream.over(stream), total=started.total, done=started.done)
        case "plain":
            return PlainProgress(SafeStream.over(stream))
        case "json":
            return JsonProgress(SafeStream.over(stream), clock=clock)
        case "none":
            return Progress()


class PlainProgress(Progress):
    """One line for every fact that matters, for pipes and logs: take, what happened, the short reason."""

    def __init__(self, outlet: SafeStream) -> None:
        self._outlet = outlet

    def on_event(self, event: Event) -> None:
        """Write the event's line, if it has one."""
        if isinstance(event, Message):
            self._outlet.line(display.visible(event.text))
        elif isinstance(event, FactRecorded) and (text := sentence(event.fact)):
            self._outlet.line(f"{display.with_label(event.take_id, event.label)}  {text}")


class JsonProgress(Progress):
    """One JSON object per line for every event, with all fields of the fact.

    A fact is `{"at": unix seconds, "take": id, "label": short name, "fact": name, …}`, anything else is
    `{"at": …, "said": text}`. The lines are plain ASCII.
    """

    def __init__(self, outlet: SafeStream, *, clock: Clock) -> None:
        self._outlet = outlet
        self._clock = clock

    def on_event(self, event: Event) -> None:
        """Write the event as one line."""
        if isinstance(event, Message):
            self._outlet.line(json.dumps({"at": self._clock.wall(), "said": event.text}))
            return
        if not isinstance(event, FactRecorded):
            return
        # Facts are flat, so the deep copy of `asdict` is not needed.
        found = {field.name: getattr(event.fact, field.name) for field in fields(event.fact)}
        facts = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in found.items()
        }
        label = {"label": event.label} if event.label else {}
        names = {"at": event.at, "take": event.take_id, **label, "fact": type(event.fact).__name__}
        self._outlet.line(json.dumps({**names, **facts}))


class BarProgress(Progress):
    """A tqdm bar: finished takes of all, then the number in each state; what needs a person is printed above it."""

    def __init__(
        self, outlet: SafeStream, *, total: int, done: int, tick: float | None = TICK_SECONDS
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

        canvas = Canvas.over(outlet)
        self._outlet = canvas
        self._total = total
        self._at_start = done
        self._standing: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._ended: set[str] = set()
        # A thread lock is enough: tqdm's default one makes a semaphore for other processes.
        tqdm.set_lock(threading.RLock())
        self._bar = tqdm(
            total=total,
            initial=done,
            file=canvas,
            unit=" take",
            ascii=not outlet.speaks_unicode,
            # A terminal of unknown width reports 0, and tqdm would draw nothing.
            ncols=_USUAL[0] if outlet.width == 0 else None,
            nrows=_USUAL[1] if outlet.width == 0 else None,
            dynamic_ncols=outlet.width != 0,
            mininterval=0.1,
            bar_format="{n_fmt}/{total_fmt} |{bar:16}| {elapsed}<{remaining}{postfix}, {rate_fmt}",
        )
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, args=(tick,), daemon=True) if tick else None

    def __enter__(self) -> Self:
        if self._ticker:
            self._ticker.start()
        return self

    def close(self) -> None:
        """Draw the bar for the last time and end its line."""
        self._stop.set()
        if self._ticker and self._ticker.is_alive():
            self._ticker.join()
        self._bar.refresh()
        self._bar.close()

    def on_event(self, event: Event) -> None:
        """Move the bar, and print above it what should stay on the screen."""
        if isinstance(event, Message):
            self._above(display.visible(event.text))
        if not isinstance(event, FactRecorded):
            return
        self._follow(event)
        if standing_after(event.fact) in _URGENT:
            self._above(f"{display.with_label(event.take_id, event.label)}  {sentence(event.fact)}")
        self._bar.update(min(self._total, self._at_start + len(self._ended)) - self._bar.n)

    def _follow(self, event: FactRecorded) -> None:
        after = standing_after(event.fact)
        if after is None:
            return
        # Each fact changes two counts. Counting all takes at each fact would be slow from a few thousand on.
        before = self._standing.get(event.take_id)
        if before is not None:
            self._counts[before] -= 1
        self._counts[after] += 1
        if after in _SUCCEEDED:
            # It has no count on the line. So nearly all takes of a long run are forgotten.
            self._standing.pop(event.take_id, None)
        else:
            self._standing[event.take_id] = after
        if after in _MOVING:
            self._ended.discard(event.take_id)
        elif after != "fetching":
            self._ended.add(event.take_id)
        text = display.tally(self._counts, _OPEN)
        if not self._outlet.speaks_unicode:
            text = text.replace(" · ", ", ")
        self._bar.set_postfix_str(text, refresh=False)

    def _above(self, line: str) -> None:
        self._bar.write(escaped(line), file=self._outlet)

    def _tick(self, seconds: float) -> None:
        # Jobs take minutes. Without this the elapsed time would stand still between two facts.
        while not self._stop.wait(seconds):
            self._bar.refresh()
