"""Names of files by a user's template: safe and different whatever the takes are, or a sentence about why not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.errors import UsageError
from runner.domain.name_template import FileNames, NamedTake, file_names, kept_template, parse_template

TAKE = NamedTake("s010@seed=7", "s010", 1, "pika/pikaframes", 7, ("hero", "night"), {"seed": 7})
OTHER = replace(TAKE, take_id="s010@seed=8", number=2, seed=8, point={"seed": 8})
SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")


def names(template: str, *takes: NamedTake) -> FileNames:
    return file_names(template, takes or (TAKE, OTHER))


def refused(template: str, *takes: NamedTake) -> UsageError:
    with pytest.raises(UsageError) as caught:
        names(template, *takes).refuse()
    return caught.value


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{shot}_t{take:02}", "s010_t01"),
        ("{shot}.{seed:04}-{tag}", "s010.0007-hero"),
        ("{model}_{take}", "pika-pikaframes_1"),
        ("{id}x", "s010-seed-7x"),
        ("_{shot}{seed}", "_s0107"),
    ],
)
def test_a_template_names_the_files_of_a_take(template: str, name: str) -> None:
    found = names(template, TAKE)
    assert found.stems == {"s010@seed=7": name}
    assert not found.problems


def test_a_swept_input_is_a_field_and_replaced_characters_are_said() -> None:
    take = replace(TAKE, point={"camera.move": "dolly in", "hd": True})
    found = names("{shot}_{camera.move}_{hd}", take)
    assert found.stems == {take.take_id: "s010_dolly-in_true"}
    assert found.remarks == ("file names replace characters that are not safe: dolly in → dolly-in",)


@pytest.mark.parametrize(
    ("template", "says", "advice"),
    [
        ("{shot", "is not a template for names", "{shot}_t{take:02}"),
        ("clip", "gives all takes the same name", "{shot}_t{take:02}"),
        ("{shot}/{take}", "cannot hold '/'", "letters, digits"),
        ("{shot}~{take}", "cannot hold '~'", "letters, digits"),
        ("{shot}+{take}", "cannot hold '+'", "letters, digits"),
        ("{{shot}}{take}", "cannot hold '{'", "letters, digits"),
        ("{take!r}", "is not a field of a name", "{take:02}"),
        ("{take:>9}", "is not a field of a name", "{take:02}"),
        ("{take:{shot}}", "is not a field of a name", "{take:02}"),
        ("{}", "is not a field of a name", "{take:02}"),
        ("{sed}", "there is no field {sed}", "did you mean {seed}?"),
        ("{shot.__class__}", "there is no field {shot.__class__}", "the fields are {shot}"),
        ("{shot[0]}", "there is no field {shot[0]}", "the fields are {shot}"),
        ("{shot:02}", "{shot:02} counts digits", "write {shot}"),
        (
            "{shot}",
            "s010@seed=7 and s010@seed=8 would both have the file name s010",
            "add {take:02} or {seed}",
        ),
        (".{shot}{take}", "does not begin with", "for example"),
        ("-{shot}{take}", "does not begin with", "for example"),
        ("{shot}{take}.", "ends with a dot", "for example"),
        ("{shot}" * 31 + "{take}", "longer than 120 bytes", "for example"),
    ],
)
def test_a_template_that_cannot_name_the_takes_is_refused(template: str, says: str, advice: str) -> None:
    problem = refused(template)
    assert says in problem.message
    assert advice in (problem.advice or "")


@pytest.mark.parametrize(
    ("take", "template", "says"),
    [
        (
            replace(TAKE, seed=None, point={}),
            "{shot}_{seed}",
            "has no seed: its model pika/pikaframes has no such",
        ),
        (replace(TAKE, tags=()), "{shot}_{tag}", "has no tag"),
        (replace(TAKE, shot_id="con"), "{shot}", "is a reserved file name on Windows"),
        (replace(TAKE, seed=-5), "{seed}", "does not begin with"),
    ],
    ids=["seed", "tag", "reserved", "sign"],
)
def test_a_take_without_what_a_name_needs_is_named(take: NamedTake, template: str, says: str) -> None:
    assert says in refused(template, take).message


def test_an_axis_that_only_some_shots_sweep_is_no_name_for_the_others() -> None:
    plain = NamedTake("s020", "s020", 1, "m", 1, (), {})
    assert (
        "s020 has no zoom: it is not swept there"
        in refused("{shot}_{zoom}", replace(TAKE, point={"zoom": 2}), plain).message
    )


def test_names_that_differ_in_case_alone_are_the_same_file_on_some_systems() -> None:
    upper = replace(TAKE, take_id="S010", shot_id="S010")
    assert (
        "would both have the file name S010"
        in refused("{shot}", replace(TAKE, take_id="s010"), upper).message
    )


def test_an_older_render_has_the_name_of_its_take_with_its_mark_and_a_take_that_left_gives_way() -> None:
    older = replace(TAKE, take_id="s010@seed=7~1", is_planned=False)
    left = replace(OTHER, take_id="s010@seed=9", seed=7, is_planned=False)
    found = names("{shot}_{seed}", older, left, TAKE)
    assert not found.problems
    assert found.stems == {"s010@seed=7": "s010_7", "s010@seed=7~1": "s010_7~1", "s010@seed=9": "s010@seed=9"}


def test_the_template_of_the_ids_is_kept_as_none() -> None:
    assert (kept_template("{id}"), kept_template("{shot}_{take}")) == ("", "{shot}_{take}")
    assert names("").stems == {TAKE.take_id: TAKE.take_id, OTHER.take_id: OTHER.take_id}


SHOTS = st.sampled_from(["a", "A", "a_1", "a_1~1", "b@seed=1", "a_2", "é"])
VALUES = st.one_of(st.integers(-3, 3), st.text(max_size=4), st.booleans())
TAKES = st.lists(
    st.builds(
        NamedTake,
        SHOTS,
        st.sampled_from(["a", "A", "b"]),
        st.integers(1, 3),
        st.sampled_from(["m", "m/n"]),
        st.one_of(st.none(), st.integers(0, 2)),
        st.sampled_from([(), ("x",), ("a_1",)]),
        st.dictionaries(st.sampled_from(["x", "y"]), VALUES),
        st.booleans(),
    ),
    unique_by=lambda take: take.take_id,
)
TEMPLATES = st.lists(
    st.sampled_from(["{shot}", "{take:02}", "{seed}", "{model}", "{tag}", "{id}", "{x}", "_", "-", "a", "1"]),
    min_size=1,
    max_size=4,
).map("".join)


@given(template=TEMPLATES, takes=TAKES)
def test_every_take_has_a_name_and_no_two_the_same_whatever_is_wrong(
    template: str, takes: list[NamedTake]
) -> None:
    try:
        parse_template(template)
    except UsageError:
        return
    found = file_names(template, takes)
    assert found.stems.keys() == {take.take_id for take in takes}
    assert len({name.lower() for name in found.stems.values()}) == len(takes)
    if template != "{id}" and not found.problems:
        planned = [found.stems[take.take_id] for take in takes if take.is_planned]
        assert all(SAFE.fullmatch(name) for name in planned)
