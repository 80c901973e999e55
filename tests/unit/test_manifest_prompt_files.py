"""Templates in prompt files: what is wrong with one is told where it stands in that file, and once."""

from __future__ import annotations

import pytest

from runner.domain.shots import Text
from tests.effort import at_most
from tests.unit.test_manifest_references import read, shelf, shot, told
from tests.unit.whole_readings import parse_manifest

FAULTS = {
    "unknown name": (b"A boat\nfor {{ whom }}.\n", "p/1.txt:2:5: shot s1, inputs.p: {{ whom }} is not defined"),
    "nearest name": (
        b"{{ lok }}", "p/1.txt:1:1: shot s1, inputs.p: {{ lok }} is not defined for this shot; did you mean look?"
    ),
    "bad braces": (
        "\ufeffé {{ look }} {{ 1".encode(), "p/1.txt:1:14: shot s1, inputs.p: '{{ 1' is not a template"
    ),
    "line ends of all kinds": (
        b"a\r\nb\rc\n  {{ x }}\r\n\r\n", "p/1.txt:4:3: shot s1, inputs.p: {{ x }} is not defined"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_template_in_a_file_is_told_where_it_stands_in_the_file(data: bytes, expected: str) -> None:
    text = "vars: {look: small}\n" + shot("inputs: {p: {file: p/1.txt}}")
    (problem,) = told(read(text, files={"p/1.txt": data}))
    assert problem.startswith(expected)


def test_every_fault_of_a_file_is_told_once_behind_those_of_the_manifest() -> None:
    """Two shots that share a file share its mistakes, as they share those of the defaults."""
    shots = "".join(
        f"  - {{id: s{n}, model: m, inputs: {{p: {{file: {f}.txt}}, q: '{{{{ z }}}}'}}}}\n"
        for n, f in enumerate("bba")
    )
    problems = told(
        read("shots:\n" + shots, files={"a.txt": b"{{ a }}", "b.txt": b"x\n{{ a }}\n{{ b }} {{ a }}"})
    )
    assert [" ".join(problem.split()[:3]) for problem in problems] == [
        "m.yaml:3:54: shot s0,", "m.yaml:4:54: shot s1,", "m.yaml:5:54: shot s2,", "a.txt:1:1: shot s2,",
        "b.txt:2:1: shot s0,", "b.txt:3:1: shot s0,", "b.txt:3:9: shot s0,",
    ]  # fmt: skip


@at_most(200)
def test_many_faults_of_a_file_cost_no_more_for_many_takes_of_it() -> None:
    text = shot("inputs: {p: {file: 1.txt}}, sweep: {seed: 1-200}")
    reading = read(text, files={"1.txt": b"{{ x }} " * 2_000})
    assert len(reading.problems) == 2_000


@pytest.mark.parametrize(
    ("manifest", "name", "file"),
    [
        ("m.yaml", "./p/1.txt", "p/1.txt"),
        ("boards/m.yaml", "p/1.txt", "boards/p/1.txt"),
        ("/b/m.yaml", "1.txt", "/b/1.txt"),
        ("../m.yaml", "1.txt", "../1.txt"),
    ],
)
def test_a_file_is_called_as_it_is_reached_from_here(manifest: str, name: str, file: str) -> None:
    text = f"version: 1\n{shot(f'inputs: {{p: {{file: {name}}}}}')}".encode()
    reading = parse_manifest(text, file=manifest, name="m", open_beside=shelf({name: b"{{ x }}"}))
    assert [str(problem.at) for problem in reading.problems] == [f"{file}:1:1"]


@pytest.mark.parametrize(
    "text",
    [
        "defaults: {inputs: {p: {file: 1.txt}}}\n" + shot("notes: x"),
        "styles: {look: {inputs: {p: {file: 1.txt}}}}\n" + shot("style: look"),
        shot("inputs: {p: {q: [{file: 1.txt}]}}"),
        shot("sweep: {p: [{file: 1.txt}]}"),
        "sequences: [{id: s1, model: m, frames: [a, b], prompts: [{file: 1.txt}]}]",
    ],
    ids=["defaults", "style", "nested", "sweep", "sequence"],
)
def test_the_place_in_the_file_is_told_wherever_it_is_named(text: str) -> None:
    (problem,) = told(read(text, files={"1.txt": b"ab {{ x }}"}))
    assert problem.startswith("1.txt:1:4: shot s1")


def test_what_is_put_into_a_file_is_not_of_the_file() -> None:
    """What a filled-in text has wrong with it later is told at the reference: its lines are no longer the file's."""
    (s,) = read("vars: {n: '7'}\n" + shot("inputs: {p: {file: 1.txt}}"), files={"1.txt": b"{{ n }}"}).shots
    node = s.variants[0].inputs["p"]
    assert isinstance(node, Text)
    assert (node.text, node.file, str(node.at)) == ("7", "", "m.yaml:3:47")
