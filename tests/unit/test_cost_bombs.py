"""Small inputs that ask for much work: each is refused or read at a cost that its size explains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.commands.check import check
from runner.domain.errors import ManifestInvalid
from runner.manifest.size_limits import Limits
from runner.models.regex_safety import longest_text, pattern_fault
from runner.system.nearest_name import Speller
from tests.effort import at_most

MOST = 150
"""Units that a bomb may cost, some 8 s on a quiet machine. Bombs took from that to minutes."""

HEAD = "version: 1\nname: b\n"
PIKA = HEAD + "defaults: {model: pika/pikaframes, inputs: {keyFramesFirst: https://e.com/a.png}}\n"
OWN = HEAD + "defaults: {model: a/b}\n"
FILL = "\u0301\u0316" * 16_000


def rows(count: int, inputs: str) -> str:
    return "shots:\n" + "".join(
        f"- {{id: s{n}, inputs: {{{inputs.replace('#', str(n))}}}}}\n" for n in range(count)
    )


def one(inputs: str) -> str:
    return f"shots:\n- id: a\n  inputs: {inputs}\n"


def names(count: int) -> dict[str, object]:
    return {f"p{'q' * 50}{n}": {"type": "string"} for n in range(count)}


TEXT = {"type": "string"}
INPUTS: dict[str, object] = {"p": TEXT}
BOMBS: list[tuple[str, dict[str, object], str, str]] = [
    ("blanks before a syntax error", INPUTS, HEAD + "shots:\n- id: a" + " " * 40_000 + ": x: y\n", "a second ': '"),
    ("a host of marks", INPUTS, PIKA + one(f"{{keyFramesLast: 'https://a{FILL}.com/x'}}"), "no usable host"),
    ("a sweep of unknown names", INPUTS, PIKA + "shots:\n- {id: a, sweep: {zz: 0-99, yy: 0-99}}\n", "unknown input"),
    ("a sweep of 90,000", INPUTS, PIKA + "shots:\n- {id: a, sweep: {x: 0-99, y: 0-899}}\n", "--max-takes"),
    ("a default of megabytes", {"p": TEXT | {"default": "y" * 3_000_000}}, OWN + rows(300, "p: x"), "the default is"),
    ("names that look alike", INPUTS | names(3_000), OWN + rows(100, f"p{'q' * 49}z#: x"), "unknown input"),
    ("choices that look alike", {"p": {"enum": [*names(9_000)]}}, OWN + rows(90, f"p: {'q' * 49}z#"), "not an allowed"),
    ("many forms", {"p": {"anyOf": [{"const": f"v{n}"} for n in range(900)]}}, OWN + rows(300, "p: z#"), "not an"),
    ("items to tell apart", {"p": {"type": "array", "uniqueItems": True, "items": {"type": "object"}}},
     OWN + one("{p: [" + ",".join(f"{{a: {n}}}" for n in range(4_000)) + ", {a: 7}]}"), "has an item twice"),
    ("a key for a pattern", {"p": {"type": "object", "patternProperties": {"a*b": TEXT}}},
     OWN + one("{p: {" + "a" * 900 + ": x}}"), "longer than 256 characters"),
    ("inputs of a sequence", INPUTS, OWN + "sequences:\n- id: q\n  inputs: {" + ",".join(f"k{n}: 1" for n in range(900))
     + "}\n  frames: [" + "a," * 9_001 + "]\n  prompts: [" + "b," * 9_000 + "]\n", "input values in all rows"),
    ("styles on each row", INPUTS, HEAD + "styles: {a: {inputs: {" + ",".join(f"k{n}: 1" for n in range(900))
     + "}}}\ndefaults: {model: a/b, style: a}\n" + rows(9_000, "p: x"), "input values in all rows"),
    ("a long list of a style on each row", INPUTS, HEAD + "frames: {f: https://x.com/f}\nstyles: {a: {inputs: {k: ['@f'"
     + ",x" * 9_000 + "]}}}\ndefaults: {model: a/b, style: a}\n" + rows(9_000, "p: x"), "input values in all rows"),
    ("a long list of a sequence", INPUTS, OWN + "sequences:\n- id: q\n  inputs: {k: [x" + ",x" * 9_000
     + "]}\n  frames: [" + "a," * 901 + "]\n  prompts: [" + "b," * 900 + "]\n", "input values in all rows"),
    ("a style again and again", INPUTS, HEAD + "styles: {a: {text: " + "x" * 90_000 + "}}\n"
     "defaults: {model: a/b}\nshots:\n- {id: s, style: '" + "a " * 40_000 + "'}\n", "characters; split"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "text", "told"), [bomb[1:] for bomb in BOMBS], ids=[bomb[0] for bomb in BOMBS]
)
def test_a_bomb_is_told_at_the_cost_of_its_size(
    schema: dict[str, object], text: str, told: str, tmp_path: Path
) -> None:
    folder = tmp_path / "schemas" / "a"
    folder.mkdir(parents=True)
    (folder / "b.json").write_text(json.dumps({"type": "object", "properties": schema}))
    (tmp_path / "b.yaml").write_text(text)
    with at_most(MOST), pytest.raises(ManifestInvalid) as caught:
        check(tmp_path / "b.yaml")
    assert told in "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            lambda: "".join(f"s{n},m\n" for n in range(200_000)),
            "more than 100,000 rows; split the manifest, or raise",
        ),
        (lambda: f"a,{'x' * 9_000_000}\n", "larger than 100,000 bytes"),
        (lambda: 'a,"' + "x" * 9_000_000, "is its quote closed?"),
        (lambda: '"x",' * 900_000, "more than 1,000 columns"),
    ],
    ids=["rows", "a cell", "an open quote", "columns"],
)
def test_a_table_past_the_limits_is_not_worked_on(
    lines: Callable[[], str], told: str, tmp_path: Path
) -> None:
    (tmp_path / "b.csv").write_text("id,model\n" + lines())
    with at_most(MOST), pytest.raises(ManifestInvalid) as caught:
        check(tmp_path / "b.csv")
    (problem,) = caught.value.problems
    assert told in str(problem)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a?){20}b",
        "(x+x+)+y",
        "^(a|b)*$",
        "a*a*b",
        ".*.*x",
        "(a{1,16}){1,16}b",
        "a*" + "[\\w\\s\\d]" * 60 + "b" * 90,
    ],
)
def test_a_pattern_with_too_many_ways_is_refused(pattern: str) -> None:
    assert pattern_fault(pattern) is not None


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        ("^[a-z]+$", 4096),
        ("a*b", 4096),
        ("^.*a.*b$", 2048),
        ("a*" + "\\w" * 240, 256),
    ],
)
def test_the_more_steps_a_pattern_takes_the_shorter_the_text_it_is_tried_on(
    pattern: str, longest: int
) -> None:
    assert pattern_fault(pattern) is None
    assert longest_text(pattern) == longest


def test_a_speller_that_has_compared_enough_helps_no_more() -> None:
    speller = Speller()
    known = [f"{'a' * 50}{n}" for n in range(500)]
    assert speller.nearest("seeed", ["seed"]) == "seed"
    told = [speller.nearest("a" * 50 + f"x{n}", known) for n in range(200)]
    assert told[0] is not None
    assert told[-1] is None
    assert speller.nearest("seeed", ["seed"]) is None


def test_what_a_person_raises_is_raised_with_all_that_it_needs(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(
        PIKA
        + "shots:\n- {id: a, sweep: {seed: 1-12000}, inputs: {keyFramesLast: https://e.com/b.png, promptText: x}}\n"
    )
    with pytest.raises(ManifestInvalid, match="1 problem"):
        check(tmp_path / "b.yaml")
    plan = check(tmp_path / "b.yaml", limits=Limits().raised(takes=12_000))
    assert len(plan.takes) == 12_000
