"""Proxy variables: which proxy they mean and for what, what is refused, and that no login is ever shown."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.errors import UsageError
from runner.domain.network import network_in
from runner.system.certificates import Certificate, read_certificate
from runner.system.proxies import DIRECT, read_proxies

SECRET = "pass-word"
API = "https://api.example.com/v1"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("http://p.example:3128", "http://p.example:3128"),
        ("p.example:3128", "http://p.example:3128"),
        ("p.example", "http://p.example:80"),
        ("https://p.example/", "https://p.example:443"),
        (" http://P.example:1 ", "http://p.example:1"),
        ("socks5://10.0.0.1", "socks5://10.0.0.1:1080"),
        ("socks5h://[::1]:9050", "socks5h://[::1]:9050"),
        (f"http://nora:{SECRET}@p.example:3128", "http://p.example:3128"),
    ],
)
def test_a_proxy_is_read_and_shown_without_its_login(value: str, address: str) -> None:
    rules = read_proxies({"HTTPS_PROXY": value})
    assert str(rules.of(API)) == address
    assert SECRET not in repr(rules)


def test_a_login_is_unescaped_and_goes_into_one_header() -> None:
    proxy = read_proxies({"HTTPS_PROXY": "http://n%40ra:p%3A%2Fss@p.example:1"}).proxy
    assert proxy is not None
    assert (proxy.user, proxy.password) == ("n@ra", "p:/ss")
    assert proxy.headers == {"Proxy-Authorization": "Basic bkByYTpwOi9zcw=="}


@pytest.mark.parametrize(
    "value",
    [
        f"ftp://nora:{SECRET}@p.example:1",
        f"http://nora:{SECRET}@p.example:99999",
        f"http://nora:{SECRET}@p.example:0",
        f"http://nora:{SECRET}/x@p.example:1",
        f"http://nora:{SECRET}@p.example:1/path",
        f"http://nora:{SECRET}@p.example:1?x=1",
        f"http://nora:{SECRET}@",
        f"http://nora:{SECRET}@[p:1",
        f"http://nora:{SECRET}%0a@p.example:1",
        f"http://nora:{SECRET} @p.example:1",
        f"socks4://nora:{SECRET}@p.example:1",
        "http://",
        "-p.example:1",
    ],
)
def test_what_is_no_proxy_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(UsageError, match="HTTPS_PROXY names no proxy: ") as refused:
        network_in({"HTTPS_PROXY": value})
    shown = refused.value.message + refused.value.advice
    assert "p.example" not in shown
    assert SECRET not in shown
    assert refused.value.__cause__ is None


def test_small_letters_count_first_and_a_proxy_for_all_last() -> None:
    every = {
        name: f"http://{name.replace('_', '-')}:1" for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY")
    }
    chosen = []
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        proxy = read_proxies(every).proxy
        assert proxy is not None
        chosen.append(proxy.variable)
        del every[name]
    assert chosen == ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"]
    assert read_proxies({"HTTP_PROXY": "http://p:1", "https_proxy": "", "ALL_PROXY": " "}) == DIRECT


@pytest.mark.parametrize(
    ("exempt", "url", "is_direct"),
    [
        ("example.com", API, True),
        (".example.com", API, True),
        ("*.example.com", API, True),
        ("EXAMPLE.COM.", API, True),
        ("ample.com", API, False),
        ("other.example, api.example.com", API, True),
        ("api.example.com:443", API, True),
        ("api.example.com:8443", API, False),
        ("api.example.com:8443", "https://api.example.com:8443/", True),
        ("*", API, True),
        ("10.0.0.0/8", "https://10.1.2.3/", True),
        ("10.0.0.7/8", "https://10.1.2.3/", True),
        ("10.0.0.0/8", API, False),
        ("10.1.2.3", "https://10.1.2.3/", True),
        ("10.1.2.3:1", "https://10.1.2.3/", False),
        ("fd00::/8", "https://[fd00::1]/", True),
        ("fd00::1", "https://[fd00::1]/", True),
        ("[fd00::1]:443", "https://[fd00::1]/", True),
        ("", API, False),
        ("", "https://127.0.0.1:1/", True),
        ("", "https://[::1]/", True),
        ("", "https://localhost/", True),
        ("", "http://127.0.0.1/", True),
    ],
)
def test_what_is_exempt_goes_direct(exempt: str, url: str, *, is_direct: bool) -> None:
    rules = read_proxies({"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": exempt})
    assert (rules.of(url) is None) is is_direct


@pytest.mark.parametrize("exempt", ["10.0.0.0/99", "example.com/8", ".", ":80", "a,,/"])
def test_what_exempts_nothing_is_refused(exempt: str) -> None:
    with pytest.raises(UsageError, match="NO_PROXY has "):
        network_in({"NO_PROXY": exempt})


@given(st.dictionaries(st.sampled_from(["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]), st.text(max_size=40)))
def test_any_text_is_a_proxy_or_refused(environ: dict[str, str]) -> None:
    try:
        rules = network_in(environ)
    except UsageError:
        return
    rules.of(API)


def test_a_certificate_says_whose_it_is_and_damage_is_no_bug() -> None:
    first, _, _ = Path(certifi.where()).read_text("ascii", "ignore").partition("-----END")
    der = ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :] + "-----END CERTIFICATE-----")
    whole = read_certificate(der)
    assert whole is not None
    assert whole.subject == whole.issuer
    assert whole.until[:2] == "20"
    for end in range(0, len(der), 7):
        assert read_certificate(der[:end]) is None
    for at in range(0, len(der), 3):
        read_certificate(der[:at] + b"\xff" + der[at + 1 :])


@given(st.binary(max_size=80))
def test_any_bytes_are_a_certificate_or_none(der: bytes) -> None:
    assert isinstance(read_certificate(der), Certificate | None)
