"""What is known of this provider, as data, each claim with its source; nothing is guessed at run time.

Sources, by the letters used below:
    P  the vendor's model pages            D  the vendor's API documentation
    C  the vendor's public clients (its command line and its nodes for ComfyUI, Dify and Zapier)
    H  RFC 9110, HTTP Semantics            N  no source: the cautious reading
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.domain.api_answers import JobStatus
from runner.domain.states import FailureClass, TakeState

CODE_MALFORMED_ID = 400001  # D
CODE_NO_BALANCE = 400002  # D
CODE_NO_TOKEN = 400004  # D: missing, expired or revoked
CODE_NOT_READY = 400005  # C: the Zapier client, for a result asked too early
CODE_NOT_YOURS = 403001  # D
CODE_UNKNOWN_ID = 404001  # D: unknown, deleted or expired

BEFORE_ACCEPTANCE = frozenset(
    {CODE_MALFORMED_ID, CODE_NO_BALANCE, CODE_NO_TOKEN, CODE_NOT_YOURS, CODE_UNKNOWN_ID}
)
"""Numbers documented as refusals before acceptance (D); any other number proves nothing about a charge (N)."""

UNKNOWN_ID_CODES = frozenset({CODE_UNKNOWN_ID, CODE_MALFORMED_ID})
"""Numbers by which the API itself says that it does not know an id (D)."""

ACCOUNT_CODES: Mapping[int, FailureClass] = {
    CODE_NO_BALANCE: FailureClass.NO_BALANCE,
    CODE_NO_TOKEN: FailureClass.AUTH,
    CODE_NOT_YOURS: FailureClass.AUTH,
}
"""Numbers that are about the account and not about one take (D)."""

WRONG_ADDRESS: Mapping[int, str] = {
    405: "this address does not take such requests, so the API base is probably wrong",
    407: "a proxy in between requires a login of its own",
    426: "this address asks for another protocol, so the API base is probably wrong",
    451: "something in between blocks this address for legal reasons",
}
"""What a status means if its cause is the address, or a gateway before it (H, 15.5.6, 15.5.8, 15.5.22; RFC 7725)."""

ACCOUNT_STATUSES: Mapping[int, FailureClass] = {
    401: FailureClass.AUTH,  # C H
    402: FailureClass.NO_BALANCE,  # C
    403: FailureClass.AUTH,  # C H
    **dict.fromkeys(WRONG_ADDRESS, FailureClass.REFUSED),  # H
}
"""Statuses that refuse everything this account would send there, whatever the body says."""

LINKS = ("status_url", "result_url", "cancel_url")
"""Addresses that an accepted job comes with (P). They are only recorded: every URL is built from the API base."""

BAD_INPUT_STATUSES = frozenset({400, 413, 414, 415, 422})
"""Refusals of one body (C H)."""

LATER_STATUSES = frozenset({425, 429})
"""Refusals for now (H); limits are undocumented, so they may come on any call (N)."""

CANNOT_STATUSES = frozenset({501, 505})
"""Refusals of the request's method (501) or its version of HTTP (505), and so of every submit alike.

Source: H, 15.6.2 and 15.6.6: the server lacks, or refuses, what the request needs."""

REDIRECTS = range(300, 400)
"""Redirects, which prove nothing: a 303 may follow a job that was taken (H, 15.4.4).

The API is documented without any (D), so a server that answers with one is almost surely not the API (N)."""

PROVES_NO_CHARGE = BAD_INPUT_STATUSES | LATER_STATUSES | frozenset(ACCOUNT_STATUSES) | CANNOT_STATUSES | {404}
"""Statuses that say the job was not taken (H). A time-out (408), a conflict (409) and any other 5xx do not say so (N).
Gateways send them for requests that the service behind them may have carried out."""

PAUSE_WITHOUT_A_WISH = 3.0
"""Seconds to pause after a 429 that names none (N)."""

_WAITING = "in_queue queued queueing queuing pending submitted submitting created accepted received scheduled waiting"
_WORKING = (
    "in_progress progressing processing running starting started preparing generating rendering working active"
    " executing uploading finalizing retrying cancelling canceling"
)
_WELL = "succeeded succeed success successful completed complete done finished ok ready partial partially_completed"
_BADLY = (
    "failed fail failure error errored expired timeout timed_out time_out rejected aborted abort terminated killed"
    " crashed invalid blocked moderated nsfw request_moderated content_moderated execution_error partial_failure"
)
_CALLED_OFF = "cancelled canceled cancel stopped revoked"
"""Words as `json_fields.folded` returns them. Documented or sent are in_queue, in_progress, completed, cancelled (P),
succeeded, failed (D), queued, pending, processing, running, error, canceled (C). The others are used by queues of the
same kind, as their public clients read them; each can have only one meaning (N)."""

STATUS_WORDS: Mapping[str, JobStatus] = {
    **dict.fromkeys(_WAITING.split(), JobStatus.QUEUED),
    **dict.fromkeys(_WORKING.split(), JobStatus.RUNNING),
    # P: ended, not succeeded.
    **dict.fromkeys(f"{_WELL} {_BADLY} {_CALLED_OFF}".split(), JobStatus.ENDED),
}
"""What the status route says; after any other word the run says so, asks for the result and keeps looking (N)."""

RESULT_WORDS: Mapping[str, TakeState] = {
    **dict.fromkeys(_WELL.split(), TakeState.SUCCEEDED),
    **dict.fromkeys(_BADLY.split(), TakeState.FAILED),
    **dict.fromkeys(_CALLED_OFF.split(), TakeState.CANCELLED),
}
"""What the result record says; after any other word the rest of the record decides (N)."""

PARTIAL_WORDS = frozenset({"partial", "partially_completed"})
"""Words for a partial success."""

MODERATION_WORDS = ("moderat", "nsfw", "safety", "content policy", "flagged", "sensitive content", "blocked")
"""Parts of a failure's words that mean moderation (C, N): the same content would be judged in the same way again."""
