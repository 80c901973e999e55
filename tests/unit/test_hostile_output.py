"""Whatever names, paths, schemas and texts hold, what a command prints cannot steer a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.system.escapes import escaped

RAW = "\x1b]0;owned\x07\x9b2J\u202e\u200b\u2028\U000e0041\ufeff\u00ad"
NAME = f"b{RAW.replace(chr(0), '')} $(touch ran)"


def spoken(*words: str | bytes, cwd: Path, given: bytes | None = None) -> str:
    """Return all that a command prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "runner", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        check=False,
        input=given,
    )
    assert done.returncode != 70, done.stderr
    return (done.stdout + done.stderr).decode()


def clean(text: str) -> bool:
    return escaped(text, kept="\n") == text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    schema = {
        "title": RAW,
        "type": "object",
        "properties": {
            f"in{RAW}": {"type": "string", "enum": [f"one{RAW}", "two"], "description": RAW, "title": RAW},
            "other": {"type": "string", "default": RAW},
        },
    }
    held = {"model": "a/b", "source": {f"at{RAW}": RAW}, "input": schema, "output": {}}
    (tmp_path / "schemas" / "a").mkdir(parents=True)
    (tmp_path / "schemas" / "a" / "b.json").write_text(json.dumps(held))
    text = f"version: 1\nshots:\n- {{id: s1, model: a/b, inputs: {{promt: {json.dumps(RAW)}}}, tags: [t]}}\n"
    (tmp_path / f"{NAME}.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["models", "a/b", "--schema-dir", "schemas"],
        ["models", "--schema-dir", "schemas"],
        ["models", f"a/{RAW}"],
        ["check", f"{NAME}.yaml"],
        ["plan", f"{NAME}.yaml"],
        ["run", f"{NAME}.yaml", "--simulate"],
        ["status", f"{NAME}.yaml"],
        ["report", f"{NAME}"],
        ["fetch", f"{NAME}"],
        ["init", f"{NAME}/x.yaml"],
        ["init", f"{NAME}-2.yaml"],
        ["verify", f"{NAME}.yaml"],
        ["run", "x.yaml", "--jobs", RAW],
        [f"--{RAW}"],
        ["export", "lock", f"{NAME}.yaml"],
    ],
    ids=lambda words: words[0] if words[0].isascii() else "flag",
)
def test_no_command_prints_what_a_terminal_obeys(words: list[str], folder: Path) -> None:
    said = spoken(*words, cwd=folder)
    assert said
    assert clean(said)
    assert not (folder / "ran").exists()


def test_a_path_that_is_no_utf8_is_shown_by_its_bytes(tmp_path: Path) -> None:
    said = spoken("check", b"b\xff.yaml", cwd=tmp_path)
    assert "b\\xff.yaml" in said


def test_a_manifest_is_read_from_standard_input(tmp_path: Path) -> None:
    board = (
        b"version: 1\nshots:\n- {id: a, model: pika/pikaframes, inputs: {promptText: x, keyFramesFirst: 7}}\n"
    )
    assert "stdin:3:3: shot a, inputs.keyFramesLast: missing" in spoken(
        "check", "-", cwd=tmp_path, given=board
    )
    table = b"id;model\na;pika/pikaframes\n"
    said = spoken("plan", "-", cwd=tmp_path, given=table)
    assert "stdin:1:1 (cell A1): header: the column keyFramesFirst is missing" in said
    assert "import" not in said
    assert "stdin:3" in spoken("export", "lock", "-", cwd=tmp_path, given=board)


@pytest.mark.parametrize("verb", ["run", "retry", "status", "report", "accept"])
def test_what_keeps_the_manifests_path_takes_a_file_alone(verb: str, tmp_path: Path) -> None:
    said = spoken(verb, "-", cwd=tmp_path, given=b"")
    assert "save it to a file" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flag", "board", "told"),
    [
        (
            "--max-takes=20000",
            "shots: [{id: a, model: m, sweep: {seed: 1-12000}}]",
            "10,000 values;",
        ),
        (
            "--max-text-bytes=200000",
            "shots: [{id: a, model: m, notes: " + "x" * 100_001 + "}]",
            "larger than 100,000",
        ),
        (
            "--max-manifest-bytes=20000000",
            "shots: [{id: a, model: m}]\n" + "#" * 17_000_000,
            "larger than 16,777",
        ),
    ],
    ids=["takes", "text", "file"],
)
def test_each_limit_that_has_a_flag_names_it_and_obeys_it(
    flag: str, board: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "b.yaml").write_text(f"version: 1\n{board}\n")
    refused = spoken("check", "b.yaml", cwd=tmp_path)
    assert told in refused
    assert flag.partition("=")[0] in refused
    assert told not in spoken("check", "b.yaml", flag, cwd=tmp_path)
