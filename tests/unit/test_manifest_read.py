"""The reader of files: what it opens, which bytes are text, what names a run, and that nothing makes it raise."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.domain.errors import FileMissing, UsageError
from runner.domain.ids import folder_name, looks_mangled, why_no_id, why_no_take
from runner.manifest.fields import TOP_KEYS
from runner.manifest.reader import manifest_name
from runner.manifest.size_limits import Limits
from tests.effort import at_most
from tests.unit.whole_readings import Reading, parse_manifest, read_manifest

YAML = "version: 1\nname: board\nshots: [{id: é1, model: m}]\n".replace("é1", "s1")
CSV = "id,model,promptText\ns1,m,é\n"


def ids(reading: Reading) -> list[str]:
    return [shot.id for shot in reading.shots]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", YAML), ("a.yml", YAML), ("a.YAML", YAML), ("a.csv", CSV), ("a.CSV", CSV), ("a.tsv", CSV),
        ("board", YAML), ("board", CSV),
        ("a.txt", "sep=;\nid;model;promptText\ns1;m;é\n"), ("a.txt", '"id","model"\ns1,m\n'),
        ("a.txt", "# a comment, id, model\n" + YAML),
    ],
)  # fmt: skip
def test_the_suffix_or_else_the_content_tells_the_form(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    reading = read_manifest(path)
    assert ids(reading) == ["s1"]
    assert reading.manifest.file == str(path)


def test_a_manifest_keeps_its_text_and_hash() -> None:
    data = b"\xef\xbb\xbf" + CSV.encode()
    manifest = parse_manifest(data, file="a.csv", name="a").manifest
    assert manifest.text == CSV
    assert manifest.sha256 == hashlib.sha256(data).hexdigest()


def test_the_name_is_the_manifests_own_or_else_the_files() -> None:
    assert parse_manifest(YAML.encode(), file="a.yaml", name="a").manifest.name == "board"
    assert parse_manifest(CSV.encode(), file="a.csv", name="my board (2)").manifest.name == "my-board-2"


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="cannot be opened: no such file"):
        read_manifest(tmp_path / "no.yaml")


def test_a_path_that_cannot_be_is_missing() -> None:
    with pytest.raises(FileMissing, match="not a usable path"):
        read_manifest(Path("a\0b.yaml"))


@at_most(200)
@pytest.mark.parametrize("kind", ["directory", "fifo", "device"])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(FileMissing, match="not a regular file"):
        read_manifest(Path(os.devnull) if kind == "device" else path)


def test_standard_input_is_not_read_yet() -> None:
    with pytest.raises(UsageError, match="standard input"):
        read_manifest(Path("-"))


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + CSV.encode(),
        b"\xff\xfe" + CSV.encode("utf-16-le"),
        b"\xfe\xff" + CSV.encode("utf-16-be"),
        CSV.encode(),
    ],
    ids=["utf-8-bom", "utf-16-le", "utf-16-be", "utf-8"],
)
def test_marked_encodings_are_understood(data: bytes) -> None:
    reading = parse_manifest(data, file="a.csv", name="a")
    assert not reading.problems
    assert reading.shots[0].cells["promptText"] == "é"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            "id,model,promptText\ns1,m,привет\n".encode("cp1251"),
            "a.csv:2: byte 25 is not UTF-8 but perhaps the encoding of a Mac, or of Windows outside Western",
        ),
        (b"\xff\xfea\x00b", "a.csv:1: byte 4 is not UTF-16"),
        (CSV.encode("utf-16-le"), "a.csv: looks like UTF-16 without a byte-order mark"),
        (b"id,model,p\r\na,m,x\x07\r\n", "a.csv:2:6: the control character U+0007 is not allowed; remove it"),
        ("id,model,p\na,m,x\x85\n".encode(), "a.csv:2:6: the control character U+0085 is not allowed"),
    ],
    ids=["cp1251", "utf-16-cut", "utf-16-unmarked", "bell", "next-line"],
)
def test_bytes_that_are_no_text_are_told_with_their_place(data: bytes, expected: str) -> None:
    problems = [str(p) for p in parse_manifest(data, file="a.csv", name="a").problems]
    assert problems[0].startswith(expected), problems


def test_a_control_character_does_not_hide_other_problems() -> None:
    data = b"version: 2\nshots: []\nx: \x1b\n"
    problems = [str(p) for p in parse_manifest(data, file="a.yaml", name="a").problems]
    assert [p.split(" ", 1)[1] for p in problems] == [
        "version: '2' is not known (allowed: 1)",
        "shots: no shots",
        f"unknown field 'x' (allowed: {', '.join(TOP_KEYS)})",
        "the control character U+001B is not allowed; remove it",
    ]


def test_a_file_past_the_limit_is_not_parsed() -> None:
    (problem,) = parse_manifest(
        b"x" * 3_000_000, file="a.yaml", name="a", limits=Limits(file_bytes=2**21)
    ).problems
    assert (
        str(problem)
        == "a.yaml: larger than 2,097,152 bytes; split the manifest, or raise --max-manifest-bytes"
    )


def test_a_file_with_nothing_right_in_it_is_given_up() -> None:
    problems = parse_manifest(b"id,model\n" + b",\n?,m\n" * 20_000, file="a.csv", name="a").problems
    assert len(problems) == 10_001
    assert str(problems[-1]).endswith("reading stopped here after 10,000 problems")


def test_rows_past_the_limit_are_not_read() -> None:
    reading = parse_manifest(b"id,model\na,m\nb,m\nc,m\n", file="a.csv", name="a", limits=Limits(takes=2))
    told = ["a.csv:4: more than 2 rows; split the manifest, or raise --max-takes"]
    assert [str(p) for p in reading.problems] == told


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "..", "../../x", "/x", "a/b", "a\\b", "C:x", "\\\\h\\s", "CON", "nul.mp4", "Com1", "LPT9.x",
        "COM¹",
        "a.", "a ",
        "a:b", "a*b", "a?b", 'a"b', "a<b", "a|b", "é" * 128, "a" * 81,
        "-rf", "~", "$HOME", "%TEMP%", "a\u202eb", "a\u200bb", "a\n", "_a",
    ],
)  # fmt: skip
def test_what_cannot_name_a_file_everywhere_is_no_id(text: str) -> None:
    assert why_no_id(text)


@pytest.mark.parametrize("text", ["s010", "010", "A", "a" * 80, "shot_1.b-2", "console", "com10", "nulls.x"])
def test_plain_names_are_ids(text: str) -> None:
    assert why_no_id(text) is None
    assert why_no_take(text, shot=text) is None
    assert why_no_take(f"{text}@seed=7,size=720p", shot=text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scène 1", "is not an id because of è (U+00E8, latin small letter e with grave): letters a to z"),
        ("s1\u200b", "is not an id because of U+200B (zero width space)"),
        ("s\u00a01", "is not an id because of U+00A0 (no-break space)"),
        ("ｓ１", "(U+FF53, fullwidth latin small letter s)"),
    ],
)
def test_a_character_that_no_id_has_is_named(text: str, words: str) -> None:
    assert words in str(why_no_id(text))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("scène 1", "scene-1"),
        ("ｓ１\u200b", "s1"),
        ("a/b", "a-b"),
        ("1–2", "1-2"),
        ("e\u0301", "e"),
        ("#1", "1"),
        ("n° 1", "n-1"),
    ],
)
def test_an_id_is_proposed_where_nothing_is_lost(text: str, meant: str) -> None:
    assert str(why_no_id(text)).endswith(f"; write {meant}")


@pytest.mark.parametrize("text", ["сцена", "straße", "1.23E+09", "#REF!", "_a", "CO\u0301N", "1½", "#N/A"])
def test_no_id_is_proposed_where_something_would_be_lost(text: str) -> None:
    assert "; write" not in str(why_no_id(text))


@pytest.mark.parametrize("text", ["1E5", "1.23E+12", "12-Mar", "1-Jan-24", "####"])
def test_ids_a_spreadsheet_mangled_are_recognised(text: str) -> None:
    assert looks_mangled(text)
    assert not looks_mangled(f"s{text}")


@given(st.text(max_size=100))
@example("con")
@example("nul." + "x" * 90)
@settings(max_examples=200)
def test_a_folder_name_follows_the_id_rule_and_stays(stem: str) -> None:
    name = folder_name(stem)
    assert why_no_id(name) is None
    assert folder_name(name) == name


SEEDS_OF_TROUBLE = [
    "version: 1\n", "shots:\n", "  - id: a\n", "    model: m\n", "    sweep: {seed: [1, 2]}\n",
    "    inputs: {p: '{{ x }}'}\n", "vars: {x: y}\n",
    "defaults:\n", "id,model,seeds,take\n", "a,m,1-3,\n", 'b,"m\n', "&a ", "*a ",
    "<<: ", "[", "{", "{{", "}}", "? ", "- ", ": ", "!x ", "|\n",
    '"', "'", "\t", "\r", "\0", "\ufeff", "\u2028", "#", "---\n",
    "...\n", "%YAML 1.1\n", ",", ";", "sep=;\n", "'=", "@", "é", "\U0001f600",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(SEEDS_OF_TROUBLE), max_size=25).map("".join),
    st.sampled_from(["m.yaml", "m.csv", "m"]),
)
def test_no_text_makes_the_reader_raise(text: str, file: str) -> None:
    reading = parse_manifest(text.encode(), file=file, name="m")
    assert reading.problems or reading.shots
    assert all(problem.at.file == file and problem.message for problem in reading.problems)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["m.yaml", "m.csv", "m"]))
def test_no_bytes_make_the_reader_raise(data: bytes, file: str) -> None:
    reading = parse_manifest(data, file=file, name="m")
    assert reading.problems or reading.shots
    assert reading.manifest.sha256 == hashlib.sha256(data).hexdigest()


def test_importing_the_reader_stays_light() -> None:
    code = "import sys, runner.manifest.reader; print([*{'yaml', 'csv', 'jsonschema', 'pandas'} & set(sys.modules)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("board.csv", "id,model\ns010,acme/dream\n"),
        ("my board.csv", "no header that is known\n"),
        ("board.yaml", "version: 1\nname: teaser\nshots: []\n"),
        ("board.yaml", "version: 1\nshots: []\n"),
        ("board.yaml", "version: 1\nname: [not, a, name]\n"),
        ("board.yaml", "{ not yaml"),
        ("board", "id,model\ns010,acme/dream\n"),
        ("con.csv", "id,model\n"),
    ],
)
def test_a_manifests_name_is_the_one_that_reading_it_whole_gives(
    file: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / file
    path.write_text(text)
    assert manifest_name(path) == read_manifest(path).manifest.name
