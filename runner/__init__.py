"""Shotrunner renders a storyboard into clips and a report. It can always be resumed, and it never pays twice.

`check` reads a manifest and returns its plan. `run_manifest` renders what is missing and returns a summary;
`run_manifest_async` does it inside a running event loop. `report` writes the CSV and the HTML page of a run, and
`to_frame` returns its table. The command `shotrunner` is a thin layer over these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.system.version import __version__

if TYPE_CHECKING:
    from runner.commands.check import check
    from runner.commands.report import report, to_frame
    from runner.commands.run import run_manifest, run_manifest_async
    from runner.commands.steps.signals import Interrupts
    from runner.commands.steps.summary import RunSummary
    from runner.domain.errors import ManifestInvalid, Problem, ShotrunnerError
    from runner.domain.limits import Limits
    from runner.domain.rates import Rate
    from runner.domain.run_events import FactRecorded, Message, RunEnded, RunStarted, Steered
    from runner.domain.shots import Plan, Take
    from runner.domain.states import DeliveryState, FailureClass, TakeState
    from runner.engine.options import EngineOptions

__all__ = [
    "DeliveryState",
    "EngineOptions",
    "FactRecorded",
    "FailureClass",
    "Interrupts",
    "Limits",
    "ManifestInvalid",
    "Message",
    "Plan",
    "Problem",
    "Rate",
    "RunEnded",
    "RunStarted",
    "RunSummary",
    "ShotrunnerError",
    "Steered",
    "Take",
    "TakeState",
    "__version__",
    "check",
    "report",
    "run_manifest",
    "run_manifest_async",
    "to_frame",
]

_HOMES = {
    "DeliveryState": "domain.states",
    "EngineOptions": "engine.options",
    "FactRecorded": "domain.run_events",
    "FailureClass": "domain.states",
    "Interrupts": "commands.steps.signals",
    "Limits": "domain.limits",
    "ManifestInvalid": "domain.errors",
    "Message": "domain.run_events",
    "Plan": "domain.shots",
    "Problem": "domain.errors",
    "Rate": "domain.rates",
    "RunEnded": "domain.run_events",
    "RunStarted": "domain.run_events",
    "RunSummary": "commands.steps.summary",
    "ShotrunnerError": "domain.errors",
    "Steered": "domain.run_events",
    "Take": "domain.shots",
    "TakeState": "domain.states",
    "check": "commands.check",
    "report": "commands.report",
    "run_manifest": "commands.run",
    "run_manifest_async": "commands.run",
    "to_frame": "commands.report",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module at first use, so that `--help` is fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'runner' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"runner.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names alone."""
    return __all__
