"""No byte leaves for an address that is not public, whatever a link or a redirect says."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from runner.media.http.download_client import Downloads
from runner.media.http.response import DownloadError
from runner.system.hosts import Address
from tests.integration.test_delivery_server import (
    Answer,
    RawServer,
    body,
    drip_on,
    raw,
    raw_server,
    silence,
    status,
)

FORBIDDEN = [
    "http://example.com/x.mp4",
    "http://127.0.0.1:{port}/x.mp4",
    "https://127.0.0.1:{port}/x.mp4",
    "https://127.0.0.1/x.mp4",
    "https://localhost:{port}/x.mp4",
    "https://LOCALHOST:{port}/x.mp4",
    "https://localhost.:{port}/x.mp4",
    "https://sub.localhost:{port}/x.mp4",
    "https://localhost.localdomain:{port}/x.mp4",
    "https://127.1:{port}/x.mp4",
    "https://127.0.1:{port}/x.mp4",
    "https://0:{port}/x.mp4",
    "https://0.0.0.0:{port}/x.mp4",
    "https://2130706433:{port}/x.mp4",
    "https://0x7f000001:{port}/x.mp4",
    "https://0x7f.0.0.1:{port}/x.mp4",
    "https://0177.0.0.1:{port}/x.mp4",
    "https://017700000001:{port}/x.mp4",
    "https://127.0.0.1.:{port}/x.mp4",
    "https://127.0.0.0x1:{port}/x.mp4",
    "https://１２７.0.0.1:{port}/x.mp4",
    "https://127。0。0。1:{port}/x.mp4",
    "https://①②⑦.0.0.1:{port}/x.mp4",
    "https://%31%32%37.0.0.1:{port}/x.mp4",
    "https://127.0.0.1%00.example.com:{port}/x.mp4",
    "https://127.0.0.1\\.example.com:{port}/x.mp4",
    "https://[::1]:{port}/x.mp4",
    "https://[::]:{port}/x.mp4",
    "https://[::ffff:127.0.0.1]:{port}/x.mp4",
    "https://[::ffff:7f00:1]:{port}/x.mp4",
    "https://[0:0:0:0:0:ffff:127.0.0.1]:{port}/x.mp4",
    "https://[::127.0.0.1]:{port}/x.mp4",
    "https://[64:ff9b::7f00:1]/x.mp4",
    "https://[2002:7f00:1::1]/x.mp4",
    "https://[fe80::1%25lo]/x.mp4",
    "https://[fd00:ec2::254]/latest/meta-data",
    "https://10.0.0.1/x.mp4",
    "https://172.16.0.1/x.mp4",
    "https://192.168.1.1/x.mp4",
    "https://100.64.0.1/x.mp4",
    "https://169.254.169.254/latest/meta-data",
    "http://169.254.169.254/latest/meta-data",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://router.lan/x.mp4",
    "https://printer.local/x.mp4",
    "https://intranet/x.mp4",
    "https://user@example.com/x.mp4",
    "https://user:secret@example.com/x.mp4",
    "https://example.com@127.0.0.1:{port}/x.mp4",
    "https://127.0.0.1:{port}@example.com:444/x.mp4",
    "https://example.com:22/x.mp4",
    "https://example.com:8443/x.mp4",
    "https://example.com:0/x.mp4",
    "https://example.com:99999/x.mp4",
    "https://-a.example.com/x.mp4",
    "https://exa_mple..com/x.mp4",
    "https:///x.mp4",
    "https://",
    "https:x.mp4",
    "//127.0.0.1:{port}/x.mp4",
    "/x.mp4",
    "x.mp4",
    "",
    "ftp://127.0.0.1:{port}/x.mp4",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "javascript:alert(1)",
    "data:video/mp4;base64,AAAA",
    "unix:///var/run/docker.sock",
    "https://example.com/\r\nX-Injected: 1",
    "https://a" + "a" * 70 + ".example.com/x.mp4",
    "https://example.com/" + "a" * 70000,
]


@pytest.fixture(scope="module")
def listener() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server
        # Connections are accepted in order: once this silent one has ended, no earlier one can be missing.
        socket.create_connection((server.host, server.port)).close()
        server.wait_ended(1)
    assert (server.connections, server.bytes_in) == (1, 0)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server
    for asked in server.asked:
        assert not asked.headers.keys() & {"authorization", "cookie", "proxy-authorization"}


@pytest.mark.parametrize("link", FORBIDDEN, ids=lambda link: ascii(link[:50]))
def test_a_link_that_is_not_public_https_is_refused_before_any_connection(
    link: str, listener: RawServer
) -> None:
    """The listener's port is allowed here, so that only the host can be what is refused."""
    ports = {443, listener.port}
    with Downloads(ports=ports) as downloads, pytest.raises(DownloadError) as caught:
        downloads.open(link.replace("{port}", str(listener.port))).__enter__()
    assert caught.value.permanent
    assert not caught.value.link_refused
    assert "secret" not in caught.value.message
    assert (listener.connections, listener.bytes_in) == (0, 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_that_shows_itself_after_connecting_gets_no_byte(scheme: str) -> None:
    """What was reached counts, not the link's text; not even a TLS greeting leaves for a wrong address."""
    seen: list[str] = []

    def rule(peer: Address) -> bool:
        seen.append(str(peer))
        return False

    with raw_server() as server:
        link = f"{scheme}://localhost:{server.port}/x"
        downloads = Downloads(allow_loopback=True, peer_rule=rule)
        with downloads, pytest.raises(DownloadError, match="not a public address") as caught:
            downloads.open(link).__enter__()
        assert seen == ["127.0.0.1"]
        assert not caught.value.permanent
        server.wait_ended(1)
    assert (server.connections, server.bytes_in) == (1, 0)


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://192.168.1.1/x",
        "https://[::ffff:10.0.0.1]/x",
        "http://example.com/x",
        "https://example.com:22/x",
        "https://user:secret@example.com/x",
        "file:///etc/passwd",
        "data:video/mp4,x",
        "//metadata.google.internal/x",
        "https://[broken/x",
    ],
)
def test_a_redirect_is_checked_like_a_first_link(server: RawServer, target: str) -> None:
    url = server.serve(status(302, Location=target))
    with Downloads(allow_loopback=True) as downloads, pytest.raises(DownloadError) as caught:
        downloads.open(url).__enter__()
    assert (caught.value.permanent, caught.value.link_refused) == (True, True)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed_to_the_file(server: RawServer, code: int) -> None:
    last = server.serve(body(b"film"), path="/last")
    url = server.serve(status(code, Location="/middle?sig=1"))
    server.serve(status(code, Location=last, Set_Cookie="id=1"), path="/middle")
    with Downloads(allow_loopback=True) as downloads, downloads.open(url) as download:
        assert b"".join(download.chunks) == b"film"
        assert download.url == last
    assert [asked.path for asked in server.asked] == ["/clip.mp4", "/middle?sig=1", "/last"]


def test_a_loop_ends_after_five_redirects(server: RawServer) -> None:
    url = server.serve(status(302, Location="/clip.mp4"))
    with (
        Downloads(allow_loopback=True) as downloads,
        pytest.raises(DownloadError, match="more than 5") as caught,
    ):
        downloads.open(url).__enter__()
    assert (caught.value.permanent, caught.value.link_refused) == (True, True)
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("code", "link_refused"),
    [
        *((code, True) for code in (400, 401, 403, 404, 410)),
        *((code, False) for code in (204, 304, 408, 425, 429, 500, 502, 503, 504, 599)),
        (302, False),
    ],
)
def test_a_status_says_whether_a_fresh_link_could_help(
    server: RawServer,
    code: int,
    link_refused: bool,
) -> None:
    url = server.serve(status(code)) + "?X-Signature=secret"
    with Downloads(allow_loopback=True) as downloads, pytest.raises(DownloadError) as caught:
        downloads.open(url).__enter__()
    assert (caught.value.link_refused, caught.value.permanent) == (link_refused, False)
    assert str(code) in caught.value.message
    assert "secret" not in caught.value.message


def test_a_range_is_asked_for_with_its_validator(server: RawServer) -> None:
    url = server.serve(status(416))
    with Downloads(allow_loopback=True) as downloads, pytest.raises(DownloadError) as caught:
        downloads.open(url, offset=5, validator='"v1"').__enter__()
    assert (caught.value.status, caught.value.link_refused) == (416, False)
    headers = server.asked[0].headers
    assert (headers["range"], headers["if-range"]) == ("bytes=5-", '"v1"')
    assert headers["accept-encoding"] == "identity"
    assert headers.keys() == {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "range",
        "if-range",
    }


def test_a_packed_body_is_handed_over_as_it_came(server: RawServer) -> None:
    """A small gzip answer must not unfold to gigabytes."""
    url = server.serve(body(b"\x1f\x8b\x08\0packed", Content_Encoding="gzip"))
    with Downloads(allow_loopback=True) as downloads, downloads.open(url) as download:
        assert b"".join(download.chunks) == b"\x1f\x8b\x08\0packed"


@pytest.mark.parametrize(
    "answer",
    [
        drip_on(b"HTTP/1.1 200 OK\r\nX-Pad: x"),
        drip_on(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx"),
        drip_on(b"HTTP/1.1 200 OK\r\n\r\nx"),
        silence,
    ],
    ids=["headers", "body", "body without length", "silence"],
)
def test_a_server_that_drips_is_cut_at_the_deadline(server: RawServer, answer: Answer) -> None:
    """None of these answers ever ends by itself."""
    url = server.serve(answer)
    downloads = Downloads(allow_loopback=True, deadline_s=0.3)
    with downloads, pytest.raises(DownloadError, match=r"longer than 0\.3 s"):
        _drain(downloads, url)


def test_a_server_that_never_finishes_tls_is_cut_at_the_deadline(server: RawServer) -> None:
    downloads = Downloads(allow_loopback=True, deadline_s=0.3, ports={server.port})
    with downloads, pytest.raises(DownloadError, match=r"longer than 0\.3 s"):
        _drain(downloads, f"https://127.0.0.1:{server.port}/x")


@pytest.mark.parametrize(
    "answer",
    [
        raw(b""),
        raw(b"220 smtp ready\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
        raw(b"HTTP/1.1 302 Found\r\nLocation: http://\x80\xff/\r\nContent-Length: 0\r\n\r\n"),
        body(b"hell", length=5),
    ],
)
def test_a_broken_answer_is_an_error_of_ours(server: RawServer, answer: Answer) -> None:
    url = server.serve(answer)
    with Downloads(allow_loopback=True) as downloads, pytest.raises(DownloadError) as caught:
        _drain(downloads, url)
    assert caught.value.link_refused is caught.value.permanent, (
        "only a link that leads astray is asked for again"
    )
    assert caught.value.message.isprintable()


def test_nobody_listening_is_an_error_of_ours() -> None:
    with raw_server() as server:
        pass
    with Downloads(allow_loopback=True) as downloads, pytest.raises(DownloadError) as caught:
        _drain(downloads, server.url())
    assert not caught.value.permanent


def _drain(downloads: Downloads, url: str) -> int:
    with downloads.open(url) as download:
        return sum(len(chunk) for chunk in download.chunks)
