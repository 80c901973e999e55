"""Warns of shots without a prompt where most others of their model have one: a cell was forgotten.

In: valid takes, and the shots of which the inputs hold no prompt. Out: one warning a model. It reads no text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from runner.domain.display import counted, listed
from runner.domain.errors import Position, Problem, Severity
from runner.domain.shots import Take

_GIVEN_FOR_EACH: Final = 4
"""How many prompts must be given for each that is not: some boards have shots with and without one on purpose."""
_GIVEN_FOR_EACH_CELL: Final = 2
"""The same in a sheet, where an empty cell is more often forgotten."""


def prompt_warnings(
    takes: Collection[Take], absent: Mapping[tuple[str, str], Mapping[str, Position]]
) -> Iterator[Problem]:
    """Yield a warning for each model of which few shots have no prompt, at the first of them.

    `absent` holds the ids and places of the shots without a prompt, by their model and its name for the prompt.
    """
    for (model, prompt), shots in absent.items():
        given = sum(take.model == model and take.shot_id not in shots for take in takes)
        at = next(iter(shots.values()))
        if given >= (_GIVEN_FOR_EACH_CELL if at.cell else _GIVEN_FOR_EACH) * len(shots):
            verb = "has" if len(shots) == 1 else "have"
            told = f"{counted(given, 'take')} of {model} have a prompt, and {listed([*shots])} {verb} none"
            yield Problem(at, f"inputs.{prompt}", told, severity=Severity.WARNING)
