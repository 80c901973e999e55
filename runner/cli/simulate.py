"""`simulate`: serves the simulator until it is stopped, and prints how to point a run at it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from runner.cli.run_flags import simulator_settings
from runner.simulator.server import RunningSimulator, serve


def command(arguments: argparse.Namespace) -> int:
    """Serve the simulator."""
    settings = simulator_settings(arguments, ledger=arguments.ledger)
    _refuse_unusable(arguments.schema_dir)
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
    print(f"export RUNCOMFY_MODEL_API_BASE={simulator.base_url}")
    print(f"export RUNCOMFY_TOKEN={simulator.token}")
    print(f"# simulating; the ledger is at {simulator.origin}/__ledger; Ctrl-C ends it", flush=True)
    if not simulator.previews:
        print(
            "# every clip is the same ready-made one; pip install 'shotrunner[video]' draws one a job",
            flush=True,
        )
