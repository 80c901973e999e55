"""`retry`: asks whether to pay for failed takes again, records the answer, and runs them as `run` does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

from runner.cli import run
from runner.cli.money_text import agreed_to_pay, duplicate_words
from runner.cli.next_command import onward_words
from runner.cli.prompts import choice_of, opening_of, run_words, user_name
from runner.cli.run import extra_words, options_of, simulator_of
from runner.cli.stdin_manifest import manifest_limits
from runner.commands import retry
from runner.commands.check import check
from runner.commands.retry import Retries
from runner.commands.steps import follow_renames
from runner.commands.steps.api_session import manifest_of, recorded_request
from runner.commands.steps.find_run import find_run
from runner.domain.display import counted, visible
from runner.domain.errors import FileMissing, UsageError
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.shots import Plan
from runner.store.lock import RunLock
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir, is_run


def command(arguments: argparse.Namespace) -> int:
    """Record the request and run; the exit code is the run's."""
    place = _place(arguments)
    with open_reader(place.state_file) as reader:
        header, takes, sent = reader.header, reader.takes(), reader.sent()
    if arguments.simulate and not header.simulated:
        raise UsageError(f"{place.path} holds a paid run", advice="leave out --simulate")
    manifest = _manifest(arguments.target, place, header, moved=arguments.moved)
    # If the run was moved, the command to continue names the manifest's present place.
    header = replace(header, manifest=os.path.relpath(manifest.resolve(), place.path.resolve()))
    plan = _planned(arguments, manifest, header)
    now = follow_renames.as_called_now(takes, plan)
    retries = _chosen(arguments, header, now, plan)
    as_run = _as_run(arguments, place, header, manifest, retries, plan)
    # Flags that a run refuses must be refused before anything is recorded.
    options_of(as_run)
    simulate = simulator_of(as_run)
    names = {then.take_id: take.take_id for then, take in zip(takes, now, strict=True)}
    again = retry.duplicates(plan, now, as_run.only, {names[take_id] for take_id in sent})
    for text in retries.left_out:
        print(f"left out: {visible(text)}", file=sys.stderr)
    for take in retries.takes:
        for left in take.links(header.api_base).doubtful:
            print(f"{visible(take.take_id)}: its record names {visible(str(left))}", file=sys.stderr)
    if not _agreed(arguments, header, len(retries.takes), again):
        print("nothing was recorded or submitted", file=sys.stderr)
        return 3
    # One lock covers both steps. Otherwise another process could leave a request that a later run pays without asking.
    with RunLock(place.path) as lock:
        opening = replace(opening_of(arguments), lock=lock)
        follow_renames.follow(place, plan, opening=opening)
        asked = _still_over(place, retries.takes, plan)
        request = recorded_request(place, header, api_base=arguments.api_base)
        request = replace(
            request, simulate=simulate, schema_dirs=tuple(arguments.schema_dir), opening=opening
        )
        look = retry.look_first(place, asked, request=request)
        asked = tuple(take for take in asked if take.take_id not in {*look.found, *look.disowned})
        recorded = retry.request_retries(
            place, asked, by=user_name(), reason=arguments.reason, opening=opening
        )
        for note in (*look.remarks, *recorded.remarks):
            print(visible(note), file=sys.stderr)
        # A person who was asked has agreed to the duplicates. Without a person, only the flag leads here.
        as_run.allow_duplicates = arguments.allow_duplicates or bool(again)
        # From here on the command to continue with is `run`, not `retry`.
        arguments.words = as_run.words
        return run.command(as_run, lock=lock)


def _still_over(place: RunDir, takes: Sequence[TakeRecord], plan: Plan) -> tuple[TakeRecord, ...]:
    """Return the takes that need a request; a take whose row changed does not, since its new row is sent anyway."""
    with open_reader(place.state_file) as reader:
        recorded = reader.takes()
    over = {take.take_id for take in recorded if take.state in retry.RETRYABLE}
    over -= follow_renames.sent_unasked(recorded, plan)
    return tuple(take for take in takes if take.take_id in over)


def _agreed(arguments: argparse.Namespace, header: RunHeader, number: int, again: Sequence[str]) -> bool:
    """Return whether paying is agreed to, as for `run`; `again` are takes whose request another take sends."""
    if header.simulated:
        print(f"{counted(number, 'new attempt')}, simulated", file=sys.stderr)
        return True
    more = duplicate_words(again)
    return agreed_to_pay(
        f"{counted(number, 'new paid attempt')}{more}, whatever the earlier ones cost",
        f"each is a new paid attempt: {counted(number, 'job')} will be paid for at {header.api_base}{more}.",
        duplicates=again,
        assume_yes=arguments.yes,
        capped=arguments.max_cost is not None,
        twice=arguments.allow_duplicates,
    )


def _place(arguments: argparse.Namespace) -> RunDir:
    if arguments.run_dir is not None:
        if not is_run(arguments.run_dir):
            raise FileMissing(f"nothing has been run in {arguments.run_dir}")
        return RunDir(arguments.run_dir)
    return find_run(arguments.target, simulated=arguments.simulate or None)


def _manifest(target: Path, place: RunDir, header: RunHeader, *, moved: bool) -> Path:
    recorded = manifest_of(place, header)
    if (
        target.is_file()
        and normalize("NFC", str(target.resolve())) != normalize("NFC", str(recorded))
        and not moved
    ):
        raise UsageError(f"{place.path} belongs to another manifest: {recorded}")
    return target if target.is_file() else recorded


def _planned(arguments: argparse.Namespace, manifest: Path, header: RunHeader) -> Plan:
    """Check the manifest before anything is recorded, since nothing runs while it has a problem."""
    from runner.commands.steps.api_base import is_local

    local = is_local(arguments.api_base, os.environ)
    return check(
        manifest,
        schema_dirs=arguments.schema_dir,
        allow_private_media=header.simulated or local,
        limits=manifest_limits(arguments),
    )


def _chosen(
    arguments: argparse.Namespace, header: RunHeader, takes: Sequence[TakeRecord], plan: Plan
) -> Retries:
    choice = choice_of(arguments)
    if not arguments.takes and choice.is_all:
        raise UsageError("which takes?", advice="name them, or say --only status:failed")
    return retry.retries(
        takes,
        planned={take.id: take.fingerprint for take in plan.takes},
        names=arguments.takes,
        choice=None if choice.is_all else choice,
        even_moderated=arguments.even_moderated,
        origin=header.api_base,
    )


def _as_run(
    arguments: argparse.Namespace,
    place: RunDir,
    header: RunHeader,
    manifest: Path,
    retries: Retries,
    plan: Plan,
) -> argparse.Namespace:
    """Return the same flags as flags of `run`, for the chosen takes alone.

    The command to continue with is `run` with the same limits: `retry` again would also pay again for takes that failed
    again.
    """
    chosen = [take.take_id for take in retries.takes]
    meant_besides = [take for take in plan.takes if take.shot_id in chosen and take.id not in chosen]
    words = onward_words(arguments.words, base=run_words(place, header), chosen=chosen)
    return argparse.Namespace(
        **{
            **vars(arguments),
            "manifest": manifest,
            "run_dir": place.path,
            "simulate": header.simulated,
            "only": chosen,
            "exclude": [],
            "tag": [],
            "status": [],
            "limit": None,
            "stale": False,
            "dry_run": False,
            # `run` asks again where it may pay for more than was agreed to: because of a flag, or because the id of
            # a take is also the id of another take's shot.
            "yes": arguments.yes or not (meant_besides or extra_words(arguments)),
            "words": [word for word in words if word != "--yes"] if meant_besides else words,
        }
    )
