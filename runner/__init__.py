"""Shotrunner: a storyboard in, clips and a report out; resumable, and it never pays twice.

`check` reads a manifest and returns its plan, `run_manifest` renders what is missing and returns a summary,
`report` writes the CSV and the HTML page of a run. The command `shotrunner` is a skin over these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.version import __version__

if TYPE_CHECKING:
    from runner.checking import check
    from runner.engine.limits import Limits
    from runner.engine.options import EngineOptions
    from runner.errors import ManifestInvalid, Problem, ShotrunnerError
    from runner.run import report, run_manifest
    from runner.shots import Plan, Take
    from runner.states import DeliveryState, FailureClass, TakeState
    from runner.summary import RunSummary

__all__ = [
    "DeliveryState",
    "EngineOptions",
    "FailureClass",
    "Limits",
    "ManifestInvalid",
    "Plan",
    "Problem",
    "RunSummary",
    "ShotrunnerError",
    "Take",
    "TakeState",
    "__version__",
    "check",
    "report",
    "run_manifest",
]

_HOMES = {
    "DeliveryState": "states",
    "EngineOptions": "engine.options",
    "FailureClass": "states",
    "Limits": "engine.limits",
    "ManifestInvalid": "errors",
    "Plan": "shots",
    "Problem": "errors",
    "RunSummary": "summary",
    "ShotrunnerError": "errors",
    "Take": "shots",
    "TakeState": "states",
    "check": "checking",
    "report": "run",
    "run_manifest": "run",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home when it is first asked for, so that `--help` starts in a blink."""
    if name not in _HOMES:
        raise AttributeError(f"module 'runner' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"runner.{_HOMES[name]}"), name)
