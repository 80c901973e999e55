"""The rows of the fault matrix: one fault each, and for each kind of request what it shall be called.

A word names an outcome, `|` stands between words that are equally right because the fault is a race, `=` for the
answer of a server that behaves. A submit is `accepted`, `not-sent`, `hopeless` (unsent, and no other try would do
better), `later`, `refused`, `account` or `lost`; a read is troubled (`transient`, `throttled`, `account`, `missing`) or
answered; a download is `delivered`, wanted `again`, `away` (its host cannot be reached), in need of a `fresh link`, or
`never` to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.outside.faults import Fault
from tests.torture.fault_stage import Act, Verb

READS = (Verb.STATUS, Verb.RESULT, Verb.CANCEL)
BOTH = (False, True)
PLAIN = (False,)
TLS = (True,)


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: `outcomes` by kind of request, how often the server may see it, and whether http, https or both."""

    name: str
    act: Act
    outcomes: Mapping[Verb, str]
    requests: tuple[int, int] = (1, 1)
    schemes: tuple[bool, ...] = BOTH


def row(
    name: str,
    act: Act | Fault,
    *,
    submit: str = "",
    reads: str = "",
    download: str = "",
    requests: tuple[int, int] = (1, 1),
    schemes: tuple[bool, ...] = BOTH,
) -> Row:
    """Return a row; a kind of request without a word is left out."""
    words = {Verb.SUBMIT: submit, **dict.fromkeys(READS, reads), Verb.DOWNLOAD: download}
    return Row(
        name,
        act if isinstance(act, Act) else Act(fault=act),
        {verb: word for verb, word in words.items() if word},
        requests,
        schemes,
    )


def lost(name: str, act: Act | Fault, *, download: str = "away", requests: tuple[int, int] = (1, 1)) -> Row:
    """Return a row for what leaves a submit in doubt, and reads and downloads to be tried again."""
    return row(name, act, submit="lost", reads="transient", download=download, requests=requests)
