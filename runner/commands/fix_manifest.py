"""Makes the safe changes of a manifest: a proposal to look at, then a file that differs in nothing else.

In: a manifest's path. Out: a diff, and the new file. Its line ends, byte-order mark and encoding stay. A proposal that
would change a take that is valid is refused.
"""

from __future__ import annotations

import codecs
import difflib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.commands.check import examined
from runner.domain.disk_errors import file_error
from runner.domain.errors import Problem, UsageError
from runner.manifest.csv_manifest import OWN_COLUMNS
from runner.manifest.reader import manifest_bytes, map_beside, read_manifest
from runner.manifest.safe_fixes import fixed, safe_fixes
from runner.manifest.size_limits import Limits
from runner.manifest.source_text import SourceText
from runner.models.registry import Models, search_path
from runner.system.private_files import whole_file

_ROUNDS = 5
_BOM = "\ufeff"
_CODECS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class FixProposal:
    """The changes of one file: as a unified diff, how many they are, and the bytes before and after."""

    path: Path
    diff: tuple[str, ...]
    count: int
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class _Found:
    """The fingerprints of the valid takes by their ids, the problems, and the names that columns may have."""

    fingerprints: Mapping[str, str]
    problems: Sequence[Problem]
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Board:
    """A manifest whose text may be replaced: what a check finds in each version of it."""

    path: Path
    codec: str
    models: Models
    limits: Limits
    simulated: bool

    def check(self, text: str) -> _Found | None:
        """Return what a check finds in `text`; None if the bytes are not this text, as those of a workbook."""
        reading = read_manifest(self.path, limits=self.limits, given=text.encode(self.codec))
        if len(reading.manifest.text) != len(text.removeprefix(_BOM)):
            return None
        plan, problems = examined(
            reading, models=self.models, allow_private_media=self.simulated, environ=os.environ
        )
        own = [problem for problem in problems if problem.at.file == reading.manifest.file]
        models = filter(None, map(self.models.find, plan.schemas))
        columns = (*OWN_COLUMNS, *(name for model in models for name in model.by_name))
        return _Found({take.id: take.fingerprint for take in plan.takes}, own, columns)


def propose_fixes(
    manifest: Path, *, schema_dirs: Sequence[Path], limits: Limits, simulated: bool
) -> FixProposal:
    """Return the changes of a manifest that are safe; `simulated` allows media on this machine. It changes nothing.

    Raises:
        FileMissing, UsageError: as `read_manifest` raises them.
        ManifestInvalid: the manifest holds a token.
        UsageError: the changes would alter a valid take.
    """
    before = manifest_bytes(manifest, limits)
    board = _Board(
        manifest, codec_of(before), Models.bundled(search_path(manifest, schema_dirs)), limits, simulated
    )
    text = before.decode(board.codec)
    after, count = _mended(board, text)
    return FixProposal(manifest, diff_of(text, after, manifest), count, before, after.encode(board.codec))


def _mended(board: _Board, text: str) -> tuple[str, int]:
    """Return the text with all safe changes, and how many they are."""
    mark, after, count = text[: text.startswith(_BOM)], text.removeprefix(_BOM), 0
    first = found = board.check(text)
    # A mended header shows what is wrong in the rows.
    for _ in range(_ROUNDS):
        if not found:
            break
        fixes = safe_fixes(
            SourceText(after, str(board.path)),
            found.problems,
            columns=found.columns,
            is_mapped=map_beside(board.path) is not None,
        )
        if not fixes:
            break
        after, count = fixed(after, fixes), count + len(fixes)
        found = board.check(mark + after)
        if not (first and found and first.fingerprints.items() <= found.fingerprints.items()):
            raise UsageError("the changes would alter a take that is valid", advice="make them by hand")
    return mark + after, count


def write_fixes(proposal: FixProposal) -> None:
    """Write the file of a proposal, whole or not at all.

    Raises:
        UsageError: the file was changed since the proposal.
        CannotCreate, DiskFailed: it cannot be written.
    """
    # A link stays one, and the file keeps its mode.
    path = proposal.path.resolve()
    try:
        if path.read_bytes() != proposal.before:
            raise UsageError(f"{proposal.path} has changed meanwhile", advice="give the same command again")
        with whole_file(path) as file:
            os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(proposal.after)
    except OSError as error:
        raise file_error(error, path, "cannot be written") from error


def codec_of(data: bytes) -> str:
    """Return the name of the encoding of a manifest, in which the byte-order mark is a character."""
    codec = _CODECS.get(data[:2], "utf-8")
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        # Whatever it is, each byte stays what it is.
        return "latin-1"
    return codec


def diff_of(before: str, after: str, path: Path) -> tuple[str, ...]:
    """Return the change of a file's text as the lines of a unified diff."""
    old, new = (text.removeprefix(_BOM).splitlines() for text in (before, after))
    return tuple(difflib.unified_diff(old, new, str(path), str(path), lineterm="", n=1))
