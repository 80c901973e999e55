"""Whose certificate was refused, and why: words for a person, with what they can set.

In: a refused handshake. Out: a sentence and an advice. To see the certificate it connects a second time, in the same
way and without trusting anyone. It leaves before a request, so no byte of HTTP goes to the server.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from runner.system.certificates import Certificate, read_certificate
from runner.system.httpx_proxy import httpx_proxy
from runner.system.proxies import Proxy

_PATIENCE_S = 3.0
_CLOCK = "set this machine's clock right; if it is right, the certificate must be renewed"
_AUTHORITY = "if your network has an authority of its own, set SSL_CERT_FILE to a file with its certificate in PEM form"
_OTHER = "check the API base and the proxy, since another server answers for this name"
_KNOWN: Mapping[int, tuple[str, str]] = {
    9: ("it is not valid yet", _CLOCK),
    10: ("it has expired", _CLOCK),
    18: ("it is signed by itself, and its authority is not known here", _AUTHORITY),
    19: ("its authority is not known here", _AUTHORITY),
    20: ("its authority is not known here", _AUTHORITY),
    21: ("its authority is not known here", _AUTHORITY),
    62: ("it is for another name", _OTHER),
    64: ("it is for another address", _OTHER),
}
"""What the numbers of OpenSSL's verification mean to a person; source: its openssl/x509_vfy.h."""


def words_for(
    host: str, error: ssl.SSLCertVerificationError, certificate: Certificate | None
) -> tuple[str, str]:
    """Return why the certificate of `host` is not accepted, and what a person can do."""
    why, advice = _KNOWN.get(error.verify_code, (error.verify_message, _AUTHORITY))
    whose = "it could not be looked at"
    if certificate is not None:
        whose = f"it is for {certificate.subject}, by {certificate.issuer}, until {certificate.until}"
    return f"the certificate of {host} is not accepted: {why}; {whose}", advice


async def shown_certificate(origin: str, proxy: Proxy | None) -> Certificate | None:
    """Return the certificate that the server at `origin` shows through `proxy`, None if it shows none."""
    seen: list[bytes] = []

    async def look(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("start_tls.complete"):
            seen.append(info["return_value"].get_extra_info("ssl_object").getpeercert(binary_form=True))
        elif event == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            raise _Enough

    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    # A foreign library may raise anything, and the words do without the certificate then.
    with suppress(Exception):
        async with (
            asyncio.timeout(_PATIENCE_S),
            httpx.AsyncHTTPTransport(verify=anyone, trust_env=False, proxy=httpx_proxy(proxy)) as transport,
        ):
            request = httpx.Request("GET", f"{origin}/", extensions={"trace": look})
            await transport.handle_async_request(request)
    return read_certificate(seen[-1]) if seen else None


class _Enough(Exception):
    """Ends the look before anything is sent."""
