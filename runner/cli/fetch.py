"""`fetch`: downloads the clips of rendered takes that are missing or damaged; it never submits."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from runner.cli.ending import clip_lines, remark_lines, trouble_lines
from runner.cli.event_stream import EventStream, with_events
from runner.cli.from_flags import choice_of, opening_of
from runner.cli.json_output import commands_as_json
from runner.cli.next_command import repeated
from runner.cli.record_json import states_as_json
from runner.cli.run import show_results
from runner.cli.run_flags import hook_words, progress_of
from runner.cli.summary_json import summary_as_json
from runner.cli.terminal import show_json, warn
from runner.commands.fetch import Fetched, fetch
from runner.commands.steps.api_session import recorded_request
from runner.commands.steps.find_run import find_recorded
from runner.commands.steps.summary import RunSummary
from runner.domain.display import counted, spent_words, standing, tally, visible
from runner.domain.run_ending import EndingKind
from runner.domain.states import UNFINISHED, DeliveryState, TakeState
from runner.engine.options import EngineOptions
from runner.output.status_text import standings
from runner.system.escapes import command_line, path_word

PATIENCE = 600.0
"""Seconds to wait for hosts that do not answer: a person is waiting, and can repeat the command."""


def command(arguments: argparse.Namespace) -> int:
    """Fetch, and print what was downloaded."""
    return with_events(arguments, lambda events: _fetch(arguments, events))


def _fetch(arguments: argparse.Namespace, events: EventStream) -> int:
    run = find_recorded(arguments.target, simulated=arguments.simulate or None)
    opening, base = opening_of(arguments), arguments.api_base
    known = recorded_request(run.place, run.header, api_base=base, opening=opening)
    request = replace(
        known,
        options=EngineOptions(outage_limit=PATIENCE),
        progress=progress_of("none" if arguments.quiet else arguments.progress),
        inspect=not arguments.no_inspect,
        executor=arguments.executor,
        name_template=arguments.name,
        on_delivered=hook_words(arguments.on_delivered),
        words=("shotrunner", *arguments.words),
    )
    choice = choice_of(arguments)
    fetched = fetch(run.place, arguments.takes, choice=choice, request=events.follow(request))
    needed = _needed(fetched, arguments, run.words) or _onward(fetched, run.words)
    events.note_end(fetched.summary, needed, code=fetched.exit_code)
    if arguments.output == "json":
        show_json(_as_json(fetched, arguments, run.words))
        return fetched.exit_code
    if arguments.quiet:
        warn(needed)
        return fetched.exit_code
    summary, (count, *others) = fetched.summary, _results(fetched)
    show_results(
        summary,
        [count, *others],
        _remarks(fetched),
        needed,
        piped=[count, *clip_lines(summary), *others],
        verbose=arguments.verbose,
    )
    return fetched.exit_code


def _as_json(fetched: Fetched, arguments: argparse.Namespace, words: Sequence[str]) -> dict[str, object]:
    """Return the summary of all takes that the fetch was about, also of those without a clip to fetch."""
    summary = replace(fetched.summary, remarks=tuple(_plain_remarks(fetched)))
    found, states = summary_as_json(summary, words), Counter(standings(summary.counts, summary.deliveries))
    states.update({standing(state): count for state, count in fetched.without_clip.items()})
    onward = [*_decisions(fetched).values(), *([words] if _is_unfinished(fetched) else [])]
    return {
        **found,
        "exit": fetched.exit_code,
        "states": states_as_json(states),
        "next": commands_as_json(*([arguments.words] if _was_stopped(summary) else onward)),
    }


def _plain_remarks(fetched: Fetched) -> Iterator[str]:
    yield from fetched.summary.remarks
    if fetched.restored:
        yield f"written again: {counted(len(fetched.restored), 'sidecar')}"
    yield from (f"not touched: {find.file}: {find.says}" for find in fetched.untouched)


def _results(fetched: Fetched) -> list[str]:
    summary = fetched.summary
    wanted, here = sum(summary.deliveries.values()), summary.deliveries.get(DeliveryState.DELIVERED, 0)
    lines = [f"{here} of {counted(wanted, 'clip')} downloaded" if wanted else _all_here(fetched)]
    spent = spent_words(summary.spending, simulated=summary.simulated)
    lines += [spent] if spent and summary.spending.without_cost else []
    if fetched.restored:
        lines.append(f"written again: {counted(len(fetched.restored), 'sidecar')}")
    return lines


def _all_here(fetched: Fetched) -> str:
    if not fetched.without_clip:
        return "every clip is here, whole"
    others = tally({standing(state): count for state, count in fetched.without_clip.items()})
    return f"every clip that was rendered is here, whole; without one: {others}"


def _onward(fetched: Fetched, words: Sequence[str]) -> list[str]:
    """Return the commands that finish the takes without a clip, for a person; `words` continue the run."""
    lines = []
    for state, command in _decisions(fetched).items():
        if state is not TakeState.HELD:
            count = fetched.without_clip[state]
            lines.append(f"{counted(count, 'take')} {state}; to pay for new attempts:")
        lines.append(f"  → {command_line(*command)}")
    return lines + ([f"go on with: {command_line(*words)}"] if _is_unfinished(fetched) else [])


def _decisions(fetched: Fetched) -> dict[TakeState, list[str]]:
    """Return the words of the command for takes that wait for a person, by their state."""
    states, run_dir = fetched.without_clip, path_word(fetched.summary.run_dir)
    ended = (TakeState.FAILED, TakeState.CANCELLED)
    found = {state: ["retry", run_dir, "--status", state.value] for state in ended if states.get(state)}
    if states.get(TakeState.HELD) or states.get(TakeState.SUBMITTING):
        found[TakeState.HELD] = ["reconcile", run_dir]
    return found


def _is_unfinished(fetched: Fetched) -> bool:
    return any(fetched.without_clip.get(state) for state in UNFINISHED)


def _was_stopped(summary: RunSummary) -> bool:
    return summary.ending.kind is not EndingKind.FINISHED or summary.signal is not None


def _remarks(fetched: Fetched) -> list[str]:
    untouched = (f"not touched: {visible(find.file)}: {visible(find.says)}" for find in fetched.untouched)
    return [*remark_lines(fetched.summary), *untouched]


def _needed(fetched: Fetched, arguments: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """Return why it stopped, and what is to be done for the clips that are not here; `words` continue the run."""
    summary = fetched.summary
    lines = [f"stopped: {visible(summary.ending.reason)}"] if summary.ending.reason else []
    lines += trouble_lines(replace(summary, held=()), words)
    if _was_stopped(summary):
        lines.append(f"go on with: {repeated(arguments.words)}")
    return lines
