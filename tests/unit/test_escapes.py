"""The one door to a terminal, and commands that mean the words they were made of."""

from __future__ import annotations

import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.system.escapes import command_line, escaped, visible, visible_lines

HIDDEN = [
    *map(
        chr,
        (0x00, 0x07, 0x1B, 0x7F, 0x9B, 0xAD, 0x34F, 0x61C, 0x115F, 0x180E, 0x200B, 0x200C, 0x200D, 0x200E),
    ),
    *map(
        chr, (0x2028, 0x2029, 0x202E, 0x2060, 0x2066, 0x2800, 0x3164, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF9)
    ),
    *map(chr, (0xD800, 0xDFFF, 0xFFFE, 0x1D173, 0xE0001, 0xE0041, 0xE0100)),
]
READABLE = [
    "plain – “ünï” ✓ 🎬 …",
    "👩\u200d👧 ❤\ufe0f\u200d🔥 ©\ufe0f 1\ufe0f\u20e3 🏳\ufe0f\u200d🌈",
    "می\u200cخواهم",
    "क्\u200dष",
    "日本語のプロンプト",
    "สวัสดี น้ำ",
    "שָׁלוֹם",
    "Việt Nam, e\u0301",
]


@pytest.mark.parametrize("char", HIDDEN, ids=lambda char: f"U+{ord(char):04X}")
@pytest.mark.parametrize("around", ["{}", "a{}b", "影{}片", "1{}2"])
def test_what_has_no_picture_is_escaped_wherever_it_stands(char: str, around: str) -> None:
    shown = visible(around.format(char))
    assert char not in shown
    assert "\\" in shown


@pytest.mark.parametrize("text", READABLE)
def test_text_that_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_a_byte_of_a_path_that_is_no_utf8_is_shown_as_that_byte() -> None:
    assert visible("clip\udcff.mp4") == "clip\\xff.mp4"


def test_marks_do_not_pile_up_on_a_letter() -> None:
    shown = visible("a" + "\u0301" * 400)
    assert shown.count("\u0301") == 6
    assert shown.endswith("\\u0301")


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_what_is_shown_is_one_line_of_utf8_without_controls(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert shown.encode().decode() == shown
    assert visible(shown, 10_000) == shown


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_of_lines_only_their_ends_are_kept(text: str) -> None:
    assert set(visible_lines(text)) <= set(visible(text)) | {"\n"}
    assert escaped(text, kept="\n").count("\n") == text.count("\n")


WORDS = [
    "$(touch x)",
    "`touch x`",
    "a b",
    "it's",
    '"',
    "a\nb",
    "-rf",
    "--yes",
    "~",
    "~root/x",
    "$HOME",
    "*",
    "a;b",
    "a&b",
    "",
    "#x",
    "\\",
    "!1",
    "Café",
    "a\x1b[31mb",
    "'\x07'",
    "'\x07$(touch x)'",
    "\x07\\",
    "a\tb\r",
    "\u202egnp",
    "zero\u200bwidth",
    "bad\udcffbyte",
    "\x9b7\x30",
]
ECHO = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_a_shell_takes_a_command_apart_into_its_words(shell: str, word: str, tmp_path: Path) -> None:
    command = command_line("show", Path("runs") / (word or "x"), word)
    assert command == visible(command, 10_000)
    if shell == "sh" and " $'" in command:
        # A shell older than POSIX.1-2024 takes `$'…'` for another word, and still runs nothing.
        script = command.replace("shotrunner", "true", 1)
        assert subprocess.run(["sh", "-c", script], check=False, cwd=tmp_path).returncode == 0
        assert not list(tmp_path.iterdir())
        return
    script = command.replace("shotrunner", shlex.join([sys.executable, "-c", ECHO]), 1)
    done = subprocess.run([shell, "-c", script], capture_output=True, check=True, cwd=tmp_path)
    assert done.stdout.split(b"\0") == [
        part.encode("utf-8", "surrogateescape") for part in ("show", f"runs/{word or 'x'}", word)
    ]
    assert not list(tmp_path.iterdir())


def test_a_path_that_begins_with_a_dash_is_no_flag() -> None:
    assert command_line("check", Path("-n.yaml")) == "shotrunner check ./-n.yaml"
    assert command_line("run", "b.yaml", "-n") == "shotrunner run b.yaml -n"
