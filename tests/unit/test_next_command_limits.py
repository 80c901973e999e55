"""The command that goes on after a retry keeps what was said of limits, and is about no other takes."""

from __future__ import annotations

import pytest

from runner.cli.next_command import MOST_NAMED, onward_words
from runner.cli.parser import build_parser
from runner.domain.errors import UsageError

BASE = ["run", "board.yaml", "--run-dir", "there"]

KEPT: dict[str, tuple[str, str]] = {
    "nothing": ("retry board.yaml s1", ""),
    "time": ("retry board.yaml s1 --for 6h --until 07:00", "--for 6h --until 07:00"),
    "limits": (
        "retry board.yaml --max-cost=3.50 s1 --max-submits 9 --cutoff drain --allow-unpriced",
        "--max-cost 3.50 --max-submits 9 --cutoff drain --allow-unpriced",
    ),
    "short": ("retry board.yaml s1 -j8", "--jobs 8"),
    "short and apart": ("retry board.yaml s1 -j 8", "--jobs 8"),
    "said twice": (
        "retry board.yaml s1 --halt fail=5 --halt moderation=1",
        "--halt fail=5 --halt moderation=1",
    ),
    "of the choice": (
        "retry board.yaml --only status:failed --exclude s9 --limit 1 --tag t --status failed",
        "",
    ),
    "of the retry": (
        "-v retry board.yaml s1 --reason 6h --even-moderated --stale --moved --run-dir there",
        "",
    ),
    "a value that looks like a take": ("retry board.yaml 6h --for 6h", "--for 6h"),
    "others": (
        "retry board.yaml s1 --no-download --on-unknown stop --api-base https://a.example",
        "--no-download --on-unknown stop --api-base https://a.example",
    ),
}


@pytest.mark.parametrize(("given", "kept"), KEPT.values(), ids=KEPT)
def test_flags_of_the_retry_are_kept_as_they_were_given(given: str, kept: str) -> None:
    build_parser().parse_args(given.split())
    found = onward_words(given.split(), base=BASE, chosen=["s1"])
    assert found == [*BASE, *kept.split(), "--only=s1"]


@pytest.mark.parametrize("given", ["-y --for 6h", "--yes --for 6h", "-yj4 --for 6h", "--for 6h -y"])
def test_what_was_agreed_to_beforehand_is_agreed_to_again_for_these_takes_alone(given: str) -> None:
    words = ["retry", "board.yaml", *given.split()]
    few = onward_words(words, base=BASE, chosen=["s1", "-odd"])
    assert few[-3:] == ["--only=s1", "--only=-odd", "--yes"]
    assert "--for" in few
    many = onward_words(words, base=BASE, chosen=[f"s{n}" for n in range(MOST_NAMED + 1)])
    assert "--for" in many
    assert not [word for word in many if word.startswith(("--only", "--yes"))]


def test_the_words_mean_to_run_what_they_meant_to_retry() -> None:
    words = [
        "retry",
        "board.yaml",
        "s1",
        "-y",
        "--for",
        "2h30m",
        "--until",
        "07:00",
        "--max-cost",
        "3",
        "--retries",
        "2",
        "--poll-interval",
        "0.5",
    ]
    before = vars(build_parser().parse_args(words))
    after = vars(build_parser().parse_args(onward_words(words, base=["run", "board.yaml"], chosen=["s1"])))
    for name in ("lasts", "until", "max_cost", "retries", "poll_interval", "yes"):
        assert after[name] == before[name]
    assert after["only"] == ["s1"]


@pytest.mark.parametrize(
    "given",
    [
        "run board.yaml --unt 07:00",
        "retry board.yaml s1 --max-c 2",
        "retry board.yaml s1 --y",
        "--verb run board.yaml",
    ],
)
def test_a_shortened_flag_is_refused(given: str) -> None:
    """What goes on is told by its flags' whole names, so a shortened one would be kept beside its new value."""
    with pytest.raises(UsageError, match="no such flag"):
        build_parser().parse_args(given.split())
