"""A log that lost what was flushed is told from one whose last transaction was cut, or given up on a full disk."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

from runner.store.wal_check import is_damaged

HEADER, FRAME, PAGE = 32, 24, 4096


def log_of_two(folder: Path) -> bytearray:
    """Return a log of a short transaction and a long one behind it, as SQLite writes them."""
    path = folder / "some.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("INSERT INTO t SELECT zeroblob(20000)")
        return bytearray((folder / "some.db-wal").read_bytes())


def starts(log: bytearray) -> list[int]:
    return list(range(HEADER, len(log), FRAME + PAGE))


def commits(log: bytearray, start: int) -> int:
    return int(struct.unpack_from(">I", log, start + 4)[0])


def judged(folder: Path, log: bytearray) -> bool:
    path = folder / "judged-wal"
    path.write_bytes(log)
    return is_damaged(path)


def test_a_whole_log_and_one_cut_anywhere_in_its_last_transaction_are_sound(tmp_path: Path) -> None:
    log = log_of_two(tmp_path)
    first, *rest = starts(log)
    assert commits(log, first)
    assert [commits(log, start) > 0 for start in rest] == [False] * (len(rest) - 1) + [True]
    for end in (len(log), *rest, len(log) - 1):
        assert not judged(tmp_path, log[:end])


def test_a_change_in_what_was_flushed_before_a_whole_transaction_is_damage(tmp_path: Path) -> None:
    log = log_of_two(tmp_path)
    log[starts(log)[0] + FRAME + 100] ^= 1
    assert judged(tmp_path, log)


def test_a_transaction_given_up_on_a_full_disk_and_written_over_by_another_is_no_damage(
    tmp_path: Path,
) -> None:
    """The long one has no end; a shorter one got as far as its frame's head, which says that it is one's end."""
    log = log_of_two(tmp_path)
    _, second, *rest = starts(log)
    struct.pack_into(">I", log, second + 4, 3)
    assert judged(tmp_path, log), "with its end it could be a transaction that was flushed"
    struct.pack_into(">I", log, rest[-1] + 4, 0)
    assert not judged(tmp_path, log)
    assert not judged(tmp_path, log[: rest[-1] + FRAME])
