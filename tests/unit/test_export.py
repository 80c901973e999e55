"""A lock sends the same bytes under the same ids as the manifest it was made of, whatever stands in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.commands.check import check
from runner.commands.export import lock, write_lock
from runner.domain.errors import CannotCreate
from runner.domain.shots import Plan
from runner.system.canonical_json import JsonValue
from tests.unit.any_boards import AWKWARD, INPUTS, board, put_schema

EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[2] / "manifests").iterdir()
    if path.suffix in {".yaml", ".csv"} and not path.name.startswith("faults") and ".columns" not in path.name
)
PRICED = """version: 1
vars: {look: "35 mm"}
prices:
  pika/pikaframes: {usd: 0.09, per: second, dated: 2026-11-01}
defaults:
  model: pika/pika-2-2/image-to-video
  inputs: {promptText: "{{ look }} {{ id }}"}
shots:
  - {id: a, price: 0.45, inputs: {image: "https://example.com/a.jpg"}}
  - {id: b, price: 0.5, inputs: {image: "https://example.com/b.jpg"}}
  - id: c
    model: pika/pikaframes
    inputs: {keyFramesFirst: "https://e.com/1.jpg", keyFramesLast: "https://e.com/2.jpg", promptText: p}
"""


def content(plan: Plan) -> list[tuple[object, ...]]:
    return [
        (
            (take.id, take.shot_id, take.model, take.body, take.fingerprint, take.seed),
            (dict(take.point), take.tags, take.notes, take.price),
        )
        for take in plan.takes
    ]


def locked(manifest: Path, folder: Path, *schema_dirs: Path) -> Plan:
    folder.mkdir(exist_ok=True)
    path = folder / "locked.yaml"
    write_lock(lock(manifest, schema_dirs=schema_dirs), path, force=True)
    return check(path, schema_dirs=schema_dirs)


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_locked_to_the_same_takes(manifest: Path, tmp_path: Path) -> None:
    assert content(locked(manifest, tmp_path)) == content(check(manifest))


@settings(max_examples=25, deadline=None)
@given(shots=st.lists(INPUTS, min_size=1, max_size=4), seeds=st.sets(st.integers(0, 2**63 - 1), max_size=3))
def test_any_board_is_locked_to_the_same_takes(
    tmp_path_factory: pytest.TempPathFactory, shots: list[dict[str, JsonValue]], seeds: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("board")
    schemas, manifest = put_schema(folder / "schemas"), folder / "board.yaml"
    manifest.write_bytes(board(shots, seeds=sorted(seeds)).encode())
    plan = check(manifest, schema_dirs=[schemas])
    assert content(locked(manifest, folder / "elsewhere", schemas)) == content(plan)
    for number, take in enumerate(plan.takes):
        body = json.loads(take.body)
        for name, value in shots[number // max(len(seeds), 1)].items():
            assert body[name] == value


@pytest.mark.parametrize("text", [text for text in AWKWARD if text.strip()], ids=ascii)
def test_a_text_that_yaml_would_mangle_survives_byte_for_byte(text: str, tmp_path: Path) -> None:
    schemas, manifest = put_schema(tmp_path / "schemas"), tmp_path / "board.yaml"
    manifest.write_bytes(board([{"text": text, "words": [text], "camera": {"file": text}}]).encode())
    (take,) = locked(manifest, tmp_path / "elsewhere", schemas).takes
    body = json.loads(take.body)
    assert (body["text"], body["words"], body["camera"]) == (text, [text], {"file": text})


def test_a_lock_says_everything_and_refers_to_nothing(tmp_path: Path) -> None:
    manifest = tmp_path / "board.yaml"
    manifest.write_text(PRICED, "utf-8")
    text = lock(manifest).text
    document = yaml.safe_load(text)
    assert document.keys() == {"version", "name", "prices", "shots"}
    assert all(
        entry.keys() <= {"take", "point", "id", "model", "inputs", "tags", "notes", "price"}
        for entry in document["shots"]
    )
    for entry, take in zip(document["shots"], check(manifest).takes, strict=True):
        assert entry["inputs"] == json.loads(take.body)


def test_a_lock_keeps_the_prices_and_says_what_it_was_made_of(tmp_path: Path) -> None:
    manifest = tmp_path / "board.yaml"
    manifest.write_text(PRICED, "utf-8")
    plan = check(manifest)
    assert content(locked(manifest, tmp_path / "elsewhere")) == content(plan)
    head = lock(manifest).text.partition("version:")[0]
    assert plan.manifest.sha256 in head
    for model, sha256 in plan.schemas.items():
        assert f"schema of {model}: {sha256}" in head


def test_a_lock_is_not_written_over_a_file_unasked(tmp_path: Path) -> None:
    made, path = lock(EXAMPLES[0]), tmp_path / "lock.yaml"
    path.write_text("mine", "utf-8")
    with pytest.raises(CannotCreate, match="is there already"):
        write_lock(made, path)
    assert path.read_text("utf-8") == "mine"
    write_lock(made, path, force=True)
    assert path.read_text("utf-8") == made.text
