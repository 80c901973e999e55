"""Sweeps in cells of a spreadsheet: the same points as in YAML, and every mistake with the cell's address."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.errors import Position, Severity
from runner.domain.shots import Text
from runner.manifest.size_limits import Limits
from runner.manifest.sweep_points import drawn_seeds
from tests.effort import at_most
from tests.unit.whole_readings import Reading, parse_manifest

AT = Position("m.csv", 2)


def read(*rows: tuple[str, ...], columns: str = "id,model,sweep", limits: Limits | None = None) -> Reading:
    out = io.StringIO()
    csv.writer(out).writerows([columns.split(","), *rows])
    return parse_manifest(out.getvalue().encode(), file="m.csv", name="m", limits=limits or Limits())


def points(reading: Reading) -> list[str]:
    """Return each point as `name=value name=value`; a text that looks spoilt by a spreadsheet is only warned of."""
    assert not [str(p) for p in reading.problems if p.severity is Severity.ERROR]
    return [
        " ".join(f"{name}={node.text}" for name, node in variant.point.items() if isinstance(node, Text))
        for shot in reading.shots
        for variant in shot.variants
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("seed=7", ["seed=7"]),
        ("seed=7-8 size=s|l", ["seed=7 size=s", "seed=7 size=l", "seed=8 size=s", "seed=8 size=l"]),
        ("  seed = 7 | 8 ;size=s\nratio=16:9", ["seed=7 size=s ratio=16:9", "seed=8 size=s ratio=16:9"]),
        ("seed=1-2|9|10-20:5", ["seed=1", "seed=2", "seed=9", "seed=10", "seed=15", "seed=20"]),
        ("scale=0.1-0.3:0.1", ["scale=0.1", "scale=0.2", "scale=0.3"]),
        ("camera.zoom=1|2", ["camera.zoom=1", "camera.zoom=2"]),
        ("seed + duration = 7 + 5 | 8+10", ["seed=7 duration=5", "seed=8 duration=10"]),
        ("a+b=1-2+x", ["a=1-2 b=x"]),
        ('p="a ""b"" | c"|"1-2"', ['p=a "b" | c', "p=1-2"]),
        ('a+b="x + y"+z', ["a=x + y b=z"]),
        ("image=https://e.com/a.jpg?x=1&y=2+3", ["image=https://e.com/a.jpg?x=1&y=2+3"]),
        ("seed=7 repeat=3", ["seed=7", "seed=7 repeat=2", "seed=7 repeat=3"]),
        ("repeat=2", ["", "repeat=2"]),
    ],
)
def test_a_cell_gives_the_points_it_says(cell: str, expected: list[str]) -> None:
    assert points(read(("a", "m", cell))) == expected


def test_quoted_values_are_text() -> None:
    (shot,) = read(("a", "m", 'seed="7"|8')).shots
    assert [
        v.inputs["seed"]
        for v in shot.variants
        if isinstance(v.inputs["seed"], Text) and v.inputs["seed"].quoted
    ]


def test_seeds_are_drawn_from_the_id_or_from_a_name() -> None:
    own, other = ([seed.text for seed in drawn_seeds(name, 2, at=AT)] for name in ("s010", "hero"))
    assert points(read(("s010", "m", "seed=random:2|random:2:hero"))) == [
        f"seed={seed}" for seed in own + other
    ]
    assert points(read(("s010", "m", "7; random 2"), columns="id,model,seeds")) == [
        f"seed={seed}" for seed in ["7", *own]
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0-100:50", "0 50 100"),
        ("0 - 100 : 50; 7", "0 50 100 7"),
        ("1-2 5-9:2", "1 2 5 7 9"),
    ],
)
def test_a_cell_of_seeds_takes_steps(cell: str, expected: str) -> None:
    assert points(read(("a", "m", cell), columns="id,model,seeds")) == [f"seed={n}" for n in expected.split()]


def test_seeds_and_sweep_stand_side_by_side() -> None:
    reading = read(("a", "m", "7; 8", "size=s"), columns="id,model,seeds,sweep")
    assert points(reading) == ["size=s seed=7", "size=s seed=8"]


def test_the_model_is_swept_where_its_own_cell_is_empty() -> None:
    (shot,) = read(("a", "", "model=m/a|m/b")).shots
    assert [variant.model.text for variant in shot.variants if variant.model] == ["m/a", "m/b"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("7-8", "cannot be read at '7-8'; write seed=1000-1003 resolution=720p|1080p"),
        ("seed=", "cannot be read at ''"),
        ("seed=7,8", "cannot be read at ',8'"),
        ("seed=7; 8", "cannot be read at '8'"),
        ("seed=7||8", "cannot be read at '|8'"),
        ('p="a', "cannot be read at"),
        ('p="a"b', "cannot be read at 'b'"),
        ("a+b=1", "cannot be read at"),
        ("a+b=1+2+3", "cannot be read at '+3'"),
        ("a=1 a=2", "'a' is swept twice"),
        ("a=9-7", "the range '9-7' ends before it begins; put it in double quotes if it is text"),
        ("a=random:0", "'random:0' must ask for 1 to 10,000 seeds"),
        ("a=1|1", "sweep.a: '1' is given twice"),
        ("repeat=2|3", "repeat is one number, as in repeat=3"),
        ("repeat=x", "repeat: must be a whole number from 1 to 10,000, not 'x'"),
        ("model=m/a", "shot s, model: is given and swept at once"),
        ("a+exclude=1+7", "an input called exclude cannot be swept"),
        ("id=7", "an id cannot be swept"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_cells_address(cell: str, expected: str) -> None:
    problems = [str(problem) for problem in read(("s", "m", cell)).problems]
    assert [p for p in problems if expected in p and p.startswith("m.csv:2:")], problems
    assert [p for p in problems if "(cell C2)" in p or "(cell B2)" in p] == problems


def test_a_seed_in_both_cells_is_told() -> None:
    problems = [str(p) for p in read(("s", "m", "7", "seed=8"), columns="id,model,seeds,sweep").problems]
    assert problems == [
        "m.csv:2:3 (cell C2): shot s, seeds: the seed is swept in the cell sweep too; keep one of them"
    ]


@at_most(100)
@pytest.mark.parametrize("column", ["seeds", "sweep"])
def test_a_cell_of_many_ranges_is_refused_before_it_is_built(column: str) -> None:
    cell = " ".join(["0-999"] * 5_000) if column == "seeds" else "seed=" + "|".join(["0-999"] * 5_000)
    problems = read(("s", "m", cell), columns=f"id,model,{column}", limits=Limits(takes=1_000)).problems
    assert [p for p in problems if "has more than 0 values" in p.message and p.at.cell == "C2"]


def test_a_row_of_a_take_reads_what_is_swept_from_its_own_columns() -> None:
    columns = "id,take,model,size,sweep"
    (shot,) = read(("s", "s@size=l", "m", "l", "size=s|l repeat=2"), columns=columns).shots
    assert [v.point for v in shot.variants] == [{}]
    (problem,) = read(("s", "s@size=l", "m", "", "size=s|l"), columns=columns).problems
    assert "this row is one take: give size a column of its own" in str(problem)


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="{\ufffe\uffff"),
    max_size=12,
)


@settings(max_examples=80)
@given(
    st.lists(words, min_size=1, max_size=4, unique=True), st.lists(words, min_size=1, max_size=3, unique=True)
)
def test_any_text_can_be_quoted(first: list[str], second: list[str]) -> None:
    """Nothing that may stand in a cell is out of reach of the grammar."""
    cell = " ".join(
        f"{name}=" + "|".join('"' + text.replace('"', '""') + '"' for text in texts)
        for name, texts in (("a", first), ("b", second))
    )
    assert points(read(("s", "m", cell))) == [f"a={one} b={two}" for one in first for two in second]


@settings(max_examples=150)
@given(st.text(st.sampled_from('ab=|+;:"-19., ') | st.sampled_from("random"), max_size=30))
def test_no_text_of_a_cell_breaks_the_reader(cell: str) -> None:
    reading = read(("s", "m", f"seed=1 {cell}"), limits=Limits(takes=50))
    assert reading.problems or reading.shots[0].variants


@pytest.mark.parametrize(
    "entry",
    [
        "exclude=seed:7",
        "exclude=seed=7,size=l",
        "exclude: seed=7",
        "include=seed:9",
        "include",
        "exclude seed=7",
    ],
)
def test_points_left_out_or_added_are_refused_with_what_to_write_instead(entry: str) -> None:
    """Once, and what is proposed works: the points that are wanted, written out."""
    (problem,) = read(("s", "m", f"seed=7|8 size=s|l {entry}")).problems
    assert str(problem).startswith("m.csv:2:3 (cell C2): shot s, sweep: exclude and include are for YAML; ")
    proposed = problem.message.rsplit(": ", 1)[1]
    assert points(read(("s", "m", proposed))) == [
        "seed=7 resolution=720p", "seed=7 resolution=1080p", "seed=8 resolution=720p"
    ]  # fmt: skip


def test_the_points_written_out_are_the_takes_that_an_exclusion_leaves() -> None:
    text = """version: 1
shots: [{id: s, model: m, sweep: {seed: [7, 8], resolution: [720p, 1080p], exclude: [{seed: 8, resolution: 1080p}]}}]
"""
    yaml = parse_manifest(text.encode(), file="m.yaml", name="m")
    assert points(yaml) == points(read(("s", "m", "seed+resolution=7+720p|7+1080p|8+720p")))


def test_an_axis_that_only_begins_like_these_words_is_an_axis() -> None:
    assert points(read(("s", "m", "exclude.x=1 excluded=2 include_all=3"))) == [
        "exclude.x=1 excluded=2 include_all=3"
    ]
