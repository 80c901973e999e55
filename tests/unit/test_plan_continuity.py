"""Chained shots begin where the one before ended, and a cut that would jump is told before it is paid for."""

from __future__ import annotations

import json

import pytest

from runner.models.registry import Models
from runner.plan.build import Planned, make_plan
from tests.unit.whole_readings import parse_manifest

MODELS = Models.bundled()
HEAD = "version: 1\ndefaults: {model: pika/pikaframes, inputs: {promptText: x, seed: 1, resolution: 720p}}\n"
FIRST = "{id: a, inputs: {keyFramesFirst: https://e.com/1, keyFramesLast: https://e.com/2}}"
IMAGE = "model: pika/pika-2-2/image-to-video"


def planned(*shots: str) -> Planned:
    text = f"{HEAD}shots:\n" + "".join(f"  - {shot}\n" for shot in shots)
    reading = parse_manifest(text.encode(), file="m.yaml", name="m")
    assert not reading.problems, [str(problem) for problem in reading.problems]
    return make_plan(reading.manifest, reading.shots, models=MODELS)


def chained(fields: str = "keyFramesLast: https://e.com/3", *, more: str = "") -> str:
    return f"{{id: b, chain: true, {more}inputs: {{{fields}}}}}"


def starts(plan: Planned) -> list[str]:
    assert not plan.problems, [str(problem) for problem in plan.problems]
    return [json.loads(take.body)["keyFramesFirst"] for take in plan.plan.takes]


def warnings(plan: Planned) -> list[str]:
    assert not plan.problems, [str(problem) for problem in plan.problems]
    return [str(warning) for warning in plan.plan.warnings]


def test_a_chained_shot_begins_with_the_end_frame_of_the_one_before() -> None:
    plan = planned(FIRST, chained(), "{id: c, chain: true, inputs: {keyFramesLast: https://e.com/4}}")
    assert starts(plan) == ["https://e.com/1", "https://e.com/2", "https://e.com/3"]
    assert warnings(plan) == []
    assert not any("@" in take.body for take in plan.plan.takes), "the mark of a chain is never sent"


def test_it_is_the_same_take_as_one_that_says_so_itself() -> None:
    same = "{id: b, inputs: {keyFramesFirst: https://e.com/2, keyFramesLast: https://e.com/3}}"
    takes = [planned(FIRST, shot).plan.takes[1] for shot in (chained(), same)]
    assert takes[0].fingerprint == takes[1].fingerprint
    assert takes[0].id == takes[1].id == "b"


def test_a_start_frame_of_its_own_stays_and_is_compared() -> None:
    own = chained("keyFramesFirst: https://e.com/own, keyFramesLast: https://e.com/3")
    plan = planned(FIRST, own)
    assert starts(plan)[1] == "https://e.com/own"
    (warning,) = warnings(plan)
    assert (
        warning
        == "m.yaml:5:5: warning: shot b: does not begin with the frame that a ends with; the cut between them jumps"
    )


def test_shots_that_do_not_join_may_differ() -> None:
    assert (
        warnings(
            planned(
                FIRST,
                chained("keyFramesFirst: https://e.com/9, keyFramesLast: https://e.com/3").replace(
                    "chain: true, ", ""
                ),
            )
        )
        == []
    )


def test_a_change_of_size_inside_a_chain_is_told() -> None:
    (warning,) = warnings(planned(FIRST, chained("keyFramesLast: https://e.com/3, resolution: 1080p")))
    assert warning.endswith("shot b: resolution is 1080p here and 720p in a, which it continues")


def test_a_swept_size_joins_where_both_have_a_take_of_it() -> None:
    first = FIRST.replace("}}", "}, sweep: {resolution: [720p, 1080p]}}")
    assert warnings(planned(first, chained())) == []


def test_seeds_of_the_shot_before_do_not_part_a_chain() -> None:
    first = FIRST.replace("}}", "}, sweep: {seed: [1, 2]}}")
    assert starts(planned(first, chained())) == ["https://e.com/1", "https://e.com/1", "https://e.com/2"]


def test_a_shot_of_one_image_goes_on_from_a_frame() -> None:
    plan = planned(FIRST, chained("", more=f"{IMAGE}, "))
    assert not plan.problems
    assert json.loads(plan.plan.takes[1].body)["image"] == "https://e.com/2"


WHOLE = "keyFramesFirst: https://e.com/1, keyFramesLast: https://e.com/2"
SWEPT = "{id: a, inputs: {keyFramesFirst: https://e.com/1}, sweep: {keyFramesLast: [https://e.com/2, https://e.com/3]}}"
CANNOT = {
    "nothing before": ((chained(WHOLE),), "there is no shot before it to continue; remove chain"),
    "no end frame": (
        (f"{{id: a, {IMAGE}, inputs: {{image: https://e.com/1}}}}", chained()),
        "cannot continue a, whose model has no end frame; give this shot its own start frame",
    ),
    "swept end frame": ((SWEPT, chained()), "cannot continue a, whose end frame is swept"),
    "end frame missing": (
        ("{id: a, inputs: {keyFramesFirst: https://e.com/1}}", chained()),
        "shot a, inputs.keyFramesLast: missing",
    ),
    "unknown model": (("{id: a, model: nope}", chained()), "shot a, model: unknown model nope"),
}


@pytest.mark.parametrize(("shots", "expected"), CANNOT.values(), ids=CANNOT)
def test_a_chain_that_cannot_be_is_told(shots: tuple[str, ...], expected: str) -> None:
    problems = [str(problem) for problem in planned(*shots).problems]
    assert [problem for problem in problems if expected in problem], problems


def test_a_wrong_address_of_a_joint_frame_is_told_at_both_shots_where_it_stands() -> None:
    plan = planned(FIRST.replace("https://e.com/2", "http://e.com/2"), chained())
    assert [(str(p.at), p.subject) for p in plan.problems] == [
        ("m.yaml:4:70", "shot a, inputs.keyFramesLast"),
        ("m.yaml:4:70", "shot b, inputs.keyFramesFirst"),
    ]


def test_editing_a_shot_moves_only_what_goes_on_from_it() -> None:
    other = "{id: z, inputs: {keyFramesFirst: https://e.com/8, keyFramesLast: https://e.com/9}}"
    before = {take.id: take.fingerprint for take in planned(other, FIRST, chained()).plan.takes}
    after = {
        take.id: take.fingerprint
        for take in planned(other, FIRST.replace("/1,", "/0,"), chained()).plan.takes
    }
    assert {name for name in before if before[name] != after[name]} == {"a"}
