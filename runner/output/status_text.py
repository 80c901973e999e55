"""What `shotrunner status` and `shotrunner show TAKE` print, and the causes of failures, as lines of safe text.

It knows no terminal, no clock and no state file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.domain import display
from runner.domain.api_answers import folded
from runner.domain.clip_checks import Probe
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.output_links import OutputLinks
from runner.domain.records import AttemptRecord, EventRecord, RunHeader, Standing, TakeFigures, TakeRecord
from runner.domain.states import DeliveryState, TakeState
from runner.output.failure_kinds import FailureKind, failure_lines
from runner.system.canonical_json import JsonValue

HELD_SHOWN = 20
FLAGGED_SHOWN = 40
_INDENT = "  "
_DETAIL_LIMIT = 200
# Other fields show the result's content, which its text on one line would hide. An error's name says nothing to most.
_LONG_DETAILS = frozenset({"result", "fingerprint", "epoch", "error"})


def status_lines(
    header: RunHeader,
    counts: Mapping[TakeState, int],
    deliveries: Mapping[DeliveryState, int],
    *,
    simulated: bool,
    held: Sequence[TakeRecord],
    spending: Spending = NOTHING_SPENT,
    flagged: Sequence[Standing] = (),
    failures: Sequence[FailureKind] = (),
    activity: Sequence[str] = (),
    in_use: bool = False,
    remarks: Sequence[str] = (),
) -> list[str]:
    """Return where the run stands: name, who runs it, takes and money, what waits for a person, and flagged takes.

    `counts` covers all takes, `deliveries` the succeeded ones. With `simulated` nothing was paid. `held` are the takes
    that wait for a person, and `spending` is what was or may have been paid. `flagged` have something odd about their
    clips. `failures` say what helps. `activity` are safe lines about who runs it, `in_use` says that someone does, and
    `remarks` are lines about the whole run.
    """
    name, total = display.visible(header.name), sum(counts.values())
    lines = [
        f"{name} (simulated, nothing is paid)" if simulated else name,
        *activity,
        f"{display.counted(total, 'take')}: {display.tally(standings(counts, deliveries))}"
        if total
        else "no takes yet",
    ]
    if spent := display.spent_words(spending, simulated=simulated):
        lines.append(spent)
    if spending.reserved:
        lines.append(f"reserved {display.money(spending.reserved)} for those jobs")
    doubted = [kind for kind in failures if kind.name == TakeState.HELD]
    others = [kind for kind in failures if kind.name != TakeState.HELD]
    parts = (
        _held_lines(held, doubted, in_use=in_use) if held else [],
        failure_lines(others, in_use=in_use),
        _flagged_lines(flagged) if flagged else [],
    )
    return [*lines, *remarks, *(line for part in parts if part for line in ("", *part))]


def choice_line(picked: int, shots: int, rejected: int) -> str:
    """Return how far choosing has come: how many shots have a picked take, and how many takes are rejected."""
    said = f"picked {picked:,} of {display.counted(shots, 'shot')}"
    return f"{said} · {rejected:,} rejected" if rejected else said


@dataclass(slots=True)
class Causes:
    """The causes of failure among the takes that were noted.

    Two reasons are the same cause if their words are the same without numbers, ids and links.
    """

    _found: dict[tuple[str, str, str], tuple[str, list[str]]] = field(default_factory=dict)

    def note(self, take: TakeRecord | TakeFigures) -> None:
        """Add one take, if it failed or its clip could not be downloaded."""
        if take.state is TakeState.FAILED or take.delivery is DeliveryState.UNDELIVERABLE:
            word = display.standing(take.state, take.delivery)
            cause = (word, take.failure or "", folded(take.reason))
            why = display.trouble(take.failure, take.reason, display.REASON_LIMIT)
            _, names = self._found.setdefault(cause, (f"{word}{f': {why}' if why else ''}", []))
            names.append(take.take_id)

    def sentences(self, *, least: int = 1) -> tuple[str, ...]:
        """Return a sentence for each cause that at least `least` takes share, the most common first."""
        common = sorted(self._found.values(), key=lambda each: len(each[1]), reverse=True)
        return tuple(
            f"{display.counted(len(names), 'take')} {said} ({display.listed(names)})"
            for said, names in common
            if len(names) >= least
        )


def standings(counts: Mapping[TakeState, int], deliveries: Mapping[DeliveryState, int]) -> Counter[str]:
    """Return how many takes have each standing, as `display.standing` names it."""
    words = Counter(
        {state.value: count for state, count in counts.items() if state is not TakeState.SUCCEEDED}
    )
    known = {kind: deliveries.get(kind, 0) for kind in DeliveryState if kind is not DeliveryState.NONE}
    for kind, count in known.items():
        words[display.standing(TakeState.SUCCEEDED, kind)] += count
    # The rest was rendered and never downloaded.
    words["succeeded"] = max(counts.get(TakeState.SUCCEEDED, 0) - sum(known.values()), 0)
    return words


def _held_lines(held: Sequence[TakeRecord], kinds: Sequence[FailureKind], *, in_use: bool) -> list[str]:
    lines = [f"{display.counted(len(held), 'take')} held: the answer to the submission was lost."]
    for take in held[:HELD_SHOWN]:
        since = f", sent {display.when(take.submitted_at)}" if take.submitted_at is not None else ""
        reason = f": {display.visible(take.reason, display.REASON_LIMIT)}" if take.reason else ""
        lines.append(
            f"{_INDENT}{display.with_label(take.take_id, take.label)} ({display.visible(take.model)}{since}){reason}"
        )
    if len(held) > HELD_SHOWN:
        lines.append(f"{_INDENT}and {len(held) - HELD_SHOWN:,} more")
    return [*lines, *failure_lines(kinds, in_use=in_use)[1:]]


def flag_words(take: Standing) -> str:
    """Return a flagged take's label, and what is odd about its clip."""
    said = "; ".join(display.visible(flag.text, display.REASON_LIMIT) for flag in take.flags)
    return f"{display.visible(take.label)} {said}"


def _flagged_lines(flagged: Sequence[Standing]) -> list[str]:
    lines = [
        f"{display.counted(len(flagged), 'clip')} flagged: not what was asked for, or odd. Nothing was sent again."
    ]
    for take in flagged[:FLAGGED_SHOWN]:
        name = "" if take.label == take.take_id else f" ({display.visible(take.take_id)})"
        lines.append(f"{_INDENT}{flag_words(take)}{name}")
    if len(flagged) > FLAGGED_SHOWN:
        lines.append(f"{_INDENT}and {len(flagged) - FLAGGED_SHOWN:,} more")
    return lines


def shot_lines(takes: Sequence[TakeRecord]) -> list[str]:
    """Return a table of the takes of one shot: label, id, where it stands, cost, its clip, and what is odd about it."""
    rows = [
        (
            display.visible(take.label),
            display.visible(take.take_id),
            display.standing(take.state, take.delivery),
            display.money(take.cost) if take.cost is not None else "",
            "; ".join(filter(None, (display.visible(take.file or ""), *_remarks(take)))),
        )
        for take in takes
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join((*(f"{text:<{width}}" for text, width in zip(row, widths, strict=False)), row[-1])).rstrip()
        for row in rows
    ]


def _remarks(take: TakeRecord) -> Iterator[str]:
    yield display.trouble(take.failure, take.reason, display.REASON_LIMIT)
    yield from (display.visible(flag.text, display.REASON_LIMIT) for flag in take.flags)


def take_lines(
    record: TakeRecord,
    attempts: Sequence[AttemptRecord],
    events: Sequence[EventRecord],
    *,
    schema: str | None = None,
    whole: bool = False,
    origin: str = "",
    out: str = "",
) -> list[str]:
    """Return everything about one take: result, inputs as sent, attempts and history.

    `schema` is the hash of the schema file its inputs were checked against, None if unknown. `whole` shows all that a
    server sent back, which otherwise is cut to its beginning, and errors in the words of a library. `origin` is the
    API's, and `out` the address of the store that the clips are in.
    """
    reason = display.trouble(record.failure, record.reason)
    standing = display.standing(record.state, record.delivery)
    lines = ["  ".join(filter(None, (display.visible(record.take_id), standing, reason)))]
    if record.state is TakeState.HELD:
        lines.append(f"{_INDENT}{display.HELD_ADVICE}")
    lines += _table(
        _facts(record, schema or ("unknown" if record.attempts else ""), record.links(origin), out)
    )
    body: dict[str, JsonValue] = json.loads(record.body)
    lines += ["", "inputs as sent", *_table((name, display.value(given)) for name, given in body.items())]
    if attempts:
        lines += ["", "attempts", *(line for attempt in attempts for line in _attempt_lines(attempt))]
    if events:
        lines += ["", "history", *(_event_line(event) for event in events)]
    for event in events if whole else ():
        for name, heading in (("evidence", "sent back with"), ("error", "error of")):
            text = event.details.get(name)
            if isinstance(text, str) and text:
                lines += ["", f"{heading} {display.visible(event.fact)}, {display.when(event.at)}"]
                lines += display.visible_lines(text, len(text)).split("\n")
    return lines


def _facts(record: TakeRecord, schema: str, found: OutputLinks, out: str) -> list[tuple[str, str]]:
    size = f", {display.size(record.bytes)}" if record.bytes is not None else ""
    took = f" ({display.duration(record.seconds)})" if record.seconds is not None else ""
    said = [
        ("label", record.label),
        ("shot", record.shot_id),
        ("model", record.model),
        ("sweep", ", ".join(display.sweep(record.point))),
        ("seed", "" if record.seed is None else str(record.seed)),
        ("tags", ", ".join(record.tags)),
        ("notes", record.notes),
        ("request", record.request_id or ""),
        ("submitted", "" if record.submitted_at is None else display.when(record.submitted_at)),
        ("finished", "" if record.finished_at is None else display.when(record.finished_at) + took),
        ("estimate", "" if record.estimate is None else display.money(record.estimate)),
        ("cost", display.money(record.cost) if record.request_id or record.cost is not None else ""),
        ("clip", f"{out}{'/' if out else ''}{record.file}{size}" if record.file else ""),
        ("is", _probe_words(record.probe)),
        ("flags", "; ".join(f"{flag.kind}: {flag.text}" for flag in record.flags)),
        ("sha256", record.sha256 or ""),
        ("cancel", record.cancel_requested or ""),
        # No clip could be found in this answer. A person may want to read it.
        ("answer", (record.result or "") if record.is_given_up else ""),
        ("fingerprint", record.fingerprint),
        ("schema", schema),
        ("manifest", "" if record.position is not None else "no longer holds this take"),
    ]
    places = {link.text: f"  at {link.place}" for link in found.taken}
    links = [("output", f"{url}{places.get(url, '')}") for url in record.outputs or found.urls]
    links += (("not taken", str(left)) for left in found.left)
    return [(name, display.visible(text, 8192)) for name, text in [*said, *links] if text]


def _probe_words(probe: Probe | None) -> str:
    """Return what was measured of a clip, as `h264, 1280×720, 5 s, 24 frames/s, aac sound`."""
    if probe is None:
        return ""
    said = [
        probe.codec or probe.container,
        f"{probe.width}×{probe.height}" if probe.width and probe.height else "",
        f"{probe.seconds:.4g} s" if probe.seconds is not None else "",
        f"{probe.fps:.4g} frames/s" if probe.fps is not None else "",
        f"{probe.audio} sound" if probe.audio else "no sound" if probe.audio == "" and probe.seconds else "",
        "" if probe.is_decoded else "by its header",
    ]
    return ", ".join(filter(None, said))


def _table(pairs: Iterable[tuple[str, str]]) -> list[str]:
    rows = [(display.visible(name, 60), text) for name, text in pairs]
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{_INDENT}{name:<{width}}  {text}" for name, text in rows]


def _attempt_lines(attempt: AttemptRecord) -> list[str]:
    outcome = attempt.outcome or "open: its outcome is not known"
    request = f"  req {display.visible(attempt.request_id)}" if attempt.request_id else ""
    line = (
        f"{_INDENT}{attempt.number}  {display.when(attempt.started_at)}  {display.visible(outcome)}{request}"
    )
    return [line, *(f"{_INDENT}   {text}" for text in _details(attempt.evidence))]


def _event_line(event: EventRecord) -> str:
    moved = f"  {event.before} → {event.after}" if event.before != event.after else ""
    said = "  ".join(_details(event.details))
    line = f"{_INDENT}{display.when(event.at)}  {display.visible(event.fact)}{display.visible(moved)}"
    return f"{line}  {said}" if said else line


def _details(found: Mapping[str, JsonValue]) -> list[str]:
    return [
        f"{display.visible(name, 60)}: {display.value(given, _DETAIL_LIMIT)}"
        for name, given in found.items()
        if name not in _LONG_DETAILS and given not in (None, "", [])
    ]
