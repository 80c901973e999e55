"""The outcome of one HTTP exchange: an answer, or none and how far the request had got.

The classifier decides from these values alone, so it is a pure function. They know no HTTP library.
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
    """Why no answer came; a resolver that is away counts as `UNREACHABLE`, and not as `NO_SUCH_NAME`.

    `PROXY` is a proxy that refuses the tunnel by itself.
    """

    UNREACHABLE = "unreachable"
    NO_SUCH_NAME = "no-such-name"
    CERTIFICATE = "certificate"
    PROXY = "proxy"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    MISUSE = "misuse"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status line and what came after it; `complete` is false where the body broke off or passed the cap.

    `passed` is that cap in bytes, None if the body kept to it. `packed` names a coding that was damaged or could not be
    undone; the body is then only a hint.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    passed: int | None = None
    packed: str = ""


@dataclass(frozen=True, slots=True)
class NoResponse:
    """No status line came; `reason` says it to a person, `error` in a library's words. Neither has a header's value.

    `advice` is what a person can do, where that is known.
    """

    milestone: SendStage
    kind: SilenceKind
    reason: str
    error: str = ""
    advice: str = ""


HttpOutcome: TypeAlias = Answer | NoResponse
