"""What one HTTP exchange came to, in values: an answer, or a silence and how far the request had got.

The classifier in `api/` decides from these values alone, so it needs no HTTP library and is a pure function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeAlias


class SendStage(IntEnum):
    """How far a request had got when it ended; only `NOTHING_SENT` proves that the server saw nothing."""

    NOTHING_SENT = 0
    SENDING = 1
    SENT = 2
    ANSWERING = 3


class SilenceKind(StrEnum):
    """Why no answer came, as far as the caller should care.

    `NO_SUCH_NAME` is the resolver's word that the host's name does not exist; one that cannot say so just now leaves
    the host `UNREACHABLE`.
    """

    UNREACHABLE = "unreachable"
    NO_SUCH_NAME = "no-such-name"
    CERTIFICATE = "certificate"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    MISUSE = "misuse"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status line and what came after it; `complete` is false where the body broke off or passed the cap.

    `passed` is that cap in bytes, None where the body kept to it. `packed` names a coding that could not be undone, or
    was damaged; the body is then no more than a hint of what was said.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    passed: int | None = None
    packed: str = ""


@dataclass(frozen=True, slots=True)
class NoResponse:
    """No status line came; `reason` names the failure and never holds a header's value."""

    milestone: SendStage
    kind: SilenceKind
    reason: str


HttpOutcome: TypeAlias = Answer | NoResponse
