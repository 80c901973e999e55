"""The report of a manifest is a manifest: read again it gives the same takes, byte for byte."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.commands.check import check
from runner.domain.errors import ManifestInvalid
from runner.domain.records import TakeRecord
from runner.domain.shots import Plan, Take
from runner.output.write_reports import write_report
from runner.system.canonical_json import JsonValue
from tests.unit.any_boards import INPUTS, board, put_schema
from tests.unit.output_records import NOW, FakeRecord, csv_text, delivered, header, pending

CSV = """id;model;tags;notes;seeds;promptText;image;resolution
s010;pika/pika-2-2/image-to-video;hero, night;'=1+1;1000-1001;"=take {{ seed }}, a ""quote""
and a line";https://example.com/a.jpg;720p
s020;pika/pika-2-2/image-to-video;;"''-5; -x";;"-pan {{{{ left }} for {{ id }}";https://example.com/b.jpg;
s030;pika/pika-2-2/image-to-video;;;90190857;"' @home, 100 %";https://example.com/c.jpg;1080p
"""
YAML = """version: 1
vars: {style: "35 mm"}
defaults: {model: pika/pika-2-2/image-to-video}
shots:
  - id: s010
    tags: [hero, night]
    notes: "=SUM(A1)"
    inputs: {image: "https://example.com/a.jpg", promptText: "+ {{ style }} {{{{ kept }} {{ seed }}"}
    sweep: {seed: [7, 8], resolution: [720p, 1080p]}
  - id: s020
    inputs: {image: "https://example.com/b.jpg", promptText: "'=quoted"}
"""
WEDGES = """id;model;seeds;sweep;promptText;image;keyFramesFirst;keyFramesLast
s010;pika/pika-2-2/image-to-video;1000-1001;resolution=720p|1080p repeat=2;x {{ resolution }};https://example.com/a.jpg;;
s020;;;model=pika/pika-2-2/image-to-video|pika/pikaframes seed+duration=7+5|8+10;y;https://example.com/a.jpg;\
https://example.com/a.jpg;https://example.com/b.jpg
s030;pika/pika-2-2/image-to-video;random 2;;z;https://example.com/c.jpg;;
s040;pika/pika-2-2/image-to-video;;repeat=2;z;https://example.com/d.jpg;;
"""
YAML_WEDGES = """version: 1
defaults: {model: pika/pika-2-2/image-to-video, inputs: {image: "https://example.com/a.jpg"}, repeat: 2}
shots:
  - {id: s010, sweep: {seed: 0-10:5, exclude: [{seed: 5}], include: [{seed: 7}]}}
  - {id: s020, sweep: {seed: {random: 2}, promptText: [a cat, "{{ id }} {{{{ x"]}}
"""


def _record(take: Take, position: int) -> TakeRecord:
    return replace(
        delivered(pending(take.id, position=position)),
        shot_id=take.shot_id,
        model=take.model,
        body=take.body,
        fingerprint=take.fingerprint,
        seed=take.seed,
        point=take.point,
        tags=take.tags,
        notes=take.notes,
        cells=take.cells,
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("board.csv", CSV), ("board.yaml", YAML), ("wedges.csv", WEDGES), ("wedges.yaml", YAML_WEDGES)],
)
def test_a_report_read_as_a_manifest_gives_the_same_takes(tmp_path: Path, name: str, text: str) -> None:
    manifest = tmp_path / name
    manifest.write_text(text, "utf-8")
    plan = check(manifest)
    seen = [
        (take.id, take.shot_id, take.model, take.body, take.seed, take.tags, take.notes)
        for take in plan.takes
    ]
    columns = plan.manifest.columns
    for _ in range(2):
        records = [_record(take, number) for number, take in enumerate(plan.takes)]
        report = write_report(tmp_path, FakeRecord(header(columns=columns), records), now=NOW).csv
        plan = check(report)
        columns = plan.manifest.columns
        assert [
            (take.id, take.shot_id, take.model, take.body, take.seed, take.tags, take.notes)
            for take in plan.takes
        ] == seen


def _content(plan: Plan) -> list[tuple[object, ...]]:
    return [
        (
            take.id,
            take.shot_id,
            take.model,
            take.body,
            take.fingerprint,
            take.seed,
            dict(take.point),
            take.tags,
        )
        for take in plan.takes
    ]


def _read_back(folder: Path, plan: Plan, *schema_dirs: Path) -> Plan:
    records = [_record(take, number) for number, take in enumerate(plan.takes)]
    report = write_report(folder, FakeRecord(header(columns=plan.manifest.columns), records), now=NOW).csv
    return check(report, schema_dirs=schema_dirs)


@settings(max_examples=25, deadline=None)
@given(shots=st.lists(INPUTS, min_size=1, max_size=4), seeds=st.sets(st.integers(0, 2**63 - 1), max_size=3))
def test_any_board_comes_back_from_its_report_with_the_same_takes(
    tmp_path_factory: pytest.TempPathFactory, shots: list[dict[str, JsonValue]], seeds: set[int]
) -> None:
    """Twice round: what came from a report is itself reported, by its cells."""
    folder = tmp_path_factory.mktemp("board")
    schemas, manifest = put_schema(folder / "schemas"), folder / "board.yaml"
    manifest.write_bytes(board(shots, seeds=sorted(seeds)).encode())
    plan = check(manifest, schema_dirs=[schemas])
    once = _read_back(folder, plan, schemas)
    assert _content(once) == _content(plan)
    assert _content(_read_back(folder, once, schemas)) == _content(plan)


def test_a_take_keeps_the_point_of_its_sweep(tmp_path: Path) -> None:
    manifest = tmp_path / "board.yaml"
    manifest.write_text(YAML, "utf-8")
    plan = check(manifest)
    back = _read_back(tmp_path, plan)
    assert [dict(take.point) for take in back.takes] == [dict(take.point) for take in plan.takes]
    assert dict(back.takes[0].point) == {"seed": 7, "resolution": "720p"}


@pytest.mark.parametrize(("name", "text"), [("board.csv", CSV), ("board.yaml", YAML)], ids=["csv", "yaml"])
def test_a_stale_take_and_an_older_render_come_back_as_what_was_sent(
    tmp_path: Path, name: str, text: str
) -> None:
    """Their rows say something else by now, or nothing; what was paid for must not become a new take."""
    manifest = tmp_path / name
    manifest.write_text(text, "utf-8")
    plan = check(manifest)
    stale, *others = [_record(take, number) for number, take in enumerate(plan.takes)]
    cells = {cell: "edited since" if cell == "promptText" else said for cell, said in stale.cells.items()}
    stale = replace(
        stale,
        wanted="cd" * 32,
        wanted_model=stale.model,
        wanted_body=stale.body.replace("a", "b"),
        cells=cells,
    )
    older = replace(stale, take_id=f"{stale.take_id}~1", position=None, wanted=None, cells={})
    columns = plan.manifest.columns
    report = tmp_path / "report.csv"
    report.write_bytes(csv_text(header(columns=columns), [stale, *others, older]).encode())
    found = {take.id: take for take in check(report).takes}
    assert set(found) == {take.id for take in plan.takes} | {older.take_id}
    for record in (stale, older):
        assert (found[record.take_id].body, found[record.take_id].fingerprint) == (
            record.body,
            record.fingerprint,
        )


def test_the_report_names_the_fields_in_which_a_take_is_stale() -> None:
    take = delivered(pending(body={"promptText": "old", "seed": 1}))
    stale = replace(
        take, wanted="cd" * 32, wanted_model="other/model", wanted_body='{"promptText":"new","seed":1}'
    )
    for record, said in (
        (take, ""),
        (stale, "model; inputs.promptText"),
        (replace(stale, kept_for="cd" * 32), ""),
    ):
        rows = csv.DictReader(io.StringIO(csv_text(header(), [record])[1:], newline=""))
        assert next(rows)["stale_fields"] == said


@pytest.mark.parametrize(("name", "text"), [("board.csv", CSV), ("board.yaml", YAML)], ids=["csv", "yaml"])
def test_what_waited_when_its_row_left_is_told_and_does_not_come_back_as_a_row(
    tmp_path: Path, name: str, text: str
) -> None:
    manifest = tmp_path / name
    manifest.write_text(text, "utf-8")
    plan = check(manifest)
    kept = [_record(take, number) for number, take in enumerate(plan.takes)]
    waited = replace(pending("gone", position=None), attempts=1, model=kept[0].model, body=kept[0].body)
    report = tmp_path / "report.csv"
    report.write_bytes(csv_text(header(columns=plan.manifest.columns), [*kept, waited]).encode())
    (row,) = [
        row for row in csv.DictReader(io.StringIO(report.read_text("utf-8-sig"))) if row["take"] == "gone"
    ]
    assert row["state"] == "removed"
    assert [take.id for take in check(report).takes] == [take.id for take in plan.takes]


def test_only_a_row_of_a_report_can_be_removed(tmp_path: Path) -> None:
    """Elsewhere a column of that name is an input, and no model here has it: nothing is ignored in silence."""
    manifest = tmp_path / "board.csv"
    manifest.write_text(CSV.replace("id;model", "state;id;model").replace("\ns0", "\nremoved;s0"), "utf-8")
    with pytest.raises(ManifestInvalid) as caught:
        check(manifest)
    (problem,) = caught.value.errors
    assert "state is not an input of pika/pika-2-2/image-to-video; 3 rows fill it" in problem.message
