"""What it means that a proxy opens no tunnel: nothing was sent to the API, and a person or time can open the way.

In: the proxy, and its status or words. Out: a `NoResponse`. It knows no HTTP library.
"""

from __future__ import annotations

import re

from runner.api.exchange import NoResponse, SendStage, SilenceKind
from runner.system.proxies import Proxy

_LOGIN = 407
_FORBIDDEN = frozenset({401, 403})
_NO_TUNNEL = frozenset({400, 405, 501})
_RULES = re.compile(r"ruleset|not allowed|not supported", re.IGNORECASE)
_WRONG_LOGIN = re.compile(r"username|password|authenticat", re.IGNORECASE)


def no_tunnel(
    proxy: Proxy, milestone: SendStage, *, error: str, status: int | None = None, words: str = ""
) -> NoResponse:
    """Return what became of a request that a proxy did not let through: it answered `status`, or SOCKS gave `words`.

    A refusal of the proxy's own is of the kind `PROXY`; a proxy that cannot reach the API counts as an outage.
    """
    said = f"HTTP {status}" if status else words or "without a reason"
    if status == _LOGIN or _WRONG_LOGIN.search(words):
        what = f"refuses the login in {proxy.variable}" if proxy.user else "requires a login"
        advice = (
            f"put the login into {proxy.variable}: {proxy.scheme}://USER:PASSWORD@{proxy.host}:{proxy.port}"
        )
    elif status in _FORBIDDEN or _RULES.search(words):
        what = "does not let requests through to this API"
        advice = "ask who runs the proxy to allow CONNECT to the API's host, or exempt the host with NO_PROXY"
    elif status in _NO_TUNNEL:
        what = "opens no tunnel; paid requests go through no other proxy, since one that forwards them may repeat them"
        advice = (
            f"name a proxy in {proxy.variable} that allows CONNECT, or exempt the API's host with NO_PROXY"
        )
    else:
        reason = f"the proxy {proxy} does not reach the service ({said})"
        return NoResponse(milestone, SilenceKind.UNREACHABLE, reason, error)
    return NoResponse(milestone, SilenceKind.PROXY, f"the proxy {proxy} {what} ({said})", error, advice)
