"""Requests through proxies over real sockets: a paid POST is sent in a tunnel or not at all, and certainly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from runner.api.account import Account, Secret
from runner.api.classify import sort_submit
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.probe import Seen, probe
from runner.api.progress import Deadlines
from runner.api.read_pool import ReadPool
from runner.api.submit_client import SubmitClient
from runner.domain.api_answers import FailureKind, SubmitAnswer
from runner.domain.states import Accepted, LostContact, NotSent
from runner.media.http.download_client import Downloads
from runner.media.http.response import DownloadError
from runner.notify.notice import Notice, NoticeKind
from runner.notify.ports import NotSent as NotTaken
from runner.notify.webhook import Webhook
from runner.system.clock import SystemClock
from runner.system.proxies import ProxyRules, read_proxies
from runner.system.tls import tls_context
from tests.outside.authority import Authority
from tests.outside.connect_proxy import ConnectProxy, Fault, SocksProxy, Studio, TlsEnd
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

TOKEN = Secret("bench-token-of-a-studio")
HOST = "api.example"
ORIGIN = f"https://{HOST}"
MODEL = "/v1/models/pika/pikaframes"
BODY = b'{"keyFramesFirst":"https://example.com/a","keyFramesLast":"https://example.com/b","promptText":"p","seed":1}'
PATIENT = Deadlines(connect=20.0, write=20.0, read=20.0, overall=20.0)
HASTY = Deadlines(connect=0.3, write=20.0, read=20.0, overall=20.0)
SECRET = "pass-word"
LOGIN = f"nora:{SECRET}"


@dataclass(frozen=True)
class Town:
    """An API behind TLS, reached by its name through a proxy alone; `ends` are the ports of its good and bad ends."""

    studio: Studio
    outside: OutsideServer
    ends: dict[str, int]
    ours: Authority

    def hosts(self, end: str = "good") -> dict[str, int]:
        return {f"{HOST}:443": self.ends[end]}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("certificates")
    ours, foreign = Authority(folder, "Studio CA"), Authority(folder, "Foreign CA")
    ours.issue("good", names=f"DNS:{HOST},IP:127.0.0.1")
    ours.issue("expired", names=f"DNS:{HOST}", days=-1)
    ours.issue("misnamed", names="DNS:elsewhere.example")
    foreign.issue("foreign", names=f"DNS:{HOST}")
    tls_context().load_verify_locations(cafile=ours.file)
    settings = Settings(slots=4, service=0.05, token=TOKEN.reveal())
    with OutsideServer(settings) as outside, Studio() as studio:
        port = int(outside.url.rpartition(":")[2])
        listen = partial(studio.listen, TlsEnd(port))
        ends = {name: listen(ours.server_side(name)) for name in ("good", "expired", "misnamed", "foreign")}
        ends["cut"] = studio.listen(TlsEnd(port, cut=True), ours.server_side("good"))
        yield Town(studio, outside, ends, ours)


def rules(scheme: str, port: int, *, login: str = "", **others: str) -> ProxyRules:
    at = f"{login}@" if login else ""
    return read_proxies({"HTTPS_PROXY": f"{scheme}://{at}127.0.0.1:{port}", **others})


async def nothing() -> None:
    pass


def posted(
    proxies: ProxyRules,
    *,
    begin: Callable[[], Awaitable[None]] = nothing,
    deadlines: Deadlines = PATIENT,
    hooked: bool = True,
) -> SubmitAnswer:
    async def main() -> HttpOutcome:
        client = SubmitClient(ORIGIN, TOKEN, deadlines=deadlines, proxies=proxies, hooked=hooked)
        try:
            return await client.post(MODEL, BODY, begin=begin)
        finally:
            await client.aclose()

    return sort_submit(asyncio.run(main()), attempt="a1", now=0.0)


def asked(proxies: ProxyRules, *, deadlines: Deadlines = PATIENT) -> HttpOutcome:
    async def main() -> HttpOutcome:
        pool = ReadPool(ORIGIN, TOKEN, proxies=proxies, deadlines=deadlines)
        try:
            await pool.ask(MODEL)
            return await pool.ask(MODEL)
        finally:
            await pool.aclose()
            await asyncio.sleep(0)

    return asyncio.run(main())


@pytest.mark.parametrize("hooked", [True, False])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_post_goes_through_a_tunnel_and_its_first_byte_waits_for_the_record(
    town: Town, scheme: str, *, hooked: bool
) -> None:
    """The request for the tunnel has no token, and does not count as the first byte."""
    proxy = ConnectProxy(town.hosts(), login=LOGIN)
    port = town.studio.listen(proxy, town.ours.server_side("good") if scheme == "https" else None)
    before, seen = town.outside.stats()["submits"], []

    async def begin() -> None:
        seen.append((len(proxy.heads), town.outside.stats()["submits"] - before))

    assert isinstance(posted(rules(scheme, port, login=LOGIN), begin=begin, hooked=hooked), Accepted)
    assert seen == [(1 if hooked else 0, 0)]
    assert town.outside.stats()["submits"] == before + 1
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n".encode())
    assert TOKEN.reveal().encode() not in head
    assert b"uthorization: Basic " in head


def test_reads_share_one_tunnel_and_show_the_proxy_no_token(town: Town) -> None:
    proxy = ConnectProxy(town.hosts(), login=LOGIN)
    answer = asked(rules("http", town.studio.listen(proxy), login=LOGIN))
    assert isinstance(answer, Answer)
    assert answer.status == 200
    (head,) = proxy.heads
    assert head.startswith(b"CONNECT ")
    assert TOKEN.reveal().encode() not in head
    assert b"Proxy-Authorization: Basic " in head


@pytest.mark.parametrize("login", ["", LOGIN])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_carries_both_and_looks_the_name_up(town: Town, scheme: str, login: str) -> None:
    proxy = SocksProxy(town.hosts(), login=login)
    proxies = rules(scheme, town.studio.listen(proxy), login=login)
    assert isinstance(posted(proxies), Accepted)
    assert isinstance(asked(proxies), Answer)
    assert proxy.asked == [f"{HOST}:443"] * 2


def closed_port() -> int:
    """Return a port on which nothing listens any more."""
    with Studio() as studio:
        return studio.listen(ConnectProxy({}))


FAULTS: dict[str, Callable[[Town], ConnectProxy | SocksProxy | None]] = {
    "down": lambda _: None,
    "502": lambda _: ConnectProxy({}),
    "503": lambda town: ConnectProxy(town.hosts(), status=503),
    "407": lambda town: ConnectProxy(town.hosts(), login="other:login"),
    "405": lambda town: ConnectProxy(town.hosts(), status=405),
    "403": lambda town: ConnectProxy(town.hosts(), status=403),
    "stall": lambda town: ConnectProxy(town.hosts(), fault=Fault.STALL),
    "close": lambda town: ConnectProxy(town.hosts(), fault=Fault.CLOSE),
    "reset": lambda town: ConnectProxy(town.hosts(), fault=Fault.RESET),
    "garbage": lambda town: ConnectProxy(town.hosts(), fault=Fault.GARBAGE),
    "tls stall": lambda town: ConnectProxy(town.hosts(), fault=Fault.TLS_STALL),
    "tls close": lambda town: ConnectProxy(town.hosts(), fault=Fault.TLS_CLOSE),
    "expired": lambda town: ConnectProxy(town.hosts("expired")),
    "foreign": lambda town: ConnectProxy(town.hosts("foreign")),
    "misnamed": lambda town: ConnectProxy(town.hosts("misnamed")),
    "socks wrong login": lambda town: SocksProxy(town.hosts(), login="other:login"),
    "socks by its rules": lambda town: SocksProxy(town.hosts(), reply=2),
    "socks unreachable": lambda _: SocksProxy({}),
    "socks stall": lambda town: SocksProxy(town.hosts(), fault=Fault.STALL),
    "socks close": lambda town: SocksProxy(town.hosts(), fault=Fault.CLOSE),
    "socks garbage": lambda town: SocksProxy(town.hosts(), fault=Fault.GARBAGE),
    "socks tls stall": lambda town: SocksProxy(town.hosts(), fault=Fault.TLS_STALL),
    "socks expired": lambda town: SocksProxy(town.hosts("expired")),
}
HOPELESS = {"407", "405", "403", "expired", "foreign", "misnamed"} | {
    "socks wrong login",
    "socks by its rules",
    "socks expired",
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_a_proxy_does_nothing_was_sent_and_the_take_stays_pending(town: Town, name: str) -> None:
    made = FAULTS[name](town)
    port = town.studio.listen(made) if made else closed_port()
    login = LOGIN if made is None or isinstance(made, ConnectProxy) or "login" in name else ""
    proxies = rules("socks5" if isinstance(made, SocksProxy) else "http", port, login=login)
    began: list[bool] = []

    async def begin() -> None:
        began.append(True)

    before = town.outside.stats()["submits"]
    deadlines = HASTY if "stall" in name else PATIENT
    answer, read = posted(proxies, begin=begin, deadlines=deadlines), asked(proxies, deadlines=deadlines)
    assert isinstance(answer, NotSent), answer
    assert isinstance(read, NoResponse), read
    assert read.milestone is SendStage.NOTHING_SENT
    assert (began, town.outside.stats()["submits"]) == ([], before)
    assert answer.hopeless == (name in HOPELESS), answer
    assert (read.kind in {SilenceKind.PROXY, SilenceKind.CERTIFICATE}) == (name in HOPELESS), read
    said = " ".join((answer.reason, answer.error, read.reason, read.error, read.advice, repr(proxies)))
    assert SECRET not in said
    assert "proxy" in read.reason or read.kind in {SilenceKind.CERTIFICATE, SilenceKind.BROKEN}


def test_a_break_after_the_first_byte_in_the_tunnel_is_held(town: Town) -> None:
    proxy = ConnectProxy(town.hosts("cut"))
    answer = posted(rules("http", town.studio.listen(proxy)))
    assert isinstance(answer, LostContact)
    assert answer.milestone in {"sending", "sent"}


def seen(proxies: ProxyRules) -> Seen:
    account = Account(ORIGIN, TOKEN, "a test", proxies=proxies)
    return asyncio.run(probe(account, clock=SystemClock()))


@pytest.mark.parametrize(
    ("end", "why", "whose", "advice"),
    [
        ("expired", "it has expired", "it is for expired, by Studio CA, until 20", "clock"),
        ("foreign", "its authority is not known here", "it is for foreign, by Foreign CA", "SSL_CERT_FILE"),
        ("misnamed", "it is for another name", "it is for misnamed, by Studio CA", "another server"),
    ],
)
def test_a_refused_certificate_says_whose_it_is_why_and_what_to_set(
    town: Town, end: str, why: str, whose: str, advice: str
) -> None:
    before = town.outside.stats()["calls"]
    trouble = seen(rules("http", town.studio.listen(ConnectProxy(town.hosts(end))))).trouble
    assert trouble is not None
    assert trouble.kind is FailureKind.UNTRUSTED
    assert trouble.reason.startswith(f"the certificate of {HOST} is not accepted: {why}; {whose}")
    assert advice in trouble.advice
    # No request has come, with or without the token.
    after = town.outside.stats()["calls"]
    assert {name for name, count in after.items() if count != before.get(name)} <= {"connect", "stats"}


def test_a_refused_certificate_of_the_proxy_itself_is_named_as_such(town: Town) -> None:
    port = town.studio.listen(ConnectProxy(town.hosts()), town.ours.server_side("misnamed"))
    trouble = seen(rules("https", port)).trouble
    assert trouble is not None
    assert trouble.reason.startswith(f"the certificate of the proxy https://127.0.0.1:{port} is not accepted")
    assert "misnamed" in trouble.reason


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_download_goes_through_the_proxy_with_its_name_judged_alone(town: Town, scheme: str) -> None:
    proxy = (SocksProxy if scheme == "socks5" else ConnectProxy)(town.hosts(), login=LOGIN)
    proxies = rules(scheme, town.studio.listen(proxy), login=LOGIN)
    with Downloads(proxies=proxies) as client, client.open(f"{ORIGIN}/__stats") as download:
        assert b"submits" in b"".join(download.chunks)
    with Downloads(proxies=proxies) as client, pytest.raises(DownloadError, match="not public"):
        client.open("https://10.0.0.1/clip.mp4").__enter__()


@pytest.mark.parametrize(
    ("made", "scheme", "said"),
    [
        (ConnectProxy({}), "http", "opens no tunnel"),
        (ConnectProxy({}, fault=Fault.CLOSE), "http", "through the proxy"),
        (SocksProxy({}), "socks5", "opens no tunnel"),
        (SocksProxy({}, fault=Fault.GARBAGE), "socks5", "the proxy"),
    ],
)
def test_a_download_that_a_proxy_refuses_is_worth_another_try(
    town: Town, made: ConnectProxy | SocksProxy, scheme: str, said: str
) -> None:
    proxies = rules(scheme, town.studio.listen(made))
    with Downloads(proxies=proxies) as client, pytest.raises(DownloadError, match=said) as refused:
        client.open(f"{ORIGIN}/clip.mp4").__enter__()
    assert refused.value.unreachable
    assert not refused.value.permanent


def test_what_is_exempt_or_on_this_machine_goes_around_the_proxy(town: Town) -> None:
    proxy = ConnectProxy(town.hosts())
    proxies = rules("http", town.studio.listen(proxy), NO_PROXY=".example")
    assert isinstance(posted(proxies), NotSent)
    port = town.ends["good"]
    url = f"https://127.0.0.1:{port}/__stats"
    with Downloads(allow_loopback=True, proxies=proxies) as client, client.open(url) as download:
        assert b"submits" in b"".join(download.chunks)
    assert proxy.heads == []


def test_a_webhook_goes_through_the_proxy(town: Town) -> None:
    proxy = ConnectProxy(town.hosts())
    proxies = rules("http", town.studio.listen(proxy))
    notice = Notice(event=NoticeKind.COST, at=0.0, run="board", run_dir=Path("board"), text="a notice")
    with pytest.raises(NotTaken):
        Webhook(f"{ORIGIN}/hook", rest=lambda _: None, proxies=proxies).send(notice)
    assert proxy.heads[0].startswith(f"CONNECT {HOST}:443".encode())
