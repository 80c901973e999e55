"""A run's folder belongs to its owner: modes whatever the umask, and files of other people that stay as they are."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.acceptance.boards import write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

NOT_LEDGERS = {
    "a note without an end": b"remember the milk",
    "two lines": b"remember the milk\nand the bread",
    "a whole line": b"remember the milk\n",
    "JSON": b'{"kind": "shopping"}\n{"milk": 2',
    "a number": b"5\n",
    "nested": b"[" * 5000 + b"\n",
    "a charge of nothing": b'{"kind":"charge"}\n',
    "noise": bytes(range(256)),
}


def under(desk: Desk, umask: str) -> Desk:
    script = f'umask {umask}; exec "$@"'
    return Desk(desk.folder, desk.environment, ("/bin/sh", "-c", script, "sh", *desk.program))


def loose(folder: Path) -> dict[str, str]:
    """Return everything that others may touch, or whose owner may not, with its mode."""
    wanted = {path: 0o700 if path.is_dir() else 0o600 for path in (folder, *folder.rglob("*"))}
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in wanted}
    return {str(path): oct(modes[path]) for path in wanted if modes[path] != wanted[path]}


@pytest.mark.parametrize("umask", ["000", "022", "077", "777"])
def test_all_that_a_run_makes_is_private_whatever_the_umask(desk: Desk, umask: str) -> None:
    board = write_csv(desk.folder / "board.csv", 2)
    home = desk.folder.parent / "home"
    with OutsideServer(Settings(service=0.05)) as server:
        here = under(pointed_at(server, desk), umask)
        here.run("run", board, "-y", "--poll-interval", 0.1, "--run-dir", "new/deep/run")
    assert len(list((desk.folder / "new/deep/run/clips").iterdir())) == 4
    assert loose(desk.folder / "new") == {}
    for place in home.iterdir():
        assert loose(place) == {}


@pytest.mark.parametrize("umask", ["000", "777"])
def test_a_simulated_run_is_private_too(desk: Desk, umask: str) -> None:
    board = write_csv(desk.folder / "board.csv", 2)
    under(desk, umask).run("run", board, "--simulate", "--speed", 50, "--poll-interval", 0.1)
    assert list((desk.folder / "reports").rglob("ledger.jsonl"))
    assert loose(desk.folder / "reports") == {}


def test_what_was_there_keeps_its_mode(desk: Desk) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    place = desk.folder / "run"
    for folder in (place, place / "clips"):
        folder.mkdir()
        folder.chmod(0o755)
    with OutsideServer(Settings(service=0.05)) as server:
        pointed_at(server, desk).run("run", board, "-y", "--poll-interval", 0.1, "--run-dir", "run")
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (place, place / "clips")} == {0o755}


@pytest.mark.parametrize("name", NOT_LEDGERS)
def test_a_file_that_is_no_ledger_is_left_as_it_is(desk: Desk, name: str) -> None:
    notes = desk.folder / "notes.txt"
    notes.write_bytes(NOT_LEDGERS[name])
    outcome = desk.run("simulate", "--ledger", notes, code=64, within=30)
    assert "not a line of a simulator's ledger" in outcome.err
    assert notes.read_bytes() == NOT_LEDGERS[name]


@pytest.mark.parametrize("rest", [b"", b"{", b'{"kind":"charge","request_id":"a', b'{"kind":"cancel"'])
def test_a_ledger_whose_last_line_was_cut_goes_on(desk: Desk, rest: bytes) -> None:
    ledger = desk.folder / "ledger.jsonl"
    board = write_csv(desk.folder / "board.csv", 1)
    desk.run("run", board, "--simulate", "--speed", 50, "--poll-interval", 0.1, "--run-dir", "run")
    whole = (desk.folder / "run" / "simulator" / "ledger.jsonl").read_bytes()
    ledger.write_bytes(whole + rest)
    served = desk.start("simulate", "--ledger", ledger)
    served.wait_until(lambda process: "# simulating" in process.out)
    served.popen.terminate()
    assert served.end().code == 0
    assert ledger.read_bytes() == whole
    assert json.loads(whole.splitlines()[0])["kind"] == "charge"


@pytest.mark.parametrize("link", [False, True], ids=["a file", "a dangling link"])
def test_what_a_command_writes_is_never_written_over_what_is_there(desk: Desk, link: bool) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    theirs = desk.folder / "theirs.yaml"
    if link:
        theirs.symlink_to("nowhere.yaml")
    else:
        theirs.write_text("theirs")
    for words in (("init", theirs), ("export", "lock", board, "-o", theirs)):
        assert "is there already" in desk.run(*words, code=73).err
    assert theirs.is_symlink() if link else theirs.read_text() == "theirs"
    assert not (desk.folder / "nowhere.yaml").exists()
