"""`reconcile`: shows held takes with all that is known about them, and records what a person decides."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from runner.cli.prompts import agreed, choice_of, opening_of, run_words, typed, user_name
from runner.commands import reconcile
from runner.commands.reconcile import HeldCase
from runner.commands.steps.api_session import Found, identify, recorded_request, with_api
from runner.commands.steps.find_run import find_run
from runner.commands.steps.follow_renames import follow_names
from runner.commands.steps.open_for_decision import Decision, named
from runner.domain.display import MILESTONES, counted, value, visible, window
from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.states import TakeState
from runner.plan.selection import pick
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
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
    place = find_run(arguments.target, simulated=arguments.simulate or None)
    if arguments.decision is None:
        return _show(place, arguments)
    with open_reader(place.state_file) as reader:
        header = reader.header
    names = [arguments.take] if arguments.decision == "adopt" else arguments.takes
    follow_names(place, header, names, opening=opening_of(arguments))
    decided = {"adopt": _adopt, "not-sent": _not_sent, "drop": _drop}[arguments.decision](place, arguments)
    if decided is None:
        print("nothing was recorded", file=sys.stderr)
        return 3
    for take_id in decided.take_ids:
        print(f"{visible(take_id)}: {_CONSEQUENCES[arguments.decision]}")
    for remark in decided.remarks:
        print(visible(remark), file=sys.stderr)
    _say_how_to_go_on(place)
    return 0


def _adopt(place: RunDir, arguments: argparse.Namespace) -> Decision:
    def ask(request_id: str) -> Found:
        with open_reader(place.state_file) as reader:
            request = recorded_request(place, reader.header, api_base=arguments.api_base)
            takes = reader.takes()
        model = next((take.model for take in takes if take.take_id == arguments.take), "")
        return with_api(
            request, place, takes, lambda queue: identify(queue, request_id, model=model, clock=request.clock)
        )

    asking = None if arguments.offline else ask
    return reconcile.adopt(
        place,
        arguments.take,
        arguments.request_id,
        by=user_name(),
        look_up=asking,
        opening=opening_of(arguments),
    )


def _not_sent(place: RunDir, arguments: argparse.Namespace) -> Decision | None:
    take_ids = _chosen(place, arguments, lambda take: take.state in reconcile.NEEDS_DECISION)
    if arguments.all == bool(take_ids):
        raise UsageError("which takes?", advice="name them, choose them with --only, or say --all")
    if arguments.all:
        take_ids = [case.take_id for case in reconcile.held_cases(place)]
        if not take_ids:
            raise UsageError("no take is held")
        if not arguments.yes_i_may_pay_twice and not _means_all(len(take_ids)):
            return None
    return reconcile.declare_not_sent(
        place, take_ids, by=user_name(), reason=arguments.reason, opening=opening_of(arguments)
    )


def _means_all(number: int) -> bool:
    warning = f"{counted(number, 'take')} will be submitted again and may be paid for twice."
    return typed(f"{warning} Type the number of takes: ", instead="--yes-i-may-pay-twice") == str(number)


def _drop(place: RunDir, arguments: argparse.Namespace) -> Decision | None:
    take_ids = _chosen(place, arguments, reconcile.may_be_dropped)
    if not take_ids:
        raise UsageError("which takes?", advice="name them, or choose them with --only")
    losses = _losses(place, take_ids)
    for line in losses:
        print(line, file=sys.stderr)
    if losses and not arguments.yes and not agreed("What was paid for them is lost.", instead="--yes"):
        return None
    return reconcile.drop(place, take_ids, by=user_name(), opening=opening_of(arguments))


def _losses(place: RunDir, take_ids: Sequence[str]) -> list[str]:
    """Return a sentence for each given-up take that has a running job or an output."""
    with open_reader(place.state_file) as reader:
        takes, origin = named(reader.takes(), take_ids), reader.header.api_base
    losses = []
    for take in takes:
        loss = reconcile.what_is_given_up(take)
        links = "".join(f"; its record names {found.url}" for found in take.links(origin).taken)
        if loss or links:
            losses.append(visible(f"{take.take_id}: {loss or take.state}{links}", 1000))
    return losses


def _chosen(place: RunDir, arguments: argparse.Namespace, fits: Callable[[TakeRecord], bool]) -> list[str]:
    """Return the named takes, or those of a choice that fit; an empty list if there is neither."""
    choice = choice_of(arguments)
    if arguments.takes or choice.is_all:
        return list(arguments.takes)
    with open_reader(place.state_file) as reader:
        takes = reader.takes()
    fitting = pick(takes, choice, fits)
    if not fitting:
        raise UsageError("no take that was chosen waits for this", advice="see them with shotrunner status")
    return fitting


def _say_how_to_go_on(place: RunDir) -> None:
    with open_reader(place.state_file) as reader:
        header, left = reader.header, reader.counts()[TakeState.HELD]
    if left:
        print(f"{counted(left, 'take')} still held", file=sys.stderr)
    print(f"go on with: {command_line(*run_words(place, header))}", file=sys.stderr)


def _show(place: RunDir, arguments: argparse.Namespace) -> int:
    cases = reconcile.held_cases(place)
    base = ["reconcile", path_word(arguments.target), *(["--simulate"] if arguments.simulate else [])]
    if arguments.output == "json":
        held = [asdict(case) | {"inputs": dict(case.inputs)} for case in cases]
        print(json.dumps({"run_dir": str(place.path), "held": held}, indent=1))
    elif cases:
        print(f"{counted(len(cases), 'take')} held: submitted, and whether the API took it is not known.")
        for case in cases:
            print("\n" + "\n".join(case_lines(case, base)))
    else:
        print("no take is held")
    return REMAINING if cases else 0


def case_lines(case: HeldCase, base: Sequence[str]) -> list[str]:
    """Return the lines about one held take that a person needs to decide; `base` begins the commands to decide with."""
    back = visible(case.evidence) if case.evidence else "nothing"
    facts = {
        "sent": window(case.started_at, case.ended_at),
        "how far": MILESTONES.get(case.milestone, visible(case.milestone)),
        "why held": visible(case.reason),
        "came back": back,
        "perhaps": ", ".join(visible(each, 300) for each in case.candidates),
        "prompt": visible(case.prompt, _PROMPT),
        "inputs": "  ".join(
            f"{visible(name, 60)}={value(case.inputs[name], _INPUT)}" for name in case.inputs
        ),
        "fingerprint": case.fingerprint[:_PRINT],
        "look for": f"on the provider's site, a job of {visible(case.model)} with this prompt, made in that time",
    }
    ways = {
        "it is there": ["adopt", case.take_id, *_id_word(case.candidates)],
        "it is not": ["not-sent", case.take_id],
        "give it up": ["drop", case.take_id],
    }
    lines = [f"{visible(case.take_id)}  {visible(case.model)}{_attempt(case)}"]
    lines += [f"  {name:<12} {text}" for name, text in facts.items() if text]
    return lines + [f"  → {name + ':':<13}{command_line(*base, *words)}" for name, words in ways.items()]


def _id_word(candidates: Sequence[str]) -> list[str]:
    """Return the id to adopt as words of a command line, if exactly one id came back."""
    if len(candidates) != 1:
        return ["REQUEST_ID"]
    return ["--", candidates[0]] if candidates[0].startswith("-") else [candidates[0]]


def _attempt(case: HeldCase) -> str:
    if case.state is TakeState.SUBMITTING:
        return "  being sent right now, or its runner died while sending"
    return f"  attempt {case.attempt}" if case.attempt > 1 else ""
