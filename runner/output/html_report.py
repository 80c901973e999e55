"""The HTML page: one self-contained contact sheet of a run's takes, to be opened from the disk.

The page loads nothing but the clips beside it: style and script are inline and allowed by their hash alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from runner.domain import display
from runner.domain.money import Spending
from runner.domain.records import RunHeader, TakeRecord
from runner.output import csv_report
from runner.output.report_view import cards, totals
from runner.output.status_text import causes

if TYPE_CHECKING:
    from jinja2 import Environment

TEXT_LIMIT = 8192


def html(header: RunHeader, takes: Sequence[TakeRecord], spending: Spending, now: float) -> str:
    """Return the page; `now` in unix seconds is shown as the time it was made.

    The page shows the same words and sums of money as `status`: every submission counts, not only each take's latest.
    """
    from markupsafe import Markup

    ordered = csv_report.in_order(takes)
    style, script = _part("report.css"), _part("report.js")
    # These are files of the package, not text from outside. They are the page's code and must not be escaped.
    parts = {"style": Markup(style), "script": Markup(script)}  # noqa: S704
    return (
        _environment()
        .from_string(_part("report.html.jinja"))
        .render(
            **parts,
            policy=policy(style=style, script=script),
            header=header,
            manifest=Path(header.manifest).name,
            cards=cards(header, ordered, spending),
            totals=totals(ordered),
            causes=causes(ordered, least=2),
            spent=display.spent_words(spending, simulated=header.simulated),
            made=display.when(now),
            wording=display,
        )
    )


def policy(*, style: str, script: str) -> str:
    """Return the page's Content-Security-Policy: nothing but the clips beside it, and code known by its hash."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        "default-src 'none'; media-src 'self'; img-src 'self' data:; "
        f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )


def _part(name: str) -> str:
    return resources.files("runner.output").joinpath(name).read_text("utf-8")


def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    environment.filters["lines"] = _Kept
    return environment


class _Kept(str):
    """Text whose line breaks are kept, such as a prompt."""

    __slots__ = ()


def _finalize(found: object) -> object:
    # Everything on the page passes through here, so that no place in the template can forget to escape.
    from markupsafe import Markup

    if isinstance(found, Markup) or not isinstance(found, str):
        return found
    if isinstance(found, _Kept):
        return display.visible_lines(found, TEXT_LIMIT)
    return display.visible(found, TEXT_LIMIT)
