"""A deadline that passes cuts its connections; one that is kept cuts nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from runner.media.http.download_client import Deadline
from runner.media.http.response import DownloadError

LONG = 3600.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(20)
        yield ours, theirs


def test_a_connection_is_cut_when_its_time_is_up(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with Deadline(0.0) as deadline:
        deadline.guard(ours)
        assert theirs.recv(1) == b""
        with pytest.raises(DownloadError, match="longer than 0 s"):
            deadline.check()


def test_what_is_connected_after_the_time_is_cut_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    with Deadline(LONG) as deadline:
        deadline.cut()
        deadline.guard(pair[0])
        assert pair[1].recv(1) == b""


def test_a_deadline_that_is_kept_cuts_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with Deadline(0.001) as late, Deadline(LONG) as kept:
        kept.guard(ours)
        other, end = socket.socketpair()
        with other, end:
            end.settimeout(20)
            late.guard(other)
            assert end.recv(1) == b""
        kept.check()
    ours.sendall(b"x")
    assert theirs.recv(1) == b"x"


def test_a_shorter_deadline_does_not_wait_for_a_longer_one(pair: tuple[socket.socket, socket.socket]) -> None:
    with Deadline(LONG), Deadline(0.0) as short:
        short.guard(pair[0])
        assert pair[1].recv(1) == b""


def test_the_original_may_be_wrapped_or_closed_meanwhile(pair: tuple[socket.socket, socket.socket]) -> None:
    """TLS takes the descriptor out of the socket object that was connected."""
    with Deadline(LONG) as deadline:
        deadline.guard(pair[0])
        with socket.socket(fileno=pair[0].detach()) as wrapped:
            deadline.cut()
            assert (wrapped.recv(1), pair[1].recv(1)) == (b"", b"")


def test_a_deadline_that_was_kept_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with Deadline(LONG):
        (timer,) = set(threading.enumerate()) - before
    timer.join(timeout=20)
    assert not timer.is_alive()


def test_a_deadline_keeps_no_program_from_its_end() -> None:
    before = set(threading.enumerate())
    with Deadline(LONG):
        assert [thread.daemon for thread in set(threading.enumerate()) - before] == [True]
