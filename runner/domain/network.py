"""What the environment says of the way to the network, and the errors for a way that is barred.

In: the variables, or why the API was never reached. Out: the rules for proxies, sentences about them, an error. It
opens no connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.errors import (
    CertificateRefused,
    ExtraMissing,
    NoSuchHost,
    ProxyRefused,
    ShotrunnerError,
    UsageError,
)
from runner.system.proxies import ProxyFault, ProxyRules, read_proxies

SOCKS_MODULES = ("socksio", "aiohttp_socks")
"""What the extra `[socks]` installs."""

_EXAMPLE = "for example http://USER:PASSWORD@proxy.example:3128, or unset it"
_LOOK_AT = "check the API base (--api-base, or its environment variable) and that this machine's network and DNS work"
_BARRED: Mapping[FailureKind, type[ShotrunnerError]] = {
    FailureKind.NO_HOST: NoSuchHost,
    FailureKind.UNTRUSTED: CertificateRefused,
    FailureKind.PROXY: ProxyRefused,
}


def network_in(environ: Mapping[str, str]) -> ProxyRules:
    """Return which proxy the environment names, if the certificates that it names can be read as well.

    Raises:
        UsageError: a variable of a proxy or of certificates cannot be used.
        ExtraMissing: the proxy speaks SOCKS, and the extra is not installed.
    """
    # It imports ssl, which a command without a network does without.
    from runner.system.tls import certificate_faults

    for why in certificate_faults(environ):
        raise UsageError(why, advice="name readable certificates in PEM form, or unset the variable")
    return proxies_in(environ)


def proxies_in(environ: Mapping[str, str]) -> ProxyRules:
    """Return which proxy the environment names; raises as `network_in`, for proxies alone."""
    try:
        rules = read_proxies(environ)
    except ProxyFault as fault:
        raise UsageError(str(fault), advice=_EXAMPLE) from None
    if rules.proxy and rules.proxy.is_socks and not all(map(find_spec, SOCKS_MODULES)):
        raise ExtraMissing(f"the SOCKS proxy in {rules.proxy.variable}", extra="socks")
    return rules


def proxy_notes(proxies: ProxyRules, origin: str) -> Iterator[str]:
    """Yield what a person should know of the proxy before a run of the API at `origin`."""
    if (proxy := proxies.proxy) is None:
        return
    exempt = proxies.exemption_of(origin)
    host = urlsplit(origin).hostname
    if proxies.of(origin):
        yield f"{proxy.variable} is set: requests to {host} go through the proxy {proxy}, in a tunnel"
    else:
        why = f"NO_PROXY has {exempt.text}" if exempt else "a proxy is never used for this machine"
        yield f"{proxy.variable} is set: {host} is reached without the proxy {proxy}, since {why}"
    yield f"links are fetched through {proxy}, which looks their hosts up: only their names are checked here"


def barred(trouble: RequestFailure, told: str) -> ShotrunnerError | None:
    """Return the error `told` for an API that was never reached, and cannot be before a person does something."""
    kind = _BARRED.get(trouble.kind)
    return kind(told, advice=trouble.advice or _LOOK_AT) if kind else None
