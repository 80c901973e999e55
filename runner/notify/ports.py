"""The way a notice goes, as the run sees it, and what is raised where it cannot go."""

from __future__ import annotations

from typing import Protocol

from runner.notify.notice import Notice


class NotSent(Exception):
    """A notice could not be sent; the message says why and holds no secret."""


class Channel(Protocol):
    """A way to a person or a program."""

    @property
    def name(self) -> str:
        """What messages call it; no secret is in it."""
        ...

    @property
    def absence(self) -> str:
        """Why it cannot be used on this machine; empty if it can."""
        ...

    def send(self, notice: Notice) -> None:
        """Send a notice, from a thread that may wait.

        Raises:
            NotSent: it could not be sent.
        """
        ...
