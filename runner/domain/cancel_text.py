"""What a cancel came to, in sentences: the same ones whether a session asked the API or a process without one.

In: the API's word, or what is known of a take. Out: sentences.
"""

from __future__ import annotations

from runner.domain.display import visible
from runner.domain.states import TakeState

HELD = "held: its request id is not known, so it cannot be cancelled; see shotrunner reconcile"


def word_text(word: str, *, cancelled: str) -> str:
    """Return in words what the API says of a cancel, which proves nothing; `cancelled` is the text for a success."""
    if word == "cancelled":
        return cancelled
    if word == "not_cancellable":
        return "it runs already: it goes on and is billed"
    return f"the API says “{visible(word, 80)}”; it may go on"


def refusal_text(reason: str) -> str:
    """Return that the API did not accept the question."""
    return f"the API did not take it: {visible(reason)}"


def ended_text(state: TakeState) -> str:
    """Return that a take needs no cancel any more."""
    return f"it has ended already: {state}"
