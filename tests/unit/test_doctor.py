"""The doctor: what each probe makes of what it finds, that none can hang or break it, and that no token is shown."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from runner.api.account import Account
from runner.api.exchange import Answer, SilenceKind
from runner.api.probe import Seen, seconds_ahead
from runner.cli.doctor import lines, settings
from runner.commands.doctor import Check, State, api, examine, extras, fitness, proxy, space, token, trust
from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.errors import AccountRefused, UsageError

TOKEN = "Zk3aPq91xVb72Lm0"
WITH_TOKEN = {"RUNCOMFY_TOKEN": TOKEN}
NOON = 1_800_000_000.0


def of_api(seen: Seen) -> Check:
    return api(WITH_TOKEN, "https://api.example", ask=lambda _: seen)


def test_a_probe_that_raises_or_hangs_is_a_fault_and_the_others_are_shown() -> None:
    ending = threading.Event()

    def refuse() -> Check:
        raise UsageError("no such thing", advice="make one")

    def break_down() -> Check:
        raise PermissionError(13, "Permission denied")

    def hang() -> Check:
        ending.wait()
        return Check("slow", State.OK, "late")

    probes = {"a": refuse, "b": break_down, "slow": hang, "c": lambda: Check("c", State.OK, "fine")}
    found = examine(probes, patience_s=0.5)
    ending.set()
    assert found == (
        Check("a", State.FAULT, "no such thing", "make one"),
        Check("b", State.FAULT, "permission denied"),
        Check("slow", State.FAULT, "no result within 0.5 s"),
        Check("c", State.OK, "fine"),
    )


def test_the_token_is_found_and_never_shown() -> None:
    assert token(WITH_TOKEN) == Check("token", State.OK, "found in RUNCOMFY_TOKEN")
    with pytest.raises(AccountRefused):
        token({})


def test_without_a_token_the_api_is_not_asked() -> None:
    def ask(_: Account) -> Seen:
        raise AssertionError

    assert api({}, None, ask=ask).state is State.WARNING


@pytest.mark.parametrize(
    ("seen", "state", "said"),
    [
        (Seen(None, 2.0), State.OK, "answers, and takes the token"),
        (Seen(None), State.OK, "answers, and takes the token"),
        (Seen(None, -600.0), State.WARNING, "this clock is 10 min 00 s behind its clock"),
        (
            Seen(RequestFailure(FailureKind.ACCOUNT, "unknown key")),
            State.FAULT,
            "refuses the token: unknown key",
        ),
        (Seen(RequestFailure(FailureKind.TRANSIENT, "HTTP 503")), State.FAULT, "does not answer: HTTP 503"),
        (
            Seen(RequestFailure(FailureKind.TRANSIENT, "x"), silence=SilenceKind.NO_SUCH_NAME),
            State.FAULT,
            "this machine is offline",
        ),
    ],
)
def test_what_the_api_answers_is_put_into_words(seen: Seen, state: State, said: str) -> None:
    found = of_api(seen)
    assert found.state is state
    assert said in found.says
    assert (found.advice == "") is (state is State.OK)


@pytest.mark.parametrize(
    ("said", "ahead"), [("Fri, 15 Jan 2027 08:00:00 GMT", 0.0), ("soon", None), ("", None)]
)
def test_the_clock_is_compared_with_the_date_of_an_answer(said: str, ahead: float | None) -> None:
    assert seconds_ahead(Answer(200, b"", {"date": said}), now=NOON) == ahead


@pytest.mark.parametrize(
    ("environ", "state", "said"),
    [
        ({}, State.OK, "none is set; requests go direct"),
        ({"HTTP_PROXY": "http://p:1"}, State.WARNING, "HTTP_PROXY is for plain http"),
        (
            {"HTTPS_PROXY": "http://nora:pass@p.example:3128", "NO_PROXY": "10.0.0.0/8"},
            State.OK,
            "with a login, for downloads, looks at links and webhooks, and for submissions and reads; not for this",
        ),
        (
            {"ALL_PROXY": "p.example", "no_proxy": "*.example"},
            State.OK,
            "webhooks, but not for https://api.example; not for this machine, *.example",
        ),
    ],
)
def test_the_proxy_is_shown_with_what_goes_through_it(
    environ: dict[str, str], state: State, said: str
) -> None:
    found = proxy(environ, "https://api.example")
    assert (found.state, said in found.says) == (state, True), found


def test_certificates_that_change_nothing_are_found(tmp_path: Path) -> None:
    assert trust({}).says == "bundled certificates, those of the system"
    assert trust({"SSL_CERT_FILE": str(tmp_path / "none.pem")}).state is State.FAULT
    (tmp_path / "studio.pem").write_text("not looked at")
    found = trust({"SSL_CERT_DIR": str(tmp_path)})
    assert (found.state, found.advice) == (State.WARNING, f"openssl rehash {tmp_path}")
    (tmp_path / "0a1b2c3d.0").touch()
    assert trust({"SSL_CERT_DIR": str(tmp_path)}).state is State.OK


def test_the_way_to_the_network_is_no_fault_of_the_token() -> None:
    assert token({**WITH_TOKEN, "HTTPS_PROXY": "ftp://p", "SSL_CERT_FILE": "/none"}).state is State.OK


def test_a_folder_that_takes_a_record_is_sound_and_left_as_it_was(tmp_path: Path) -> None:
    assert fitness(tmp_path).state is State.OK
    assert not list(tmp_path.iterdir())
    assert fitness(tmp_path / "gone").says.endswith("cannot be written to: no such file or directory")


def test_little_space_is_a_warning_and_a_missing_extra_only_a_hint() -> None:
    assert [space(free).state for free in (2**40, 2**20)] == [State.OK, State.WARNING]
    found = extras(lambda module: module in {"av", "PIL", "uvloop"})
    assert found == Check(
        "extras",
        State.OK,
        "installed: video, speed; not installed: timeline, excel, notify, cloud, dask, socks",
        "pip install 'shotrunner[timeline,excel,notify,cloud,dask,socks]'",
    )


def test_settings_files_are_named_or_what_is_wrong_with_them(tmp_path: Path) -> None:
    assert settings(tmp_path, {}).says == "no shotrunner.toml"
    (tmp_path / "shotrunner.toml").write_text("jobs = 0\n", "utf-8")
    found = settings(tmp_path, {})
    assert (found.state, "jobs: '0' is not a whole number" in found.says) == (State.FAULT, True)


def test_checks_are_a_table_that_nothing_in_them_can_break() -> None:
    checks = [
        Check("api", State.WARNING, "busy\x1b[2J", "wait"),
        Check("token", State.OK, "found"),
    ]
    assert lines(checks) == [
        "warning  api    busy\\x1b[2J",
        "                → wait",
        "ok       token  found",
    ]
    assert lines([Check("a", State.OK, "one two", "three")], 12) == [
        "ok  a  one",
        "       two",
        "       →",
        "       three",
    ]
