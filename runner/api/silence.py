"""What to call a request without an answer: a sentence for people, and the library's own name for it beside it.

In: how far the request had got, and the exception. Out: a `NoResponse`. It knows no HTTP library.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator, Mapping

from runner.api.exchange import NoResponse, SendStage, SilenceKind
from runner.system.proxies import Proxy

SERVICE = "the service"
_LONGEST_CHAIN = 50

_UNCONNECTED: Mapping[SilenceKind, str] = {
    SilenceKind.UNREACHABLE: "no connection to {whither}",
    SilenceKind.NO_SUCH_NAME: "the host name of {whither} was not found",
    SilenceKind.CERTIFICATE: "the service's certificate is not accepted",
    SilenceKind.MISUSE: "the request could not be sent from this machine",
}
_CLOSED: Mapping[SendStage, str] = {
    SendStage.NOTHING_SENT: "the connection was closed before the request was sent",
    SendStage.SENDING: "the connection was closed while the request was on its way",
    SendStage.SENT: "the connection was closed before an answer came",
    SendStage.ANSWERING: "the connection was closed within the answer",
}
_LATE: Mapping[SendStage, str] = {
    SendStage.NOTHING_SENT: "not connected in time",
    SendStage.SENDING: "the request was not taken in time",
}
_GARBLED = "what came back is not an HTTP answer"


def silence(
    milestone: SendStage,
    kind: SilenceKind,
    error: Exception,
    *,
    told: str = "",
    is_garbled: bool = False,
    whither: str = SERVICE,
) -> NoResponse:
    """Return why no answer came; `told` is the library's message, empty where it may quote the token.

    `is_garbled` says that bytes came which are no answer. `whither` names what was being connected to.
    """
    if is_garbled:
        words = _GARBLED
    elif kind is SilenceKind.TIMEOUT:
        words = _LATE.get(milestone, "no answer came in time")
    elif kind in _UNCONNECTED:
        cause = "" if kind is SilenceKind.NO_SUCH_NAME else _cause(error)
        words = f"{_UNCONNECTED[kind].format(whither=whither)}{f' ({cause})' if cause else ''}"
    else:
        words = _CLOSED[milestone]
    return NoResponse(milestone, kind, words, f"{type(error).__name__}{f': {told}' if told else ''}")


def _cause(error: BaseException) -> str:
    """Return the system's words for the first cause that it knows."""
    for link in chain_of(error):
        match link:
            case ssl.SSLCertVerificationError():
                return str(getattr(link, "verify_message", ""))
            # Its number is none of the system's.
            case ssl.SSLError():
                return str(getattr(link, "reason", None) or "").replace("_", " ").lower()
            case socket.gaierror():
                return "its address could not be looked up"
            # A library may put its own text into an error of the system, so the number decides.
            case OSError(errno=int(number)) if number in errno.errorcode:
                return os.strerror(number)
    return ""


def refused_certificate(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the refusal of a certificate that is behind an exception, if one is."""
    for link in chain_of(error):
        # A library may derive an error of its own from this class, without the reason.
        if isinstance(link, ssl.SSLCertVerificationError) and hasattr(link, "verify_code"):
            return link
    return None


def on_the_way(proxy: Proxy | None, *, is_reached: bool) -> str:
    """Return what a request was being connected to; `is_reached` says that the proxy itself was."""
    if proxy is None:
        return SERVICE
    return f"{SERVICE} through the proxy {proxy}" if is_reached else f"the proxy {proxy}"


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what caused it; a chain of causes can be a circle."""
    link: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__
