"""Programs of the user and of the desktop: what they get, what is kept of what they write, how they are stopped."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.notify.channels import Desktop, Program
from runner.notify.notice import Notice, NoticeKind
from runner.notify.ports import NotSent
from runner.notify.program import Finished, run_program

PATIENCE = 60.0


def ran(
    *words: str, given: str = "", limit_s: float = PATIENCE, stop: threading.Event | None = None
) -> Finished:
    return run_program(words, given=given, environ=os.environ, limit_s=limit_s, stop=stop)


def python(*lines: str) -> Sequence[str]:
    return sys.executable, "-c", "\n".join(lines)


def test_a_program_gets_its_words_and_its_text_as_they_are() -> None:
    program = python("import sys", "print(sys.argv[1:], sys.stdin.read(), file=sys.stderr)", "sys.exit(3)")
    ended = ran(*program, "$HOME", "a b", given="text")
    assert ended == Finished(3, "exited with 3", b"['$HOME', 'a b'] text\n")


def test_a_program_that_reads_nothing_and_writes_much_keeps_no_one_waiting() -> None:
    """A megabyte fits into no pipe; of what is written the end is kept."""
    ended = ran(*python("print('x' * 1_000_000)", "print('the end')"), given="x" * 1_000_000)
    assert ended.exit_code == 0
    assert ended.output.endswith(b"the end\n")
    assert len(ended.output) < 100_000


def test_a_program_past_its_limit_or_stopped_is_ended_with_all_that_it_started() -> None:
    asked = threading.Event()
    asked.set()
    for ended in (
        ran("sh", "-c", "sleep 60; true", limit_s=0.0),
        ran("sh", "-c", "sleep 60; true", stop=asked),
    ):
        assert ended.exit_code is None
    assert (ended.trouble, ended.is_cut) == ("was stopped", True)


def test_a_program_that_does_not_start_is_a_trouble_and_no_error() -> None:
    assert ran("/no/such/program").trouble == "cannot be started: No such file or directory"


# channels

NOTICE = Notice(event=NoticeKind.COST, at=0.0, run="it's", run_dir=Path("board"), text="-x <b> ');boom")


def test_a_channel_that_is_a_program_gets_the_notice_and_reports_a_failure(tmp_path: Path) -> None:
    into = tmp_path / "got.json"
    Program(("tee", str(into)), os.environ).send(NOTICE)
    assert json.loads(into.read_text()) == json.loads(NOTICE.to_json())
    with pytest.raises(NotSent, match=r"^exited with 1$"):
        Program(("false",), os.environ).send(NOTICE)


@pytest.mark.parametrize("name", ["notify-send", "osascript", "powershell.exe"])
def test_no_text_becomes_a_flag_or_a_part_of_a_script_on_the_desktop(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/got.txt\n')
    program.chmod(0o755)
    desktop = Desktop({"PATH": str(tmp_path)})
    desktop.send(NOTICE)
    got = (tmp_path / "got.txt").read_text().splitlines()
    if name == "powershell.exe":
        script = base64.b64decode(got[-1]).decode("utf-16-le")
        assert "boom" not in script
        assert base64.b64encode(NOTICE.text.encode()).decode() in script
    else:
        shown = "-x &lt;b&gt; ');boom" if name == "notify-send" else NOTICE.text
        assert got[-2:] == ["Shotrunner: it's", shown]
        assert name == "osascript" or got[-3] == "--"
