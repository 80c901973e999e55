"""Every error that Shotrunner raises on purpose, as one tree, and the places and problems that they name.

The tree is split by what the user does next; the exit code of each class says so to a script.

    ShotrunnerError
    ├── UsageError             64  change the command line
    │   ├── ExtraMissing       64  install the named extra
    │   └── NoSuchHost         64  correct the API's address or the network, then run again
    ├── ManifestInvalid        65  fix the manifest (all problems at once)
    ├── SchemaInvalid          65  fix or remove a model schema
    ├── FileMissing            66  give the right path
    ├── ServiceUnavailable     69  wait and run the same command again
    ├── BrokenPromise          70  a bug in Shotrunner: report it
    │   └── IllegalTransition  70
    ├── CannotCreate           73  make the folder writable
    ├── DiskFailed             74  free or repair the disk, then run again
    ├── RunInUse               75  another runner has this run
    ├── AccountRefused         77  fix the token or the balance, then run again
    └── StateFileUnusable      78  do not start over: see what happened to the state file
        ├── RecordDamaged      78  set it aside and enter what is known: shotrunner restore
        ├── RecordDisplaced    78  put the record back, or go on where it is now
        └── FlagRequired       78  say with a flag that it is meant: the run was moved, or its folder is gone

It knows no other module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file the user wrote: lines and columns count from 1; `cell` is a spreadsheet name (F4)."""

    file: str
    line: int | None = None
    column: int | None = None
    cell: str | None = None

    def __str__(self) -> str:
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n is not None)]
        address = ":".join(parts)
        return f"{address} (cell {self.cell})" if self.cell else address


class Severity(StrEnum):
    """Whether a problem stops the run or is only reported."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place, with what would have been right.

    `subject` names the shot and field ("shot s010, inputs.duration"), `allowed` the values that would pass, and
    `nearest` the name that the user probably meant.
    """

    at: Position
    subject: str
    message: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        text = f"{self.at}: "
        if self.severity is Severity.WARNING:
            text += "warning: "
        if self.subject:
            text += f"{self.subject}: "
        text += self.message
        if self.nearest:
            text += f"; did you mean {self.nearest}?"
        if self.allowed:
            text += f" (allowed: {', '.join(self.allowed)})"
        return text


class ShotrunnerError(Exception):
    """The base of every deliberate error; `advice` is the next step, in one sentence or command."""

    exit_code = 70

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class UsageError(ShotrunnerError):
    """The command line or the environment asks for something impossible."""

    exit_code = 64


class ExtraMissing(UsageError):
    """An optional package is needed; the advice is the exact install line."""

    def __init__(self, purpose: str, *, extra: str) -> None:
        super().__init__(f"{purpose} needs the [{extra}] extra", advice=f"pip install 'shotrunner[{extra}]'")


class NoSuchHost(UsageError):
    """The API's host does not exist; nothing was sent, so the same command can go on once it does."""


class ManifestInvalid(ShotrunnerError):
    """The manifest has problems; all of them are in `problems`, in the order of the file."""

    exit_code = 65

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the manifest; nothing was submitted")


class SchemaInvalid(ShotrunnerError):
    """A model schema file cannot be used."""

    exit_code = 65


class FileMissing(ShotrunnerError):
    """A named file or run directory does not exist or is not a regular file."""

    exit_code = 66


class ServiceUnavailable(ShotrunnerError):
    """The API did not answer for longer than the run may wait."""

    exit_code = 69


class BrokenPromise(ShotrunnerError):
    """Shotrunner caught itself breaking one of its own rules."""

    exit_code = 70


class IllegalTransition(BrokenPromise):
    """A fact arrived that the take's state does not allow; nothing was changed."""


class CannotCreate(ShotrunnerError):
    """A folder or file could not be made."""

    exit_code = 73


class DiskFailed(ShotrunnerError):
    """The disk is full or failing; ids already received are kept."""

    exit_code = 74


class RunInUse(ShotrunnerError):
    """Another process holds this run directory's lock."""

    exit_code = 75


class AccountRefused(ShotrunnerError):
    """The API refuses the account: no valid token, or no balance."""

    exit_code = 77


class StateFileUnusable(ShotrunnerError):
    """The state file is damaged, foreign, newer than this program, or missing where it must be."""

    exit_code = 78


class RecordDamaged(StateFileUnusable):
    """The state file or its log is not as it was written; what witnesses know can be entered into a new one."""


class RecordDisplaced(StateFileUnusable):
    """The state file was moved, deleted or replaced while a process had it open; the message says where it is."""


MOVED = "--moved"
NETWORK = "--allow-network-fs"
NEW_RUN = "--new-run"


class FlagRequired(StateFileUnusable):
    """The same command with `flag` opens the state file, if `condition` is true.

    `otherwise` is what to do if it is false.
    """

    def __init__(self, message: str, *, flag: str, condition: str, otherwise: str) -> None:
        super().__init__(message, advice=f"{condition}, give the same command with {flag}; {otherwise}")
        self.flag = flag
        self.condition = condition
        self.otherwise = otherwise
