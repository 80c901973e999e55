"""The witness: an append-only file beside the state file that names every submission and every request id.

A state file may be restored from a copy, or its log cut: then it lacks paid jobs and does not show it. The witness is
a second record, written after each commit, so it never knows more than the state file once did. Each run keeps two. One
is beside the state file. The other is in the user's own folder, keyed by the run's path, and survives the loss of the
run's folder. Its last line says whether the run ended in order, with no job unfinished.

It decides nothing. A line that cannot be written stops no run, and a truncated line is skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from runner.domain import states
from runner.domain.records import RunHeader
from runner.system.private_files import flush_folder, make_folder, open_private

SUFFIX = ".witness"
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT
_LONGEST = 64 * 1024
_ESCAPE = b"\\u"
_LEFT = b'{"left": '


@dataclass(frozen=True, slots=True)
class Sent:
    """One submission, as a witness knows it; unknown fields are empty.

    `at` is wall time in unix seconds. `is_free` means that nothing is charged, by proof or by a person's declaration.
    """

    attempt: str = ""
    take: str = ""
    model: str = ""
    fingerprint: str = ""
    epoch: int = 0
    at: float = 0.0
    request_id: str = ""
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one or more witnesses know: the run, its submissions, and which of them `restore` has left aside.

    `left` holds attempts and request ids; `has_ended` means that the last line reports an orderly end.
    """

    header: RunHeader | None = None
    sent: tuple[Sent, ...] = ()
    left: frozenset[str] = frozenset()
    has_ended: bool = False

    @property
    def paid(self) -> Iterator[Sent]:
        """The submissions that may have been paid for."""
        return (each for each in self.sent if not each.is_free)

    @property
    def charged(self) -> Iterator[Sent]:
        """The submissions that may have been paid for and are not left aside."""
        return (each for each in self.paid if not self.has_left(each))

    def has_left(self, sent: Sent) -> bool:
        """Return whether a submission was left aside because no take had its body then."""
        return bool({sent.attempt, sent.request_id} & self.left)

    def joined(self, other: Testimony) -> Testimony:
        """Return what both know together."""
        sent, left = (*self.sent, *other.sent), self.left | other.left
        return Testimony(self.header or other.header, sent, left, self.has_ended and other.has_ended)


def of_run(told: Iterable[Testimony], run_id: str) -> list[Testimony]:
    """Return those of this run: a sidecar names no run and counts, and if `run_id` is empty all of them count."""
    return [each for each in told if each.header is None or run_id in {"", each.header.run_id}]


def beside(state_file: Path) -> Path:
    """Return the path of the witness beside a state file."""
    return state_file.with_suffix(SUFFIX)


def outside(folders: Iterable[Path], run_dir: Path, machine: str) -> list[Path]:
    """Return the witness path of the run at `run_dir` in each of `folders`; machines may share a home folder."""
    key = hashlib.sha256(os.fsencode(f"{machine} {os.path.realpath(run_dir)}")).hexdigest()[:32]
    return [folder / f"{key}{SUFFIX}" for folder in folders]


AboutMoney: TypeAlias = (
    states.SubmissionStarted
    | states.Accepted
    | states.LateAnswer
    | states.Adopted
    | states.NotSent
    | states.Refused
    | states.RefusedForNow
    | states.AccountTurnedAway
)
"""Facts that a witness keeps."""


def line_of(fact: AboutMoney, *, take: str, model: str, at: float) -> Mapping[str, object]:
    """Return the witness's line for a fact."""
    if isinstance(fact, states.SubmissionStarted):
        return _begun(Sent(fact.attempt, take, model, fact.fingerprint, fact.epoch, at))
    if isinstance(fact, states.Accepted | states.LateAnswer | states.Adopted):
        attempt = "" if isinstance(fact, states.Adopted) else fact.attempt
        return {"accepted": fact.request_id, "attempt": attempt, "take": take, "model": model, "at": at}
    return {"free": fact.attempt}


def _begun(sent: Sent) -> Mapping[str, object]:
    known = {name: getattr(sent, name) for name in ("take", "model", "fingerprint", "epoch", "at")}
    return {"begun": sent.attempt, **known}


def _lines_of(sent: Sent) -> Iterator[Mapping[str, object]]:
    """Yield the lines that hold all that is known about a submission."""
    yield _begun(sent)
    if sent.request_id:
        yield {"accepted": sent.request_id, "attempt": sent.attempt, "take": sent.take, "model": sent.model}
    elif sent.is_free:
        yield {"free": sent.attempt}


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of what lies outside a run's record the record contains for certain.

    `extents` are, by `key_of` file or folder, the bytes of a witness and the last change (ns) of a folder.
    """

    run_id: str = ""
    extents: Mapping[str, int] = field(default_factory=dict)


NOTHING_HEARD = Heard()


def key_of(found: os.stat_result) -> str:
    """Return what names a file as long as it is the same one."""
    return f"{found.st_dev}:{found.st_ino}"


def holds_all(path: Path) -> bool:
    """Return whether the record may count as holding all of the witness: nothing in it was left aside."""
    with os.fdopen(open_private(path), "rb") as file:
        return _LEFT not in file.read()


def read_witness(path: Path, *, heard: Heard = NOTHING_HEARD) -> Testimony | None:
    """Return what the witness at `path` knows, but for submissions that were `heard`; None if there is none.

    Raises OSError if it cannot be read, or something other than a file has its name.
    """
    try:
        descriptor = open_private(path)
    except FileNotFoundError:
        return None
    found = os.fstat(descriptor)
    known = heard.extents.get(key_of(found), 0)
    header: RunHeader | None = None
    begun: dict[str, _Known] = {}
    adopted: dict[str, Sent] = {}
    ids: dict[str, str] = {}
    free: set[str] = set()
    left: set[str] = set()
    ended = False
    for line in _lines(descriptor, known if known <= found.st_size else 0, run_id=heard.run_id):
        ended = "ended" in line
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            if "begun" in line:
                begun.setdefault(str(line["begun"]), _known(line))
            elif "accepted" in line:
                request_id, attempt = str(line["accepted"]), str(line.get("attempt") or "")
                if attempt in begun:
                    ids[attempt] = request_id
                    free.discard(attempt)
                else:
                    adopted[request_id] = Sent(attempt, *_known(line), request_id)
            elif "run" in line:
                header = header or _header(line["run"])
            elif "free" in line:
                free.update({line["free"]} & begun.keys())
            elif "left" in line:
                left.add(str(line["left"]))
    sent = (Sent(key, *known, ids.get(key, ""), key in free) for key, known in begun.items())
    return Testimony(header, (*sent, *adopted.values()), frozenset(left), ended)


def _run_of(path: Path) -> str | None:
    """Return the id of the run that the witness at `path` belongs to, None if it does not say; raises OSError."""
    for line in _lines(open_private(path), 0, run_id=""):
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            return _header(line["run"]).run_id
    return None


def _lines(descriptor: int, known: int, *, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield each line; after the header of the run `run_id` the first `known` bytes are passed over."""
    with os.fdopen(descriptor, "rb") as file:
        while line := file.readline():
            # A kill or a power loss cuts a line off, and later text may follow on it.
            with suppress(ValueError, RecursionError):
                values = json.loads(line.decode()) if len(line) <= _LONGEST else None
                # Half a surrogate pair has no UTF-8 form: this program never writes one, and no record could hold it.
                if _ESCAPE in line:
                    json.dumps(values, ensure_ascii=False).encode()
                if isinstance(values, dict):
                    yield values
                    if known and isinstance(header := values.get("run"), dict):
                        if header.get("run_id") == run_id:
                            file.seek(known)
                        known = 0


_Known: TypeAlias = tuple[str, str, str, int, float]


def _known(line: dict[str, Any]) -> _Known:
    """Return the fields of a `Sent` from `take` to `at`; raises `TypeError`, `ValueError` or `OverflowError`."""
    take, model, fingerprint = (str(line.get(name, "")) for name in ("take", "model", "fingerprint"))
    return take, model, fingerprint, int(line.get("epoch", 0)), float(line.get("at", 0))


def _header(values: dict[str, Any]) -> RunHeader:
    header = RunHeader(**{**values, "columns": tuple(values.get("columns", ()))})
    texts = (
        header.run_id,
        header.name,
        header.manifest,
        header.api_base,
        header.version,
        *header.columns,
        header.shard,
    )
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(values)
    return replace(header, simulated=bool(header.simulated), created_at=float(header.created_at))


@dataclass(slots=True)
class Witness:
    """The two files of one open run, opened for the first line.

    `places` are the possible paths of the second one, the best first.
    """

    path: Path
    header: RunHeader
    places: tuple[Path, ...] = ()
    _open: list[int] | None = None

    @property
    def is_armed(self) -> bool:
        """Whether the files are open; `arm` need not be called again."""
        return self._open is not None

    def arm(self, known: Iterable[Sent], *, epoch: int) -> None:
        """Open both files and write to each all that is `known` and which epoch continues; flush the second."""
        self._open = []
        known = tuple(known)
        with suppress(OSError):
            self._open.append(self._prepared(self.path, known, epoch))
        for place in self.places:
            try:
                make_folder(place.parent)
                descriptor = self._prepared(place, known, epoch)
                self._open.append(descriptor)
                os.fsync(descriptor)
                flush_folder(place.parent)
            except OSError:
                continue
            return

    def say(self, *lines: Mapping[str, object]) -> None:
        """Append lines to both files; a failed write is ignored, since the record has the fact."""
        for descriptor in self._open or ():
            with suppress(OSError):
                _write(descriptor, lines)

    def end(self) -> None:
        """Write to the second file that the run ended in order, with its record in place and no job unfinished."""
        for place in self.places:
            with suppress(OSError):
                if _run_of(place) == self.header.run_id:
                    with os.fdopen(open_private(place, _APPEND), "wb", buffering=0) as file:
                        _write(file.fileno(), [{"ended": True}])

    def close(self) -> None:
        """Close both files; safe to call twice."""
        while self._open:
            os.close(self._open.pop())

    def _prepared(self, path: Path, known: Iterable[Sent], epoch: int) -> int:
        """Return a descriptor of a file that holds all that is `known`; a file of another run is emptied first."""
        descriptor = open_private(path, _APPEND)
        try:
            there = read_witness(path) or Testimony()
            if there.header is None or there.header.run_id != self.header.run_id:
                os.ftruncate(descriptor, 0)
                there = Testimony()
            # The blank line separates new lines from a last line that was cut off.
            os.write(descriptor, b"\n")
            has = {(each.attempt, each.request_id) for each in there.sent}
            lacking = (each for each in known if (each.attempt, each.request_id) not in has)
            lines = [line for each in lacking for line in _lines_of(each)]
            first = [] if there.header else [{"run": asdict(self.header)}]
            _write(descriptor, [*first, *lines, {"goes on": epoch}])
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def _write(descriptor: int, lines: Iterable[Mapping[str, object]]) -> None:
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    while text:
        text = text[os.write(descriptor, text) :]
