"""Sequences: frames and prompts become shots that join, with ids that stay, in the place they are given."""

from __future__ import annotations

import pytest

from runner.domain.shots import Shot, Text
from tests.unit.whole_readings import Reading, parse_manifest

FOUR = "[https://e.com/1, https://e.com/2, https://e.com/3, https://e.com/4]"


def read(text: str) -> Reading:
    return parse_manifest(f"version: 1\n{text}".encode(), file="m.yaml", name="m")


def walk(fields: str = "", *, frames: str = FOUR, prompts: str = "[a, b, c]", more: str = "") -> str:
    """Return a manifest with one sequence; its second line is where `more` stands."""
    return f"{more}\nsequences:\n  - id: walk\n    model: m\n    frames: {frames}\n    prompts: {prompts}\n{fields}"


def shots(text: str) -> tuple[Shot, ...]:
    reading = read(text)
    assert not reading.problems
    return reading.shots


def inputs(shot: Shot) -> dict[str, str]:
    return {name: node.text for name, node in shot.variants[0].inputs.items() if isinstance(node, Text)}


def told(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def test_n_frames_and_n_minus_1_prompts_make_n_minus_1_shots_that_join() -> None:
    made = shots(walk())
    found = [inputs(shot) for shot in made]
    assert [(one["keyFramesFirst"][-1], one["keyFramesLast"][-1], one["promptText"]) for one in found] == [
        ("1", "2", "a"),
        ("2", "3", "b"),
        ("3", "4", "c"),
    ]
    assert [str(shot.continues) for shot in made] == ["None", "m.yaml:7:18", "m.yaml:7:21"]


def test_a_frame_added_at_the_end_changes_no_other_shot() -> None:
    before = shots(walk())
    after = shots(walk(frames=FOUR.replace("]", ", https://e.com/5]"), prompts="[a, b, c, d]"))
    assert [shot.id for shot in after] == ["walk-01", "walk-02", "walk-03", "walk-04"]
    assert [(a.id, inputs(a)) for a in after[:3]] == [(b.id, inputs(b)) for b in before]


def test_ids_are_by_place_unless_an_entry_gives_its_own() -> None:
    """A prompt put in the middle moves the ids behind it, and not one that is pinned."""
    before = shots(walk(prompts="[a, {id: door, prompt: b}, c]"))
    frames = FOUR.replace("e.com/1", "e.com/1, https://e.com/1b")
    after = shots(walk(frames=frames, prompts="[a, new, {id: door, prompt: b}, c]"))
    assert [shot.id for shot in before] == ["walk-01", "door", "walk-03"]
    assert [shot.id for shot in after] == ["walk-01", "walk-02", "door", "walk-04"]
    assert inputs(after[2]) == inputs(before[1])


def test_the_hundredth_shot_does_not_widen_the_ids_of_the_others() -> None:
    frames = [f"https://e.com/{n}" for n in range(101)]
    ids = [shot.id for shot in shots(walk(frames=str(frames), prompts=str(["x"] * 100)))]
    assert (ids[0], ids[98], ids[99]) == ("walk-01", "walk-99", "walk-100")


def test_what_stands_nearer_to_the_shot_wins() -> None:
    """Defaults, then the style, then the sequence, then what lies between two frames, then the entry."""
    fields = "    inputs: {b: seq, c: seq, d: seq, duration: 1}\n    style: s\n    durations: [7, 8, 9]\n"
    more = "defaults: {inputs: {a: def, b: def}}\nstyles: {s: {inputs: {a: sty, b: sty, e: sty}}}"
    prompts = "[{prompt: x, inputs: {c: own, keyFramesLast: https://e.com/other}}, y, z]"
    first, second, _ = shots(walk(fields, prompts=prompts, more=more))
    assert {k: v for k, v in inputs(first).items() if len(k) == 1} == {
        "a": "sty", "b": "seq", "c": "own", "d": "seq", "e": "sty"
    }  # fmt: skip
    assert (inputs(first)["duration"], inputs(second)["duration"]) == ("7", "8")
    assert inputs(first)["keyFramesLast"] == "https://e.com/other"
    assert inputs(second)["keyFramesFirst"] == "https://e.com/2"


def test_everything_a_shot_can_have_is_shared_and_can_be_replaced() -> None:
    fields = "    tags: hero night\n    notes: all\n    price: 0.5\n    sweep: {seed: [1, 2]}\n"
    prompts = "[a, {prompt: b, tags: [door], notes: own, price: 1, sweep: {}, model: m}, c]".replace(
        ", model: m", ""
    )
    first, second, _ = shots(walk(fields, prompts=prompts))
    assert (first.tags, first.notes, first.price and first.price.usd, len(first.variants)) == (
        ("hero", "night"), "all", 0.5, 2
    )  # fmt: skip
    assert (second.tags, second.notes, second.price and second.price.usd, len(second.variants)) == (
        ("hero", "night", "door"), "own", 1.0, 1
    )  # fmt: skip


def test_the_names_of_the_inputs_can_be_given() -> None:
    fields = "    {first: image, last: tail, prompt: text, duration: seconds, durations: [1, 2, 3]}\n"
    fields = "".join(
        f"    {part}\n" for part in fields.strip()[1:-1].replace("[1, 2, 3]", "[1; 2; 3]").split(", ")
    )
    one = inputs(shots(walk(fields.replace(";", ",")))[0])
    assert one == {"image": "https://e.com/1", "tail": "https://e.com/2", "text": "a", "seconds": "1"}


def test_a_sequence_stands_behind_the_shots_or_where_an_entry_places_it() -> None:
    behind = walk(more="shots: [{id: s1, model: m}, {id: s2, model: m}]")
    placed = walk(more="shots: [{id: s1, model: m}, {sequence: walk}, {id: s2, model: m}]")
    assert [shot.id for shot in shots(behind)] == ["s1", "s2", "walk-01", "walk-02", "walk-03"]
    assert [shot.id for shot in shots(placed)] == ["s1", "walk-01", "walk-02", "walk-03", "s2"]
    by_id = [{shot.id: inputs(shot) for shot in shots(text)} for text in (behind, placed)]
    assert by_id[0] == by_id[1]


def test_a_chained_sequence_with_as_many_prompts_as_frames_leaves_its_first_frame_to_the_shot_before() -> (
    None
):
    first, second, *_ = shots(
        walk("    chain: true\n", prompts="[a, b, c, d]", more="shots: [{id: s1, model: m}]")
    )[1:]
    assert "keyFramesFirst" not in inputs(first)
    assert (inputs(first)["keyFramesLast"], str(first.continues)) == ("https://e.com/1", "m.yaml:7:15")
    assert inputs(second)["keyFramesFirst"] == "https://e.com/1"


ONE = "shots: [{id: s1, model: m}]"
WRONG = {
    "too few prompts": (
        walk(prompts="[a]"), "m.yaml:7:14: sequence walk, prompts: 4 frames need 3 prompts, and there is 1"
    ),
    "too many prompts": (walk(prompts="[a, b, c, d]"), "4 frames need 3 prompts, and there are 4"),
    "chained": (walk("    chain: true\n", prompts="[a]"), "4 frames need 3 prompts, or 4 where the first shot begins"),
    "one frame": (walk(frames="[x]", prompts="[]"), "a sequence needs two frames, and there are 0"),
    "durations": (
        walk("    durations: [1, 2]\n"), "sequence walk, durations: 2 durations for 3 shots; give one for each"
    ),
    "one duration": (
        walk("    duration: 3\n"),
        "sequence walk, duration: names the input that it goes into, and '3' is a value; write a list durations:",
    ),
    "a prompt for all": (walk("    prompt: He walks\n"), "'He walks' is a value; write it in the list prompts:"),
    "a frame as an input": (
        walk("    first: door\n", more="frames: {door: https://e.com/x}"), "'door' is a value; write it in the list"
    ),
    "durations without brackets": (walk("    durations: 5\n"), "must be a list, not one value; put brackets around"),
    "no frames": ("sequences: [{id: walk, prompts: [a]}]", "sequence walk: has no frames"),
    "no prompts": ("sequences: [{id: walk, frames: [a, b]}]", "sequence walk: has no prompts"),
    "no id": ("sequences: [{frames: [a, b], prompts: [a]}]", "entry 1 of sequences: has no id"),
    "bad id": ("sequences: [{id: a/b, frames: [a, b], prompts: [a]}]", "'a/b' is not an id"),
    "text": ("sequences: [walk]", "entry 1 of sequences: must be a mapping that begins with 'id:'"),
    "unknown field": (walk("    framse: []\n"), "sequence walk: unknown field 'framse'; did you mean frames?"),
    "empty frame": (walk(frames="[a, ~, c, d]"), "m.yaml:6:17: sequence walk, frame 2: has no value"),
    "entry without a prompt": (walk(prompts="[a, {id: x}, c]"), "sequence walk, prompt 2: has no prompt"),
    "unknown in an entry": (walk(prompts="[a, {promt: x}, c]"), "unknown field 'promt'; did you mean prompt?"),
    "same id as a shot": (walk(more="shots: [{id: walk-02, model: m}]"), "'walk-02' is used twice"),
    "no model": (walk().replace("    model: m\n", ""), "shot walk-01: has no model, and defaults give none"),
    "unknown place": (
        walk(more="shots: [{sequence: wakl}]"), "'wakl' is not a sequence of this manifest; did you mean walk?"
    ),
    "placed twice": (
        walk(more="shots: [{sequence: walk}, {sequence: walk}]"),
        "entry 2 of shots: the sequence 'walk' is already placed at line 2",
    ),
    "place with more": (walk(more="shots: [{sequence: walk, model: m}]"), "entry 1 of shots: unknown field 'model'"),
    "chain": (f"{ONE[:-2]}, chain: yes}}]", "shot s1, chain: must be true or false, not 'yes'"),
    "a frame in another case": (
        walk(frames=FOUR.replace("https://e.com/2", "hall"), more="frames: {Hall: https://e.com/x}"),
        "m.yaml:6:31: sequence walk, frame 2: 'hall' is not a frame of this manifest; did you mean Hall?",
    ),
    "two of one id": (
        walk() + "  - {id: walk, model: m, frames: [x, y], prompts: [a]}\n", "sequence walk: 'walk' is used twice"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(text: str, expected: str) -> None:
    problems = told(text)
    assert [problem for problem in problems if expected in problem], problems


def test_a_frame_that_is_no_address_is_told_where_it_is_written() -> None:
    """The shots on both sides of a frame point at the one place where it stands."""
    first, second, _ = shots(
        walk(frames=FOUR.replace("https://e.com/2", "{frame: x}"), more="frames: {x: https://e.com/x}")
    )
    ends = first.variants[0].inputs["keyFramesLast"], second.variants[0].inputs["keyFramesFirst"]
    assert [(node.at.line, node.at.column) for node in ends] == [(2, 13), (2, 13)]
