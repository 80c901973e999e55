"""Holds the settings of a simulator as one frozen value, which is checked when it is made.

It is light to import, since the command line reads it before anything is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.domain.option_checks import above_zero, check_options, number, one, or_none, whole
from runner.simulator.fault_rules import Script

__all__ = ["Script", "SimulatorSettings", "load_script"]

# No sentence has it: a token is masked wherever a server repeats it.
SIMULATOR_TOKEN = "rc-simulator-5d41b7c0e93f"  # noqa: S105 - opens nothing but a simulator

_NO_FAULTS = Script()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """Everything that decides how a simulator behaves.

    `speed` divides every job's length; `fail_rate` is the share of jobs that fail; `slots` is how many run at once.
    `balance_usd` is what the account holds before its first job, and None never runs out; jobs are refused when it is
    used up. `token` is the only accepted token, or None for any. `ledger` is the file of charges, which survives a
    restart. `clips` is the folder of rendered previews (None: a temporary one). `render` off serves one ready-made clip
    to all.
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
    balance_usd: float | None = None
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
        check_options(self, _RULES)


_RULES = {
    "speed": above_zero(),
    "fail_rate": number(0, 1),
    "script": one(Script),
    "slots": whole(1),
    "balance_usd": or_none(number()),
    "late_cost_s": number(),
    **dict.fromkeys(("id_ttl_s", "file_ttl_s"), or_none(number())),
    **dict.fromkeys(("ledger", "clips"), or_none(one(Path))),
    **dict.fromkeys(("render", "small"), one(bool)),
}
"""What the fields of `SimulatorSettings` may hold."""


def load_script(text: str, file: str) -> Script:
    """Return the fault script in `text` (YAML or JSON); `file` is its name in problems.

    Raises: `ManifestInvalid` with all problems, each at its line and column.
    """
    from runner.simulator.fault_script import read_script  # YAML is imported only if there is a script

    return read_script(text, file)
