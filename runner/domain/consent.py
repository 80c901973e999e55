"""The refusal of a run that only a person's word can begin: moved, on a network share, or in place of a lost one.

In: what stands against it and the flag that says the word. Out: an error that carries the flag, so that whoever knows
the command line can name the very command.
"""

from __future__ import annotations

from runner.domain.errors import StateFileUnusable

MOVED = "--moved"
NETWORK = "--allow-network-fs"
NEW_RUN = "--new-run"


class FlagRequired(StateFileUnusable):
    """The state file is opened by the same command with `flag`, if what `condition` says is so.

    `otherwise` is what to do if it is not.
    """

    def __init__(self, message: str, *, flag: str, condition: str, otherwise: str) -> None:
        super().__init__(message, advice=f"{condition}, give the same command with {flag}; {otherwise}")
        self.flag = flag
        self.condition = condition
        self.otherwise = otherwise
