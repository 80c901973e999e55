"""What a spreadsheet made of a cell is read as it was meant, or named for what it is, and never paid for in silence."""

from __future__ import annotations

import codecs

import pytest

from runner.domain.errors import Severity
from runner.domain.ids import looks_mangled
from runner.domain.shots import Text
from runner.manifest.cell_faults import CellKind, fault_of
from tests.unit.whole_readings import Reading, parse_manifest

HEAD = "id,model,image,promptText"
LINK = "https://example.com/a.jpg"


def read(text: str) -> Reading:
    return parse_manifest(text.encode(), file="m.csv", name="m")


def told(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def prompt(reading: Reading) -> str:
    node = reading.shots[0].variants[0].inputs["promptText"]
    assert isinstance(node, Text)
    return node.text


@pytest.mark.parametrize(
    "cell",
    [
        "#REF!",
        "#NAME?",
        "#N/A",
        "#VALUE!",
        "#DIV/0!",
        "#NULL!",
        "####",
        "#WERT!",
        "#NV",
        "Loading...",
        "Err:502",
        "#ССЫЛКА!",
        "#名前?",
        "#UEBERLAUF!",
        "#DIV/0",
        "#N/A Requesting",
        "Wird geladen...",
    ],
)
@pytest.mark.parametrize("column", ["promptText", "image", "duration"])
def test_the_error_of_a_spreadsheet_is_an_error_in_every_input(column: str, cell: str) -> None:
    (problem,) = told(f"id,model,{column}\ns1,m,{cell}\n")
    assert problem.startswith(
        f"m.csv:2:3 (cell C2): shot s1, inputs.{column}: '{cell}' is the error of a spreadsheet"
    )


@pytest.mark.parametrize(
    "cell",
    [
        "#1 the hero enters",
        "# a title",
        "#Hero?",
        "Loading a truck",
        "= means equal",
        "E = mc²",
        "- a dash",
        "+1 for this",
        "@anna enters",
        '{"a": "scene"}',
        "猫",
    ],
)
def test_a_text_that_only_begins_like_one_is_a_prompt(cell: str) -> None:
    assert fault_of(cell, CellKind.PROMPT) is None


@pytest.mark.parametrize(
    "cell",
    [
        '=IMAGE("https://example.com/a.jpg")',
        "=A1&B2",
        "=SUM(A1:A9)",
        "='Sheet 1'!A1",
        "=+CONCAT(A1)",
        "=$A$1",
        "+A2",
        "@SUM(A1)",
        "=concatenate(A1&B1)",
        "=[1]Sheet!A1",
        '="A"&B2',
    ],
)
def test_a_formula_is_an_error_and_its_guarded_text_is_not(cell: str) -> None:
    quoted = cell.replace('"', '""')
    (problem,) = told(f'{HEAD}\ns1,m,{LINK},"{quoted}"\n')
    assert "is a formula; write" in problem
    reading = read(f'{HEAD}\ns1,m,{LINK},"\'{quoted}"\n')
    assert not reading.problems
    assert prompt(reading) == cell


@pytest.mark.parametrize("cell", ["-CU(face) slow pan", "@NYC(night) rain", "=PAN(left) then tilt"])
def test_a_sentence_that_begins_like_a_formula_is_a_prompt(cell: str) -> None:
    reading = read(f"{HEAD}\ns1,m,{LINK},{cell}\n")
    assert (reading.problems, prompt(reading)) == ((), cell)


@pytest.mark.parametrize(
    "cell",
    [
        "None",
        "nan",
        "NaN",
        "TBD",
        "todo",
        "#TODO",
        "N/A",
        "—",
        "???",
        "##",
        "5",
        "3-Jan",
        "see above",
        "[object Object]",
        "Lorem ipsum dolor",
        "A cat &amp; a dog",
        "slow<br>calm",
    ],
)
def test_a_prompt_that_only_fills_its_cell_is_a_warning(cell: str) -> None:
    (problem,) = read(f"{HEAD}\ns1,m,{LINK},{cell}\n").problems
    assert (problem.severity, problem.at.cell) == (Severity.WARNING, "D2")
    assert not read(f"id,model,mode\ns1,m,{cell}\n").problems


@pytest.mark.parametrize(
    ("cell", "nearest"),
    [
        ("frame 010.jpg (https://example.com/v3/010.jpg)", "https://example.com/v3/010.jpg"),
        ("[a](https://example.com/a.jpg)", LINK),
        ("![a](https://example.com/a.jpg)", LINK),
        ("<https://example.com/a.jpg>", LINK),
        ("'https://example.com/a.jpg'", LINK),
        ('<img src="https://example.com/a.jpg">', LINK),
        ("<https://example.com/a.jpg?sig=secret>", None),
        ("<https://user:secret@example.com/a.jpg>", None),
    ],
)
def test_a_wrapped_address_is_told_and_proposed_unless_it_may_hold_a_secret(
    cell: str, nearest: str | None
) -> None:
    (problem,) = read(f"id,model,image\ns1,m,{cell}\n").problems
    assert problem.nearest == nearest
    assert "write only the address in it" in problem.message


@pytest.mark.parametrize("between", [",", ", ", ";", " ", "\n", " | ", ""])
def test_two_addresses_in_a_cell_are_one_problem(between: str) -> None:
    (problem,) = told(f'id,model,image\ns1,m,"{LINK}{between}{LINK}"\n')
    assert "(cell C2)" in problem
    assert "holds 2 addresses" in problem


@pytest.mark.parametrize(
    "cell",
    [
        LINK,
        "https://e.com/https://example.com/a.jpg",
        "https://example.com/?of=https://example.org/b.jpg",
        "HTTPS://EXAMPLE.COM/A",
    ],
)
def test_one_address_is_one_whatever_it_holds(cell: str) -> None:
    assert not told(f"id,model,image\ns1,m,{cell}\n")


@pytest.mark.parametrize("cell", ["12,345", "12 345", "1,234,567", "12.345", "12’345", "12\u00a0345"])
def test_a_number_in_groups_is_a_question_and_not_two_seeds(cell: str) -> None:
    reading = read(f'id,model,seeds\ns1,m,"{cell}"\n')
    (problem,) = reading.problems
    assert "may be one number or several seeds; write 1" in problem.message
    assert problem.nearest is None


@pytest.mark.parametrize("cell", ["100, 200", "100; 200", "12,34", "1000,2000", "1234,567"])
def test_seeds_that_can_be_no_groups_of_one_number_are_seeds(cell: str) -> None:
    reading = read(f'id,model,seeds\ns1,m,"{cell}"\n')
    assert not reading.problems
    assert len(reading.shots[0].variants) == 2


@pytest.mark.parametrize("column", ["seed", "seeds"])
def test_a_shortened_seed_is_told_as_what_it_is_and_no_digits_are_made_up(column: str) -> None:
    (problem,) = read(f"id,model,{column}\ns1,m,1.23E+09\n").problems
    assert "its last digits are lost; format the column as text" in problem.message
    assert problem.nearest is None


def test_a_lone_small_number_of_seeds_is_asked_about() -> None:
    (problem,) = read("id,model,seeds\ns1,m,3\ns2,m,7000\n").problems
    assert (problem.severity, problem.at.cell) == (Severity.WARNING, "C2")
    assert problem.message == "is one take with seed 3; for 3 takes write 3 in a column takes"


@pytest.mark.parametrize(
    "text",
    [
        "3.Jan",
        "01-ene",
        "1.00E-05",
        "44928",
        "1-Mär",
        "3/1/2026",
        "#REF!",
        "12-déc",
        "Jan-03",
        "ene-03",
        "1-mrt",
        "2026-01-03",
        "TRUE",
        "3.5.",
    ],
)
def test_an_id_that_a_spreadsheet_changed_is_recognised(text: str) -> None:
    assert looks_mangled(text)


@pytest.mark.parametrize(
    "text", ["010", "1.2.30", "set-01", "may-01", "01-out", "4492", "54928", "1e05", "s-3-jan"]
)
def test_an_id_that_people_write_is_not_mangled(text: str) -> None:
    assert not looks_mangled(text)


@pytest.mark.parametrize(
    ("ids", "warned"),
    [
        ("44901 44902 44905", []),
        ("44901 44903 44902", ["A2"]),
        ("44901 44902 s3", ["A2"]),
        ("s1 1E5 2E3", ["A3"]),
        ("44901", ["A2"]),
    ],
)
def test_ids_that_a_spreadsheet_changed_are_one_warning_and_those_that_count_up_none(
    ids: str, warned: list[str]
) -> None:
    reading = read("\n".join([HEAD, *(f"{each},m,{LINK},hi" for each in ids.split())]))
    assert [problem.at.cell for problem in reading.problems] == warned


def test_why_an_id_is_refused_includes_what_the_spreadsheet_did() -> None:
    (problem,) = told(f"{HEAD}\n1.23E+12,m,{LINK},hi\n")
    assert "is not an id" in problem
    assert "it looks as if a spreadsheet had changed it; format the column as text" in problem


def test_line_ends_in_a_cell_do_not_depend_on_the_program_that_saved_it() -> None:
    texts = {prompt(read(f'{HEAD}\ns1,m,{LINK},"A hand{end}lifts"\n')) for end in ("\n", "\r\n", "\r")}
    assert texts == {"A hand\nlifts"}


def test_a_blank_before_a_quote_is_no_part_of_the_cell() -> None:
    reading = read(
        'id, model, image, promptText, seed\ns1, m, https://example.com/a.jpg, "A hand, ""slowly""\nenters", 7\n'
    )
    assert not reading.problems
    assert prompt(reading) == 'A hand, "slowly"\nenters'
    assert reading.shots[0].cells["seed"].strip() == "7"


def test_attachments_of_a_database_are_as_many_addresses_as_they_are() -> None:
    (problem,) = told(f'id,model,image\ns1,m,"a.jpg ({LINK}),b.jpg ({LINK})"\n')
    assert "holds 2 addresses" in problem


@pytest.mark.parametrize("before", [" ", "\u00a0", "\t", " \u202f"])
def test_any_blank_before_a_quote_is_passed_over(before: str) -> None:
    reading = read(f'{HEAD}\ns1,m,{LINK},{before}"A hand, slowly"\n')
    assert not reading.problems
    assert prompt(reading) == "A hand, slowly"


@pytest.mark.parametrize(
    "cell", ["=" + " " * 50_000, "= +" + " " * 50_000, "=A" + " ." * 25_000, "+A1" * 20_000]
)
def test_a_long_text_that_is_nearly_a_formula_costs_little(cell: str) -> None:
    """A search that went back over the blanks took minutes."""
    assert fault_of(f"{cell}x", CellKind.OTHER) is None


def test_the_formula_of_an_array_is_one_too() -> None:
    (problem,) = told("id,model,promptText\ns1,m,{=A1}\n")
    assert "is a formula; write" in problem


def test_a_formula_that_only_forces_text_is_proposed_as_its_text() -> None:
    (problem,) = read(f'{HEAD}\ns1,m,{LINK},"=""A cat"""\n').problems
    assert problem.nearest == "A cat"


@pytest.mark.parametrize("cell", ["7-9", "7;8", "random", "random 3", "7,8", "7 8"])
def test_several_seeds_in_the_column_of_one_are_sent_to_the_other(cell: str) -> None:
    (problem,) = told(f'id,model,seed\ns1,m,"{cell}"\n')
    assert "is not one seed; a column seeds takes" in problem


@pytest.mark.parametrize(("cell", "nearest"), [("rand 3", "random 3"), ("random", "random 1"), ("7;x", None)])
def test_a_wrong_list_of_seeds_asks_for_no_take(cell: str, nearest: str | None) -> None:
    reading = read(f"id,model,seeds\ns1,m,{cell}\n")
    (problem,) = reading.problems
    assert problem.nearest == nearest
    assert [variant.point for variant in reading.shots[0].variants] == [{}]


@pytest.mark.parametrize(
    ("cell", "nearest"),
    [("3.0", "3"), ("3,0", "3"), ("3x", "3"), ("x3", "3"), ("3 takes", "3"), ("three", None), ("0", None)],
)
def test_a_number_of_takes_is_proposed_in_digits(cell: str, nearest: str | None) -> None:
    (problem,) = read(f'id,model,takes\ns1,m,"{cell}"\n').problems
    assert problem.nearest == nearest


@pytest.mark.parametrize("cell", ["#hero #wide", "hero|wide", "hero/wide", "hero，wide"])
def test_tags_between_other_marks_are_proposed_with_commas(cell: str) -> None:
    (problem,) = read(f"id,model,tags\ns1,m,{cell}\n").problems
    assert problem.nearest == "hero, wide"


@pytest.mark.parametrize("odd", ["CafÃ© noir", "don\u00e2€™t move", "Caf\ufffd"])
def test_letters_that_other_programs_spoilt_are_a_warning(odd: str) -> None:
    (problem,) = read(f"id,model,promptText\ns1,m,{odd}\n").problems
    assert (problem.severity, problem.at.line) == (Severity.WARNING, 2)
    assert "write the letters again" in problem.message


def test_the_end_of_file_of_dos_is_not_a_row() -> None:
    assert not told(f"{HEAD}\ns1,m,{LINK},A cat\n\x1a")


def test_headings_below_a_title_are_one_problem() -> None:
    (problem,) = told(f"My board,,,\n\n{HEAD}\ns1,m,{LINK},A cat\ns2,m,{LINK},A dog\n")
    assert problem == "m.csv:3:1 (cell A3): header: the headings are in row 3; remove what is above them"


def test_a_repeated_header_is_left_out_with_a_warning() -> None:
    reading = read(f"{HEAD}\ns1,m,{LINK},A cat\n{HEAD}\ns2,m,{LINK},A dog\n")
    (problem,) = reading.problems
    assert (problem.severity, problem.at.line) == (Severity.WARNING, 3)
    assert [shot.id for shot in reading.shots] == ["s1", "s2"]


def test_a_blank_behind_a_quote_is_told() -> None:
    (problem,) = told('id,model,promptText\ns1,"m" ,hi\n')
    assert problem == "m.csv:2:2: row 2: a blank follows a closing quote; remove it"


def test_a_quotation_in_a_prompt_is_not_the_quote_of_a_cell() -> None:
    reading = read('id,model,promptText\ns1,m, "Hi" she says\ns2,m,b\n')
    assert not reading.problems
    assert prompt(reading) == ' "Hi" she says'
    assert [shot.at.line for shot in reading.shots] == [2, 3]


def test_a_quote_that_swallows_rows_is_told_where_it_opens() -> None:
    problems = told(
        f'{HEAD}\ns1,a/m,{LINK},"Hero enters\ns2,a/m,{LINK},he smiles\ns3,a/m,{LINK},a TV of 24"\ns4,a/m,{LINK},end\n'
    )
    assert problems == [
        "m.csv:2:4: row 2: the quote that opens here ends at line 4, and in it is what looks like rows; close it"
    ]


def test_a_swallowed_row_is_found_where_the_model_is_behind_the_prompt() -> None:
    (problem,) = told('id,promptText,model\ns1,"Hero enters,a/m\ns2,a TV of 24",a/m\n')
    assert "m.csv:2:2: row 2: the quote that opens here ends at line 3" in problem


@pytest.mark.parametrize(
    "rows",
    [
        '1,m,"Hero enters,5,x\n2,m,he smiles,5,x\n3,m,a TV of 24",5,x',
        '1,m,"Hero enters,5,x\n2,m,a TV of 24",7,y',
        'A,m,"Hero enters, slowly,5,x\nB,m,a TV of 24",7,y',
        '1,m,Hero,5,"note\n2,m,he smiles,5,x\n3,m,he goes,5,y"',
        '1,m,"Hero enters,5,\n3A,m,a TV of 24",5,',
        'A,m,"Hero enters,,\nB,n,a TV of 24",,',
        '1, m, "Hero enters, 5, x\n2, n, a TV of 24", 5, y',
    ],
)
def test_a_swallowed_row_is_known_by_the_form_of_its_lines(rows: str) -> None:
    (problem,) = told(f"id,model,promptText,duration,notes\n{rows}\n9,m,end,5,z\n")
    assert "the quote that opens here ends at line" in problem
    assert "warning" not in problem


def test_lines_that_may_be_rows_or_prose_are_a_warning() -> None:
    (problem,) = read('id,promptText,model\nhero,"Hero,b\nsmile,he smiles 24",m\n').problems
    assert problem.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("rows", "warned"),
    [
        ('1,m,a b,5,"Props:\n3,lamp,on,5,old\n4,chair,on,5,new"', True),
        ('1,m,"red,5,blue\n10,m,20",5,x', True),
        ('1,m,"A TV,5,x\nThen,m,slowly",5,x', True),
        ('1,m,a b,5,"Props:\n3, lamp,on,5,old\n4, chair,on,5,new"', False),
        ('1,m,a b,5,"EUR\n1,000,000,000,000"', True),
        ('1,m,"Beats:\n1,m,he smiles\n2,m,he goes",5,x', False),
        ('1,m,a b,5,"tags:\nhero,wide,night,rain,dim"', False),
    ],
)
def test_lines_are_no_rows_where_no_row_is_missing(rows: str, *, warned: bool) -> None:
    reading = read(f"id,model,promptText,duration,notes\n{rows}\n2,m,end,5,z\n")
    assert [problem.severity for problem in reading.problems] == [Severity.WARNING] * warned


def test_a_swallowed_row_is_found_by_the_ids_behind_its_quote() -> None:
    (problem,) = told('promptText,id,model\n"Hero enters,1,m\na TV of 24",2,m\nend,3,m\n')
    assert "close it" in problem
    assert "warning" not in problem


@pytest.mark.parametrize("text", ["one, two, three, four", "fade in/out, and/or, x/y, b/c, d"])
def test_lines_of_prose_with_commas_are_not_rows(text: str) -> None:
    reading = read(f'{HEAD}\ns1,a/m,{LINK},"First line\n{text}"\n')
    assert not reading.problems
    assert prompt(reading) == f"First line\n{text}"


def test_headings_and_sums_are_passed_over_with_one_warning_each() -> None:
    reading = read(
        f"{HEAD},duration\nSCENE 1,,,,\ns1,m,{LINK},hi,5\nSCENE 2,,,,\ns2,m,{LINK},ho,5\nTotal,,,,10\n,,,,$10.50\n"
    )
    assert [shot.id for shot in reading.shots] == ["s1", "s2"]
    assert [(problem.at.cell, problem.message) for problem in reading.problems] == [
        (
            "A2",
            "the row has only its first cell filled, so it is a heading and not a shot, as is 1 row below",
        ),
        ("A6", "the row has numbers and no id, so it is a sum and not a shot, as is 1 row below"),
    ]


def test_a_sheet_of_headings_alone_has_no_shots() -> None:
    assert [p for p in told(f"{HEAD}\nSCENE 1,,,\nSCENE 2,,,\n") if "no shots: every row is a heading" in p]


def test_a_row_with_a_model_is_a_shot_however_empty_it_is() -> None:
    assert [p for p in told("id,model,p\n,m,\n") if "has no id" in p]


def test_tags_of_a_sheet_are_split_at_commas_and_semicolons() -> None:
    reading = read("id,model,tags\ns1,m,Sc 1; hero\ns2,m,Sc  1\ns3,m,Sc 2\n")
    assert [shot.tags for shot in reading.shots] == [("Sc 1", "hero"), ("Sc 1",), ("Sc 2",)]
    (warning,) = reading.problems
    assert (warning.severity, warning.at.cell) == (Severity.WARNING, "C3")


@pytest.mark.parametrize("before", ["\u200b", "\ufeff", "\ufeff\ufeff", "\u00a0", "\u2060"])
def test_an_invisible_character_before_a_heading_is_passed_over(before: str) -> None:
    reading = read(f"{before}id,model,promptText\ns1,m,hi\n")
    assert not reading.problems
    assert reading.manifest.columns == ("id", "model", "promptText")


@pytest.mark.parametrize(
    "odd",
    [
        "It’s — “warm”…",
        "fünf € für Käthe",
        "à l’école «là»",
        "Señor",
        "El niño: ¿Qué? ¡Sí! 5º, 2 × 3, £20",
        "SÃO PAULO, Última",
    ],
)
def test_unmistakable_windows_1252_is_read_with_a_warning_that_names_the_characters(odd: str) -> None:
    reading = parse_manifest(f"id;model;promptText\ns1;m;{odd}\n".encode("cp1252"), file="m.csv", name="m")
    assert prompt(reading) == odd
    (warning,) = [p for p in reading.problems if "Windows-1252" in p.message]
    assert warning.severity is Severity.WARNING
    assert all(char in warning.message for char in odd if not char.isascii())


@pytest.mark.parametrize(
    "data",
    [
        "привет".encode("cp1251"),
        "It’s warm".encode("mac-roman"),
        "füße".encode() + b" \xe4",
        "日本語の文".encode("shift-jis"),
        b"caf\x81",
        "zażółć".encode("cp1250"),
    ],
    ids=["cp1251", "mac", "mixed", "shift-jis", "undefined", "cp1250"],
)
def test_bytes_that_could_be_something_else_are_refused(data: bytes) -> None:
    reading = parse_manifest(b"id,model,promptText\ns1,m," + data + b"\n", file="m.csv", name="m")
    assert [p for p in reading.problems if "is not UTF-8" in p.message and p.severity is Severity.ERROR]


def test_the_unicode_text_of_excel_is_read() -> None:
    data = codecs.BOM_UTF16_LE + "id\tmodel\tpromptText\r\ns1\tm\tfür\r\n".encode("utf-16-le")
    reading = parse_manifest(data, file="m.csv", name="m")
    assert prompt(reading) == "für"
