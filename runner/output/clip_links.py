"""What a report says of where a clip is: the link on the page, and the text in the table.

In: a file on record. Out: a link or None, a text. It knows no store: what lies elsewhere is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from runner.domain.records import TakeRecord


def file_link(file: str | None) -> str | None:
    """Return a path below the run directory as a relative, percent-encoded reference; None if it leads outside."""
    if not file or "\\" in file or "\0" in file:
        return None
    if file.startswith("/") or ".." in file.split("/"):
        return None
    return quote(file, errors="replace")


def sidecar(file: str) -> str:
    """Return the name of the JSON file that lies beside a clip, or its link for a clip's link."""
    return f"{file.rpartition('.')[0] or file}.json"


@dataclass(frozen=True, slots=True)
class ClipLinks:
    """Where the clips of a report are, by its takes.

    `page` gives what the page plays and links to, None for nothing. `table` gives what the table has in its column
    `file`. `remarks` are sentences about the links for the head of the page. `media` is an origin beside the page's own
    that the page may load clips from.
    """

    page: Callable[[TakeRecord], str | None] = lambda take: file_link(take.file)
    table: Callable[[TakeRecord], str | None] = lambda take: take.file
    remarks: tuple[str, ...] = ()
    media: str = ""


BESIDE_THE_PAGE = ClipLinks()
"""The links of a report that lies beside the folder of clips."""
