"""Which API and which token: found in the order documented, checked, and never shown."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from runner.api.account import clean_token, find_account, on_this_machine, parse_base
from runner.domain.errors import AccountRefused, UsageError
from runner.domain.token_leaks import TOKEN_VARIABLES

CANARY = "canary-7f3c9a"


@pytest.mark.parametrize(
    ("base", "origin"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com/v1", "https://api.example.com"),
        (" https://API.example.com:8443/v1/ ", "https://api.example.com:8443"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:9/v1", "http://[::1]:9"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("https://api_2.example.com.", "https://api_2.example.com."),
        ("https://203.0.113.7:1", "https://203.0.113.7:1"),
        (f"https://{'a' * 63}.example", f"https://{'a' * 63}.example"),
    ],
)
def test_a_base_is_taken_with_and_without_its_version(base: str, origin: str) -> None:
    assert parse_base(base) == origin


@pytest.mark.parametrize(
    "base",
    [
        "http://api.example.com",
        "ftp://api.example.com",
        "api.example.com",
        "https://",
        "https://api.example.com:99999",
        "https://user:pass@api.example.com",
        "https://api.example.com/v2",
        "https://api.example.com/v1?x=1",
        "https://[::1",
        "https://exa mple",
        "https://exa\tmple",
        "https://exa\nmple",
        "https://a\u200bb",
        "https://a..b",
        "https://.a",
        "https://.",
        "https://a..",
        "https://-a.b",
        "https://a-.b",
        "https://a%20b",
        "https://a\\b",
        "https://a,b",
        f"https://{'a' * 64}.example",
        "https://" + "a" * 70_000,
        "https://" + ".".join(["a" * 50] * 6),
        "https://" + "\u0301" * 32_000,
        "https://a.b:0",
        "https://a.b:x",
        "https://a.b:-1",
        "https://::1:8080",
        "https://fe80::1",
        "https://[fe80::1%25eth0]",
        "https://[v1.x]",
        "https://[]",
        "https://1.2.3",
        "https://999.1.1.1",
        "https://0x7f.1",
        "https://xn--",
        "https://@a.b",
        "https:///v1",
        "https:a.b",
        "//a.b",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://a.b/v1#x",
        "\x1b[31mhttps://a.b",
    ],
)
def test_a_base_the_token_must_not_go_to_is_refused(base: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_base(base)
    assert len(refused.value.message) < 300
    assert "pass" not in refused.value.message.replace("password", "")


@pytest.mark.parametrize("name", TOKEN_VARIABLES)
def test_every_documented_variable_is_read(name: str) -> None:
    account = find_account({name: CANARY})
    assert account.token.reveal() == CANARY
    assert account.source == name


def test_the_first_variable_wins() -> None:
    environ = {TOKEN_VARIABLES[2]: "third", TOKEN_VARIABLES[0]: "first"}
    assert find_account(environ).token.reveal() == "first"


@pytest.mark.parametrize("value", [f"Bearer {CANARY}", f'"{CANARY}"', f"{CANARY}\n", f"  '{CANARY}'  "])
def test_decoration_pasted_with_a_token_comes_off(value: str) -> None:
    assert clean_token(value, source="X").reveal() == CANARY


@pytest.mark.parametrize("value", ["", "  ", f"{CANARY} {CANARY}", f"{CANARY}é", f"a\n{CANARY}", "x" * 5000])
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(AccountRefused) as refusal:
        clean_token(value, source="RUNCOMFY_TOKEN")
    assert "RUNCOMFY_TOKEN" in str(refusal.value)
    assert CANARY not in str(refusal.value) + refusal.value.advice


def test_a_secret_shows_a_mask() -> None:
    secret = clean_token(CANARY, source="X")
    assert CANARY not in f"{secret} {secret!r} {[secret]}"


def test_no_token_says_where_to_get_one_and_how_to_do_without() -> None:
    with pytest.raises(AccountRefused) as refusal:
        find_account({})
    assert "--simulate" in refusal.value.advice
    assert refusal.value.exit_code == 77


@pytest.mark.parametrize(
    ("variable", "below"),
    [("RUNCOMFY_CONFIG_DIR", ""), ("XDG_CONFIG_HOME", "runcomfy"), ("HOME", ".config/runcomfy")],
)
def test_the_official_clients_saved_token_is_found(tmp_path: Path, variable: str, below: str) -> None:
    file = tmp_path / below / "token.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{{"access_token": "{CANARY}"}}')
    file.chmod(0o600)
    assert find_account({variable: str(tmp_path)}).token.reveal() == CANARY


def test_a_saved_token_that_others_can_read_is_refused_with_the_cure(tmp_path: Path) -> None:
    file = tmp_path / "token.json"
    file.write_text(f'{{"access_token": "{CANARY}"}}')
    file.chmod(0o644)
    with pytest.raises(AccountRefused) as refusal:
        find_account({"RUNCOMFY_CONFIG_DIR": str(tmp_path)})
    assert refusal.value.advice == f"chmod 600 {file}"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"access_token": 7}', "not json"])
def test_a_saved_file_without_a_token_is_no_token(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(AccountRefused):
        find_account({"RUNCOMFY_CONFIG_DIR": str(tmp_path)})


@pytest.mark.parametrize(
    ("base", "here"),
    [(None, False), ("", False), ("https://api.example.com", False), ("http://127.0.0.1:1/v1", True)],
)
def test_only_loopback_is_this_machine(base: str | None, here: bool) -> None:
    assert on_this_machine(base) is here


@pytest.mark.parametrize(
    "decorated",
    [
        f"Bearer {CANARY}",
        f"bearer  {CANARY}\n",
        f'"{CANARY}"',
        f"'Bearer {CANARY}'",
        f" Bearer '{CANARY}' ",
        f"{CANARY}\r\n",
    ],
)
def test_what_people_paste_with_a_token_is_taken_off_with_a_note(decorated: str) -> None:
    account = find_account({"RUNCOMFY_TOKEN": decorated})
    assert account.token.reveal() == CANARY
    assert account.notes == (
        "the token in RUNCOMFY_TOKEN was taken without the blanks, quotes or “Bearer” around it",
    )


def test_a_key_log_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError) as refused:
        find_account({"RUNCOMFY_TOKEN": CANARY, "SSLKEYLOGFILE": "/tmp/keys"})
    assert "SSLKEYLOGFILE" in refused.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [("SSL_CERT_FILE", certifi.where()), ("SSL_CERT_DIR", "/"), ("PYTHONHTTPSVERIFY", "0")],
)
def test_what_means_to_change_whom_to_trust_is_named(name: str, value: str) -> None:
    (note,) = find_account({"RUNCOMFY_TOKEN": CANARY, name: value}).notes
    assert note.startswith(f"{name} is set: ")


def test_certificates_that_cannot_be_read_are_refused_before_anything(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name, value in (
        ("SSL_CERT_FILE", tmp_path / "none.pem"),
        ("SSL_CERT_FILE", tmp_path / "empty.pem"),
        ("SSL_CERT_FILE", tmp_path),
        ("SSL_CERT_DIR", tmp_path / "none"),
    ):
        with pytest.raises(UsageError, match=name):
            find_account({name: str(value)})


def test_the_proxy_in_force_is_named_without_its_login() -> None:
    environ = {"RUNCOMFY_TOKEN": CANARY, "HTTPS_PROXY": "http://nora:pass-word@p.example:3128"}
    account = find_account(environ)
    assert account.proxies.of(account.origin) == account.proxies.proxy
    first, second = account.notes
    assert "go through the proxy http://p.example:3128" in first
    assert "only their names are checked" in second
    assert "pass-word" not in f"{account}"
    exempt = find_account({**environ, "NO_PROXY": "runcomfy.net"})
    assert "is reached without the proxy" in exempt.notes[0]
    assert exempt.proxies.of(exempt.origin) is None
