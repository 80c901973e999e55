"""`watch`: serves the page of a run on this machine while the run goes on, and prints its address."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from pathlib import Path

from runner.cli.from_flags import user_name
from runner.cli.json_output import envelope
from runner.cli.terminal import show_result, warn
from runner.commands.watch import watch
from runner.notify.program import environment


def command(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C; with --open the browser is started when the page can be loaded."""
    # Neither this process nor the browser needs a token.
    for name in os.environ.keys() - environment(os.environ).keys():
        del os.environ[name]

    def announce(run_dir: Path, address: str) -> None:
        value = {"url": address, "run_dir": str(run_dir), "pid": os.getpid()}
        show_result(arguments, envelope("watch", value), [address])
        sys.stdout.flush()
        if arguments.open:
            # A browser in the terminal keeps its caller waiting.
            threading.Thread(target=_open, args=(address,), daemon=True).start()

    watch(
        arguments.target,
        who=user_name(),
        simulated=arguments.simulate or None,
        port=arguments.port,
        until_closed=arguments.until_closed,
        on_ready=announce,
    )
    return 0


def _open(address: str) -> None:
    if not webbrowser.open(address):
        warn(["no browser was found; open the address yourself"])
