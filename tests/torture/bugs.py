"""The seeded bugs: what a tired programmer could do to the payment protocol, as exact replacements in its source.

Each says by which hunt of `hunts` it must be found. One bug of the list cannot be found by killing processes, since the
kernel keeps what a dead process wrote: `synchronous=OFF` is found by the power-loss replay (T4) alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.torture.hunts import (
    CLIFF,
    CROWDED,
    EMPTY,
    FIRST_USE,
    FORGOTTEN,
    IN_FLIGHT,
    LOST,
    LOST_READS,
    LYING_HOST,
    MOVED_AWAY,
    OVERTAKEN,
    PLAIN,
    REFUSING,
    SERVER_ERRORS,
    SET_BACK,
    SLOW_DISK,
    STORMY,
    Hunt,
    Replay,
)
from tests.torture.patches import LOCKLESS, Replacement

_SUBMIT = "runner/engine/submitter.py"
_SETTLE = "runner/engine/submit_results.py"
_OUTCOMES = "runner/api/classify.py"
_CLIENT = "runner/api/submit_client.py"
_APPEND = "runner/store/append_event.py"
_BEGINNING = "runner/store/unrecorded.py"
_INTAKE = "runner/media/clips/download.py"


_NO_EPOCH = (
    Replacement(_APPEND, "WHERE take_id = ?2 AND epoch = ?4", "WHERE take_id = ?2 AND ?4 > 0"),
    Replacement(_APPEND, "read_epoch(connection) != fact.epoch:", "read_epoch(connection) < 0:"),
    Replacement(
        "runner/store/state_file.py", "read_epoch(connection) != self.epoch:", "read_epoch(connection) < 0:"
    ),
)
"""All three places that ask whether another runner has begun: the claim, its refusal, and the fence around all work."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug by name; a bug without replacements is a control, in which its hunt must find nothing."""

    name: str
    hunt: Hunt | Replay
    replacements: tuple[Replacement, ...] = ()

    @property
    def is_control(self) -> bool:
        """True if nothing is wrong but what the hunt itself needs."""
        return set(self.replacements) <= {LOCKLESS}


BUGS: tuple[Bug, ...] = (
    Bug(
        "a lost answer counts as not sent",
        LOST,
        (
            Replacement(
                _OUTCOMES, "milestone is SendStage.NOTHING_SENT:", "milestone is not SendStage.ANSWERING:"
            ),
        ),
    ),
    Bug(
        "resume sends again what was being sent",
        IN_FLIGHT,
        (
            Replacement(
                _BEGINNING,
                'lost = states.LostContact(attempt, milestone="unknown", reason="the runner died while sending")',
                'lost = states.NotSent(attempt, "the runner died while sending")',
            ),
        ),
    ),
    Bug(
        "resume sends held takes again",
        LOST,
        (
            Replacement(
                _BEGINNING,
                "    return tuple(take_id for take_id, _ in found)",
                "    from runner.domain.states import DeclaredNotSent\n"
                "    held = connection.execute(\"SELECT take_id FROM takes WHERE state = 'held'\").fetchall()\n"
                '    [append(connection, row[0], DeclaredNotSent(by="resume"), at=at) for row in held]\n'
                "    return tuple(take_id for take_id, _ in found)",
            ),
        ),
    ),
    Bug(
        "the submit window has no end",
        IN_FLIGHT,
        (Replacement("runner/engine/submit_window.py", "return self.in_flight < self.size", "return True"),),
    ),
    Bug(
        "the first byte does not wait for the commit",
        SLOW_DISK,
        (
            Replacement(
                _SUBMIT,
                "await asyncio.shield(asyncio.ensure_future(self._state.record(live, started)))",
                "self._early = asyncio.ensure_future(self._state.record(live, started))",
            ),
        ),
    ),
    Bug(
        "the intent is written after the request",
        IN_FLIGHT,
        (
            Replacement(
                _CLIENT,
                'if event == "http11.send_request_headers.started":',
                'if event == "http11.receive_response_headers.started":',
            ),
            Replacement("runner/commands/steps/session.py", "hooked=await hook_holds_bytes()", "hooked=True"),
        ),
    ),
    Bug(
        "an id is used before it is stored",
        FIRST_USE,
        (
            Replacement(
                _SETTLE,
                "        try:\n            await self._state.record(live, answer)\n"
                "        except IllegalTransition as refusal:",
                "        try:\n            await self._context.queue.look(answer.request_id)\n"
                "            await self._state.record(live, answer)\n        except IllegalTransition as refusal:",
            ),
        ),
    ),
    Bug(
        "a 2xx without an id counts as not sent",
        EMPTY,
        (
            Replacement(
                _OUTCOMES,
                '    return _lost(\n        answer, attempt, f"the API answered {answer.status}{how} without',
                '    return NotSent(attempt, "no id came back")\n    return _lost(\n'
                '        answer, attempt, f"the API answered {answer.status}{how} without',
            ),
        ),
    ),
    Bug(
        "a 500 counts as a refusal",
        SERVER_ERRORS,
        (
            Replacement(
                _OUTCOMES,
                "if answer.status not in error_codes.PROVES_NO_CHARGE:",
                "if answer.status not in error_codes.PROVES_NO_CHARGE and answer.status != 500:",
            ),
        ),
    ),
    Bug(
        "submits share kept connections",
        PLAIN,
        (
            Replacement(_CLIENT, ', "Connection": "close"}', "}"),
            Replacement(_CLIENT, "max_keepalive_connections=0", "max_keepalive_connections=4"),
        ),
    ),
    Bug(
        "a clip counts as delivered before it has its name",
        PLAIN,
        (
            Replacement(
                "runner/media/clips/folder.py",
                "        if self._linked(hidden, final):\n            os.unlink(hidden, dir_fd=self._fd)\n\n"
                "    def replace",
                "        import threading\n"
                "        names = (self.path / hidden, self.path / final)\n"
                "        threading.Timer(0.3, os.rename, names).start()\n\n"
                "    def replace",
            ),
        ),
    ),
    Bug(
        "the pause that a 429 asks for is not kept",
        REFUSING,
        (
            Replacement(
                _SETTLE,
                "        self._breaker.rest(max(own, wished))\n",
                "        self._breaker.rest(0.01)\n",
            ),
        ),
    ),
    Bug(
        "one 404 counts as a lost job",
        LOST_READS,
        (
            Replacement(
                "runner/engine/poller.py",
                "live.missing.goes_on(now) >= self._options.missing_grace:",
                "live.missing.goes_on(now) >= 0.0:",
            ),
            # The second look makes it good.
            Replacement(
                "runner/commands/steps/recheck_failed.py",
                "        if take.may_have_a_clip and (insist or take.state is not TakeState.DROPPED)\n",
                "        if False\n",
            ),
        ),
    ),
    Bug(
        "the wrong take's body is sent",
        PLAIN,
        (
            Replacement(
                _SUBMIT,
                "self._context.queue.submit(live.ticket, attempt",
                "self._context.queue.submit(self._state.takes[-1].ticket, attempt",
            ),
        ),
    ),
    Bug(
        "there is a lock and no epoch",
        OVERTAKEN,
        (
            LOCKLESS,
            *_NO_EPOCH,
        ),
    ),
    Bug(
        "a take is claimed without compare-and-set",
        CROWDED,
        (
            LOCKLESS,
            *_NO_EPOCH,
            Replacement(
                _APPEND,
                "    target = states.advance(state, fact)\n",
                "    claimed = isinstance(fact, states.SubmissionStarted) and state is states.TakeState.SUBMITTING\n"
                "    target = state if claimed else states.advance(state, fact)\n",
            ),
        ),
    ),
    Bug(
        "nobody looks whether the record is still at its path",
        MOVED_AWAY,
        (
            Replacement(
                "runner/store/identity.py",
                "if (found := number_of(each)) != number:",
                "if (found := number) != number:",
            ),
        ),
    ),
    Bug(
        "the witness beside the record is not believed",
        SET_BACK,
        (
            Replacement(
                "runner/store/unrecorded.py", "        for each in told\n", "        for each in ()\n"
            ),
        ),
    ),
    Bug(
        "a folder that is gone as a whole is forgotten",
        FORGOTTEN,
        (
            Replacement(
                "runner/commands/steps/known_jobs.py",
                "(beside_it, *_witnesses_outside(run_dir, environ))",
                "(beside_it,)",
            ),
        ),
    ),
    Bug(
        "the rest of a file is joined as it comes",
        LYING_HOST,
        (
            Replacement(
                _INTAKE,
                "if span is None or span.start != offset or span.end != total or version.contradicts(known):",
                "if span is None:",
            ),
            Replacement(
                _INTAKE,
                "if overlap != here or not (proved or len(set(overlap)) >= _TELLING_BYTES):",
                "if not overlap:",
            ),
        ),
    ),
    Bug(
        "a further output has a name that another take may have",
        LYING_HOST,
        (Replacement("runner/media/clips/clip_names.py", 'SEPARATOR = "+"', 'SEPARATOR = "."'),),
    ),
    Bug(
        "a single failure opens the circuit breaker",
        CLIFF,
        (Replacement("runner/engine/circuit_breaker.py", "(is_outage or lasted", "(True or lasted"),),
    ),
)
"""Every seeded bug that killing, cheating or crowding can show."""

CONTROLS: tuple[Bug, ...] = (
    *(
        Bug(f"control: {hunt.name}", hunt)
        for hunt in (
            PLAIN,
            STORMY,
            IN_FLIGHT,
            FIRST_USE,
            SLOW_DISK,
            LOST,
            LOST_READS,
            REFUSING,
            MOVED_AWAY,
            SET_BACK,
            LYING_HOST,
        )
    ),
    Bug("control: overtaken", OVERTAKEN, (LOCKLESS,)),
    Bug("control: crowded", CROWDED, (LOCKLESS,)),
)
"""The same hunts on the product as it is: what finds something here would find anything anywhere."""
