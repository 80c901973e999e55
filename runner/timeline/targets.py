"""The address of a clip in a cut: a file URL, or a path relative to the cut's own file.

In: paths. Out: text in ASCII without blanks, quotes or line breaks, whatever the names of the folders are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from runner.timeline.slots import Clip

Target: TypeAlias = Callable[[Clip], str]
"""Returns the address of a clip's file."""


def file_url(clip: Clip) -> str:
    """Return the address as `file:///…`."""
    return Path(os.path.abspath(clip.file)).as_uri()  # noqa: PTH100 - a link stays a link


def relative_to(folder: Path) -> Target:
    """Return a function that gives addresses relative to `folder`."""
    # A colon is written as %3A, so no name can be read as a scheme.
    return lambda clip: quote(os.fsencode(os.path.relpath(clip.file, folder)))
