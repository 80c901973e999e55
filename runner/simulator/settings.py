"""Holds the settings of a simulator as one frozen value, which is checked when it is made.

It is light to import, since the command line reads it before anything is served.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.domain.errors import UsageError
from runner.simulator.fault_rules import Script

__all__ = ["Script", "SimulatorSettings", "load_script"]

# No sentence has it: a token is masked wherever a server repeats it.
SIMULATOR_TOKEN = "rc-simulator-5d41b7c0e93f"  # noqa: S105 - opens nothing but a simulator

_NO_FAULTS = Script()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """Everything that decides how a simulator behaves.

    `speed` divides every job's length; `fail_rate` is the share of jobs that fail; `slots` is how many run at once.
    `token` is the only accepted token, or None for any. `ledger` is the file of charges, which survives a restart.
    `clips` is the folder of rendered previews (None: a temporary one). `render` off serves one ready-made clip to all.
    `small` clips have the requested aspect, but no more pixels than 320 by 180, whatever resolution is asked for.

    The other switches choose between behaviours that the API has, or leaves open. They set the HTTP status of refusals,
    whether an early result is a `state` or an `error`, and the status word of a failed run. They also set the seconds
    until a cost is known, and until ids and files expire after a job's end (None: never).
    """

    speed: float = 1.0
    fail_rate: float = 0.0
    script: Script = _NO_FAULTS
    token: str | None = SIMULATOR_TOKEN
    slots: int = 64
    seed: int = 0
    balance_usd: float = 1000.0
    ledger: Path | None = None
    clips: Path | None = None
    render: bool = True
    small: bool = False
    auth_status: Literal[400, 401] = 400
    bad_input_status: Literal[422, 400] = 422
    unknown_model_status: Literal[400, 404] = 400
    no_balance_status: Literal[400, 402] = 400
    early_result: Literal["state", "error"] = "state"
    failed_word: Literal["completed", "failed"] = "completed"
    late_cost_s: float = 0.0
    id_ttl_s: float | None = None
    file_ttl_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.speed < math.inf:
            raise UsageError(f"simulator speed {self.speed} is not a number above 0")
        if not 0 <= self.fail_rate <= 1:
            raise UsageError(f"simulator fail rate {self.fail_rate} is not between 0 and 1")
        if self.slots < 1:
            raise UsageError(f"simulator slots {self.slots} is not 1 or more")


def load_script(text: str, file: str) -> Script:
    """Return the fault script in `text` (YAML or JSON); `file` is its name in problems.

    Raises: `ManifestInvalid` with all problems, each at its line and column.
    """
    from runner.simulator.fault_script import read_script  # YAML is imported only if there is a script

    return read_script(text, file)
