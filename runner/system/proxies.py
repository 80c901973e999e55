"""Which proxy a request goes through: a value that is made once from the environment and handed to every client.

In: the variables. Out: `ProxyRules`, which name the proxy of a URL. It opens nothing, and shows no login. Only https
goes through a proxy, and a loopback address never does.

Source: the variables and the forms of NO_PROXY are those of curl and Go; there is no standard for them.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from runner.system.hosts import host_fault, is_loopback

VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""The variables that name a proxy; the first one that is set counts."""

EXEMPTING = ("no_proxy", "NO_PROXY")
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class ProxyFault(ValueError):
    """A variable names no proxy that could be used; the words never repeat its value, which may hold a password."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy, and the variable that names it; `user` and `password` are its login, empty without one."""

    scheme: str
    host: str
    port: int
    variable: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The address without the login."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return self.address

    @property
    def is_socks(self) -> bool:
        """True if it speaks SOCKS, which needs an extra."""
        return self.scheme.startswith("socks")

    @property
    def headers(self) -> dict[str, str]:
        """The headers for an HTTP proxy alone: its login, if there is one."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {login}"} if self.user else {}


@dataclass(frozen=True, slots=True)
class Exemption:
    """One item of NO_PROXY: a name with all below it, or a network; with `port` only that port of it."""

    text: str
    name: str = ""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Return whether a request to this host and port goes around the proxy."""
        if self.port not in {None, port}:
            return False
        if self.network is None:
            return not self.name or host == self.name or host.endswith(f".{self.name}")
        try:
            return ipaddress.ip_address(host) in self.network
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """The proxy for https, and what goes around it; without a proxy every request goes direct."""

    proxy: Proxy | None = None
    exempt: tuple[Exemption, ...] = ()

    def of(self, url: str) -> Proxy | None:
        """Return the proxy for a request to `url`, None if it goes direct."""
        parts = urlsplit(url)
        is_direct = parts.scheme != "https" or is_loopback(parts.hostname or "") or self.exemption_of(url)
        return None if is_direct else self.proxy

    def exemption_of(self, url: str) -> Exemption | None:
        """Return the item of NO_PROXY that lets `url` go around the proxy, if one does."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or 443
        return next((each for each in self.exempt if each.covers(host, port)), None)


DIRECT = ProxyRules()


def read_proxies(environ: Mapping[str, str]) -> ProxyRules:
    """Return the rules that the variables make; a spelling in small letters goes before one in capitals.

    Raises:
        ProxyFault: a variable cannot be used.
    """
    variable = next((name for name in VARIABLES if environ.get(name, "").strip()), "")
    exempting = next((name for name in EXEMPTING if environ.get(name, "").strip()), "")
    words = environ.get(exempting, "").replace(",", " ").split()
    return ProxyRules(
        _proxy(environ[variable].strip(), variable) if variable else None,
        tuple(_exemption(word, exempting) for word in words),
    )


def _proxy(text: str, variable: str) -> Proxy:
    # curl takes a bare host and port for an HTTP proxy.
    text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        escaped = "its host or port cannot be one; a login in it needs %2F for /, %3A for : and %40 for @"
        raise ProxyFault(f"{variable} names no proxy: {escaped}") from None
    if fault := _fault(text, parts, host, port):
        raise ProxyFault(f"{variable} names no proxy: {fault}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isprintable():
        raise ProxyFault(f"{variable} names no proxy: its login has a control character in it")
    return Proxy(parts.scheme, host, port or _PORTS[parts.scheme], variable, user, password)


def _fault(text: str, parts: SplitResult, host: str, port: int | None) -> str:
    faults = {
        # urlsplit removes some of these silently.
        "it has a blank or a control character in it": not text.isprintable() or " " in text,
        "it must begin with http://, https://, socks5:// or socks5h://": parts.scheme not in _PORTS,
        host_fault(host): bool(host_fault(host)),
        "there is no port 0": port == 0,
        "it must be a scheme, a login, a host and a port alone": parts.path not in {"", "/"}
        or bool(parts.query or parts.fragment),
    }
    return next((why for why, is_wrong in faults.items() if is_wrong), "")


def _exemption(text: str, variable: str) -> Exemption:
    """Read `*`, `example.com`, `.example.com`, `*.example.com`, an address, a network, or a host with its port."""
    word = text.lower()
    if "/" in word:
        try:
            return Exemption(text, network=ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise ProxyFault(f"{variable} has {text!r}, which is not a network such as 10.0.0.0/8") from None
    host, port = word, None
    before, colon, after = word.rpartition(":")
    # An address of IPv6 has colons of its own, unless it is in brackets.
    if colon and after.isascii() and after.isdigit() and (":" not in before or before.endswith("]")):
        host, port = before, int(after)
    try:
        return Exemption(text, network=ipaddress.ip_network(host.strip("[]")), port=port)
    except ValueError:
        name = host.removeprefix("*").strip(".")
    if not name and host != "*":
        raise ProxyFault(f"{variable} has {text!r}, which names no host")
    return Exemption(text, name=name, port=port)
