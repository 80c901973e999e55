"""The process that decodes: it reads requests as JSON lines and answers each with a line.

A hostile clip may crash or hang a decoder, so nothing but this process is lost with it. It is nice, its memory and the
files it writes are bounded, and an alarm ends it if one request takes too long, even if its parent is gone.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_MOST_MEMORY = 4 * 2**30
_MOST_WRITTEN = 256 * 2**20
_NICE = 10


def main() -> None:
    """Answer requests until the input ends."""
    # Libraries may write to the standard output, which is for answers alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _bound()
    from runner.video import probe, stills

    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        signal.alarm(request["deadline_s"])
        print(json.dumps(_answer(request, probe, stills)), file=answers, flush=True)
        signal.alarm(0)


def _bound() -> None:
    os.nice(_NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for kind, most in (
        (resource.RLIMIT_AS, _MOST_MEMORY),
        (resource.RLIMIT_FSIZE, _MOST_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        # Some systems refuse one of the limits; the others still hold.
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _answer(request: Mapping[str, Any], probe: Any, stills: Any) -> Mapping[str, object]:  # noqa: ANN401 - modules
    path = Path(request["path"])
    try:
        if "sha256" in request:
            stills.make_stills(path, Path(request["run_dir"]), request["sha256"])
            return {"made": True}
        if "copy" in request:
            stills.make_copy(path, Path(request["copy"]))
            return {"made": True}
        return {"look": probe.look_into(path).to_values()}
    except probe.NotReadable as error:
        return {"unreadable": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a hostile file leads to concerns this file alone
        # What hinders previews may be the disk, and not the clip.
        said = probe.words_of(error)
        return {"unreadable": said if "sha256" in request else f"cannot be decoded: {said}"}


if __name__ == "__main__":
    main()
