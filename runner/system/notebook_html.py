"""Makes the HTML that a notebook shows for a value: a sentence, a table, small pictures.

In: plain text and bytes of JPEG files. Out: HTML that loads nothing and in which no text can become markup.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

from runner.system.escapes import visible

MOST_ROWS = 100
_LEFT = ' style="text-align:left;vertical-align:top"'
_FIGURE = ' style="display:inline-block;margin:0 8px 8px 0;vertical-align:top"'


def paragraph(text: str) -> str:
    """Return one sentence."""
    return f"<p>{_safe(text)}</p>"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of at most `MOST_ROWS` rows, and the number of those that are left out."""
    head = "".join(f"<th{_LEFT}>{_safe(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td{_LEFT}>{_safe(cell)}</td>' for cell in row)}</tr>"
        for row in islice(rows, MOST_ROWS)
    )
    more = len(rows) - MOST_ROWS
    left_out = paragraph(f"… and {more:,} more") if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left_out}"


def figures(pictures: Iterable[tuple[str, bytes]]) -> str:
    """Return JPEG pictures side by side, each with a text below it."""
    return "".join(
        f'<figure{_FIGURE}><img width="160" alt="" src="data:image/jpeg;base64,{b64encode(data).decode()}">'
        f"<figcaption>{_safe(caption)}</figcaption></figure>"
        for caption, data in pictures
    )


def _safe(text: str) -> str:
    return escape(visible(text))
