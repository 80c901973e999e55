"""A run that costs money asks first; and the token that pays is never shown and never written."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.acceptance.boards import ONE_SHOT, takes_of, write_csv
from tests.acceptance.command import Desk, Outcome
from tests.acceptance.service import pointed_at
from tests.outside.faults import Fault, Faults, Reply, Script, truthful
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

CANARY = "rc+canary/7f3A9c==%tail~end"
QUICK = Settings(service=0.05)


@pytest.fixture
def board(desk: Desk) -> Path:
    return write_csv(desk.folder / "board.csv", 3)


def test_without_a_terminal_and_without_yes_nothing_is_submitted(desk: Desk, board: Path) -> None:
    """Exit 64, how many paid jobs it would have been, and the flag that agrees."""
    with OutsideServer(QUICK) as server:
        outcome = pointed_at(server, desk).run("run", board, code=64)
        assert server.stats()["submits"] == 0
    assert "3 paid jobs" in outcome.err
    assert "-y" in outcome.err


def answered(here: Desk, board: Path, typed: str) -> Outcome:
    """Run the board at a terminal and type an answer when it asks."""
    life = here.start_at_terminal("run", board, "--poll-interval", 0.1)
    life.wait_until(lambda life: "Go on?" in life.err)
    life.type(typed)
    return life.end()


@pytest.mark.parametrize("typed", ["n\n", "\x04"], ids=["no", "end of input"])
def test_anything_but_yes_submits_nothing(desk: Desk, board: Path, typed: str) -> None:
    """The question says how many paid jobs go where; exit 3, for the run was stopped on purpose and is not complete."""
    with OutsideServer(QUICK) as server:
        outcome = answered(pointed_at(server, desk), board, typed)
        assert server.stats()["submits"] == 0
        assert f"3 paid jobs will be submitted to {server.url}" in outcome.err
    assert "nothing was submitted" in outcome.err
    assert "everything is complete" not in outcome.err
    assert outcome.code == 3, outcome


def test_yes_at_the_terminal_goes_on(desk: Desk, board: Path) -> None:
    """All takes are submitted after the answer, under a bar."""
    with OutsideServer(QUICK) as server:
        outcome = answered(pointed_at(server, desk), board, "y\n")
        assert (server.stats()["submits"], server.stats()["doubled"]) == (3, 0)
    assert outcome.code == 0, outcome
    assert "3/3 |" in outcome.err
    assert "\r\n3 takes: 3 delivered\r\n" in outcome.err


def test_yes_beforehand_is_not_asked_and_a_complete_run_asks_nothing(desk: Desk, board: Path) -> None:
    """With -y plain lines and no question; when all is complete there is nobody to ask, not even for a token."""
    with OutsideServer(QUICK) as server:
        here = pointed_at(server, desk)
        first = here.run("run", board, "-y", "--poll-interval", 0.1)
        again = here.with_environment(RUNCOMFY_TOKEN="").run("run", board)
        assert (server.stats()["submits"], server.stats()["doubled"]) == (3, 0)
    assert "Go on?" not in first.err
    assert first.err.count(" delivered ") == 3
    assert not any(mark in first.err + first.out for mark in ("\r", "\x1b", "|", "%"))
    assert "everything is complete" in again.out
    assert again.err == ""


def test_without_a_token_it_says_how_to_get_one(desk: Desk, board: Path) -> None:
    """Exit 77 with the variable's name and the way to try it without; nothing is sent."""
    with OutsideServer(QUICK) as server:
        here = pointed_at(server, desk).with_environment(RUNCOMFY_TOKEN="")
        outcome = here.run("run", board, "-y", code=77)
        assert sum(server.stats()["calls"].values()) == 0
    assert "RUNCOMFY_TOKEN" in outcome.err
    assert "--simulate" in outcome.err


def test_flags_of_the_simulator_do_not_silently_pay(desk: Desk, board: Path) -> None:
    """`--speed` without `--simulate` is a mistake that would cost money: exit 64."""
    with OutsideServer(QUICK) as server:
        outcome = pointed_at(server, desk).run("run", board, "-y", "--speed", 20, code=64)
        assert server.stats()["submits"] == 0
    assert "--simulate" in outcome.err


def disguises(token: str) -> Iterator[bytes]:
    """Yield the token as it may turn up: plain, in a URL, in JSON, in hexadecimal, and in base64 at each alignment."""
    yield token.encode()
    yield quote(token, safe="").encode()
    yield quote(token).encode()
    yield token.encode().hex().encode()
    for before in range(3):
        padded = b"\0" * before + token.encode()
        # The outer characters depend on the neighbours; those between them are the token's own.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded)[4:-4]


def traces_of(token: str, places: Mapping[str, bytes]) -> list[str]:
    """Return where the token turns up, whatever the disguise."""
    return [name for name, content in places.items() if any(each in content for each in disguises(token))]


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ECHO = Reply(422, f'{{"error_message": "bad header: Bearer {CANARY}"}}'.encode())
ECHO_LOST = Reply(500, f"<html>Authorization: Bearer {CANARY}</html>".encode(), {"X-Debug": CANARY})
NIGHTS: Mapping[str, tuple[str, Faults, int]] = {
    "a good run": (CANARY, truthful, 0),
    "the token is refused": ("another", truthful, 77),
    "a refusal quotes it": (CANARY, Script({("submit", 2): Fault(effect=False, reply=ECHO)}), 2),
    "a lost answer quotes it": (CANARY, Script({("submit", 2): Fault(reply=ECHO_LOST)}), 4),
}


@pytest.mark.parametrize("night", NIGHTS)
def test_the_token_is_nowhere_on_screen_or_disk(desk: Desk, board: Path, night: str) -> None:
    """Not plain and not encoded, not in the state file, the log, the reports, a sidecar or a message, come what may."""
    accepted, faults, code = NIGHTS[night]
    with OutsideServer(Settings(service=0.05, token=accepted), faults=faults) as server:
        here = pointed_at(server, desk, token=CANARY)
        outcome = here.run("-v", "run", board, "-y", "--poll-interval", 0.1, code=code)
        assert server.stats()["leaks"] == 0
    place = desk.folder / "reports" / "board"
    shown = desk.run("show", place, takes_of(place)[1].take_id)
    screens = {"stdout": outcome.out, "stderr": outcome.err, "show": shown.out + shown.err}
    said = {name: text.encode() for name, text in screens.items()}
    assert traces_of(CANARY, {**everything_in(desk.folder.parent), **said}) == []
    assert list(everything_in(place))


def test_a_token_that_cannot_be_one_is_refused_without_being_shown(desk: Desk) -> None:
    """A token with a blank in it would break the header: exit 77, and the message does not quote it."""
    (desk.folder / "board.yaml").write_text(ONE_SHOT)
    token = "rc secret with blanks"
    with OutsideServer(QUICK) as server:
        outcome = pointed_at(server, desk, token=token).run("run", "board.yaml", "-y", code=77)
        assert sum(server.stats()["calls"].values()) == 0
    assert "secret" not in outcome.err + outcome.out
    assert traces_of(token, everything_in(desk.folder.parent)) == []
