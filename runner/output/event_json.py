"""The events of a run as JSON for programs: one object a line, in words that do not change with the code.

In: events. Out: lines as `schemas/events.schema.json` describes them. It does not know who reads them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

from runner.domain import states
from runner.domain.display import iso_milliseconds
from runner.domain.errors import ManifestInvalid, ShotrunnerError
from runner.domain.labels import shot_of
from runner.domain.money import Spending
from runner.domain.orders import order_as_json
from runner.domain.run_events import Event, FactRecorded, Message, RunEnded, RunStarted, Steered
from runner.domain.states import Fact
from runner.output.progress_text import standing_after
from runner.output.safe_stream import SafeStream
from runner.output.status_text import standings
from runner.system.canonical_json import JsonValue
from runner.system.clock import Clock
from runner.system.version import __version__

FORMAT = "shotrunner-events/1"
FACT_EVENTS: Mapping[type[Fact], str] = {
    states.SubmissionStarted: "take.submitting",
    states.Accepted: "take.submitted",
    states.NotSent: "take.not-sent",
    states.RefusedForNow: "take.refused-for-now",
    states.Refused: "take.refused",
    states.AccountTurnedAway: "take.account-refused",
    states.LostContact: "take.held",
    states.Adopted: "take.adopted",
    states.AdoptionUndone: "take.adoption-undone",
    states.DeclaredNotSent: "take.declared-not-sent",
    states.PayAgain: "take.pay-again",
    states.Dropped: "take.dropped",
    states.RetryRequested: "take.retry-requested",
    states.Started: "take.running",
    states.Requeued: "take.queued-again",
    states.Ended: "take.ended",
    states.FoundAfterAll: "take.found-after-all",
    states.Vanished: "take.vanished",
    states.FetchStarted: "take.fetching",
    states.Delivered: "take.delivered",
    states.Undeliverable: "take.undeliverable",
    states.FileGone: "take.clip-missing",
    states.CancelRequested: "take.cancel-requested",
    states.CostSeen: "take.cost",
    states.LateAnswer: "take.late-answer",
    states.Renamed: "take.renamed",
    states.ClipMoved: "take.clip-renamed",
    states.Checked: "take.checked",
    states.KeptAsIs: "take.kept",
}
"""What programs call each kind of fact."""

_BUG = 70
_NAMES = {"cost": "cost_usd", "failure": "class"}


class JsonEvents:
    """A listener that writes each event as one line of ASCII; `clock` dates what has no time of its own."""

    def __init__(self, outlet: SafeStream, *, clock: Clock) -> None:
        self._outlet = outlet
        self._clock = clock
        self._started: RunStarted | None = None

    def on_event(self, event: Event) -> None:
        """Write the event."""
        match event:
            case RunStarted():
                self._started = event
                self._write(_started(event))
            case FactRecorded():
                try:
                    self._write(_recorded(event, parse=json.loads))
                except (ValueError, RecursionError):
                    # The API's text is not JSON, or holds what no line of JSON can.
                    self._write(_recorded(event, parse=str))
            case Message():
                at = iso_milliseconds(self._clock.wall())
                self._write({"event": "message", "at": at, "topic": event.topic, "text": event.text})
            case Steered():
                self._write(_steered(event))
            case RunEnded():
                self.end(event)

    def end(self, event: RunEnded, *, commands: Sequence[Sequence[str]] | None = None) -> None:
        """Write the end of a session; `commands` go on from it, None if they are not known."""
        self._write(
            {
                "event": "run.ended",
                "format": FORMAT,
                "at": iso_milliseconds(event.at),
                "run": event.name,
                "run_dir": str(event.run_dir.absolute()),
                "simulated": event.simulated,
                "ending": event.kind,
                "reason": event.reason,
                "exit": event.exit_code,
                "counts": dict(+standings(event.counts, event.deliveries)),
                **_spent(event.spending),
                "page": None if event.page is None else str(event.page.absolute()),
                **({} if commands is None else {"next": [list(words) for words in commands]}),
            }
        )

    def end_by(self, error: Exception) -> None:
        """Write that the session ended with an error."""
        if not isinstance(error, ShotrunnerError):
            # The words of a foreign error may quote a secret.
            self.end_early("error", code=_BUG, reason=type(error).__name__)
            return
        problems = error.problems if isinstance(error, ManifestInvalid) else ()
        self.end_early(
            "error",
            code=error.exit_code,
            reason=error.message,
            advice=error.advice,
            problems=list(map(str, problems)),
        )

    def end_early(self, ending: str, *, code: int, reason: str = "", **more: JsonValue) -> None:
        """Write that the session ended without a summary."""
        started = self._started
        self._write(
            {
                "event": "run.ended",
                "format": FORMAT,
                "at": iso_milliseconds(self._clock.wall()),
                "run": None if started is None else started.name,
                "run_dir": None if started is None else str(started.run_dir.absolute()),
                "simulated": None if started is None else started.simulated,
                "ending": ending,
                "reason": reason,
                "exit": code,
                **more,
            }
        )

    def _write(self, value: Mapping[str, object]) -> None:
        self._outlet.line(json.dumps(value, allow_nan=False))


def _started(event: RunStarted) -> dict[str, object]:
    return {
        "event": "run.started",
        "format": FORMAT,
        "at": iso_milliseconds(event.at),
        "run": event.name,
        "run_dir": str(event.run_dir.absolute()),
        "simulated": event.simulated,
        "version": __version__,
        "command": list(event.command),
        "takes": event.total,
        "done": event.done,
        "counts": dict(+standings(event.counts, event.deliveries)),
        **_spent(event.spending),
        "settings": dict(event.settings),
    }


def _steered(event: Steered) -> dict[str, object]:
    return {
        "event": "run.steered",
        "at": iso_milliseconds(event.at),
        "order": order_as_json(event.order),
        "by": event.by,
        "changed": event.changed,
        "says": list(event.says),
    }


def _spent(spending: Spending) -> dict[str, object]:
    return {"spent_usd": spending.billed, "reserved_usd": spending.reserved}


def _recorded(event: FactRecorded, *, parse: Callable[[str], JsonValue]) -> dict[str, object]:
    shot, state = shot_of(event.label), standing_after(event.fact)
    # Facts are flat, so the deep copy of `asdict` is not needed.
    found = {field.name: getattr(event.fact, field.name) for field in fields(event.fact)}
    return {
        "event": FACT_EVENTS[type(event.fact)],
        "at": iso_milliseconds(event.at),
        "take": event.take_id,
        **({"label": event.label, "shot": shot} if event.label else {}),
        **({"state": state} if state else {}),
        **{_NAMES.get(name, name): _plain(name, value, parse) for name, value in found.items()},
    }


def _plain(name: str, value: object, parse: Callable[[str], JsonValue]) -> object:
    """Return the value of a fact's field as programs get it."""
    match name, value:
        case (("result" | "probe"), str()):
            return parse(value)
        case "flags", tuple():
            return [{"kind": kind, "text": text} for kind, text in value]
        case "not_before", float():
            return iso_milliseconds(value) if math.isfinite(value) else None
        case _, float():
            return value if math.isfinite(value) else None
    return value
