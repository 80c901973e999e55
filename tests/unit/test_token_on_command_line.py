"""A token on a command line is refused with 64, whatever it was pasted as, and never repeated."""

from __future__ import annotations

import pytest

from runner.cli.main import main
from runner.cli.token_check import looks_secret, refuse_tokens
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
    ("words", "shown"),
    [
        (["run", "b.yaml", "--foe", "hunter2"], "no such flag: --foe; did you mean --for?"),
        (["run", "b.yaml", "--unheard=hunter2"], "no such flag: --unheard"),
        (["run", "b.yaml", "-khunter2"], "no such flag: -k"),
        (["run", "b.yaml", "extra"], "one word too many: extra"),
        (["run", "b.yaml", "--jobs", LONG], "-j/--jobs: '***' is not a whole number from 1 to 1000"),
        (["run", "b.yaml", LONG], "one word too many: ***"),
    ],
)
def test_what_the_parser_says_repeats_no_secret(
    words: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == UsageError.exit_code
    assert capsys.readouterr().err == f"shotrunner run: {shown}\n  → shotrunner run --help\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chek"], "shotrunner: no such command: chek; did you mean check?"),
        (["choose", "b.yaml"], "shotrunner: no such command: choose"),
        ([], "shotrunner: COMMAND must be given"),
        (["run"], "shotrunner run: manifest must be given"),
        (["run", "b.yaml", "--simulat"], "shotrunner run: no such flag: --simulat; did you mean --simulate?"),
        (["run", "b.yaml", "--max-cost"], "shotrunner run: --max-cost needs a value"),
        (["check", "b.yaml", "--jobs", "4"], "no such flag: --jobs; it is a flag of plan, run, tune, retry"),
        (["run", "b.yaml", "--max-su", "4"], "no such flag: --max-su; did you mean --max-submits?"),
        (["plan", "b.yaml", "--progress", "bat"], "plain, json, none, json:FILE; did you mean bar?"),
        (["reconcile", "b.yaml", "adop"], "shotrunner reconcile: no such decision: adop; did you mean adopt?"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_word_is_one_sentence_and_the_help_to_read(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never the usage of the whole command, which would fill the screen."""
    assert main(words) == UsageError.exit_code
    sentence, advice = capsys.readouterr().err.splitlines()
    assert said in sentence
    assert advice.startswith("  → shotrunner")
    assert advice.endswith(" --help")


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
