"""Downloads: a GET of a public file from a host that the user did not choose, so nothing about it is trusted.

A request may only go to https on port 443 of a public host, without a user name in the URL. It follows at most five
redirects, each checked like the first link. The address that was really reached decides; it is read from the connected
socket before any byte is sent. A name may resolve to another address at each request ("DNS rebinding"; OWASP,
Server-Side Request Forgery Prevention).

Behind a proxy the address that is reached is the proxy's, which looks the name up itself. Then the name alone decides,
and the rest is for the proxy to refuse.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from operator import attrgetter
from typing import Any, Protocol, Self, TypeAlias

import httpx

from runner.media.http.response import Download, DownloadError, clean, plain, shown
from runner.system.hosts import Address, is_loopback, is_public_address
from runner.system.httpx_proxy import httpx_proxy
from runner.system.proxies import DIRECT, Proxy, ProxyRules
from runner.system.tls import tls_context
from runner.system.web_links import HTTPS_PORTS, trouble_of

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": "shotrunner", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
_PASSING = frozenset({408, 425, 429})

PeerRule: TypeAlias = Callable[[Address], bool]


class Deadline:
    """One download's time limit: `seconds` after its context is entered, every guarded connection is cut.

    A time-out per read never stops a server that sends single bytes. A duplicate of each socket is cut, which stays
    valid while TLS is wrapped around the original.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._passed = False
        self._held: list[int] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self.cut)
        # A daemon thread lets a program end even while a download hangs.
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for held in self._held:
                os.close(held)
            self._held.clear()

    def guard(self, connected: socket.socket) -> None:
        """Watch one more connection."""
        with self._lock:
            self._held.append(os.dup(connected.fileno()))
        if self._passed:
            self.cut()

    def check(self) -> None:
        """Raise if the time is up: a cut connection otherwise looks like the end of a body without length.

        Raises:
            DownloadError: the time is up.
        """
        if self._passed:
            raise DownloadError(f"took longer than {self._seconds:g} s")

    def cut(self) -> None:
        """Shut every connection down; a waiting read returns at once."""
        self._passed = True
        with self._lock:
            for held in self._held:
                # A second duplicate is used, since closing this socket object must leave `held` open.
                with suppress(OSError), socket.socket(fileno=os.dup(held)) as connected:
                    connected.shutdown(socket.SHUT_RDWR)


class Downloads:
    """A client for public files.

    `deadline_s` limits one whole download with redirects and body; the other times are per socket operation. `ports`
    are the allowed ports of a public host. `peer_rule` judges each connected address. The default rule is
    `is_public_address`, or loopback for an allowed link to loopback. `proxies` say which way requests go.
    Several threads may share one: each download has its own connections. Use it as a context manager.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        deadline_s: float = 1800.0,
        connect_s: float = 10.0,
        read_s: float = 30.0,
        ports: Collection[int] = HTTPS_PORTS,
        peer_rule: PeerRule | None = None,
        proxies: ProxyRules = DIRECT,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._deadline_s = deadline_s
        self._times = {"connect": connect_s, "read": read_s, "write": read_s, "pool": connect_s}
        self._ports = ports
        self._peer_rule = peer_rule
        self._proxies = proxies
        self._transports = {way: _transport(way) for way in {None, proxies.proxy}}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for transport in self._transports.values():
            transport.close()

    @contextmanager
    def open(
        self, url: str, *, offset: int = 0, validator: str | None = None, first: int | None = None
    ) -> Iterator[Download]:
        """Ask for `url`, from byte `offset` on; with the strong ETag `validator` only if the file still has it.

        `first` asks for only that many first bytes, but a server may ignore it.

        Raises:
            DownloadError: anything that is not a 200 or 206; its status is 416 if the file has no byte `offset`.
        """
        wanted = dict(_HEADERS)
        if offset:
            wanted |= {"Range": f"bytes={offset}-"} | ({"If-Range": validator} if validator else {})
        elif first:
            wanted |= {"Range": f"bytes=0-{first - 1}"}
        with Deadline(self._deadline_s) as deadline, _translated(deadline):
            where, response = self._arrive(url, wanted, deadline)
            with closing(response):
                headers = {name.lower(): value for name, value in response.headers.items()}
                yield Download(response.status_code, headers, _chunks(response, deadline), shown(str(where)))

    def _arrive(
        self, url: str, headers: Mapping[str, str], deadline: Deadline
    ) -> tuple[httpx.URL, httpx.Response]:
        where = self._admitted(url)
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask(where, headers, deadline)
            target = response.headers.get("location") if response.status_code in _REDIRECTS else None
            if target is None and response.status_code in {200, 206}:
                return where, response
            response.close()
            if target is None:
                raise _refusal(response.status_code, where)
            where = self._admitted(target, base=where)
        what = f"{shown(url)} redirects more than {MAX_REDIRECTS} times"
        raise DownloadError(what, permanent=True, link_refused=True)

    def _ask(self, where: httpx.URL, headers: Mapping[str, str], deadline: Deadline) -> httpx.Response:
        checked = False
        proxy = self._proxies.of(str(where))

        def trace(event: str, info: Mapping[str, Any]) -> None:
            nonlocal checked
            if event.endswith("connect_tcp.complete"):
                self._check_peer(info["return_value"], where, deadline, is_proxy=proxy is not None)
                checked = True
            elif not checked and not event.endswith(("connect_tcp.started", "connect_tcp.failed")):
                # httpx does not promise the names of events: without the check nothing may be sent.
                raise DownloadError("the peer of the connection could not be checked")

        extensions = {"timeout": self._times, "trace": trace}
        request = httpx.Request("GET", where, headers=headers, extensions=extensions)
        with _translated(deadline, unreachable=True, proxy=proxy):
            return self._transports[proxy].handle_request(request)

    def _admitted(self, text: str, *, base: httpx.URL | None = None) -> httpx.URL:
        """Return the URL if its text allows a request; `base` is the URL that redirected to it.

        A host may redirect while a file is made, and so does a captive portal: then a fresh link may work.
        """
        what = f"{shown(str(base))} redirects to something that is not a link" if base else ""
        try:
            text = str(base.join(text)) if base else text
            url = httpx.URL(text)
        except (httpx.InvalidURL, ValueError) as error:
            what = what or f"not a usable link: {shown(text)}"
            raise DownloadError(what, permanent=True, link_refused=base is not None) from error
        reason = trouble_of(str(url), allow_loopback=self._allow_loopback, ports=self._ports)
        if reason:
            what = f"a link is not followed, since {reason}: {shown(text)}"
            raise DownloadError(what, permanent=True, link_refused=base is not None)
        return url

    def _check_peer(self, stream: _Stream, where: httpx.URL, deadline: Deadline, *, is_proxy: bool) -> None:
        host = where.raw_host.decode("ascii").lower().rstrip(".")
        is_local = self._allow_loopback and is_loopback(host)
        rule = self._peer_rule or (attrgetter("is_loopback") if is_local else is_public_address)
        connected = stream.get_extra_info("socket")
        objection = "the connection does not say where it leads"
        try:
            if isinstance(connected, socket.socket):
                peer = ipaddress.ip_address(connected.getpeername()[0])
                objection = (
                    ""
                    if is_proxy or rule(peer)
                    else f"the name leads to {peer}, which is not a public address"
                )
                if not objection:
                    deadline.guard(connected)
        except OSError as error:
            objection = error.strerror or str(error)
        if objection:
            stream.close()
            # The error is not permanent: a captive portal or a wrong resolver causes it for a while.
            raise DownloadError(f"no connection to {host}: {objection}", unreachable=True)


def _transport(proxy: Proxy | None) -> httpx.HTTPTransport:
    # The bare transport has no cookie jar, no netrc and no redirects, and logs no signed URL, as a client would. No
    # connection is kept, so that every request checks its own peer.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.HTTPTransport(verify=tls_context(), trust_env=False, limits=limits, proxy=httpx_proxy(proxy))


class _Stream(Protocol):
    """A connection as the trace hook shows it."""

    def get_extra_info(self, info: str) -> object: ...

    def close(self) -> None: ...


@contextmanager
def _translated(
    deadline: Deadline, *, unreachable: bool = False, proxy: Proxy | None = None
) -> Iterator[None]:
    try:
        yield
    except httpx.ProxyError as error:
        said = f"the proxy {proxy} opens no tunnel: {clean(str(error))}"
        raise DownloadError(said, unreachable=unreachable) from error
    except httpx.HTTPError as error:
        deadline.check()
        text = plain(str(error)) or "the connection was closed"
        by = f", through the proxy {proxy}" if proxy else ""
        raise DownloadError(f"{text}{by}", unreachable=unreachable) from error
    except DownloadError:
        raise
    except Exception as error:
        if proxy is None or not proxy.is_socks:
            raise
        # The library for SOCKS asserts that a proxy answers well, and has errors of its own.
        raise DownloadError(f"the proxy {proxy} gave no answer of SOCKS", unreachable=unreachable) from error


def _chunks(response: httpx.Response, deadline: Deadline) -> Iterator[bytes]:
    with _translated(deadline):
        yield from response.iter_raw()
    deadline.check()


def _refusal(status: int, where: httpx.URL) -> DownloadError:
    text = f"HTTP {status} from {shown(str(where))}"
    # Stores answer an expired signature with 400, 401, 403, 404 or 410, so any other 4xx asks for a new link. 416 only
    # means that the file has no such range.
    refused = 400 <= status < 500 and status not in {*_PASSING, 416}
    away = status >= 500 or status in _PASSING
    return DownloadError(text, link_refused=refused, unreachable=away, status=status)
