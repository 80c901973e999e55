"""The process's standard streams, made such that none of them can change how a run ends.

In: the streams as the process got them, closed ones and narrow encodings among them. Out: streams that are there.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast

from runner.output.safe_stream import SafeStream


def settle_streams() -> None:
    """Give the process streams that are there, take any text, and never raise."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
    sys.stdout = _settled(sys.stdout)
    sys.stderr = _settled(sys.stderr)


def _settled(stream: TextIO | None) -> TextIO:
    if stream is None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
    return cast("TextIO", SafeStream.over(stream))
