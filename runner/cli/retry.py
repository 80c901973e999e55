"""`retry`: asks whether to pay for failed takes again, records the answer, and runs them as `run` does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace

from runner.cli.event_stream import EventStream, with_events
from runner.cli.from_flags import is_capped, user_name
from runner.cli.json_output import declined_as_json
from runner.cli.money_text import agreed_to_pay, duplicate_words
from runner.cli.next_command import onward_words
from runner.cli.problems import Warnings
from runner.cli.run import asker, extra_words, show_end
from runner.cli.run_flags import notified, request_of, simulator_of
from runner.cli.run_page import with_page
from runner.cli.terminal import note, show_json, warn
from runner.commands.retry import Proposal, propose, retry
from runner.commands.steps.find_run import run_words
from runner.commands.steps.request import Warn, no_warnings
from runner.domain.display import counted
from runner.simulator.settings import SimulatorSettings


def command(arguments: argparse.Namespace) -> int:
    """Record the request and run; the exit code is the run's."""
    return with_events(arguments, lambda events: _retry(arguments, events))


def _retry(arguments: argparse.Namespace, events: EventStream) -> int:
    asked = SimulatorSettings() if arguments.simulate else None
    request = notified(request_of(arguments, manifest=arguments.target, simulate=asked), arguments)
    names, even_moderated = arguments.takes, arguments.even_moderated
    proposal = propose(arguments.target, request=request, names=names, even_moderated=even_moderated)
    # Flags that a run refuses are refused before anything is recorded.
    simulate = simulator_of(arguments, simulated=proposal.header.simulated)
    say: Callable[[Iterable[str]], None] = (lambda _: None) if arguments.quiet else note
    say(f"left out: {text}" for text in proposal.left_out)
    for take in proposal.takes:
        doubtful = take.links(proposal.header.api_base).doubtful
        say(f"{take.take_id}: its record names {link}" for link in doubtful)
    warnings: Warn = no_warnings if arguments.quiet else Warnings(proposal.manifest)
    warnings(proposal.warnings, False)  # noqa: FBT003 - the shape of `Warn`
    if not _agreed(arguments, proposal):
        said = "nothing was recorded or submitted"
        if arguments.output == "json":
            show_json(declined_as_json(said))
        else:
            warn([said])
        return 3
    # `run` asks again where it may pay for more than was agreed to: because of a flag, or since more takes are meant.
    assume_yes = arguments.yes or not (proposal.means_others or extra_words(arguments))
    # A person who was asked has agreed to the duplicates. Without a person, only the flag leads here.
    twice = arguments.allow_duplicates or bool(proposal.duplicates)
    confirm = asker(arguments, assume_yes=assume_yes, twice=twice)
    request = replace(request, simulate=simulate, confirm=confirm, warn=warnings)
    summary = retry(
        proposal,
        request=with_page(events.follow(request), arguments),
        by=user_name(),
        reason=arguments.reason,
        say=lambda remark: say([remark]),
    )
    return show_end(summary, arguments, _next_words(arguments, proposal), events)


def _next_words(arguments: argparse.Namespace, proposal: Proposal) -> list[str]:
    """Return the command to continue with: `run` with the same limits for the same takes.

    `retry` again would also pay again for takes that failed again.
    """
    base = run_words(proposal.place, proposal.header)
    words = onward_words(arguments.words, base=base, chosen=proposal.take_ids)
    return [word for word in words if word != "--yes"] if proposal.means_others else words


def _agreed(arguments: argparse.Namespace, proposal: Proposal) -> bool:
    """Return whether paying is agreed to, as for `run`."""
    number, more = len(proposal.takes), duplicate_words(proposal.duplicates)
    if proposal.header.simulated:
        warn([] if arguments.quiet else [f"{counted(number, 'new attempt')}, simulated"])
        return True
    host, kind = proposal.header.api_base, "paid"
    does = f"be paid for at {host}"
    if proposal.nothing_paid:
        kind, does = "simulated", f"be submitted to {host}"
    return agreed_to_pay(
        ""
        if arguments.quiet
        else f"{counted(number, f'new {kind} attempt')}{more}, whatever the earlier ones cost",
        f"each is a new {kind} attempt: {counted(number, 'job')} will {does}{more}.",
        duplicates=proposal.duplicates,
        assume_yes=arguments.yes,
        capped=is_capped(arguments),
        twice=arguments.allow_duplicates,
    )
