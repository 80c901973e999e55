"""A proxy as httpx takes it: with its login, and with our certificates for a proxy that speaks TLS itself."""

from __future__ import annotations

import httpx

from runner.system.proxies import Proxy
from runner.system.tls import tls_context


def httpx_proxy(proxy: Proxy | None) -> httpx.Proxy | None:
    """Return the argument `proxy` of a transport of httpx, None for a direct connection.

    For https it opens a tunnel with CONNECT, and sends the login in that request alone.
    """
    if proxy is None:
        return None
    return httpx.Proxy(
        proxy.address,
        auth=(proxy.user, proxy.password) if proxy.user else None,
        ssl_context=tls_context() if proxy.scheme == "https" else None,
    )
