"""An artist's own sheet becomes a valid board in two rounds: `import` writes what its columns are, `check` the rest."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.boards import copy_examples
from tests.acceptance.command import Desk

HEADINGS = ["Shot #", "Scene", "Prompt", "First frame", "Last frame", "Seconds", "Camera notes", "Status", ""]
MODEL = "pika/pikaframes"


def frame(name: str) -> str:
    return f"https://example.com/board/{name}.jpg"


def row(shot: str, seconds: str = "5", first: str = "") -> list[str]:
    scene, prompt = "Sc 1", f"She looks up — “is that you, {shot}?”\nand the lamp flickers; it’s late"
    return [shot, scene, prompt, first or frame(f"{shot}a"), frame(f"{shot}b"), seconds, "push in", "ok", ""]


def heading_row(text: str) -> list[str]:
    return [text, *[""] * 8]


BLANK, SUM = [""] * 9, [*[""] * 5, "15", "", "", ""]
ROWS = [
    HEADINGS,
    heading_row("SCENE 1"),
    row("010"),
    row("020", seconds="12"),
    BLANK,
    heading_row("SCENE 2"),
    row("030", first="frames/030a.jpg"),
    BLANK,
    SUM,
]
MENDED = [*ROWS[:3], row("020", seconds="10"), *ROWS[4:6], row("030"), *ROWS[7:]]


def as_csv(rows: list[list[str]], separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    return out.getvalue()


def google(path: Path, rows: list[list[str]]) -> None:
    path.write_bytes(as_csv(rows).encode())


def excel_utf8(path: Path, rows: list[list[str]]) -> None:
    path.write_bytes(as_csv(rows).encode("utf-8-sig"))


def german(path: Path, rows: list[list[str]]) -> None:
    path.write_bytes(as_csv(rows, ";").encode("utf-8-sig"))


def tabs(path: Path, rows: list[list[str]]) -> None:
    path.write_bytes(as_csv(rows, "\t").encode("utf-16"))


def workbook(path: Path, rows: list[list[str]]) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra [excel] is not installed")
    book = openpyxl.Workbook()
    for cells in rows:
        book.active.append([float(cell) if cell.isdigit() and cell[0] != "0" else cell for cell in cells])
    book.save(path)


FORMS = {
    "google": (google, "board.csv"),
    "excel utf-8": (excel_utf8, "board.csv"),
    "german excel": (german, "board.csv"),
    "unicode text": (tabs, "board.tsv"),
    "workbook": (workbook, "board.xlsx"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_sheet_as_artists_keep_it_is_valid_in_two_rounds(desk: Desk, form: str) -> None:
    """The first writes the map; the second shows every fault of the content, each in its cell of the sheet."""
    write: Callable[[Path, list[list[str]]], None]
    write, name = FORMS[form]
    write(desk.folder / name, ROWS)
    desk.run("import", name, "--model", MODEL, "-y")
    found = desk.run("check", name, code=65).err
    assert "F4" in found
    assert "12" in found
    assert "D7" in found
    assert "030a.jpg" in found
    write(desk.folder / name, MENDED)
    assert "3 takes of 3 shots, all valid" in desk.run("check", name).out
    outcome = desk.run("run", name, "--simulate", "--speed", 50, "--poll-interval", 0.1)
    assert "3 takes: 3 delivered" in outcome.out
    report = (desk.folder / "reports" / "board-simulated" / "report.csv").read_text("utf-8-sig")
    assert report.splitlines()[0].startswith(
        "id,tags,promptText,keyFramesFirst,keyFramesLast,duration,notes,model"
    )


def test_every_form_of_a_sheet_asks_for_the_same_takes(desk: Desk) -> None:
    """So a board may be kept in another program tomorrow, and nothing is paid for again."""
    asked = []
    for number, (write, name) in enumerate(FORMS.values()):
        folder = desk.folder / str(number)
        folder.mkdir()
        write(folder / name, MENDED)
        desk.run("import", folder / name, "--model", MODEL, "-y")
        checked = json.loads(desk.run("check", folder / name, "--output", "json").out)
        asked.append([(take["take"], take["fingerprint"]) for take in checked["takes"]])
    assert all(takes == asked[0] for takes in asked)


@pytest.fixture
def board(desk: Desk) -> Path:
    google(desk.folder / "board.csv", MENDED)
    return desk.folder / "board.csv"


def test_the_sheet_itself_is_never_written(desk: Desk, board: Path) -> None:
    before = board.read_bytes()
    desk.run("import", board, "-y")
    desk.run("run", board, "--simulate", "--speed", 50, "--poll-interval", 0.1)
    assert board.read_bytes() == before


def test_what_comes_of_the_first_rows_and_what_is_wrong_is_shown_before_anything_is_written(
    desk: Desk, board: Path
) -> None:
    google(board, ROWS)
    outcome = desk.run("import", board, "--model", MODEL, "--dry-run")
    assert "Seconds" in outcome.out
    assert "input duration" in outcome.out
    assert frame("010a") in outcome.out
    assert "tags: SCENE-1, Sc-1" in outcome.out
    assert "12 is not an allowed value" in outcome.err
    assert [path.name for path in desk.folder.iterdir()] == ["board.csv"]


def test_a_map_is_written_once_and_a_person_may_edit_it(desk: Desk, board: Path) -> None:
    desk.run("import", board, "--model", MODEL, "-y")
    place = desk.folder / "board.columns.yaml"
    place.write_text(place.read_text("utf-8").replace('"Status": ignore', '"Status": notes'), "utf-8")
    assert "--force" in desk.run("import", board, "--model", MODEL, "-y", code=73).err
    assert '"Status": notes' in place.read_text("utf-8")
    desk.run("import", board, "--model", MODEL, "-y", "--force")
    assert '"Status": ignore' in place.read_text("utf-8")


@pytest.mark.parametrize("words", [(), ("--model", MODEL)])
def test_without_a_person_it_says_which_flag_answers(desk: Desk, board: Path, words: tuple[str, ...]) -> None:
    wanted = "-y" if words else "--model"
    assert wanted in desk.run("import", board, *words, code=64).err
    assert not (desk.folder / "board.columns.yaml").exists()


@pytest.mark.parametrize(("model", "answer", "code"), [(MODEL, "y", 0), ("", "y", 0), (MODEL, "n", 3)])
def test_a_person_is_asked_for_the_model_and_for_consent(
    desk: Desk, board: Path, model: str, answer: str, code: int
) -> None:
    """The model that the headings fit is offered, and taken if nothing else is typed."""
    life = desk.start_at_terminal("import", board)
    life.wait_until(lambda process: f"Which of these models renders the shots? [{MODEL}]" in process.err)
    life.type(f"{model}\n")
    life.wait_until(lambda process: "Go on?" in process.err)
    life.type(f"{answer}\n")
    assert life.end().code == code
    place = desk.folder / "board.columns.yaml"
    assert place.exists() is (code == 0)
    assert code or f'model: "{MODEL}"' in place.read_text("utf-8")


def test_the_map_of_one_sheet_serves_the_next(desk: Desk, board: Path) -> None:
    """The headings of the second episode mean what they meant in the first, also where a person corrected them."""
    desk.run("import", board, "--model", MODEL, "-y")
    first = desk.folder / "board.columns.yaml"
    first.write_text(first.read_text("utf-8").replace('"Status": ignore', '"Status": tags'), "utf-8")
    google(desk.folder / "two.csv", MENDED)
    desk.run("import", "two.csv", "--columns", first, "-y")
    assert '"Status": tags' in (desk.folder / "two.columns.yaml").read_text("utf-8")
    assert "all valid" in desk.run("check", "two.csv").out


def test_a_board_with_the_names_of_a_manifest_needs_no_map(desk: Desk) -> None:
    desk.run("init", "mine.csv")
    assert "no map is needed" in desk.run("import", "mine.csv", "-y").out
    assert not (desk.folder / "mine.columns.yaml").exists()


def test_a_sheet_that_was_chosen_is_read_by_check_too(desk: Desk) -> None:
    """Its headings need no map, but without one check reads the cover."""
    openpyxl = pytest.importorskip("openpyxl", reason="the extra [excel] is not installed")
    book = openpyxl.Workbook()
    book.active.append(["PAPER BOAT"])
    sheet = book.create_sheet("Board")
    sheet.append(["id", "model", "promptText", "keyFramesFirst", "keyFramesLast"])
    sheet.append(["s1", MODEL, "a cat", frame("a"), frame("b")])
    book.save(desk.folder / "board.xlsx")
    desk.run("import", "board.xlsx", "--sheet", "Board", "-y")
    assert "all valid" in desk.run("check", "board.xlsx").out


def test_a_yaml_manifest_is_no_sheet(desk: Desk) -> None:
    desk.run("init")
    assert "check storyboard.yaml" in desk.run("import", "storyboard.yaml", "-y", code=64).err


def test_a_changed_map_is_a_changed_board(desk: Desk, board: Path) -> None:
    """Also for a run that has nothing left to do, and where the sheet has not changed."""
    desk.run("import", board, "--model", MODEL, "-y")
    run = ("run", board, "--simulate", "--speed", 50, "--poll-interval", 0.1)
    desk.run(*run)
    assert "3 delivered" in desk.run(*run).out
    place = desk.folder / "board.columns.yaml"
    place.write_text(place.read_text("utf-8").replace("fixed:", "fixed:\n  negativePrompt: text"), "utf-8")
    assert "stale" in desk.run(*run).out


def test_a_map_beside_a_run_that_had_none_is_seen(desk: Desk) -> None:
    run = ("run", "mine.csv", "--simulate", "--speed", 50, "--poll-interval", 0.1)
    desk.run("init", "mine.csv")
    desk.run(*run)
    (desk.folder / "mine.columns.yaml").write_text("format: other\n")
    assert "mine.columns.yaml" in desk.run(*run, code=65).err


@pytest.mark.parametrize("name", ["board.csv", "board.tsv"])
def test_init_of_a_table_writes_a_table(desk: Desk, name: str) -> None:
    desk.run("init", name)
    assert "6 takes of 3 shots, all valid" in desk.run("check", name).out
    outcome = desk.run("run", name, "--simulate", "--speed", 50, "--poll-interval", 0.1)
    assert "6 takes: 6 delivered" in outcome.out


def test_init_of_a_workbook_says_what_to_do(desk: Desk) -> None:
    assert "init board.csv" in desk.run("init", "board.xlsx", code=64).err
    assert not any(desk.folder.iterdir())


def test_the_example_of_an_artists_sheet_runs_as_it_is(desk: Desk) -> None:
    """And `import` would propose its map again, but for what a person has added to it."""
    folder = copy_examples(desk.folder)
    board, place = folder / "artist-board.csv", folder / "artist-board.columns.yaml"
    outcome = desk.run("run", board, "--simulate", "--speed", 50, "--poll-interval", 0.1)
    assert "4 takes: 4 delivered" in outcome.out
    kept = place.read_text("utf-8")
    desk.run("import", board, "--model", MODEL, "-y", "--force")
    assert place.read_text("utf-8") == kept.replace('  resolution: "720p"\n', "")
