"""Every error that Shotrunner raises on purpose, as one tree, and the places and problems that they name.

The tree is split by what the user does next; the exit code of each class says so to a script.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from runner.system.escapes import visible

_SHOWN = 10


class Position(NamedTuple):
    """A place in a file the user wrote: lines and columns count from 1; `cell` is a spreadsheet name (F4)."""

    file: str
    line: int | None = None
    column: int | None = None
    cell: str | None = None

    def below(self, heading: Position | None) -> Position:
        """Return the cell of this row of a sheet that is below `heading`; without one, this place itself."""
        if not self.cell or heading is None or not heading.cell:
            return self
        letters, row = heading.cell.rstrip("0123456789"), self.cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return self._replace(column=heading.column, cell=letters + row)

    def __str__(self) -> str:
        address = ":".join([self.file, *(str(n) for n in (self.line, self.column) if n is not None)])
        return f"{address} (cell {self.cell})" if self.cell else address


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What stands at a place: lines of the file with their numbers, the last of them with a mark under its fault.

    The mark begins at the character `start`, counted from 0, and is `length` characters long.
    """

    lines: tuple[tuple[int, str], ...]
    start: int
    length: int


class Severity(StrEnum):
    """Whether a problem stops the run or is only reported."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place, with what would have been right.

    `subject` names the shot and field ("shot s010, inputs.duration"), `allowed` the values that would pass, and
    `nearest` the name that the user probably meant. `is_secret` says that the line there may hold a token.
    """

    at: Position
    subject: str
    message: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None
    severity: Severity = Severity.ERROR
    is_secret: bool = False

    def __str__(self) -> str:
        warning = "warning" if self.severity is Severity.WARNING else ""
        text = ": ".join(filter(None, (str(self.at), warning, self.subject, self.message)))
        meant = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{text}{meant}" + (f" (allowed: {', '.join(self.allowed)})" if self.allowed else "")


class ShotrunnerError(Exception):
    """The base of every deliberate error; `code` is its word for programs, which stays.

    `advice` is the next step, in one sentence, or a command and nothing else if it begins with `shotrunner`.
    """

    exit_code = 70
    code = "bug"

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class UsageError(ShotrunnerError):
    """The command line or the environment asks for something impossible: change it."""

    exit_code = 64
    code = "usage"


class WordsRefused(UsageError):
    """The command line cannot be read; `command` is the one that refuses it, such as `shotrunner run`."""

    def __init__(self, message: str, *, command: str) -> None:
        super().__init__(message, advice=f"{command} --help")
        self.command = command


def install_line(*extras: str) -> str:
    """Return the command that installs optional parts."""
    return f"pip install 'shotrunner[{','.join(extras)}]'"


class ExtraMissing(UsageError):
    """An optional package is needed; the advice is the exact install line."""

    code = "extra-missing"

    def __init__(self, purpose: str, *, extra: str) -> None:
        super().__init__(f"{purpose} needs the [{extra}] extra", advice=install_line(extra))


class NoSuchHost(UsageError):
    """The API's host does not exist; nothing was sent, so the same command can continue once it does."""

    code = "no-such-host"


class ManifestInvalid(ShotrunnerError):
    """The manifest has problems to fix; all of them are in `problems`, in the order of the file.

    Warnings are among them, since a warning often explains an error.
    """

    exit_code = 65
    code = "manifest-invalid"
    place = "the manifest"

    def __init__(self, problems: Iterable[Problem], *, advice: str = "") -> None:
        self.problems = tuple(problems)
        count, others = len(self.errors), len(self.problems) - len(self.errors)
        found = f"{count} problem{'s' if count != 1 else ''}"
        if others:
            found += f" and {others} warning{'s' if others != 1 else ''}"
        super().__init__(f"{found} in {self.place}; nothing was submitted", advice=advice)

    def __str__(self) -> str:
        """Return the message with the first problems, for a program that only shows the exception."""
        more = len(self.problems) - _SHOWN
        left_out = (f"… and {more:,} more in `problems`",) if more > 0 else ()
        return "\n".join((self.message, *(visible(str(each)) for each in self.problems[:_SHOWN]), *left_out))

    def _repr_html_(self) -> str:
        """Return a table of the problems, for a notebook."""
        from runner.system.notebook_html import paragraph, table

        rows = [
            (
                str(each.at),
                each.severity.value,
                each.subject,
                each.message,
                each.nearest or ", ".join(each.allowed),
            )
            for each in self.problems
        ]
        return paragraph(self.message) + table(("place", "", "about", "problem", "would be right"), rows)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop the run."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


class SettingsInvalid(ManifestInvalid):
    """A `run:` block or a settings file has problems to fix; all of them are in `problems`."""

    code = "settings-invalid"

    place = "the settings"


class SchemaInvalid(ShotrunnerError):
    """A model schema file cannot be used: fix or remove it."""

    exit_code = 65
    code = "schema-invalid"


class PicksInvalid(ShotrunnerError):
    """A file of picks has cells that cannot be read: correct them; all are in the message, with their lines."""

    exit_code = 65
    code = "picks-invalid"


class FileMissing(ShotrunnerError):
    """A named file or run directory does not exist or is not a regular file: give the right path."""

    exit_code = 66
    code = "file-missing"


class ClipUnreadable(ShotrunnerError):
    """A clip cannot be decoded: choose another take, or fetch it again."""

    exit_code = 65
    code = "clip-unreadable"


class ServiceUnavailable(ShotrunnerError):
    """The API did not answer for longer than the run may wait: run the same command again later."""

    exit_code = 69
    code = "service-unavailable"


class StoreAway(ShotrunnerError):
    """The store of the clips did not answer for longer than the run may wait: run the same command again later."""

    exit_code = 69
    code = "store-away"


class StoreRefused(ShotrunnerError):
    """The store refuses: no such bucket, no right to write, no credentials. Set them right, then run again."""

    exit_code = 77
    code = "store-refused"


class NotInStore(ShotrunnerError):
    """A file is not in the store: fetch its clip again, or give the right address."""

    exit_code = 66
    code = "not-in-store"


class BrokenPromise(ShotrunnerError):
    """Shotrunner caught itself breaking one of its own rules: a bug to report."""

    exit_code = 70
    code = "bug"


class IllegalTransition(BrokenPromise):
    """A fact arrived that the take's state does not allow; nothing was changed."""


class CannotCreate(ShotrunnerError):
    """A folder or file could not be made: make the folder writable."""

    exit_code = 73
    code = "cannot-create"


class DiskFailed(ShotrunnerError):
    """The disk is full or failing: free or repair it and run again. Ids already received are kept."""

    exit_code = 74
    code = "disk-failed"


class RunInUse(ShotrunnerError):
    """Another process holds this run directory's lock."""

    exit_code = 75
    code = "run-in-use"


class AccountRefused(ShotrunnerError):
    """The API refuses the account: no valid token, or no balance. Fix it, then run again."""

    exit_code = 77
    code = "account-refused"


class CertificateRefused(ShotrunnerError):
    """The API's certificate is not accepted, and nothing was sent: trust its authority, or set the clock right."""

    exit_code = 77
    code = "certificate-refused"


class ProxyRefused(ShotrunnerError):
    """The proxy lets nothing through to the API, and nothing was sent: correct its address or login."""

    exit_code = 77
    code = "proxy-refused"


NO_WAY = (NoSuchHost, CertificateRefused, ProxyRefused)
"""The API was never reached, so the same command goes on once the way there is open."""


class StateFileUnusable(ShotrunnerError):
    """The state file is damaged, foreign, newer than this program, or missing where it must be.

    Do not start over: see what happened to it.
    """

    exit_code = 78
    code = "record-unusable"


class RecordDamaged(StateFileUnusable):
    """The state file or its log is not as it was written; `restore` enters what witnesses know into a new one."""

    code = "record-damaged"


class RecordDisplaced(StateFileUnusable):
    """The state file was moved, deleted or replaced while a process had it open; the message says where it is."""

    code = "record-displaced"


class RunElsewhere(StateFileUnusable):
    """Another folder or machine has taken the run over, or holds this part of the board: go on there."""

    code = "run-elsewhere"


MOVED = "--moved"
NETWORK = "--allow-network-fs"
NEW_RUN = "--new-run"


class FlagRequired(StateFileUnusable):
    """The same command with `flag` opens the state file, if `condition` is true.

    `otherwise` is what to do if it is false.
    """

    code = "flag-required"

    def __init__(self, message: str, *, flag: str, condition: str, otherwise: str) -> None:
        super().__init__(message, advice=f"{condition}, give the same command with {flag}; {otherwise}")
        self.flag = flag
        self.condition = condition
        self.otherwise = otherwise
