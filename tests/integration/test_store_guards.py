"""What the file itself holds, whoever writes to it: settings, modes, checks and triggers."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from runner.domain.errors import IllegalTransition
from runner.domain.states import (
    Accepted,
    FailureClass,
    FoundAfterAll,
    NotSent,
    SubmissionStarted,
    TakeState,
    Vanished,
)
from runner.store.state_file import StateFile
from tests.integration.store_samples import (
    A,
    attempts,
    drive,
    make_take,
    new_state_file,
    seen,
    tell,
)

S = TakeState


def raw(state_file: StateFile, sql: str, *values: object) -> None:
    """Run SQL as a program that knows none of our rules would."""
    with closing(sqlite3.connect(state_file.path, timeout=5, isolation_level=None)) as connection:
        connection.execute(sql, values)


def test_the_settings_that_keep_the_promises_are_on(state_file: StateFile) -> None:
    found = {
        name: state_file._writer.connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync", "foreign_keys")
    }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "foreign_keys": 1,
    }
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        assert stat.S_IMODE((state_file.path.parent / name).stat().st_mode) == 0o600


SECOND_RUN = """
    INSERT INTO run SELECT 2, run_id, name, manifest, simulated, api_base, created_at, version, columns, epoch,
    at_rest, newest_manifest, machine, place, completion, heard, costs_asked_at, costs_untold_to,
    name_template, out, shard, log_sessions FROM run
"""
OLD_EPOCH = """
    INSERT INTO attempts (attempt, take_id, number, epoch, fingerprint, started_at)
    VALUES ('x', 'a', 2, 0, 'f', 1.0)
"""
BORN_QUEUED = """
    INSERT INTO takes (take_id, state, shot_id, model, fingerprint, point, tags, notes, cells, body)
    VALUES ('b', 'queued', 'b', 'm', 'f', '{}', '[]', '', '{}', '{}')
"""


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE takes SET state = 'pending'",
        "UPDATE takes SET state = 'submitting', request_id = NULL",
        "UPDATE takes SET state = 'invented'",
        "UPDATE takes SET delivery = 'fetching'",
        "UPDATE takes SET request_id = NULL",
        "UPDATE takes SET body = '{}'",
        "UPDATE takes SET attempts = 'many'",
        "DELETE FROM takes",
        "DELETE FROM events",
        "DELETE FROM attempts",
        "DELETE FROM run",
        "UPDATE events SET fact = 'Ended'",
        "UPDATE run SET epoch = 0",
        SECOND_RUN,
        OLD_EPOCH,
        BORN_QUEUED,
    ],
)
def test_the_file_itself_refuses_what_the_rules_forbid(state_file: StateFile, sql: str) -> None:
    drive(state_file, S.QUEUED)
    before = seen(state_file)
    with pytest.raises(sqlite3.IntegrityError):
        raw(state_file, sql)
    assert seen(state_file) == before


def test_a_raw_claim_without_an_attempt_is_refused(state_file: StateFile) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="open attempt"):
        raw(state_file, "UPDATE takes SET state = 'submitting'")


def test_rules_that_were_taken_out_are_put_back_at_opening(state_file: StateFile) -> None:
    state_file.close()
    raw(state_file, "DROP TRIGGER take_moves_by_the_table")
    with (
        StateFile.open(state_file.path) as again,
        pytest.raises(sqlite3.IntegrityError, match="table of states"),
    ):
        raw(again, "UPDATE takes SET state = 'failed'")


def test_not_sent_lets_the_take_be_tried_again(state_file: StateFile) -> None:
    drive(state_file, S.SUBMITTING)
    tell(state_file, NotSent("try-a", "no route"))
    tell(state_file, SubmissionStarted("try-2", A.fingerprint, state_file.epoch))
    assert [(a.number, a.outcome) for a in attempts(state_file)] == [(1, "NotSent"), (2, None)]


def test_an_id_that_another_take_has_is_refused_in_words_and_nothing_is_found_for_another_job(
    tmp_path: Path,
) -> None:
    with new_state_file(tmp_path, [make_take("a"), make_take("b")]) as state_file:
        drive(state_file, S.QUEUED)
        drive(state_file, S.SUBMITTING, take_id="b")
        (attempt,) = attempts(state_file, "b")
        with pytest.raises(IllegalTransition, match="request id request-a belongs to another job, of take a"):
            tell(state_file, Accepted(attempt.attempt, "request-a"), take_id="b")
        tell(state_file, Vanished(FailureClass.MISSING, "404"))
        with pytest.raises(IllegalTransition, match="not its latest one"):
            tell(state_file, FoundAfterAll("request-b", "{}", ("https://clips/1.mp4",)))
        tell(state_file, FoundAfterAll("request-a", "{}", ("https://clips/1.mp4",), cost=0.5))
        found = seen(state_file)
        assert (found.state, found.failure, found.reason, found.cost) == (S.SUCCEEDED, None, "", 0.5)
        assert found.outputs == ("https://clips/1.mp4",)
