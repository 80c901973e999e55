"""The one TLS context of the process: building one reads every root certificate, which takes tens of milliseconds."""

from __future__ import annotations

import functools
import ssl

import certifi


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the context that all clients share: names and certificates are always checked.

    It trusts the bundled roots and those of the system. It does not use `ssl.create_default_context`, which would
    write the session secrets to the file that `SSLKEYLOGFILE` names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=certifi.where())
    context.load_default_certs()
    return context
