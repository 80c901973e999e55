"""What a caller asks of a run, as one value.

It is made of flags or of arguments of the Python API, and it is handed to every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.summary import RunEstimate
from runner.domain.run_ending import Stop
from runner.domain.run_events import Listener, Listeners
from runner.engine.options import EngineOptions
from runner.manifest.size_limits import LIMITS
from runner.manifest.size_limits import Limits as ManifestLimits
from runner.plan.selection import Choice
from runner.simulator.settings import SimulatorSettings
from runner.system.clock import Clock

SIMULATOR_BASE = "simulator"


Progress: TypeAlias = Callable[[int, int], AbstractContextManager[Listener]]
"""Makes the listener of a run from the number of its takes and of those already finished."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The arguments of `run_manifest`, settled."""

    manifest: Path
    options: EngineOptions
    simulate: SimulatorSettings | None
    choice: Choice
    schema_dirs: tuple[Path, ...]
    api_base: str | None
    environ: Mapping[str, str]
    confirm: Callable[[RunEstimate], bool]
    progress: Progress
    clock: Clock
    on_interrupt: Stop = Stop.DRAIN
    opening: OpenOptions = DEFAULT_OPTIONS
    stale: bool = False
    manifest_limits: ManifestLimits = LIMITS

    @property
    def origin(self) -> str:
        """The API's origin, which needs no token to know."""
        from runner.api.account import BASE_VARIABLE, DEFAULT_BASE, parse_base

        if self.simulate is not None:
            return SIMULATOR_BASE
        return parse_base(self.api_base or self.environ.get(BASE_VARIABLE) or DEFAULT_BASE)

    @property
    def on_this_machine(self) -> bool:
        """True where the API is the simulator or another server on loopback."""
        from runner.api.account import on_this_machine

        return self.simulate is not None or on_this_machine(self.origin)


def no_progress(_total: int, _done: int) -> AbstractContextManager[Listener]:
    """Listen to a run and report nothing."""
    return nullcontext(Listeners())
