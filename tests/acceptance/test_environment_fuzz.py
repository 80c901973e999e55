"""Whatever the environment, the permissions and the limits are: an exit code that says what to do, and never a bug.

The cases are drawn with a fixed seed from every variable that is read, by us or by what we use, and from values that
are empty, odd, too long, or name places of the wrong kind.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.boards import ONE_SHOT, record_many
from tests.acceptance.command import Desk, Outcome, bound_by_modes

# Done, some failed, usage, data, missing, away, cannot create, disk, account, state file.
SENTENCES = {0, 2, 64, 65, 66, 69, 73, 74, 77, 78}
PAID = (
    "run",
    "board.yaml",
    "-y",
    "--outage-limit",
    "1s",
    "--api-base",
    "http://127.0.0.1:1",
    "--run-dir",
    "paid",
)
SIMULATED = (
    *("run", "board.yaml", "--simulate", "--speed", 100, "--poll-interval", 0.1, "--no-download"),
    *("--run-dir", "simulated", "--progress", "bar"),
)
COMMANDS: list[tuple[object, ...]] = [
    PAID,
    SIMULATED,
    ("check", "board.yaml"),
    ("plan", "board.yaml"),
    ("status", "recorded"),
    ("show", "recorded", "t0001"),
    ("report", "recorded"),
    ("models",),
]
PLACES = (
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "RUNCOMFY_CONFIG_DIR",
)
WORDS = (
    *(
        "TMPDIR",
        "COLUMNS",
        "LINES",
        "NO_COLOR",
        "TERM",
        "LANG",
        "LC_ALL",
        "TZ",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ),
    *(
        "TQDM_MININTERVAL",
        "TQDM_NCOLS",
        "TQDM_POSITION",
        "TQDM_DISABLE",
        "TQDM_UNIT_SCALE",
        "TQDM_COLOUR",
        "TQDM_X",
    ),
    *("http_proxy", "ALL_PROXY", "OPENBLAS_NUM_THREADS", "RUNCOMFY_TOKEN", "RUNCOMFY_MODEL_API_BASE"),
)
VALUES = (
    "relative",
    "/nonexistent",
    "/dev/null",
    "/dev/zero",
    "closed",
    "board.yaml",
    "-1",
    "0",
    "x",
    "9" * 30,
)
ODD_VALUES = ("a" * 5000, "new\nline", "\x1b[31m", "ü", "\udcff", "%s{}", "[[", ":::", "C", "xx_YY.UTF-9")


@pytest.fixture
def here(desk: Desk) -> Desk:
    """Return a desk with a board, a recorded run, and a folder that may not even be looked into."""
    (desk.folder / "board.yaml").write_text(ONE_SHOT)
    record_many(desk.folder / "recorded", 2)
    (desk.folder / "closed").mkdir()
    (desk.folder / "closed").chmod(0)
    return bound_by_modes(desk) or desk


def is_said(outcome: Outcome) -> bool:
    bad = ("Traceback", "a bug in Shotrunner", "Exception ignored", "was never awaited")
    return outcome.code in SENTENCES and not any(word in outcome.err for word in bad)


@pytest.mark.parametrize("seed", range(12))
def test_no_environment_is_a_bug_of_ours(here: Desk, seed: int) -> None:
    draw = random.Random(seed)
    values = {name: draw.choice(VALUES + ODD_VALUES) for name in draw.sample(PLACES + WORDS, 6)}
    for name, value in values.items():
        if value in {"closed", "board.yaml"}:
            values[name] = str(here.folder / value)
    words = draw.choice(COMMANDS)
    outcome = here.with_environment(**values).start(*words).end()
    assert is_said(outcome), (words, values, outcome)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(("mode", "which"), [(0o000, "recorded"), (0o400, "recorded/state.db"), (0o000, ".")])
def test_no_permission_is_a_bug_of_ours(here: Desk, words: tuple[object, ...], mode: int, which: str) -> None:
    path = here.folder / which
    before = path.stat().st_mode
    # A current folder that may not be entered ends the shell before it ends us.
    path.chmod(mode | 0o100 if which == "." else mode)
    try:
        outcome = here.start(*words).end()
    finally:
        path.chmod(before & 0o7777)
    assert is_said(outcome), outcome


def brackets(path: Path) -> None:
    path.write_text("[" * 100_000)


def nested_objects(path: Path) -> None:
    path.write_text('{"access_token":' * 50_000)


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**30)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path)


def a_number(path: Path) -> None:
    path.write_text('{"access_token": 5}')


def unreadable(path: Path) -> None:
    path.write_text('{"access_token": "secret"}')
    path.chmod(0)


@pytest.mark.parametrize(
    "put",
    [brackets, nested_objects, sparse, pipe, folder, binary, device, loop, a_number, unreadable],
    ids=lambda put: put.__name__,
)
def test_a_saved_token_that_is_none_is_the_accounts_affair(here: Desk, put: Callable[[Path], None]) -> None:
    (here.folder / "config").mkdir()
    token = here.folder / "config" / "token.json"
    put(token)
    if token.is_file() and put is not unreadable:
        token.chmod(0o600)
    configured = here.with_environment(RUNCOMFY_CONFIG_DIR=str(token.parent))
    outcome = configured.start(*PAID).end(within=30)
    assert outcome.code == 77, outcome
    assert is_said(outcome), outcome
    assert "secret" not in outcome.err


@pytest.mark.parametrize(
    "words", [SIMULATED, PAID, ("check", "board.yaml")], ids=["simulated", "paid", "check"]
)
@pytest.mark.parametrize("limit", ["-n 6", "-n 9", "-n 12", "-n 16", "-v 120000"])
def test_a_machine_that_has_too_little_is_74_or_does_the_work(
    here: Desk, limit: str, words: tuple[object, ...]
) -> None:
    shell = ("/bin/sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *here.program)
    outcome = Desk(here.folder, {**here.environment, "RUNCOMFY_TOKEN": "token"}, shell).start(*words).end()
    assert outcome.code in {0, 69, 74}, outcome
    assert is_said(outcome), outcome


def a_bomb(path: Path) -> None:
    lines = ["a: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"b{each}: &a{each} [{','.join([f'*a{each - 1}'] * 9)}]" for each in range(1, 12)]
    path.write_text("\n".join([*lines, "? *a11", ": x"]))


def latin_1(path: Path) -> None:
    path.write_bytes(b"faults:\n  - {route: submit, fault: \xff}\n")


@pytest.mark.parametrize(
    ("put", "code"),
    [(a_bomb, 65), (latin_1, 65), (brackets, 65), (sparse, 66), (pipe, 66), (device, 66), (folder, 66)],
)
def test_a_fault_script_that_is_none_is_data_or_missing(
    here: Desk, put: Callable[[Path], None], code: int
) -> None:
    put(here.folder / "script.yaml")
    outcome = here.start(*SIMULATED, "--script", "script.yaml").end(within=30)
    assert outcome.code == code, outcome
    assert is_said(outcome), outcome


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_current_folder_that_is_gone_is_said(here: Desk, words: tuple[object, ...]) -> None:
    gone = here.folder.parent / "gone"
    gone.mkdir()
    script = f'cd {gone}; rmdir {gone}; exec "$@"'
    outcome = (
        Desk(here.folder, here.environment, ("/bin/sh", "-c", script, "sh", *here.program))
        .start(*words)
        .end()
    )
    assert outcome.code in {0, 66, 73}, outcome
    assert is_said(outcome), outcome


@pytest.mark.parametrize(
    "words", [("--jobs", "--1"), ("--jobs=--1",), ("--jobs", ""), ("--jobs", "1e9"), ("--jobs", "１")]
)
def test_a_number_that_is_none_is_usage(here: Desk, words: tuple[str, ...]) -> None:
    outcome = here.start("run", "board.yaml", *words).end()
    assert outcome.code == 64, outcome
    assert is_said(outcome), outcome


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv")
def test_another_users_home_is_the_accounts_affair(here: Desk) -> None:
    outcome = here.with_environment(HOME=str(here.folder / "closed")).start(*PAID).end()
    assert outcome.code == 77, outcome
    assert "Permission denied" in outcome.err
