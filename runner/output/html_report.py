"""The HTML page: one self-contained file with a run's takes as data, to be opened from the disk or served.

The page loads nothing but the clips beside it: style and script are inline and allowed by their hash alone. The data is
JSON, deflated so that a hundred thousand takes stay a small file, and in base64, in which no markup can be written.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from itertools import islice
from string import Template
from typing import BinaryIO

from runner.domain import display
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.records import RunHeader, TakeRecord
from runner.output.csv_report import is_listed
from runner.output.report_head import Head, Summary
from runner.output.report_view import NOTHING_BESIDE, TEXT_LIMIT, Beside, Card, card

BLOCK = 1000
"""Takes in one block of data: as many as are in memory at once."""
STYLES = ("page.css", "rows.css", "play.css", "lightbox.css", "print.css")
SCRIPTS = (
    "data.js",
    "long_list.js",
    "picks.js",
    "in_step.js",
    "transport.js",
    "play.js",
    "lightbox.js",
    "takes.js",
    "rows.js",
    "filters.js",
    "head.js",
    "keys.js",
    "print.js",
    "page.js",
)
"""The files of the page's one style and one script, in the order in which they are joined."""
SHARED_STYLES = (*STYLES, "comments.css")
SHARED_SCRIPTS = (*SCRIPTS[:-1], "comments.js", SCRIPTS[-1])
"""The files of a page for others."""
LIVE_SCRIPTS = (*SCRIPTS[:-1], "live.js", SCRIPTS[-1])
"""The files of a page that is served while the run goes on."""
_IN_TABLE = "The same takes are in report.csv, beside this page."
_IN_FOLDER = "The clips are in the folder clips, beside this page."
_FASTEST = 1
_LIVE = """\
<meta name="shotrunner-live" content="events?after={after}">
<meta name="shotrunner-save" content="picks">
<link rel="icon" href="data:,">
"""
"""What a served page says in its head; without the icon a browser would ask for one beside the secret."""


def write_page(
    file: BinaryIO,
    header: RunHeader,
    takes: Iterable[TakeRecord],
    spending: Spending,
    *,
    simulated: bool,
    made: float,
    goes_on: bool | None = None,
    mark: str = "",
    beside: Beside = NOTHING_BESIDE,
    after: int | None = None,
) -> None:
    """Write the page; `made` in unix seconds is shown as the time it was made, `mark` is kept near its beginning.

    With `simulated` nothing was paid. `goes_on` says whether the run went on then, None where that is not known. With
    `after` the page is served: it asks its server for all changes after the one with this number, and hands decisions
    to it.

    The page shows the same words and sums of money as `status`: every submission counts, not only each take's latest.
    """
    summary, links = Summary(), beside.links
    cards = _cards(header, takes, spending, summary, beside, goes_on=bool(goes_on))
    sealed = {"mark": escape(mark), "otherwise": _IN_TABLE}
    _write(
        file,
        cards,
        lambda: _with_remarks(
            summary.head(header, spending, simulated=simulated, made=made, goes_on=goes_on), links.remarks
        ),
        sealed,
        style=_joined(STYLES),
        script=_joined(SCRIPTS if after is None else LIVE_SCRIPTS),
        live="" if after is None else _LIVE.format(after=after),
        media=links.media,
    )


def _with_remarks(head: Head, remarks: Sequence[str]) -> Head:
    head["facts"] += (display.visible(each, TEXT_LIMIT) for each in remarks)
    return head


def write_shared_page(file: BinaryIO, cards: Iterable[Card], head: Head) -> None:
    """Write a page for others, which takes comments; the cards and the head hold all that it shows."""
    sealed = {"mark": "", "otherwise": _IN_FOLDER}
    _write(
        file,
        iter(cards),
        lambda: head,
        sealed,
        style=_joined(SHARED_STYLES),
        script=_joined(SHARED_SCRIPTS),
    )


def _write(
    file: BinaryIO,
    cards: Iterator[Card],
    head_of_all: Callable[[], Head],
    words: Mapping[str, str],
    *,
    style: str,
    script: str,
    live: str = "",
    media: str = "",
) -> None:
    """Write a page take by take; its head is asked for when every take was seen."""
    before, _, after = _part("page.html").partition("<!-- data -->\n")
    policies = policy(style=style, script=script, is_live=bool(live), media=media)
    sealed = {**words, "policy": policies, "style": style, "script": script}
    file.write(Template(before.replace("<title>", f"{live}<title>")).substitute(sealed).encode())
    while block := list(islice(cards, BLOCK)):
        file.write(_data("takes", block))
    head = head_of_all()
    file.write(_data("run", head))
    file.write(Template(after).substitute(sealed, plain=_plain(head)).encode())


def _cards(
    header: RunHeader,
    takes: Iterable[TakeRecord],
    spending: Spending,
    summary: Summary,
    beside: Beside,
    *,
    goes_on: bool,
) -> Iterator[Card]:
    earlier = spending.earlier
    for take in filter(is_listed, takes):
        summary.note(take)
        before = earlier.get(take.take_id, NOTHING_SPENT)
        yield card(header, take, before, beside=beside, goes_on=goes_on)


def _data(kind: str, value: Sequence[Card] | Head) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    packed = base64.b64encode(zlib.compress(text.encode(), _FASTEST))
    return b'<script type="text/plain" class="%b">%b</script>\n' % (kind.encode(), packed)


def _plain(head: Head) -> str:
    """Return what a browser without scripts shows, as HTML."""
    simulated = ["SIMULATED – nothing was paid"] if head["simulated"] else []
    said = [*simulated, head["name"], head["made"], *head["facts"], display.tally(dict(head["totals"]))]
    return "".join(f"<p>{escape(each)}</p>" for each in said if each)


def policy(*, style: str, script: str, is_live: bool = False, media: str = "") -> str:
    """Return the page's Content-Security-Policy: nothing but the clips beside it, and code known by its hash.

    A live page may also ask its own server. `media` is a further origin of clips.
    """
    more = f" {media}" if media else ""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; media-src 'self'{more}; img-src 'self' data:{more}; "
        f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
        + ("; connect-src 'self'" if is_live else "")
    )


def _joined(names: Sequence[str]) -> str:
    return "".join(map(_part, names))


def _part(name: str) -> str:
    return resources.files("runner.output").joinpath("page", name).read_text("utf-8")
