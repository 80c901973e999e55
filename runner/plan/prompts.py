"""Warns of shots without a prompt where nearly all others of their model have one: a cell was forgotten.

In: each take's shot and the input that is its model's prompt, with whether it is given. Out: one warning a model. It
reads no text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from runner.domain.display import counted, listed
from runner.domain.errors import Position, Problem, Severity
from runner.domain.shots import Shot

_GIVEN_FOR_EACH: Final = 4
"""How many prompts must be given for each that is not: some boards have shots with and without one on purpose."""


@dataclass(slots=True)
class Prompts:
    """How many takes of each model give its prompt, and which shots do not and where they are."""

    given: Counter[tuple[str, str]] = field(default_factory=Counter)
    absent: dict[tuple[str, str], dict[str, Position]] = field(default_factory=dict)

    def count(self, shot: Shot, model: str, prompt: str, *, is_given: bool) -> None:
        """Count one take of a shot, whose `model` calls its prompt `prompt`."""
        if is_given:
            self.given[model, prompt] += 1
        else:
            self.absent.setdefault((model, prompt), {}).setdefault(shot.id, shot.at)

    def warnings(self) -> Iterator[Problem]:
        """Yield a warning for each model of which few shots have no prompt, at the first of them."""
        for (model, prompt), shots in self.absent.items():
            given = self.given[model, prompt]
            if given >= _GIVEN_FOR_EACH * len(shots):
                verb = "has" if len(shots) == 1 else "have"
                told = (
                    f"{counted(given, 'take')} of {model} have a prompt, and {listed([*shots])} {verb} none"
                )
                first = next(iter(shots.values()))
                yield Problem(first, f"inputs.{prompt}", told, severity=Severity.WARNING)
