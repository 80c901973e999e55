"""The schema of the state file: its tables by version, and the triggers that enforce the table of states.

A change to a table is a new entry in `MIGRATIONS`, never an edit of an old one. The triggers in `RULES` hold no data
and are renewed at every opening, so that they always match `states`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from runner.domain.states import DELIVERIES, TRANSITIONS, DeliveryState, FailureClass, TakeState

APPLICATION_ID = 0x53484F54  # "SHOT": `file` and this program recognize the database by it

NEWEST = "SELECT coalesce(max(seq), 0) FROM events"
"""The number of the newest event."""

REMAINS = """SELECT 1 FROM takes WHERE state <> 'succeeded' OR (delivery <> 'delivered' AND ?) OR position IS NULL
    OR wanted IS NOT NULL OR reason <> '' OR json_array_length(outputs) > 1
    OR (cost IS NULL AND finished_at > (SELECT coalesce(costs_untold_to, 0) FROM run)) LIMIT 1"""
"""Finds a take that a run may still have to work on or to speak of; the parameter says whether clips are wanted."""


def _names(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _one_of(column: str, words: type[StrEnum]) -> str:
    return f"CHECK ({column} IN ({_names(word.value for word in words)}))"


# Small columns come first: then a row with a long body or result is counted and filtered without reading
# its overflow pages. `seed` is text because seeds of 64 unsigned bits exist.
_VERSION_1 = (
    """CREATE TABLE manifests (
        id INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL UNIQUE,
        file TEXT NOT NULL,
        adopted_at REAL NOT NULL,
        text TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE run (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        run_id TEXT NOT NULL,
        name TEXT NOT NULL,
        manifest TEXT NOT NULL,
        simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
        api_base TEXT NOT NULL,
        created_at REAL NOT NULL,
        version TEXT NOT NULL,
        columns TEXT NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        at_rest INTEGER NOT NULL DEFAULT 1 CHECK (at_rest IN (0, 1)),
        newest_manifest INTEGER REFERENCES manifests (id)
    ) STRICT""",
    f"""CREATE TABLE takes (
        take_id TEXT NOT NULL PRIMARY KEY,
        position INTEGER,
        state TEXT NOT NULL DEFAULT 'pending' {_one_of("state", TakeState)},
        delivery TEXT NOT NULL DEFAULT 'none' {_one_of("delivery", DeliveryState)},
        failure TEXT {_one_of("failure", FailureClass)},
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        request_id TEXT UNIQUE CHECK (length(request_id) > 0),
        submitted_at REAL,
        finished_at REAL,
        seconds REAL,
        not_before REAL NOT NULL DEFAULT 0,
        cost REAL,
        shot_id TEXT NOT NULL,
        model TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        seed TEXT,
        file TEXT,
        sha256 TEXT,
        bytes INTEGER,
        cancel_requested TEXT,
        reason TEXT NOT NULL DEFAULT '',
        point TEXT NOT NULL,
        tags TEXT NOT NULL,
        notes TEXT NOT NULL,
        cells TEXT NOT NULL,
        outputs TEXT NOT NULL DEFAULT '[]',
        body TEXT NOT NULL,
        result TEXT,
        CHECK (delivery = 'none' OR state = 'succeeded'),
        CHECK (delivery <> 'delivered' OR file IS NOT NULL),
        CHECK (state NOT IN ('pending', 'submitting', 'held') OR request_id IS NULL),
        CHECK (state NOT IN ('queued', 'running', 'succeeded', 'cancelled') OR request_id IS NOT NULL)
    ) STRICT""",
    """CREATE TABLE attempts (
        attempt TEXT NOT NULL PRIMARY KEY,
        take_id TEXT NOT NULL REFERENCES takes (take_id),
        number INTEGER NOT NULL CHECK (number > 0),
        epoch INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        outcome TEXT,
        request_id TEXT UNIQUE,
        evidence TEXT NOT NULL DEFAULT '{}',
        UNIQUE (take_id, number)
    ) STRICT""",
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        take_id TEXT NOT NULL REFERENCES takes (take_id),
        fact TEXT NOT NULL,
        details TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX events_of_take ON events (take_id, seq)",
    "CREATE INDEX takes_by_state ON takes (state, delivery, position)",
    """CREATE INDEX takes_by_duration ON takes (model, finished_at, seconds)
        WHERE state = 'succeeded' AND seconds IS NOT NULL""",
)

# The column is empty in a file that was made before machines were recorded; the next opening fills it in.
_VERSION_2 = ("ALTER TABLE run ADD COLUMN machine TEXT NOT NULL DEFAULT ''",)

# `wanted…` holds what the newest manifest asks for if that differs from what was sent. `kept_for` is the wanted
# fingerprint for which a person keeps the old clip. `estimate` (USD) and `price` are as of the latest adoption; an
# attempt has the estimate it began with, and the cost of its job. `schemas` are the model schemas that takes were
# checked against. A session belongs to one runner, and `limit_s` is the time that it was given.
_NEW_IN_3 = (
    """CREATE TABLE schemas (
        model TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        first_seen REAL NOT NULL,
        PRIMARY KEY (model, sha256)
    ) STRICT""",
    """CREATE TABLE sessions (
        epoch INTEGER PRIMARY KEY,
        began_at REAL NOT NULL,
        version TEXT NOT NULL,
        limit_s REAL,
        window_began_at REAL,
        ended_at REAL,
        ending TEXT
    ) STRICT""",
)
_TEXTS_IN_3 = ("wanted", "wanted_model", "wanted_body", "kept_for")
_VERSION_3 = (
    *(f"ALTER TABLE takes ADD COLUMN {name} TEXT" for name in _TEXTS_IN_3),
    "ALTER TABLE takes ADD COLUMN estimate REAL",
    "ALTER TABLE takes ADD COLUMN price TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE attempts ADD COLUMN estimate REAL",
    "ALTER TABLE attempts ADD COLUMN cost REAL",
    """UPDATE attempts SET cost = (SELECT t.cost FROM takes t
        WHERE t.take_id = attempts.take_id AND t.attempts = attempts.number)""",
    *_NEW_IN_3,
)

# An attempt began with its `price` (JSON text, '' for none) and `schema`; both are NULL from an older program.
# `in_use` marks the schema that checked the newest plan, so that a schema that returns is recognized.
_NEW_IN_4 = ("ALTER TABLE schemas ADD COLUMN in_use INTEGER NOT NULL DEFAULT 0 CHECK (in_use IN (0, 1))",)
_VERSION_4 = (
    "ALTER TABLE attempts ADD COLUMN price TEXT",
    "ALTER TABLE attempts ADD COLUMN schema TEXT",
    *_NEW_IN_4,
)

# The column is empty in a file that was made before places were recorded; the next opening fills it in.
_VERSION_5 = ("ALTER TABLE run ADD COLUMN place TEXT NOT NULL DEFAULT ''",)

# `completion` is JSON of a `Completion`, empty until a run left nothing to do, and `heard` JSON of the extents of a
# `Heard`. The others are when late costs were asked for in vain, and when the last of those jobs ended (unix seconds).
_VERSION_6 = (
    "ALTER TABLE run ADD COLUMN completion TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE run ADD COLUMN heard TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE run ADD COLUMN costs_asked_at REAL",
    "ALTER TABLE run ADD COLUMN costs_untold_to REAL",
)

# `number` is a take's number within its shot. `stem` is the name of its files without an ending, empty if that is its
# id, and `run.name_template` what it was made from. `checked` is the hash of the clip that `probe` and `flags` are of.
# An older render, `TAKE~1`, has the number of its take. The places are those of the best placed render of each take.
_RENDERS = """SELECT rowid AS known, shot_id AS shot, min(rowid) OVER renders AS first,
        min(coalesce(position, 9e9)) OVER renders AS place FROM main.takes
        WINDOW renders AS (PARTITION BY shot_id, substr(take_id, 1, instr(take_id || '~', '~') - 1))"""
_NUMBERS = f"""SELECT known, dense_rank() OVER (PARTITION BY shot ORDER BY place, first) AS number
        FROM ({_RENDERS})"""  # noqa: S608 - our own names
_VERSION_7 = (
    "ALTER TABLE takes ADD COLUMN number INTEGER NOT NULL DEFAULT 0",
    f"UPDATE takes SET number = found.number FROM ({_NUMBERS}) AS found WHERE takes.rowid = found.known",  # noqa: S608 - our own names
    "ALTER TABLE takes ADD COLUMN stem TEXT NOT NULL DEFAULT ''",
    *(f"ALTER TABLE takes ADD COLUMN {name} TEXT" for name in ("checked", "probe")),
    "ALTER TABLE takes ADD COLUMN flags TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE run ADD COLUMN name_template TEXT NOT NULL DEFAULT ''",
)

# What people asked of a session from outside, and what became of it. `wish` is JSON of the order, `says` of a list of
# sentences. `settings` is JSON of what holds for a session.
_ORDERS = """CREATE TABLE orders (
        id TEXT NOT NULL PRIMARY KEY,
        epoch INTEGER NOT NULL,
        at REAL NOT NULL,
        obeyed_at REAL NOT NULL,
        by TEXT NOT NULL,
        wish TEXT NOT NULL,
        changed INTEGER NOT NULL CHECK (changed IN (0, 1)),
        says TEXT NOT NULL
    ) STRICT"""
_SETTINGS = "ALTER TABLE sessions ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'"
_VERSION_8 = (_ORDERS, _SETTINGS)

# Where clips go if not into the run's folder, and which part of the board this is. `log_sessions` is a JSON list of the
# newest sessions by which this record may hold the run's log in its store; the last of them may not have begun.
_VERSION_9 = (
    *(f"ALTER TABLE run ADD COLUMN {name} TEXT NOT NULL DEFAULT ''" for name in ("out", "shard")),
    "ALTER TABLE run ADD COLUMN log_sessions TEXT NOT NULL DEFAULT '[]'",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    *(_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5),
    *(_VERSION_6, _VERSION_7, _VERSION_8, _VERSION_9),
)
"""Statements that lead from version n to n + 1, for n = 0, 1, …; a new file runs all of them."""


_NEW_IN_7 = f"""found.number AS number, '' AS stem, NULL AS checked, NULL AS probe, '[]' AS flags
        FROM main.takes AS t JOIN ({_NUMBERS}) AS found ON found.known = t.rowid"""
_BEFORE_3 = (
    f"""CREATE TEMP VIEW takes AS SELECT t.rowid AS rowid, t.*, NULL AS wanted, NULL AS wanted_model,
        NULL AS wanted_body, NULL AS kept_for, NULL AS estimate, '' AS price, {_NEW_IN_7}""",
    """CREATE TEMP VIEW attempts AS SELECT a.rowid AS rowid, a.*, NULL AS estimate,
        (SELECT t.cost FROM main.takes t WHERE t.take_id = a.take_id AND t.attempts = a.number) AS cost,
        NULL AS price, NULL AS schema FROM main.attempts a""",
    *(table.replace("CREATE TABLE", "CREATE TEMP TABLE") for table in _NEW_IN_3),
    *_NEW_IN_4,
    _SETTINGS,
)
_BEFORE_4 = (
    "CREATE TEMP VIEW attempts AS SELECT rowid AS rowid, *, NULL AS price, NULL AS schema FROM main.attempts",
    "CREATE TEMP VIEW schemas AS SELECT *, 0 AS in_use FROM main.schemas",
)

_BEFORE_6 = (
    """CREATE TEMP VIEW run AS SELECT *, '' AS completion, '{}' AS heard, NULL AS costs_asked_at,
        NULL AS costs_untold_to, '' AS name_template, '' AS out, '' AS shard FROM main.run""",
)
_TAKES_BEFORE_7 = f"CREATE TEMP VIEW takes AS SELECT t.rowid AS rowid, t.*, {_NEW_IN_7}"
_RUN_BEFORE_7 = "CREATE TEMP VIEW run AS SELECT *, '' AS name_template, '' AS out, '' AS shard FROM main.run"
_RUN_BEFORE_9 = "CREATE TEMP VIEW run AS SELECT *, '' AS out, '' AS shard FROM main.run"
_NO_ORDERS = _ORDERS.replace("CREATE TABLE", "CREATE TEMP TABLE")
_BEFORE_8 = (_NO_ORDERS, "CREATE TEMP VIEW sessions AS SELECT *, '{}' AS settings FROM main.sessions")

OLDER: tuple[tuple[str, ...], ...] = (
    (),
    (*_BEFORE_3, *_BEFORE_6, _NO_ORDERS),
    (*_BEFORE_3, *_BEFORE_6, _NO_ORDERS),
    (*_BEFORE_4, *_BEFORE_6, _TAKES_BEFORE_7, *_BEFORE_8),
    (*_BEFORE_6, _TAKES_BEFORE_7, *_BEFORE_8),
    (*_BEFORE_6, _TAKES_BEFORE_7, *_BEFORE_8),
    (_RUN_BEFORE_7, _TAKES_BEFORE_7, *_BEFORE_8),
    (*_BEFORE_8, _RUN_BEFORE_9),
    (_RUN_BEFORE_9,),
)
"""Statements by which a reader, which may change nothing, sees a file of version n like one of the newest.

Their tables and views are in the reader's own memory, and hide those of the same name in the file.
"""


_MOVES = {(before, after) for (before, _), targets in TRANSITIONS.items() for after in targets}
_DELIVERIES = {(before, after) for (before, _), after in DELIVERIES.items()}


def _forbid(when: str, why: str) -> str:
    condition = f"WHEN {when} " if when else ""
    return f"{condition}BEGIN SELECT RAISE(ABORT, '{why}'); END"


def _forbidden_move(column: str, moves: Iterable[tuple[str, str]]) -> str:
    pairs = _names(sorted(f"{before}>{after}" for before, after in moves))
    return f"OLD.{column} <> NEW.{column} AND OLD.{column} || '>' || NEW.{column} NOT IN ({pairs})"


_EPOCH = "SELECT epoch FROM run"
_OPEN_ATTEMPT = (
    "SELECT 1 FROM attempts WHERE take_id = NEW.take_id AND number = NEW.attempts AND outcome IS NULL"
)

# No legal append may meet any of these conditions: ABORT undoes the whole statement that did.
_BODIES: Mapping[str, str] = {
    "take_begins_pending": "BEFORE INSERT ON takes "
    + _forbid("NEW.state <> 'pending' OR NEW.delivery <> 'none'", "a take begins as pending"),
    "take_moves_by_the_table": "BEFORE UPDATE OF state ON takes "
    + _forbid(_forbidden_move("state", _MOVES), "the table of states forbids this move"),
    "clip_moves_by_the_table": "BEFORE UPDATE OF delivery ON takes "
    + _forbid(_forbidden_move("delivery", _DELIVERIES), "the table of deliveries forbids this move"),
    "nothing_is_sent_unclaimed": "BEFORE UPDATE OF state ON takes "
    + _forbid(
        f"NEW.state = 'submitting' AND OLD.state <> 'submitting' AND NOT EXISTS ({_OPEN_ATTEMPT})",
        "a take is sent only with an open attempt",
    ),
    "attempt_needs_the_epoch": "BEFORE INSERT ON attempts "
    + _forbid(f"NEW.epoch <> ({_EPOCH})", "another runner has taken over"),
    # `point` is not listed: it only names the take, as the take's id and shot do.
    "what_was_sent_stays": "BEFORE UPDATE OF body, fingerprint, model, seed ON takes "
    + _forbid("OLD.state <> 'pending'", "only a pending take may be given a new body"),
    "epoch_only_rises": "BEFORE UPDATE OF epoch ON run "
    + _forbid("NEW.epoch < OLD.epoch", "the epoch never falls"),
    # `take_id` is not listed: a take that the manifest renamed keeps its history.
    "events_are_written_once": "BEFORE UPDATE OF seq, at, fact, details, before, after ON events "
    + _forbid("", "events are never changed"),
    "orders_are_written_once": "BEFORE UPDATE ON orders " + _forbid("", "orders are never changed"),
    **{
        f"{table}_are_kept": f"BEFORE DELETE ON {table} " + _forbid("", f"{table} are never deleted")
        for table in ("run", "manifests", "takes", "attempts", "events", "schemas", "sessions", "orders")
    },
}

RULES: Mapping[str, str] = {name: f"CREATE TRIGGER {name} {body}" for name, body in _BODIES.items()}
"""The triggers by name: they must hold even if the program has a bug."""
