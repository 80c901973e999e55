"""The process's standard streams, made safe so that none of them can change how a run ends.

In: the streams that the process got; some may be closed or have a narrow encoding. Out: streams that never fail.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast

from runner.output.safe_stream import SafeStream


def settle_streams() -> None:
    """Give the process open streams that accept any text and never raise."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
    sys.stdout = _made_safe(sys.stdout)
    sys.stderr = _made_safe(sys.stderr)


def _made_safe(stream: TextIO | None) -> TextIO:
    if stream is None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
    return cast("TextIO", SafeStream.over(stream))
