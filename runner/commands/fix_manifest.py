"""Makes the safe changes of a manifest: a proposal to look at, then a file that differs in nothing else.

In: a manifest's path. Out: a diff, and the new file. Its line ends, byte-order mark and encoding stay. A proposal that
would change a take that is valid is refused.
"""

from __future__ import annotations

import codecs
import difflib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.commands.check import examined
from runner.domain.disk_errors import file_error
from runner.domain.errors import Problem, UsageError
from runner.manifest.reader import STDIN, manifest_bytes, read_manifest
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
    codec = _codec(before)
    models = Models.bundled(search_path(manifest, schema_dirs))

    def seen(text: str) -> tuple[dict[str, str], list[Problem]] | None:
        reading = read_manifest(manifest, limits=limits, given=text.encode(codec))
        if len(reading.manifest.text) != len(text.removeprefix(_BOM)):
            # It is not a text, or one in an unknown encoding.
            return None
        plan, problems = examined(reading, models=models, allow_private_media=simulated, environ=os.environ)
        own = [problem for problem in problems if problem.at.file == STDIN]
        return {take.id: take.fingerprint for take in plan.takes}, own

    whole = before.decode(codec)
    mark, text = (_BOM, whole[1:]) if whole.startswith(_BOM) else ("", whole)
    found = seen(whole)
    if found is None:
        return FixProposal(manifest, (), 0, before, before)
    valid, problems = found
    after, count = text, 0
    # A mended header shows what is wrong in the rows.
    for _ in range(_ROUNDS):
        fixes = safe_fixes(SourceText(after, str(manifest)), problems)
        if not fixes:
            break
        after, count = fixed(after, fixes), count + len(fixes)
        found = seen(mark + after)
        if found is None or not valid.items() <= found[0].items():
            raise UsageError("the changes would alter a take that is valid", advice="make them by hand")
        problems = found[1]
    return FixProposal(manifest, _diff(text, after, manifest), count, before, (mark + after).encode(codec))


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


def _codec(data: bytes) -> str:
    """Return the name of the encoding of a manifest, in which the byte-order mark is a character."""
    if codec := _CODECS.get(data[:2]):
        return codec
    try:
        data.decode()
    except UnicodeDecodeError:
        # Whatever it is, each byte stays what it is.
        return "latin-1"
    return "utf-8"


def _diff(before: str, after: str, path: Path) -> tuple[str, ...]:
    old, new = (text.splitlines() for text in (before, after))
    return tuple(difflib.unified_diff(old, new, str(path), str(path), lineterm="", n=1))
