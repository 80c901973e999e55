"""Named frames, styles and prompt files: what rows refer to is put in place, and what cannot be is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.domain.errors import FileMissing
from runner.domain.shots import Text
from runner.manifest.prompt_files import OpenBeside
from runner.manifest.reader import opener_beside
from runner.manifest.size_limits import Limits
from tests.effort import at_most
from tests.unit.whole_readings import Reading, parse_manifest, read_manifest

FRAMES = "frames: {door: https://e.com/door, hall: 'https://e.com/{{ id }}'}\n"
STYLES = """\
styles: {noir: {text: black, inputs: {n: 1, r: 2}}, wide: {text: wide, inputs: {r: 3}}, plain: {inputs: {n: 4}}}
"""


def read(text: str, *, files: dict[str, bytes] | None = None, limits: Limits | None = None) -> Reading:
    return parse_manifest(
        f"version: 1\n{text}".encode(),
        file="m.yaml",
        name="m",
        limits=limits or Limits(),
        open_beside=shelf(files or {}),
    )


def shelf(files: dict[str, bytes]) -> OpenBeside:
    """Return an opener of files that are not on a disk."""

    def open_beside(name: str, most: int) -> bytes:
        if name not in files:
            raise FileMissing("cannot be opened: no such file or directory")
        return files[name][:most]

    return open_beside


def shot(fields: str) -> str:
    return f"shots: [{{id: s1, model: m, {fields}}}]\n"


def inputs(reading: Reading, number: int = 0) -> dict[str, str]:
    assert not reading.problems, [str(problem) for problem in reading.problems]
    variant = reading.shots[number].variants[0]
    return {name: node.text for name, node in variant.inputs.items() if isinstance(node, Text)}


def told(reading: Reading) -> list[str]:
    return [str(problem) for problem in reading.problems]


# frames


def test_a_frame_is_named_with_an_at_sign_or_as_a_mapping_and_templates_in_it_work() -> None:
    found = inputs(read(FRAMES + shot("inputs: {a: '@door', b: {frame: hall}, c: '@@door', d: me@door}")))
    assert found == {"a": "https://e.com/door", "b": "https://e.com/s1", "c": "@door", "d": "me@door"}


def test_frames_are_found_in_lists_sweeps_and_defaults() -> None:
    text = (
        FRAMES
        + "defaults: {inputs: {a: '@door'}}\n"
        + shot("inputs: {b: {c: ['@door']}}, sweep: {k: ['@door', x]}")
    )
    reading = read(text)
    assert not reading.problems
    one, other = reading.shots[0].variants
    assert "https://e.com/door" in str(one.inputs["b"])
    assert "https://e.com/door" in str(one.inputs["a"])
    assert [str(getattr(v.point["k"], "text", "")) for v in (one, other)] == ["https://e.com/door", "x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            FRAMES + shot("inputs: {a: '@dor'}"),
            "shot s1, inputs.a: 'dor' is not a frame of this manifest; did you mean door?",
        ),
        (
            FRAMES + shot("inputs: {a: {frame: zzz}}"),
            "'zzz' is not a frame of this manifest (allowed: door, hall)",
        ),
        (FRAMES + shot("inputs: {a: {frame: [x]}}"), "frame must be the name of a frame"),
        (
            shot("inputs: {a: '@dor'}"),
            "which gives none under frames: (a text that begins with @ is written @@)",
        ),
        ("frames: {a b: x}\n" + shot(""), "m.yaml:2:10: frames, a b: 'a b' is not a name"),
        ("frames: {a: '@b'}\n" + shot(""), "frames, a: a frame cannot be made of another"),
        ("frames: {a: [x]}\n" + shot(""), "frames, a: must be one value, not a list"),
    ],
)
def test_a_wrong_frame_is_told(text: str, expected: str) -> None:
    problems = told(read(text))
    assert [problem for problem in problems if expected in problem], problems


def test_a_csv_and_a_row_of_one_take_are_read_as_they_stand() -> None:
    """They are what reports and locks are made of, and what was sent must not be read a second time."""
    table = parse_manifest(b"id,model,p,style\ns1,m,@@door,noir\n", file="m.csv", name="m")
    assert inputs(table) == {"p": "@@door", "style": "noir"}
    assert inputs(read(FRAMES + shot("take: s1, inputs: {p: '@door'}"))) == {"p": "@door"}


# styles


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("style: noir, inputs: {p: '{{ style }}'}", {"d": "0", "n": "1", "r": "2", "p": "black"}),
        ("style: noir, inputs: {n: own}", {"d": "0", "n": "own", "r": "2"}),
        (
            "style: [noir, wide], inputs: {p: '{{ style }}'}",
            {"d": "0", "n": "1", "r": "3", "p": "black, wide"},
        ),
        ("style: noir; wide", {"d": "0", "n": "1", "r": "3"}),
        ("notes: x", {"d": "0", "n": "4", "r": "0"}),
        ("style: []", {"d": "0", "n": "0", "r": "0"}),
        ("style: noir, sweep: {n: [7]}", {"d": "0", "n": "7", "r": "2"}),
    ],
    ids=str,
)
def test_a_style_lies_between_the_defaults_and_the_shot(fields: str, expected: dict[str, str]) -> None:
    """A shot's own style replaces the default one, which here is `plain`; a sweep wins over a style."""
    defaults = "defaults: {style: plain, inputs: {d: 0, n: 0, r: 0}}\n"
    assert inputs(read(STYLES + defaults + shot(fields))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            STYLES + shot("style: nior"),
            "shot s1, style: 'nior' is not a style of this manifest; did you mean noir?",
        ),
        (shot("style: noir"), "'noir' is not a style of this manifest, which gives none under styles:"),
        (STYLES + shot("style: {a: b}"), "shot s1, style: must be the name of a style, or a list of names"),
        (STYLES + shot("style: [[noir]]"), "shot s1, style: must be the name of a style, or a list of names"),
        (
            STYLES + shot("style: plain, inputs: {p: '{{ style }}'}"),
            "{{ style }} is not defined for this shot",
        ),
        ("styles: {a: {negativePrompt: x}}\n" + shot(""), "styles, a: unknown field 'negativePrompt'"),
        (
            "styles: {a: {text: '{{ b }}'}}\n" + shot(""),
            "styles, a, text: a style's text cannot hold templates",
        ),
        ("styles: {a/b: {}}\n" + shot(""), "styles, a/b: 'a/b' is not a name"),
        (
            "vars: {style: x}\n" + STYLES + shot(""),
            "m.yaml:2:15: vars, style: {{ style }} already means the text of a style",
        ),
    ],
)
def test_a_wrong_style_is_told(text: str, expected: str) -> None:
    problems = told(read(text))
    assert [problem for problem in problems if expected in problem], problems


# prompt files


def test_the_text_of_a_file_stands_for_itself_and_its_templates_work() -> None:
    """Line ends are newlines and the last ones are dropped, wherever the file was checked out."""
    files = {"p/1.txt": "\ufeffA {{ look }} boat.\r\nIt sinks, 100 %: no #comment.\r\n\n".encode()}
    text = "vars: {look: small}\n" + shot("inputs: {p: {file: p/1.txt}}")
    assert inputs(read(text, files=files)) == {"p": "A small boat.\nIt sinks, 100 %: no #comment."}


def test_a_file_is_always_text_and_points_at_its_reference() -> None:
    node = read(shot("inputs: {p: {file: n.txt}}"), files={"n.txt": b"7\n"}).shots[0].variants[0].inputs["p"]
    assert isinstance(node, Text)
    assert (node.text, node.quoted, str(node.at)) == ("7", True, "m.yaml:2:47")


@pytest.mark.parametrize(
    ("data", "text", "warning"),
    [
        ("Café “x”".encode("cp1252"), "Café “x”", "was read as Windows-1252, with the characters é “ ”"),
        ("Café".encode("utf-16"), "Café", ""),
        (b'{"prompt": "x"}', '{"prompt": "x"}', "looks like JSON"),
        (b"prompt: x\n", "prompt: x", "looks like YAML"),
        (b"---\ntitle: x\n---\nA cat", "---\ntitle: x\n---\nA cat", "looks like Markdown with front matter"),
        (b"--- slow ---", "--- slow ---", ""),
    ],
    ids=["cp1252", "utf-16", "json", "yaml", "front matter", "dashes"],
)
def test_a_file_of_another_form_is_read_with_a_warning_once(data: bytes, text: str, warning: str) -> None:
    reading = read(shot("inputs: {p: {file: a.md}, q: {file: a.md}}"), files={"a.md": data})
    node = reading.shots[0].variants[0].inputs["p"]
    assert isinstance(node, Text)
    assert node.text == text
    assert len(reading.problems) == bool(warning)
    assert all(warning in problem for problem in told(reading))


NAMES = {
    "/etc/passwd": "is not named from the manifest's folder",
    "~/a.txt": "is not named from the manifest's folder",
    "C:/a.txt": "is not named from the manifest's folder",
    "p\\a.txt": "write '/' between folders",
    "../a.txt": "'..' is not allowed",
    "p/../../a.txt": "'..' is not allowed",
    " ": "has no usable name",
    "no.txt": "the file 'no.txt' cannot be opened: no such file or directory",
    "latin.txt": "the file 'latin.txt' is not UTF-8 at byte 1; save it as UTF-8",
    "big.txt": "the file 'big.txt' is larger than 100 bytes",
    "empty.txt": "the file 'empty.txt' is empty",
    "bell.txt": "has the control character U+0007 at line 2, column 3",
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items(), ids=NAMES)
def test_a_file_that_cannot_be_used_is_told_with_its_name_and_the_place_of_the_reference(
    name: str, expected: str
) -> None:
    files = {"latin.txt": b"a\x81", "big.txt": b"x" * 101, "empty.txt": b"\n \n", "bell.txt": b"a\nbc\x07"}
    (problem,) = told(
        read(shot(f"inputs: {{p: {{file: '{name}'}}}}"), files=files, limits=Limits(text_bytes=100))
    )
    assert problem.startswith("m.yaml:2:47: shot s1, inputs.p: the file ")
    assert expected in problem


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (rb"{\rtf1\ansi A hand}", "RTF"),
        (b"PK\x03\x04" + bytes(200), "a packed document, such as .docx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as .doc"),
        (b"%PDF-1.7", "a PDF"),
        (b"\xef\xbb\xbf<!DOCTYPE html><p>A hand", "HTML"),
        (b"\n <html lang=en>", "HTML"),
        (b"<meta charset='utf-8'><p>A hand", "HTML"),
        (b'<?xml version="1.0"?><?mso-application progid="Word.Document"?>', "XML"),
        (b"[InternetShortcut]\r\nURL=https://e.com", "a link to a page"),
    ],
    ids=["rtf", "docx", "doc", "pdf", "doctype", "html", "meta", "xml", "link"],
)
def test_a_document_of_another_program_is_named_and_not_sent(data: bytes, form: str) -> None:
    (problem,) = told(
        read(shot("inputs: {p: {file: a.txt}}"), files={"a.txt": data}, limits=Limits(text_bytes=100))
    )
    assert f"the file 'a.txt' is {form}" in problem
    (problem,) = told(parse_manifest(data, file="m.yaml", name="m"))
    assert problem.startswith(f"m.yaml: this is {form}")


def test_a_reference_to_nothing_is_one_problem() -> None:
    """What holds its place must not look like a second mistake to a model, such as a local or an empty file."""
    for text in (FRAMES + shot("inputs: {a: '@Door'}"), shot("inputs: {a: {file: no.txt}}")):
        reading = read(text)
        node = reading.shots[0].variants[0].inputs["a"]
        assert isinstance(node, Text)
        assert node.text.startswith("https://") or node.text == "no text"
        assert len(reading.problems) == 1


def test_the_files_of_one_manifest_are_bounded_together() -> None:
    files = {f"{n}.txt": b"x" * 90 for n in range(3)}
    entries = ", ".join(f"{{id: s{n}, model: m, inputs: {{p: {{file: {n}.txt}}}}}}" for n in range(3))
    reading = read(f"shots: [{entries}]", files=files, limits=Limits(file_bytes=200))
    assert "the files of this manifest hold more than" in told(reading)[-1]


def test_without_a_folder_no_file_is_read() -> None:
    reading = parse_manifest(
        f"version: 1\n{shot('inputs: {p: {file: a.txt}}')}".encode(), file="m.yaml", name="m"
    )
    assert "cannot be read: this manifest has no folder" in told(reading)[0]


def test_files_are_found_beside_the_manifest_wherever_the_program_runs(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "1.txt").write_text("A boat.\n", "utf-8")
    (tmp_path / "p" / "2.txt").symlink_to("1.txt")
    (tmp_path / "m.yaml").write_text(
        "version: 1\n" + shot("inputs: {p: {file: p/1.txt}, q: {file: p/2.txt}}"), "utf-8"
    )
    assert inputs(read_manifest(tmp_path / "m.yaml")) == {"p": "A boat.", "q": "A boat."}


@at_most(200)
@pytest.mark.parametrize("kind", ["link", "linked folder", "loop", "folder", "pipe"])
def test_no_link_leads_out_of_the_folder_and_nothing_but_a_file_is_read(tmp_path: Path, kind: str) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    home.mkdir()
    outside.mkdir()
    (outside / "a.txt").write_text("secret", "utf-8")
    make = {
        "link": lambda: (home / "a.txt").symlink_to(outside / "a.txt"),
        "linked folder": lambda: (home / "p").symlink_to(outside),
        "loop": lambda: (home / "a.txt").symlink_to("a.txt"),
        "folder": lambda: (home / "a.txt").mkdir(),
        "pipe": lambda: os.mkfifo(home / "a.txt"),
    }
    make[kind]()
    with pytest.raises(FileMissing) as caught:
        opener_beside(home / "m.yaml")("p/a.txt" if kind == "linked folder" else "a.txt", 100)
    expected = {"loop": "cannot be opened", "folder": "not a regular file", "pipe": "not a regular file"}
    assert expected.get(kind, "lies outside the manifest's folder") in caught.value.message
