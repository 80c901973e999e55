"""A request without an answer is told in people's words; a library's name for it is kept beside them."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from runner.api.exchange import NoResponse, SendStage, SilenceKind
from runner.api.silence import silence

BROKEN, STAGES = SilenceKind.BROKEN, SendStage


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def test_the_words_say_how_far_it_got_and_the_class_is_kept_apart() -> None:
    error = EOFError("Server disconnected without sending a response.")
    assert silence(STAGES.SENT, BROKEN, error, told=str(error)) == NoResponse(
        STAGES.SENT,
        BROKEN,
        "the connection was closed before an answer came",
        "EOFError: Server disconnected without sending a response.",
    )


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", SilenceKind)
@pytest.mark.parametrize("is_garbled", [False, True])
def test_no_reason_has_the_name_of_a_class(stage: SendStage, kind: SilenceKind, *, is_garbled: bool) -> None:
    found = silence(stage, kind, ConnectionResetError(errno.ECONNRESET, "x"), told="x", is_garbled=is_garbled)
    assert found.reason
    assert "Error" not in found.reason
    assert found.error == "ConnectionResetError: x"


@pytest.mark.parametrize(
    ("kind", "cause", "words"),
    [
        (
            SilenceKind.UNREACHABLE,
            ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)"),
            "no connection to the service (Connection refused)",
        ),
        (
            SilenceKind.NO_SUCH_NAME,
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "the host name of the service was not found",
        ),
        (
            SilenceKind.CERTIFICATE,
            ssl.SSLCertVerificationError(1, "[SSL] verify failed"),
            "the service's certificate is not accepted",
        ),
        (
            SilenceKind.UNREACHABLE,
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            "no connection to the service (its address could not be looked up)",
        ),
        (SilenceKind.UNREACHABLE, ssl.SSLError(1, "wrong version"), "no connection to the service"),
        (SilenceKind.UNREACHABLE, OSError("All connection attempts failed"), "no connection to the service"),
    ],
    ids=["refused", "no name", "certificate", "no resolver", "no TLS", "no number"],
)
def test_the_system_says_why_there_is_no_connection(kind: SilenceKind, cause: Exception, words: str) -> None:
    found = silence(STAGES.NOTHING_SENT, kind, caused(RuntimeError("a library's"), cause))
    assert (found.reason, found.error) == (words, "RuntimeError")
