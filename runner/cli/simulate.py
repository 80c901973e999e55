"""`simulate`: serves the simulator until it is stopped, and prints how to point a run at it; or for one command."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from runner.cli.run_flags import simulator_settings
from runner.domain.errors import UsageError
from runner.domain.token_leaks import TOKEN_VARIABLES
from runner.simulator.server import RunningSimulator, running, serve


def command(arguments: argparse.Namespace) -> int:
    """Serve the simulator, and return the exit code of the command that is run against it, if there is one."""
    settings = simulator_settings(arguments, ledger=arguments.ledger)
    _refuse_unusable(arguments.schema_dir)
    if arguments.exec:
        with running(settings, port=arguments.port, schema_dirs=arguments.schema_dir) as simulator:
            return _outcome(arguments.exec, simulator.variables)
    serve(settings, port=arguments.port, schema_dirs=arguments.schema_dir, on_ready=_announce)
    return 0


def _refuse_unusable(folders: Sequence[Path]) -> None:
    """Read every schema of the user, so that an unusable one is reported before serving begins."""
    if not folders:
        return
    from runner.models.registry import Models

    models = Models.bundled(folders)
    for model_id in models.ids():
        models.find(model_id)


def _announce(simulator: RunningSimulator) -> None:
    for name, value in simulator.variables.items():
        print(f"export {name}={value}")
    print(f"# simulating; the ledger is at {simulator.origin}/__ledger; Ctrl-C ends it", flush=True)
    if not simulator.previews:
        print(
            "# every clip is the same ready-made one; pip install 'shotrunner[video]' draws one a job",
            flush=True,
        )


def _outcome(words: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command with `variables` and without any other token, and return its exit code as a shell does."""
    others = {name: value for name, value in os.environ.items() if name not in TOKEN_VARIABLES}
    try:
        child = subprocess.Popen(words, env=others | dict(variables))  # noqa: S603 - the user's own command
    except OSError as error:
        raise UsageError(
            f"{words[0]} cannot be started: {error.strerror}", advice="name a command after --exec"
        ) from error

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    # A terminal sends its Ctrl-C to the command as well, which decides what comes of it.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, pass_on)
    code = child.wait()
    return code if code >= 0 else 128 - code
