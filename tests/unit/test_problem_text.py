"""Problems as a person reads them: a line each in a pipe, their line of the file on a terminal, and never too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO

import pytest

from runner.cli.problems import style_of
from runner.domain.errors import Excerpt, ManifestInvalid, Position, Problem, Severity
from runner.manifest.source_text import SourceText
from runner.output.problem_text import GROUPED, MOST_LINES, Style, problem_lines
from runner.output.safe_stream import SafeStream

TERMINAL = Style(80)
BOARD = """\
shots:
  - id: s010
    inputs:
      duration: 11
      promptText: a door
"""
DURATION = Problem(
    Position("b.yaml", 4, 17),
    "shot s010, inputs.duration",
    "11 is not an allowed value",
    ("1…10",),
    "10",
)
COMMENT = Problem(
    Position("b.yaml", 5, 19),
    "shot s010, inputs.promptText",
    "text after ' #' was dropped as a comment: '#3, a cat walks in and looks at the camera'; quote the whole text",
    severity=Severity.WARNING,
)


def lines(
    problems: Sequence[Problem], style: Style = TERMINAL, *, text: str = BOARD, every: bool = False
) -> list[str]:
    source = SourceText(text, problems[0].at.file)
    return problem_lines(problems, excerpt=source.excerpt, style=style, all_with="add --all", every=every)


def rows(number: int, message: str = "{row} is not a whole number in plain digits") -> list[Problem]:
    """Return a problem of one column for each of so many rows, each about another value."""
    return [
        Problem(
            Position("b.csv", row, 2, f"B{row}"),
            f"shot s{row}, inputs.duration",
            message.format(row=row),
        )
        for row in range(2, number + 2)
    ]


def test_on_a_terminal_a_problem_stands_above_its_line_and_the_way_out() -> None:
    assert lines([DURATION, COMMENT]) == [
        "error: shot s010, inputs.duration: 11 is not an allowed value",
        " --> b.yaml:4:17",
        "  |",
        "4 |       duration: 11",
        "  |                 ^^",
        "  = allowed: 1…10",
        "  = did you mean 10?",
        "",
        "warning: shot s010, inputs.promptText: text after ' #' was dropped as a comment:",
        "  '#3, a cat walks in and looks at the camera'; quote the whole text",
        " --> b.yaml:5:19",
        "  |",
        "5 |       promptText: a door",
        "  |                   ^^^^^^",
        "",
    ]


def test_a_cell_stands_under_its_heading() -> None:
    text = 'id;duration;prompt\ns1;5;"two\nlines"\ns2;"5.0";x\n'
    problem = Problem(Position("b.csv", 4, 2, "B3"), "shot s2, inputs.duration", "5.0 is not whole")
    assert lines([problem], text=text)[1:] == [
        " --> b.csv:4:2 (cell B3)",
        "  |",
        "1 | duration",
        "4 | 5.0",
        "  | ^^^",
        "",
    ]


def test_in_a_pipe_each_problem_is_one_line_with_its_place_first() -> None:
    assert lines([DURATION, COMMENT], Style()) == [str(DURATION), str(COMMENT)]


def test_a_kind_is_shown_with_three_places_and_a_count() -> None:
    shown = lines([*rows(40), DURATION], Style())
    assert shown == [
        *(f"b.csv:{n}:2 (cell B{n}): shot s{n}, inputs.duration: {n} is not a whole number in plain digits"
          for n in (2, 3, 4)),
        "  … and 37 more like it",
        str(DURATION),
        "not shown: 37 of 41 problems; add --all",
    ]  # fmt: skip


def test_on_a_terminal_the_further_places_of_a_kind_are_a_line_each() -> None:
    text = "id,duration\n" + "".join(f"s{row},{row}\n" for row in range(2, 43))
    message = "{row} is not a number of seconds that this model can render"
    assert lines(rows(40, message), Style(60), text=text) == [
        "error: shot s2, inputs.duration: 2 is not a number of",
        "  seconds that this model can render",
        " --> b.csv:2:2 (cell B2)",
        "  |",
        "1 | duration",
        "2 | 2",
        "  | ^",
        " --> b.csv:3:2 (cell B3): shot s3, inputs.duration: 3 is no…",
        " --> b.csv:4:2 (cell B4): shot s4, inputs.duration: 4 is no…",
        "  … and 37 more like it",
        "",
        "not shown: 37 of 40 problems; add --all",
    ]


@pytest.mark.parametrize(
    "message",
    [
        "{row}0a.jpg is a file on this machine, and the API fetches media itself",
        "is {row}128 characters long; at most 2000 are allowed",
        "'x{row}' is used twice (first at line {row})",
        "no answer for s{row} yet",
    ],
)
def test_what_is_written_and_the_name_of_the_shot_make_no_kinds(message: str) -> None:
    assert len(lines(rows(GROUPED, message), Style())) == 5


def test_another_field_or_severity_is_another_kind() -> None:
    field = [replace(each, subject=each.subject.replace("duration", "seed")) for each in rows(10)]
    mild = [replace(each, severity=Severity.WARNING) for each in rows(10)]
    assert lines([*rows(10), *field, *mild], Style())[3::4] == ["  … and 7 more like it"] * 3


def test_few_problems_and_all_asked_for_are_not_grouped() -> None:
    assert len(lines(rows(GROUPED - 1), Style())) == GROUPED - 1
    assert len(lines(rows(500), Style(), every=True)) == 500


def many_kinds(number: int, severity: Severity = Severity.ERROR) -> list[Problem]:
    words = [f"{one}{other}" for one in "abcdefghij" for other in "abcdefghij"]
    return [
        Problem(Position("b.yaml", n + 1, 1), f"inputs.{words[n]}", "unknown input", severity=severity)
        for n in range(number)
    ]


@pytest.mark.parametrize("style", [Style(), TERMINAL, Style(40)], ids=["pipe", "80", "40"])
@pytest.mark.parametrize("kinds", [1, 12, 19, 20, 50, 61, 100])
@pytest.mark.parametrize("each", [1, 2, 9])
def test_a_board_never_fills_more_than_a_page(style: Style, kinds: int, each: int) -> None:
    problems = [problem for kind in many_kinds(kinds) for problem in [kind] * each]
    shown = lines(problems, style)
    assert len(shown) <= MOST_LINES + 1
    places = sum("b.yaml:" in line for line in shown)
    hidden = sum(int(line.split()[2]) for line in shown if line.startswith("not shown: "))
    assert places + hidden == len(problems)


def test_many_errors_do_not_push_out_the_warnings() -> None:
    shown = lines([*many_kinds(100), COMMENT], Style())
    assert shown[-2:] == [str(COMMENT), "not shown: 41 of 101 problems; add --all"]


def test_a_long_line_is_cut_around_its_mark() -> None:
    text = f"prompt: {'a long way ' * 30}HERE{' and on' * 30}\n"
    problem = Problem(Position("b.yaml", 1, 339), "", "wrong")
    found = Excerpt(((1, text.rstrip()),), 338, 4)
    *_, line, mark, _ = problem_lines([problem], excerpt=lambda _: found, style=Style(60), all_with="")
    assert len(line) == 60
    assert line[mark.index("^") :].startswith("HERE")
    assert mark.count("^") == 4


def test_a_mark_stands_under_wide_and_hidden_characters() -> None:
    text = "名前: \x1b[2J：x\n"
    shown = lines([Problem(Position("b.yaml", 1, 9), "", "a colon of another kind")], text=text)
    assert shown[3:5] == ["1 | 名前: \\x1b[2J：x", "  |              ^^^"]


def test_a_line_that_may_hold_a_token_is_not_shown() -> None:
    shown = lines([replace(DURATION, is_secret=True)])
    assert shown[2:] == ["  = allowed: 1…10", "  = did you mean 10?", ""]


def test_colours_are_of_the_program_alone() -> None:
    problem = replace(DURATION, subject="shot \x1b[31mred")
    for style in (Style(80, colour=True), Style(None, colour=True)):
        text = "\n".join(lines([problem], style))
        assert "\x1b[1;31m" in text
        assert "\x1b[31m" not in text


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "style"),
    [
        (StringIO(), {}, Style()),
        (StringIO(), {"COLUMNS": "90"}, Style()),
        (StringIO(), {"FORCE_COLOR": "1"}, Style(None, colour=True)),
        (StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, Style()),
        (Terminal(), {"COLUMNS": "90"}, Style(90, colour=True)),
        (Terminal(), {}, Style(80, colour=True)),
        (Terminal(), {"NO_COLOR": "1"}, Style(80)),
        (Terminal(), {"NO_COLOR": ""}, Style(80, colour=True)),
        (Terminal(), {"TERM": "dumb"}, Style()),
    ],
)
def test_the_style_is_what_stream_and_environment_ask_for(
    stream: StringIO, environ: dict[str, str], style: Style
) -> None:
    assert style_of(SafeStream(stream), environ) == style


def test_a_manifest_with_an_error_counts_its_warnings_too() -> None:
    error = ManifestInvalid([COMMENT, DURATION, COMMENT])
    assert error.message == "1 problem and 2 warnings in the manifest; nothing was submitted"
    assert str(error) == "\n".join((error.message, str(COMMENT), str(DURATION), str(COMMENT)))
    assert (error.problems, error.errors) == ((COMMENT, DURATION, COMMENT), (DURATION,))
