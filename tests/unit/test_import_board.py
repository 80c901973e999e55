"""`import` proposes for each heading what its author means by it, and a note where that is not sure."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.commands.import_board import best_models, propose, read_sheet
from runner.domain.errors import ManifestInvalid, UsageError
from runner.models.registry import Models

MODELS = Models.bundled()
MODEL = MODELS.named("pika/pikaframes")


def meanings(folder: Path, *lines: str, like: Path | None = None) -> dict[str, str]:
    """Return what each heading of a sheet is taken for."""
    path = folder / "board.csv"
    path.write_text("\n".join(lines), "utf-8")
    proposal = propose(read_sheet(path, models=MODELS), models=MODELS, model=MODEL, like=like, environ={})
    return {heading: target for _, heading, target in proposal.meanings}


@pytest.mark.parametrize(
    ("heading", "cell", "meant"),
    [
        ("Shot", "010", "id"),
        ("#", "010", "id"),
        ("Start Image", "https://example.com/a.jpg", "input keyFramesFirst"),
        ("LAST FRAME", "https://example.com/a.jpg", "input keyFramesLast"),
        ("seconds", "5", "input duration"),
        ("PROMPTTEXT", "x", "input promptText"),
        ("Scene", "1", "tags"),
        ("Takes", "3", "takes"),
        ("Takes", "the second was best", "notes"),
        ("Price", "0.30", "price"),
        ("Take", "3", "notes"),
        ("Takes", "3x", "takes"),
        ("Takes", '"1,0"', "takes"),
        ("Cost", "12.50", "notes"),
        ("Start", "00:01:20", "notes"),
        ("Video prompt", "x", "input promptText"),
        ("Model", "pika/pikaframes", "model"),
        ("Model", "Sarah", "notes"),
        ("Director's notes", "x", "notes"),
        ("Assigned to", "Tom", "ignore"),
    ],
)
def test_a_heading_is_taken_for_what_its_cells_can_be(
    tmp_path: Path, heading: str, cell: str, meant: str
) -> None:
    found = meanings(tmp_path, f"{heading},Marker", f"{cell},p1")
    assert found == {heading: meant, "Marker": "ignore" if meant == "id" else "id"}


def test_of_two_headings_with_one_meaning_the_surer_one_has_it(tmp_path: Path) -> None:
    """The other becomes a note, which is never sent."""
    found = meanings(tmp_path, "Shot,Action,Prompt,Name", "010,he runs,a boat,boat")
    assert found == {"Shot": "id", "Action": "notes", "Prompt": "input promptText", "Name": "notes"}


def test_a_column_of_words_is_no_input_of_numbers(tmp_path: Path) -> None:
    found = meanings(
        tmp_path, "Shot,Size,Length,Prompt,Res", "010,WS,wide,a boat,720p\n020,CU,close,a hat,720p"
    )
    assert found == {
        "Shot": "id",
        "Size": "notes",
        "Length": "notes",
        "Prompt": "input promptText",
        "Res": "input resolution",
    }


@pytest.mark.parametrize(
    ("header", "row", "cell", "words"),
    [
        ("Shot,Prompt,Final prompt", "1,a cat,a dog", "B1", "which is 'Final prompt' in this map"),
        ("Shot,Image Prompt,Video Prompt", "1,a cat,a dog", "B1", "which is 'Video Prompt' in this map"),
        ("Shot,Prompt v1,Prompt_v2,Prompt", "1,a cat,a dog,", "B1", "which is 'Prompt_v2' in this map"),
        ("Shot,Prompt,Est. duration,Duration (final)", "1,a cat,5,10", "C1", "which is 'Duration (final)'"),
        ("Shot,Prompt,Final prompt", "1,a cat,a dog\n2,a cow,", "C1", "which is 'Prompt' in this map"),
        ("Shot,Prompt,Est. duration,Secs", "1,a cat,5,10", "C1", "which is 'Secs'"),
        ("Shot,Shown,Words", "1,a cat runs,", "B1", "should it be input promptText?"),
        ("カット,シーン,プロンプト,秒数", "1,昼,少女が雨の中を走る,", "C1", "should it be input promptText?"),
        ("Shot,Opis,Status", "1,kot,ok\n2,pies,ok", "B1", "should it be input promptText?"),
        ("Shot,Link", "1,https://example.com/a.jpg", None, ""),
        ("Shot,Prompt,Clip len", "1,a cat,5", "C1", "would fit duration"),
        ("Shot,Prompt,Model", "1,a cat,Pika 2.2", "C1", "all rows use pika/pikaframes"),
        ("Scene,Shot,Prompt", "Sc 1,1,a\n,2,b", "A1", "is empty in 1 row"),
        ("Scene,Shot,Prompt", "A,1,a\nA,2,b\nA,3,c\nB,1,d\nB,2,e\nB,3,f", "B1", "joins both"),
        ("Tags,Shot,Prompt", "hero,1,a\n,2,b", None, ""),
        ("Scene,Shot,Prompt", "Sc 1,1,a\n,2,b\nSc 1,3,c", None, ""),
        ("Shot,Prompt,Mood", "1,a cat,calm", None, ""),
        ("Shot,Prompt,Sheet", "1,a cat,12", None, ""),
    ],
)
def test_what_may_be_meant_otherwise_is_a_warning_at_its_heading(
    tmp_path: Path, header: str, row: str, cell: str | None, words: str
) -> None:
    """What is left out, or taken for another thing, would be paid for without a word."""
    path = tmp_path / "board.csv"
    path.write_text(f"{header}\n{row}\n", "utf-8")
    proposal = propose(read_sheet(path, models=MODELS), models=MODELS, model=MODEL, environ={})
    doubts = [problem for problem in proposal.problems if problem.severity == "warning"]
    assert [problem.at.cell for problem in doubts] == ([cell] if cell else [])
    assert all(words in problem.message for problem in doubts)


def test_a_picture_that_is_required_is_in_a_column_of_addresses(tmp_path: Path) -> None:
    links = "https://example.com/a.jpg"
    found = meanings(tmp_path, "Shot,Poster,Files,More,Script", f"1,,{links},{links},{links}")
    assert found == {
        "Shot": "id",
        "Poster": "ignore",
        "Files": "input keyFramesFirst",
        "More": "input keyFramesLast",
        "Script": "ignore",
    }


def test_a_heading_that_is_there_twice_cannot_be_an_input(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        meanings(tmp_path, "Shot,Prompt,prompt", "1,a cat,a dog")
    (problem,) = caught.value.problems
    assert problem.at.cell == "C1"
    assert "column B too" in problem.message


def test_a_sheet_that_names_its_models_needs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("Shot,Model,Image\n010,pika/pika-2-2/image-to-video,https://example.com/a.jpg\n", "utf-8")
    proposal = propose(read_sheet(path, models=MODELS), models=MODELS, environ={})
    assert [target for *_, target in proposal.meanings] == ["id", "model", "input image"]
    assert not proposal.fixed


@pytest.mark.parametrize(
    ("header", "best"),
    [
        ("Shot,Prompt,First frame,Last frame,Seconds", ["pika/pikaframes"]),
        ("Shot,Prompt,Image,Seconds", ["pika/pika-2-2/image-to-video"]),
        ("Shot,Scene", ["pika/pika-2-2/image-to-video"]),
    ],
)
def test_the_model_that_the_headings_fit_is_offered(tmp_path: Path, header: str, best: list[str]) -> None:
    path = tmp_path / "board.csv"
    path.write_text(f"{header}\n010{',x' * header.count(',')}\n", "utf-8")
    assert [model.id for model in best_models(read_sheet(path, models=MODELS), MODELS)] == best


def test_a_heading_that_stands_twice_is_proposed_once(tmp_path: Path) -> None:
    assert meanings(tmp_path, "Shot,Notes,notes", "010,a,b") == {
        "Shot": "id",
        "Notes": "notes",
        "notes": "notes",
    }


def test_the_map_of_another_sheet_counts_first(tmp_path: Path) -> None:
    like = tmp_path / "first.columns.yaml"
    like.write_text("format: shotrunner-columns/1\ncolumns: {Shot: id, Mood: tags}\nfixed: {model: m}\n")
    assert meanings(tmp_path, "Shot,Mood", "010,calm", like=like)["Mood"] == "tags"


def test_a_wrong_map_of_another_sheet_is_refused(tmp_path: Path) -> None:
    like = tmp_path / "first.columns.yaml"
    like.write_text("columns: {}\n")
    with pytest.raises(ManifestInvalid) as caught:
        meanings(tmp_path, "Shot", "010", like=like)
    assert all(problem.at.file == str(like) for problem in caught.value.problems)


def test_a_token_in_a_sheet_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("Shot,Prompt\n010,rc-0123456789abcdef\n", "utf-8")
    with pytest.raises(ManifestInvalid) as caught:
        propose(
            read_sheet(path, models=MODELS),
            models=MODELS,
            model=MODEL,
            environ={"RUNCOMFY_TOKEN": "rc-0123456789abcdef"},
        )
    assert "0123456789abcdef" not in str(caught.value.problems)


def test_a_column_of_ids_is_known_by_its_cells_where_no_heading_says_it(tmp_path: Path) -> None:
    found = meanings(tmp_path, "Mood,Einstellung,Prompt", "calm sea,e010,a boat", "calm sea,e020,a dog")
    assert found == {"Mood": "ignore", "Einstellung": "id", "Prompt": "input promptText"}


def test_a_sheet_without_ids_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        meanings(tmp_path, "Mood,Prompt", "calm sea,a boat", "calm sea,a dog")
    assert "Shot #" in caught.value.problems[0].message


TITLED = ["PAPER BOAT;version 3;", ";;", "Shot;Prompt;Seconds", "010;a boat, small;5", "020;a dog;5"]


def test_headings_below_a_title_are_found(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("\n".join(TITLED), "utf-8")
    proposal = propose(read_sheet(path, models=MODELS), models=MODELS, model=MODEL, environ={})
    assert "header row: 3\n" in proposal.text
    assert [shot.id for shot in proposal.shots] == ["010", "020"]
    assert {problem.at.cell for problem in proposal.problems if "promptText" in problem.subject} == set()
    assert str(proposal.shots[1].at) == f"{path}:5:1 (cell A5)"


def test_a_sheet_that_is_not_there_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    """To read the first sheet instead would be paid for, since a map then names no sheet."""
    openpyxl = pytest.importorskip("openpyxl", reason="the extra [excel] is not installed")
    path, book = tmp_path / "board.xlsx", openpyxl.Workbook()
    book.active.title = "Ep1"
    book.create_sheet("Ep2")
    book.save(path)
    with pytest.raises(ManifestInvalid) as caught:
        read_sheet(path, models=MODELS, sheet="ep2")
    (problem,) = caught.value.problems
    assert "its sheets are 'Ep1', 'Ep2'; did you mean Ep2?" in str(problem)


def test_a_csv_has_no_sheet_to_choose(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("Shot,Prompt\n1,a cat\n", "utf-8")
    with pytest.raises(UsageError, match="without sheets"):
        read_sheet(path, models=MODELS, sheet="Ep2")


def test_headings_below_a_title_are_found_in_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra [excel] is not installed")
    path, book = tmp_path / "board.xlsx", openpyxl.Workbook()
    for line in TITLED:
        book.active.append([cell or None for cell in line.split(";")])
    book.active["B1"] = None
    book.active["D4"] = "stray"
    book.save(path)
    proposal = propose(read_sheet(path, models=MODELS), models=MODELS, model=MODEL, environ={})
    assert "header row: 3\n" in proposal.text
    assert [shot.id for shot in proposal.shots] == ["010", "020"]
    assert any(problem.at.cell == "D4" and "left out" in problem.message for problem in proposal.problems)


@pytest.mark.parametrize("cover", [[], [["PAPER BOAT", "version 3"], ["by", "Ann"]]])
def test_a_workbook_that_begins_with_a_cover_names_its_other_sheets(
    tmp_path: Path, cover: list[list[str]]
) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra [excel] is not installed")
    path, book = tmp_path / "board.xlsx", openpyxl.Workbook()
    for row in cover:
        book.active.append(row)
    book.create_sheet("Board").append(["id", "model", "promptText"])
    book.save(path)
    with pytest.raises(ManifestInvalid) as caught:
        propose(read_sheet(path, models=MODELS), models=MODELS, environ={})
    assert any("the others are 'Board'" in problem.message for problem in caught.value.problems)
