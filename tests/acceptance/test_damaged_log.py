"""A log that lost what had been flushed: every command says so, none shows or does what follows from the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.boards import record_killed, write_csv
from tests.acceptance.command import Desk

HEADER, FRAME, PAGE = 32, 24, 4096


def a_flipped_bit_in_a_page(log: bytearray) -> None:
    log[HEADER + FRAME + 100] ^= 1


def a_flipped_bit_in_a_frames_head(log: bytearray) -> None:
    log[HEADER + 18] ^= 1


def zeros_in_the_middle(log: bytearray) -> None:
    log[HEADER + FRAME : HEADER + FRAME + PAGE] = bytes(PAGE)


def a_header_of_zeros(log: bytearray) -> None:
    log[:HEADER] = bytes(HEADER)


def noise_all_over(log: bytearray) -> None:
    log[:] = bytes(each * 7 % 251 for each in range(len(log)))


COMMANDS = [
    ("status", "run"),
    ("show", "run", "t0000"),
    ("report", "run"),
    ("verify", "run"),
    ("fetch", "run"),
    ("reconcile", "run"),
    ("retry", "run", "-y"),
    ("cancel", "run", "t0000"),
    ("accept", "run", "t0000"),
    ("export", "lock", "run", "--recorded"),
    ("plan", "board.csv", "--run-dir", "run"),
    ("run", "board.csv", "--run-dir", "run", "-y"),
]


@pytest.mark.parametrize(
    "damage",
    [
        a_flipped_bit_in_a_page,
        a_flipped_bit_in_a_frames_head,
        zeros_in_the_middle,
        a_header_of_zeros,
        noise_all_over,
    ],
)
def test_every_command_refuses_a_run_whose_log_is_damaged(
    desk: Desk, damage: Callable[[bytearray], None]
) -> None:
    write_csv(desk.folder / "board.csv", 3)
    place = record_killed(desk.folder / "run", 3)
    log = place / "state.db-wal"
    text = bytearray(log.read_bytes())
    damage(text)
    log.write_bytes(text)
    here = desk.with_environment(RUNCOMFY_TOKEN="token", RUNCOMFY_MODEL_API_BASE="http://127.0.0.1:1")
    for words in COMMANDS:
        outcome = here.run(*words, code=78)
        assert "damaged log" in outcome.err, (words, outcome)
    assert log.read_bytes() == bytes(text)


def test_a_log_that_a_kill_left_is_read(desk: Desk) -> None:
    place: Path = record_killed(desk.folder / "run", 3)
    assert (
        "t0001"
        in desk.run(
            "status",
            place,
        ).out
        + desk.run("show", place, "t0001").out
    )
