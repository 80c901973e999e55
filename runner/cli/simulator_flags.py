"""The flags of the simulator as its settings, for `run --simulate` and `simulate`.

In: parsed arguments. Out: `SimulatorSettings`. It is imported by these two alone, since it loads the simulator.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.domain.errors import FileMissing, ManifestInvalid, Position, Problem
from runner.simulator.settings import Script, SimulatorSettings, load_script
from runner.system.private_files import read_given

_LARGEST = 4 * 2**20


def simulator_settings(arguments: argparse.Namespace, *, ledger: Path | None = None) -> SimulatorSettings:
    """Return the settings that the flags ask for.

    Raises:
        FileMissing, ManifestInvalid: the fault script is not there, or not right.
    """
    plain = SimulatorSettings()
    return SimulatorSettings(
        speed=plain.speed if arguments.speed is None else arguments.speed,
        fail_rate=plain.fail_rate if arguments.fail_rate is None else arguments.fail_rate,
        script=_script(arguments.script),
        ledger=ledger,
    )


def _script(path: Path | None) -> Script:
    if path is None:
        return Script()
    try:
        text = read_given(path, limit=_LARGEST).decode("utf-8")
    except OSError as error:
        raise FileMissing(f"the fault script {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        problem = Problem(Position(str(path)), "", f"not UTF-8: byte {error.start} is not text")
        raise ManifestInvalid([problem]) from error
    return load_script(text, str(path))
