"""One thread keeps all deadlines: those that pass cut their connections, the others nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from runner.media.http.deadline import Deadline, Watchdog
from runner.media.http.response import DownloadError

LONG = 3600.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(20)
        yield ours, theirs


def watchdogs() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "download-watchdog"}


def test_a_connection_is_cut_when_its_time_is_up(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with Deadline(0.0, Watchdog()) as deadline:
        deadline.guard(ours)
        assert theirs.recv(1) == b""
        with pytest.raises(DownloadError, match="longer than 0 s"):
            deadline.check()


def test_what_is_connected_after_the_time_is_cut_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    with Deadline(LONG, Watchdog()) as deadline:
        deadline.cut()
        deadline.guard(pair[0])
        assert pair[1].recv(1) == b""


def test_a_deadline_that_is_kept_cuts_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    watchdog = Watchdog()
    with Deadline(0.001, watchdog) as late, Deadline(LONG, watchdog) as kept:
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
    watchdog = Watchdog()
    with Deadline(LONG, watchdog), Deadline(0.0, watchdog) as short:
        short.guard(pair[0])
        assert pair[1].recv(1) == b""


def test_the_original_may_be_wrapped_or_closed_meanwhile(pair: tuple[socket.socket, socket.socket]) -> None:
    """TLS takes the descriptor out of the socket object that was connected."""
    with Deadline(LONG, Watchdog()) as deadline:
        deadline.guard(pair[0])
        with socket.socket(fileno=pair[0].detach()) as wrapped:
            deadline.cut()
            assert (wrapped.recv(1), pair[1].recv(1)) == (b"", b"")


def test_any_number_of_deadlines_has_one_thread_which_ends_when_none_is_left() -> None:
    before, watchdog = watchdogs(), Watchdog()
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(Deadline(LONG, watchdog))
        (thread,) = watchdogs() - before
    # It sleeps on; an earlier deadline wakes it, and after that one there is nothing to wait for.
    with Deadline(0.0, watchdog):
        thread.join(timeout=20)
    assert not thread.is_alive()


def test_a_thread_that_has_ended_is_begun_again(pair: tuple[socket.socket, socket.socket]) -> None:
    before, watchdog = watchdogs(), Watchdog()
    with Deadline(0.0, watchdog):
        for thread in watchdogs() - before:
            thread.join(timeout=20)
    with Deadline(0.0, watchdog) as deadline:
        deadline.guard(pair[0])
        assert pair[1].recv(1) == b""
