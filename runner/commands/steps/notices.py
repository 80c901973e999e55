"""What of a run is worth a notice, and in which words: it listens to the run and hands notices to an outbox.

Whatever goes wrong here fails no run and changes no exit code. What a notice counts is read from the record in the
thread that sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from runner.commands.steps.inspect_clips import CUT_SHORT_S
from runner.commands.steps.request import RunRequest
from runner.commands.steps.signals import heed_skips
from runner.domain.display import spent_words, tally, visible, with_label
from runner.domain.errors import ShotrunnerError
from runner.domain.money import Spending
from runner.domain.run_events import Event, FactRecorded, Message, RunEnded, RunStarted, Topic
from runner.domain.states import Ended, Fact, LostContact, Refused, TakeState, Vanished
from runner.notify.notice import Notice, NoticeKind
from runner.notify.outbox import PATIENCE_S, Outbox
from runner.output.progress_text import sentence
from runner.output.status_text import standings
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock

Post = Callable[[Callable[[], Notice]], None]
Progress = Callable[[Path], "RunProgress"]

_BUG = 70
_SIGNALS = 128
_OF_TOPIC = {
    Topic.COST: NoticeKind.COST,
    Topic.OUTAGE: NoticeKind.OUTAGE,
    Topic.OUTAGE_OVER: NoticeKind.OUTAGE_OVER,
}


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How many takes of a run stand where, by the words of `status`, and what it has spent; None if not known."""

    counts: Mapping[str, int]
    spending: Spending | None = None


NOT_KNOWN = RunProgress({})


def recorded_progress(run_dir: Path) -> RunProgress:
    """Return how far a run of this process is by its record; a record that cannot be read costs no notice."""
    with suppress(ShotrunnerError, OSError), open_reader(RunDir(run_dir).state_file, checked=True) as reader:
        return RunProgress(+standings(reader.counts(), reader.deliveries()), reader.sums())
    return NOT_KNOWN


class Notices:
    """Posts a notice of the first failure, the first held take, the cost, each outage and the end of a session.

    `patience` is how many seconds the end may wait for notices; a run that a signal stopped does not wait long.
    """

    def __init__(self, post: Post, clock: Clock, *, progress: Progress = recorded_progress) -> None:
        self._post, self._clock, self._progress = post, clock, progress
        self._started: RunStarted | None = None
        self._said: set[NoticeKind] = set()
        self.patience = PATIENCE_S

    def on_event(self, event: Event) -> None:
        """Post the notice of an event, if it is worth one."""
        match event:
            case RunStarted():
                self._started = event
            case FactRecorded(fact=fact) if (kind := _kind_of(fact)) and kind not in self._said:
                self._said.add(kind)
                words = f"{with_label(event.take_id, event.label)} {sentence(fact)}".split()
                self._notify(kind, " ".join(words), at=event.at)
            case Message(topic=topic) if topic in _OF_TOPIC:
                self._notify(_OF_TOPIC[topic], visible(event.text), at=self._clock.wall())
            case RunEnded():
                self._ended(event)
            case _:
                pass

    def ended_by(self, error: Exception) -> None:
        """Post that the session ended with an error, unless its end was posted."""
        if self._started is not None and NoticeKind.ENDED not in self._said:
            code = error.exit_code if isinstance(error, ShotrunnerError) else _BUG
            # The words of any other error may quote a secret.
            words = visible(error.message) if isinstance(error, ShotrunnerError) else type(error).__name__
            text = f"ended with an error (exit code {code}): {words}"
            self._notify(NoticeKind.ENDED, text, at=self._clock.wall(), code=code)

    def _ended(self, event: RunEnded) -> None:
        self._said.add(NoticeKind.ENDED)
        if event.exit_code > _SIGNALS:
            self.patience = CUT_SHORT_S
        said = tally(standings(event.counts, event.deliveries)) or "no takes"
        spent = spent_words(event.spending, simulated=event.simulated)
        how = "complete" if event.exit_code == 0 else f"ended with exit code {event.exit_code}"
        parts = (f"{how}: {said}", spent, f"stopped: {visible(event.reason)}" if event.reason else "")
        text = "; ".join(filter(None, parts))
        self._notify(NoticeKind.ENDED, text, at=event.at, code=event.exit_code, page=event.page)

    def _notify(
        self, kind: NoticeKind, text: str, *, at: float, code: int | None = None, page: Path | None = None
    ) -> None:
        started, progress = self._started, self._progress
        if started is None:
            return

        def make() -> Notice:
            found = progress(started.run_dir)
            simulated = " (simulated)" if started.simulated else ""
            return Notice(
                event=kind,
                at=at,
                run=started.name,
                run_dir=started.run_dir,
                text=f"{visible(started.name)}{simulated}: {text}",
                simulated=started.simulated,
                counts=found.counts,
                spent_usd=None if found.spending is None else found.spending.billed,
                page=page,
                exit_code=code,
            )

        self._post(make)


def _kind_of(fact: Fact) -> NoticeKind | None:
    """Return the kind of notice that a fact is worth when it is the first of its kind."""
    if isinstance(fact, LostContact):
        return NoticeKind.HELD
    has_failed = isinstance(fact, Refused | Vanished) or (
        isinstance(fact, Ended) and fact.outcome is TakeState.FAILED
    )
    return NoticeKind.FAILED if has_failed else None


@dataclass(slots=True)
class Notified:
    """The request of a run that is listened to; `remarks` are known at its end."""

    request: RunRequest
    remarks: tuple[str, ...] = ()


@contextmanager
def notifying(request: RunRequest) -> Iterator[Notified]:
    """Send notices of the run that is done in the block with the yielded request, and wait for them at its end."""
    channels = [channel for channel in request.notify if not channel.absence]
    notified = Notified(request)
    if not channels:
        yield notified
        return
    outbox = Outbox(channels)
    notices = Notices(outbox.post, request.clock)
    notified.request = replace(request, listeners=(*request.listeners, notices))
    try:
        yield notified
    except Exception as error:
        notices.ended_by(error)
        raise
    finally:
        with heed_skips() as is_asked:
            notified.remarks = outbox.close(patience=notices.patience, is_asked=is_asked)
