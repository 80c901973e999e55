"""The one TLS context of the process: building one reads every root certificate, which takes tens of milliseconds."""

from __future__ import annotations

import functools
import ssl

import certifi


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the context that all clients share: names and certificates are always checked, and HTTP/1.1 is spoken.

    It trusts the bundled roots and those of the system. It does not use `ssl.create_default_context`, which would
    write the session secrets to the file that `SSLKEYLOGFILE` names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=certifi.where())
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


def context_for(origin: str) -> ssl.SSLContext:
    """Return the context for requests to `origin`: plain http, which is loopback only, needs no root certificates.

    The context for http trusts no certificate, so an unexpected https hop would fail.
    """
    return tls_context() if origin.startswith("https:") else _bare_context()


@functools.cache
def _bare_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
