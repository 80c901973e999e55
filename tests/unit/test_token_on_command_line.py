"""A token on a command line is refused with 64, whatever it was pasted as, and never repeated."""

from __future__ import annotations

import pytest

from runner.cli.main import main
from runner.cli.token_check import looks_secret, refuse_tokens, without_secrets
from runner.domain.errors import UsageError

TOKEN = "Canary7f3c9aQz42"
LONG = "rQ7xT2mB9vLk4WzP8nHd3JfY"


@pytest.mark.parametrize(
    "words",
    [
        ["run", "b.yaml", "--token", TOKEN],
        ["run", "b.yaml", f"--token={TOKEN}"],
        ["--api-key", TOKEN, "run", "b.yaml"],
        ["run", f"--apikey={TOKEN}"],
        ["run", "--API_KEY", TOKEN],
        ["run", "--runcomfy-token", TOKEN],
        ["run", "--access-token", TOKEN],
        ["run", "-token", TOKEN],
        ["run", "--secret", TOKEN],
        ["run", "-H", f"Authorization: Bearer {TOKEN}"],
        ["run", f"-HAuthorization: Bearer {TOKEN}"],
        ["run", "--header", f"authorization: {TOKEN}"],
        ["run", f"--header=Authorization: Bearer {TOKEN}"],
        ["run", f"Bearer {TOKEN}"],
        ["run", f"RUNCOMFY_TOKEN={TOKEN}"],
        ["run", LONG],
        ["status", LONG],
        ["run", "sk-0123456789abcdefghijkl"],
        ["run", "--", f"--token={TOKEN}"],
    ],
    ids=lambda words: " ".join(words).replace(TOKEN, "T"),
)
def test_it_is_refused_without_being_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 64
    told = capsys.readouterr()
    assert "revoke" in told.err
    for secret in (TOKEN, LONG, "0123456789"):
        assert secret not in told.err + told.out


@pytest.mark.parametrize(
    "word", [TOKEN, f"x{TOKEN}", f"--only={TOKEN}", f"--reason={TOKEN}", f"/tmp/{TOKEN}/b.yaml"]
)
def test_the_token_of_the_environment_is_known_anywhere(word: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_tokens(["run", word], {"RUNCOMFY_API_KEY": f' "{TOKEN}" '})
    assert TOKEN not in refused.value.message + refused.value.advice


@pytest.mark.parametrize(
    "words",
    [
        ["run", "b.yaml", "--only", "s010@resolution=720p,seed=1001"],
        ["reconcile", "b.yaml", "adopt", "s010", LONG],
        ["reconcile", "b.yaml", "not-sent", "s010", "--reason", "the bearer of this key was asleep"],
        ["run", "boards/Teaser_Final-v12.yaml", "--max-cost", "12.50"],
        ["run", "--until", "07:00", "--halt", "auth=1", "b.yaml"],
    ],
)
def test_what_is_no_token_passes(words: list[str]) -> None:
    refuse_tokens(words, {"RUNCOMFY_TOKEN": TOKEN})


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("unrecognized arguments: --foo hunter2 b", "unrecognized arguments: --foo b"),
        ("unrecognized arguments: --foo=hunter2", "unrecognized arguments: --foo"),
        ("unrecognized arguments: extra", "unrecognized arguments: extra"),
        (f"argument --jobs: '{LONG}' is not a whole number", "argument --jobs: '***' is not a whole number"),
        (f"unrecognized arguments: {LONG}", "unrecognized arguments: ***"),
    ],
)
def test_what_the_parser_says_repeats_no_secret(message: str, shown: str) -> None:
    assert without_secrets(message) == shown


@pytest.mark.parametrize(
    ("word", "secret"),
    [
        (LONG, True),
        ("0123456789abcdef0123456789abcdef", True),
        ("3f2a8c1e-5b7d-4e2f-9a6c-1d3e5f7a9b0c", True),
        ("eyJhbGciOiJIUzI1NiJ9.e30.abc", True),
        ("storyboard-shot-number-010", False),
        ("Sunglasses-Teaser-2026.yaml", False),
        ("s010@resolution=720p,seed=1001", False),
        ("reports/sunglasses-teaser", False),
        ("short", False),
    ],
)
def test_a_token_looks_as_no_name_does(word: str, secret: bool) -> None:
    assert looks_secret(word) is secret
