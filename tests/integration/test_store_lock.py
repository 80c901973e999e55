"""The run lock: one holder, a message that names it, and nothing stale after a kill."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runner.domain.errors import CannotCreate, DiskFailed, RunInUse
from runner.store.lock import LOCK, OWNER, RunLock, is_held, owner_of, read_owner

HOLDER = """
import sys
from pathlib import Path
from runner.store.lock import RunLock
with RunLock(Path(sys.argv[1]), command="shotrunner run board.yaml"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_told_who_has_the_run(tmp_path: Path) -> None:
    with RunLock(tmp_path, command="shotrunner run", now=lambda: 0.0):
        with pytest.raises(RunInUse, match=f"process {os.getpid()} on .*: shotrunner run"):
            RunLock(tmp_path).__enter__()
        assert json.loads((tmp_path / OWNER).read_text())["since"] == 0.0
    with RunLock(tmp_path):
        assert (tmp_path / OWNER).exists()
    assert not (tmp_path / OWNER).exists()


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunInUse, match=rf"process {holder.pid} on .*shotrunner run board\.yaml"):
            RunLock(tmp_path).__enter__()
        holder.kill()
    assert (tmp_path / OWNER).exists()
    assert is_held(tmp_path) is False
    with RunLock(tmp_path, command="next"):
        assert "next" in owner_of(tmp_path)


def test_a_look_at_the_lock_makes_nothing_and_finds_its_owner(tmp_path: Path) -> None:
    assert is_held(tmp_path) is False
    assert not list(tmp_path.iterdir())
    with RunLock(tmp_path, command="shotrunner run", now=lambda: 5.0):
        assert is_held(tmp_path) is True
        owner = read_owner(tmp_path)
    assert owner is not None
    assert (owner.pid, owner.since, owner.command) == (os.getpid(), 5.0, "shotrunner run")
    assert is_held(tmp_path) is False


def test_a_lock_that_cannot_be_opened_is_unknown(tmp_path: Path) -> None:
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    assert is_held(tmp_path) is None


def test_a_look_ends_no_run_that_begins_at_that_moment(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        pass
    look = os.open(tmp_path / LOCK, os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH)
    threading.Timer(0.02, os.close, [look]).start()
    with RunLock(tmp_path, patience=60):
        assert is_held(tmp_path) is True


def test_another_thread_may_let_go(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    lock.__enter__()
    thread = threading.Thread(target=lock.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    with RunLock(tmp_path):
        assert str(os.getpid()) in owner_of(tmp_path)


def test_a_note_of_the_owner_that_cannot_be_removed_changes_no_ending(tmp_path: Path) -> None:
    """Neither a good one nor an error on its way; and the next holder writes its own."""

    def spoil() -> None:
        (tmp_path / OWNER).unlink()
        (tmp_path / OWNER).mkdir()

    with RunLock(tmp_path):
        spoil()
    (tmp_path / OWNER).rmdir()
    lock = RunLock(tmp_path).__enter__()
    spoil()
    assert lock.__exit__(DiskFailed, DiskFailed("the first failure"), None) is None  # type: ignore[func-returns-value]
    (tmp_path / OWNER).rmdir()
    (tmp_path / OWNER).write_text('{"pid": 1, "host": "h", "since": 0, "command": "long gone"}')
    with RunLock(tmp_path, command="next"):
        assert owner_of(tmp_path).endswith(": next")


@pytest.mark.parametrize("spare", [0, 1], ids=["the lock", "the note of its owner"])
def test_a_lock_that_fails_for_want_of_descriptors_is_no_matter_of_the_folder(
    tmp_path: Path, spare: int
) -> None:
    RunLock(tmp_path).__enter__().__exit__(None, None, None)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    lock, free = RunLock(tmp_path), os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + spare, limit[1]))
    try:
        with pytest.raises(DiskFailed) as caught:
            lock.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    assert "Too many open files" in caught.value.message
    with RunLock(tmp_path):
        assert (tmp_path / OWNER).is_file()


def test_the_folder_is_made_and_one_that_cannot_be_is_said(tmp_path: Path) -> None:
    with RunLock(tmp_path / "reports" / "board"):
        assert (tmp_path / "reports" / "board" / ".lock").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreate, match="file"):
        RunLock(tmp_path / "file").__enter__()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"pid": "x"}', '{"pid": 1, "host": "h", "since": 1e99, "command": ""}', "\x00"]
)
def test_owner_facts_that_make_no_sense_are_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / OWNER).write_text(text)
    assert owner_of(tmp_path) == "another process"
    assert read_owner(tmp_path) is None


def test_owner_facts_cannot_play_tricks_on_a_terminal(tmp_path: Path) -> None:
    facts = {"pid": 1, "host": "h", "since": 0, "command": "\x1b[31mred\u202e" + "x" * 1000}
    (tmp_path / OWNER).write_text(json.dumps(facts))
    assert owner_of(tmp_path).isprintable()
    assert len(owner_of(tmp_path)) <= 300
