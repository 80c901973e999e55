"""The flags of `run`, `plan` and `retry` as one `RunRequest`, and those of the simulator as its settings.

It loads the engine's options and the simulator's, so only these commands import it.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from runner.cli.from_flags import choice_of, manifest_limits, opening_of
from runner.cli.terminal import note
from runner.commands.steps.request import Progress, RunRequest
from runner.domain.display import counted
from runner.domain.environment import SMALL_CLIPS, is_on
from runner.domain.errors import FileMissing, ManifestInvalid, Position, Problem, UsageError
from runner.domain.limits import Limits
from runner.domain.run_ending import Stop
from runner.engine.options import EngineOptions, FailureLimit, OnUnknown
from runner.engine.poll_pace import LookPace
from runner.notify.ports import Channel
from runner.output.progress import Kind, make_progress
from runner.output.safe_stream import Canvas
from runner.simulator.settings import Script, SimulatorSettings, load_script
from runner.system.clock import SystemClock
from runner.system.private_files import read_given

_LARGEST_SCRIPT = 4 * 2**20


def request_of(arguments: Namespace, *, manifest: Path, simulate: SimulatorSettings | None) -> RunRequest:
    """Return what the flags ask of a run of `manifest`; it asks no one before it pays."""
    return RunRequest(
        manifest,
        options=_options(arguments),
        simulate=simulate,
        choice=choice_of(arguments),
        first=tuple(arguments.first),
        optional_models=_optional_models(arguments),
        schema_dirs=tuple(arguments.schema_dir),
        api_base=arguments.api_base,
        progress=progress_of("none" if arguments.quiet else arguments.progress),
        on_interrupt=Stop(arguments.on_interrupt),
        opening=opening_of(arguments),
        stale=arguments.stale,
        manifest_limits=manifest_limits(arguments),
        run_dir=arguments.run_dir,
        out=arguments.out,
        keep_local=arguments.keep_local,
        warn=lambda problems, _known: note(map(str, problems)),
        look=not arguments.no_look,
        inspect=not arguments.no_inspect,
        executor=arguments.executor,
        name_template=arguments.name,
        words=("shotrunner", *arguments.words),
        on_link=(lambda _done, _of: None) if arguments.quiet else _show_looks,
    )


def _optional_models(arguments: Namespace) -> frozenset[str]:
    """Return the models that settings for several boards limit, so that this board need not have a take of them."""
    if not arguments.settings:
        return frozenset()
    from runner.cli.settings import BY_MODEL, Home

    elsewhere = {each.name for each in arguments.settings if each.layer.home is not Home.MANIFEST}
    limits = (getattr(arguments, name.replace("-", "_")) for name in elsewhere.intersection(BY_MODEL))
    return frozenset(model for model, _ in chain.from_iterable(limits))


def notified(request: RunRequest, arguments: Namespace) -> RunRequest:
    """Return the request with who is notified and what is started, which a plan need not know.

    Raises:
        UsageError: a program is not there, or an address is none.
    """
    channels, words = _channels(arguments.notify), hook_words(arguments.on_delivered)
    return replace(request, notify=channels, on_delivered=words)


def _channels(asked: Sequence[str]) -> tuple[Channel, ...]:
    """Return the channels that the flags name, and say which of them are not there."""
    if not asked:
        return ()
    from runner.notify.places import channel_of

    terminal = sys.stderr.fileno() if sys.stderr.isatty() else None
    channels = tuple(channel_of(where, environ=os.environ, terminal=terminal) for where in asked)
    note(f"--notify {each.name} notifies no one: {each.absence}" for each in channels if each.absence)
    return channels


def hook_words(asked: str | None) -> tuple[str, ...]:
    """Return the words of the command that is started for each delivered clip; none if none is wanted."""
    if asked is None:
        return ()
    from runner.notify.program import words_of

    return words_of(asked, flag="--on-delivered", environ=os.environ)


def _show_looks(done: int, of: int) -> None:
    """Overwrite a line of progress, on a terminal alone; the last look clears it."""
    if sys.stderr.isatty():
        told = f"looked at {done:,} of {counted(of, 'media link')}" if done < of else ""
        Canvas.over(sys.stderr).draw(f"\r\x1b[K{told}")


def limits_of(arguments: Namespace) -> Limits:
    """Return the limits that the flags set."""
    return Limits(
        max_cost=arguments.max_cost,
        warn_cost=arguments.warn_cost,
        max_submits=arguments.max_submits,
        until=arguments.until,
        lasts=arguments.lasts,
        cancel_queued=arguments.cutoff == "cancel-queued",
        allow_unpriced=arguments.allow_unpriced,
    )


def _options(arguments: Namespace) -> EngineOptions:
    return EngineOptions(
        jobs=arguments.jobs,
        submit_window=arguments.submit_window,
        download=not arguments.no_download,
        max_unknown=arguments.max_unknown,
        outage_limit=arguments.outage_limit,
        job_limit=arguments.job_limit,
        on_unknown=OnUnknown(arguments.on_unknown),
        max_extra_paid=arguments.max_extra_paid,
        retries=arguments.retries,
        failure_limit=FailureLimit(dict(arguments.halt)),
        scout=arguments.scout,
        rates=dict(arguments.rate),
        model_jobs=dict(arguments.model_jobs),
        limits=limits_of(arguments),
        pace=_pace(arguments.poll_interval),
    )


def _pace(asked: float | None) -> LookPace:
    """Return the pace of looks: an interval that a person asks for holds for short jobs as well."""
    return LookPace() if asked is None else LookPace(floor=asked, least=asked)


def progress_of(asked: str) -> Progress:
    """Return the progress for a person that a flag names; by default a bar on a terminal and plain lines elsewhere."""
    usual: Kind = "bar" if sys.stderr.isatty() else "plain"
    known: dict[str, Kind] = {"bar": "bar", "plain": "plain", "none": "none", "json": "none"}
    kind, stream, clock = known.get(asked, usual), sys.stderr, SystemClock()
    return lambda started: make_progress(kind, stream=stream, started=started, clock=clock)


def simulator_of(arguments: Namespace, *, simulated: bool) -> SimulatorSettings | None:
    """Return how to simulate, or None for a real run, where the simulator's flags are refused."""
    if simulated:
        return simulator_settings(arguments)
    for flag in ("speed", "fail_rate", "script", "balance"):
        if getattr(arguments, flag) is not None:
            raise UsageError(f"--{flag.replace('_', '-')} steers the simulator", advice="add --simulate")
    return None


def simulator_settings(arguments: Namespace, *, ledger: Path | None = None) -> SimulatorSettings:
    """Return the settings that the flags ask for.

    Raises:
        FileMissing, ManifestInvalid: the fault script is not there, or not right.
    """
    given = {
        name: value for name in ("speed", "fail_rate") if (value := getattr(arguments, name)) is not None
    }
    return SimulatorSettings(
        script=_script(arguments.script),
        ledger=ledger,
        small=is_on(SMALL_CLIPS, os.environ),
        balance_usd=arguments.balance,
        **given,
    )


def _script(path: Path | None) -> Script:
    if path is None:
        return Script()
    try:
        text = read_given(path, limit=_LARGEST_SCRIPT).decode("utf-8")
    except OSError as error:
        raise FileMissing(f"the fault script {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        problem = Problem(Position(str(path)), "", f"not UTF-8: byte {error.start} is not text")
        raise ManifestInvalid([problem]) from error
    return load_script(text, str(path))
