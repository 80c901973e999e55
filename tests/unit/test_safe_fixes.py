"""`check --fix` changes what cannot be meant in another way, and not one byte more."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.main import main
from runner.commands.check import check
from runner.commands.fix_manifest import FixProposal, propose_fixes, write_fixes
from runner.domain.errors import Position, Problem, UsageError
from runner.manifest.column_map import map_text
from runner.manifest.safe_fixes import fixed, safe_fixes
from runner.manifest.size_limits import LIMITS
from runner.manifest.source_text import SourceText

MODEL = "pika/pika-2-2/image-to-video"
HEAD = f"version: 1\nshots:\n  - id: s1\n    model: {MODEL}\n    inputs:\n      image: https://e.com/1.jpg\n"


def proposed(path: Path, content: bytes | str) -> FixProposal:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return propose_fixes(path, schema_dirs=(), limits=LIMITS, simulated=False)


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("duration: 5.0", "duration: 5"),
        ("duration: 10.00 # ten", "duration: 10 # ten"),
        ("Duration: 5", "duration: 5"),
        ("resolution: 720P", "resolution: 720p"),
        ("promptText: a cat   ", "promptText: a cat"),
        ("seed: 7\t", "seed: 7"),
    ],
)
def test_a_word_that_can_mean_one_thing_only_is_changed(tmp_path: Path, line: str, changed: str) -> None:
    found = proposed(tmp_path / "b.yaml", f"{HEAD}      {line}\n")
    assert found.after.decode() == f"{HEAD}      {changed}\n"
    assert found.count == 1


@pytest.mark.parametrize(
    "line",
    [
        "seed: 007",
        "duration: 5.5",
        "duration: 10.000",
        "duration: '5.0'",
        "promtText: a cat",
        "resolution: 720",
        "promptText: |\n        two  \n        lines  ",
        'promptText: "two  \n        lines"',
        "promptText: a cat",
    ],
)
def test_a_word_that_may_mean_more_stays(tmp_path: Path, line: str) -> None:
    """Nor do blanks inside of a text go, which are sent."""
    found = proposed(tmp_path / "b.yaml", f"{HEAD}      {line}\n")
    assert (found.after, found.diff, found.count) == (found.before, (), 0)


MARKS = {"utf-8": b"", "utf-8-sig": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


@pytest.mark.parametrize("codec", MARKS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_all_else_of_a_table_stays_byte_for_byte(tmp_path: Path, codec: str, separator: str) -> None:
    """Line ends, the byte-order mark, the encoding, the quotes, and the blanks of a prompt."""
    before = (
        'id|model |image|duration |promptText|seed\r\n'
        f'"010"|{MODEL}|"https://e.com/ü.jpg"|5.0|A “cat”  |\r\n'
        "||||||\r\n"
        f'020|{MODEL}  |https://e.com/2.jpg|"10.0"|"a ""dog""\nruns  "|  007\n'
    )  # fmt: skip
    after = (
        before.replace("model |", "model|")
        .replace("duration |", "duration|")
        .replace("5.0", "5")
        .replace("10.0", "10")
        .replace("video  |", "video|")
    )

    def written(text: str) -> bytes:
        return MARKS[codec] + text.replace("|", separator).encode(codec.removesuffix("-sig"))

    assert proposed(tmp_path / "b.csv", written(before)).after == written(after)


def test_a_valid_take_keeps_its_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    row = f"{MODEL},https://e.com/1.jpg,"
    found = proposed(path, f"id,model,image,promptText,duration  \ns1  ,{row}a door  ,5\ns2,{row}x,5\n")
    before = [(take.id, take.fingerprint) for take in check(path).takes]
    write_fixes(found)
    assert found.count == 2
    assert [(take.id, take.fingerprint) for take in check(path).takes] == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("b.yaml", f"{HEAD}      Image: https://e.com/2.jpg\n"),
        ("b.yaml", HEAD.replace("      image", "      Image: https://e.com/2.jpg\n\n      image")),
        ("b.yaml", f"shots: [{{id: s, model: {MODEL}, inputs: {{Image: 'https://e.com/1', image: x}}}}]\n"),
        ("b.csv", f"id,model,image,Image\ns1,{MODEL},https://e.com/1.jpg,https://e.com/2.jpg\n"),
    ],
)
def test_a_name_that_is_there_already_is_not_given_twice(tmp_path: Path, file: str, text: str) -> None:
    assert proposed(tmp_path / file, text).count == 0


def test_the_same_name_in_another_shot_does_not_matter(tmp_path: Path) -> None:
    text = f"{HEAD}  - id: s2\n    model: {MODEL}\n    inputs:\n      Image: https://e.com/2.jpg\n"
    assert proposed(tmp_path / "b.yaml", text).after.decode() == text.replace("Image", "image")


def test_the_file_is_changed_only_after_a_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--diff` only shows; without a person `--fix` needs -y; the diff is a unified one."""
    path = tmp_path / "b.yaml"
    text = f"{HEAD}      duration: 5.0\n"
    path.write_text(text)
    assert main(["check", str(path), "--diff"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"--- {path}",
        f"+++ {path}",
        "@@ -6,2 +6,2 @@",
        "       image: https://e.com/1.jpg",
        "-      duration: 5.0",
        "+      duration: 5",
    ]
    assert main(["check", str(path), "--fix"]) == 64
    assert path.read_text() == text
    assert main(["check", str(path), "--fix", "-y"]) == 0
    assert path.read_text() == text.replace("5.0", "5")


def test_a_link_stays_a_link_and_the_file_keeps_its_mode(tmp_path: Path) -> None:
    path, link = tmp_path / "b.yaml", tmp_path / "link.yaml"
    link.symlink_to(path.name)
    path.write_text(f"{HEAD}      duration: 5.0\n")
    path.chmod(0o640)
    write_fixes(propose_fixes(link, schema_dirs=(), limits=LIMITS, simulated=False))
    assert link.is_symlink()
    assert "duration: 5\n" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    found = proposed(path, f"{HEAD}      duration: 5.0\n")
    path.write_text("mine\n")
    with pytest.raises(UsageError, match="changed meanwhile"):
        write_fixes(found)
    assert path.read_text() == "mine\n"


@pytest.mark.parametrize("content", [b"id,model \ns1,\x81\x93  \n", b"\xff\xfei\0d\0 \0\n"])
def test_bytes_that_are_not_a_text_are_left_to_the_check(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.csv"
    found = proposed(path, content)
    assert (found.count, found.after) == (0, content)
    assert main(["check", str(path), "--fix", "-y"]) == 65
    assert path.read_bytes() == content


def test_standard_input_cannot_be_fixed() -> None:
    assert main(["check", "-", "--fix"]) == 64


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: b c # d\n", (1, 4), "b c"),
        ("a: {b: c d, e: f}\n", (1, 8), "c d"),
        ("a: 'it''s' # d\n", (1, 4), "'it''s'"),
        ("promptTxt: b\n", (1, 1), "promptTxt"),
        ("a: b\r\nc: d  \r\n", (2, 4), "d"),
        ("a:\n", (1, 3), ""),
        ("a", (9, 1), None),
        ("a", (1, 99), None),
    ],
)
def test_the_words_at_a_place_of_yaml_are_found(text: str, place: tuple[int, int], words: str | None) -> None:
    span = SourceText(text, "b.yaml").span(Position("b.yaml", *place))
    assert (None if span is None else text[slice(*span)]) == words


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("id,a\ns,x y \n", (2, 2), "x y"),
        ('id,a\ns,"x, ""y"""\n', (2, 2), 'x, ""y""'),
        ('id,a\n"s\n2", 5 \nt,6\n', (2, 2), "5"),
        ("sep=;\nid;a,b\ns;x\n", (2, 2), "a,b"),
        ('id,a\ns,"never closed\nt,6\n', (2, 2), '"never closed'),
        ('id,a\ns,  " x "\n', (2, 2), " x "),
        ("id,a\ns\n", (2, 2), None),
    ],
)
def test_the_words_of_a_cell_are_found(text: str, place: tuple[int, int], words: str | None) -> None:
    span = SourceText(text, "b.csv").span(Position("b.csv", *place, "B2"))
    assert (None if span is None else text[slice(*span)]) == words


@given(
    text=st.text("aA\"',;\t \n\r{[:#é名-=", max_size=60),
    file=st.sampled_from(["b.csv", "b.yaml"]),
    place=st.tuples(st.integers(1, 6), st.integers(1, 9)),
)
def test_any_text_has_places_and_changes_that_do_not_overlap(
    text: str, file: str, place: tuple[int, int]
) -> None:
    source = SourceText(text, file)
    problem = Problem(Position(file, *place), "", "wrong", nearest="a")
    found = source.excerpt(problem.at)
    assert found is None or found.start + found.length <= len(found.lines[-1][1])
    fixes = safe_fixes(source, [problem])
    assert all(one.end <= other.start for one, other in pairwise(fixes))
    assert len(fixed(text, fixes)) == len(text) - sum(fix.end - fix.start - len(fix.words) for fix in fixes)


def test_a_sheet_with_a_column_map_keeps_its_headings(tmp_path: Path) -> None:
    columns = {"Shot": "id", "Image": "input image", "Duration ": "input duration"}
    chosen = map_text([*columns.items()], {"model": MODEL}, file="b.csv")
    (tmp_path / "b.columns.yaml").write_text(chosen)
    rows = "Shot,Image,Duration \ns1,https://e.com/1.jpg,{}\n"
    found = proposed(tmp_path / "b.csv", rows.format("5.0"))
    assert found.after.decode() == rows.format("5")


def test_long_blanks_take_no_long_time(tmp_path: Path) -> None:
    """A search that begins again at each blank would take minutes."""
    blanks = " " * 90_000
    found = proposed(tmp_path / "b.yaml", f"{HEAD}      promptText: a{blanks}b\n      seed: x{blanks}y\n")
    assert found.count == 0
