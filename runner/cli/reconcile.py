"""`reconcile`: shows held takes with all that is known about them, and records what a person decides."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from runner.cli.from_flags import choice_of, opening_of, user_name
from runner.cli.json_output import commands_as_json, declined_as_json, envelope
from runner.cli.record_json import decision_as_json, time_as_json
from runner.cli.terminal import agreed, note, show, show_json, typed, warn
from runner.commands import reconcile
from runner.commands.reconcile import HeldCase
from runner.commands.steps.find_run import RecordedRun, find_recorded, read_takes
from runner.commands.steps.known_picks import decisions_for
from runner.commands.steps.open_for_decision import Decided, fitting, named
from runner.commands.steps.sync_record import follow_names
from runner.domain.display import MILESTONES, counted, value, visible, window, with_label
from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.states import IN_DOUBT, TakeState
from runner.system.escapes import command_line, path_word

REMAINING = 4
_PROMPT, _INPUT, _PRINT = 80, 80, 12
_CONSEQUENCES = {
    "adopt": "adopted: the next run watches this job and downloads its clip; nothing is submitted for it",
    "not-sent": "declared not sent: the next run submits it again; if it was accepted after all, it is paid for twice",
    "drop": "given up: no run sends or watches it again, and what it may have cost stays spent",
}


def command(arguments: argparse.Namespace) -> int:
    """Show what is held, or record a decision."""
    run = find_recorded(arguments.target, simulated=arguments.simulate or None)
    if arguments.decision is None:
        return _show(run, arguments)
    names = [arguments.take] if arguments.decision == "adopt" else arguments.takes
    follow_names(run.place, run.header, names, opening=opening_of(arguments))
    decided = {"adopt": _adopt, "not-sent": _not_sent, "drop": _drop}[arguments.decision](run, arguments)
    as_json = arguments.output == "json"
    if decided is None:
        said = "nothing was recorded"
        if as_json:
            show_json(declined_as_json(said))
        else:
            warn([said])
        return 3
    left = [take.take_id for take in read_takes(run.place) if take.state is TakeState.HELD]
    if as_json:
        show_json(decision_as_json(arguments.decision, decided, held=left, next_words=run.words))
        return 0
    show(f"{visible(take_id)}: {_CONSEQUENCES[arguments.decision]}" for take_id in decided.take_ids)
    note(decided.remarks)
    warn([f"{counted(len(left), 'take')} still held"] if left else [])
    warn([f"go on with: {command_line(*run.words)}"])
    return 0


def _adopt(run: RecordedRun, arguments: argparse.Namespace) -> Decided:
    api_base = arguments.api_base
    # The record is written by ids, and this may be a label.
    take = named(read_takes(run.place), [arguments.take])[0].take_id
    look_up = None if arguments.offline else reconcile.ask_api(run.place, take, api_base=api_base)
    request_id, opening = arguments.request_id, opening_of(arguments)
    return reconcile.adopt(run.place, take, request_id, by=user_name(), look_up=look_up, opening=opening)


def _not_sent(run: RecordedRun, arguments: argparse.Namespace) -> Decided | None:
    take_ids = _chosen(run, arguments, lambda take: take.state in IN_DOUBT)
    if arguments.all == bool(take_ids):
        raise UsageError("which takes?", advice="name them, choose them with --only, or say --all")
    if arguments.all:
        take_ids = [case.take_id for case in reconcile.held_cases(run.place)]
        if not take_ids:
            raise UsageError("no take is held")
        if not arguments.yes_i_may_pay_twice and not _means_all(len(take_ids)):
            return None
    reason, opening = arguments.reason, opening_of(arguments)
    return reconcile.declare_not_sent(run.place, take_ids, by=user_name(), reason=reason, opening=opening)


def _chosen(run: RecordedRun, arguments: argparse.Namespace, fits: Callable[[TakeRecord], bool]) -> list[str]:
    takes, choice = read_takes(run.place), choice_of(arguments)
    decisions = decisions_for(run.place, choice)
    return fitting(takes, arguments.takes, choice, fits, none="waits for this", decisions=decisions)


def _means_all(number: int) -> bool:
    warning = f"{counted(number, 'take')} will be submitted again and may be paid for twice."
    return typed(f"{warning} Type the number of takes: ", instead="--yes-i-may-pay-twice") == str(number)


def _drop(run: RecordedRun, arguments: argparse.Namespace) -> Decided | None:
    take_ids = _chosen(run, arguments, reconcile.may_be_dropped)
    if not take_ids:
        raise UsageError("which takes?", advice="name them, or choose them with --only")
    losses = reconcile.losses(run.place, take_ids)
    note(losses)
    if losses and not arguments.yes and not agreed("What was paid for them is lost.", instead="--yes"):
        return None
    return reconcile.drop(run.place, take_ids, by=user_name(), opening=opening_of(arguments))


def _show(run: RecordedRun, arguments: argparse.Namespace) -> int:
    cases = reconcile.held_cases(run.place)
    base = ["reconcile", path_word(arguments.target), *(["--simulate"] if arguments.simulate else [])]
    if arguments.output == "json":
        held = [_case_as_json(case, base) for case in cases]
        show_json(envelope("held", {"run_dir": str(run.place.path), "held": held}))
    elif cases:
        show([f"{counted(len(cases), 'take')} held: submitted, and whether the API took it is not known."])
        show("\n" + "\n".join(case_lines(case, base)) for case in cases)
    else:
        show(["no take is held"])
    return REMAINING if cases else 0


def _case_as_json(case: HeldCase, base: Sequence[str]) -> dict[str, object]:
    return {
        "take": case.take_id,
        "label": case.label,
        "model": case.model,
        "state": case.state.value,
        "attempt": case.attempt,
        "started_at": time_as_json(case.started_at),
        "ended_at": time_as_json(case.ended_at),
        "milestone": case.milestone,
        "reason": case.reason,
        "evidence": case.evidence,
        "prompt": case.prompt,
        "inputs": dict(case.inputs),
        "fingerprint": case.fingerprint,
        "candidates": list(case.candidates),
        "next": commands_as_json(*([*base, *words] for words in _ways(case).values())),
    }


def _ways(case: HeldCase) -> dict[str, list[str]]:
    """Return the words of the three decisions about a held take, by what a person has found."""
    return {
        "it is there": ["adopt", case.take_id, *_id_word(case.candidates)],
        "it is not": ["not-sent", case.take_id],
        "give it up": ["drop", case.take_id],
    }


def case_lines(case: HeldCase, base: Sequence[str]) -> list[str]:
    """Return the lines about one held take that a person needs to decide; `base` begins the commands to decide with."""
    given = "  ".join(f"{visible(name, 60)}={value(case.inputs[name], _INPUT)}" for name in case.inputs)
    facts = {
        "sent": window(case.started_at, case.ended_at),
        "how far": MILESTONES.get(case.milestone, visible(case.milestone)),
        "why held": visible(case.reason),
        "came back": visible(case.evidence) or "nothing",
        "perhaps": ", ".join(visible(each, 300) for each in case.candidates),
        "prompt": visible(case.prompt, _PROMPT),
        "inputs": given,
        "fingerprint": case.fingerprint[:_PRINT],
        "look for": f"on the provider's site, a job of {visible(case.model)} with this prompt, made in that time",
    }
    lines = [f"{with_label(case.take_id, case.label)}  {visible(case.model)}{_attempt(case)}"]
    lines += [f"  {name:<12} {text}" for name, text in facts.items() if text]
    return lines + [
        f"  → {name + ':':<13}{command_line(*base, *words)}" for name, words in _ways(case).items()
    ]


def _id_word(candidates: Sequence[str]) -> list[str]:
    """Return the id to adopt as words of a command line, if exactly one id came back."""
    if len(candidates) != 1:
        return ["REQUEST_ID"]
    return ["--", candidates[0]] if candidates[0].startswith("-") else [candidates[0]]


def _attempt(case: HeldCase) -> str:
    if case.state is TakeState.SUBMITTING:
        return "  being sent right now, or its runner died while sending"
    return f"  attempt {case.attempt}" if case.attempt > 1 else ""
