"""How a command reads its manifest: within which limits, and from standard input where the path is `-`.

In: parsed arguments. Out: limits and bytes for `check`. It reads no file.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from runner.manifest.reader import is_stdin
from runner.manifest.size_limits import LIMITS, Limits


def manifest_limits(arguments: Namespace) -> Limits:
    """Return the limits of a manifest that the flags ask for."""
    return LIMITS.raised(
        takes=arguments.max_takes,
        file_bytes=arguments.max_manifest_bytes,
        text_bytes=arguments.max_text_bytes,
    )


def from_stdin(path: Path, limits: Limits) -> bytes | None:
    """Return the bytes of standard input if `path` means it, up to one byte more than the limit; else None."""
    return sys.stdin.buffer.read(limits.file_bytes + 1) if is_stdin(path) else None
