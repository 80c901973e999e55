"""The report of a manifest is a manifest: read again it gives the same takes, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.checking import check
from runner.reporting.write import write_report
from runner.shots import Take
from runner.store.records import TakeRecord
from tests.unit.reporting_records import NOW, delivered, header, pending

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


@pytest.mark.parametrize(("name", "text"), [("board.csv", CSV), ("board.yaml", YAML)], ids=["csv", "yaml"])
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
        report = write_report(tmp_path, header=header(columns=columns), takes=records, now=NOW).csv
        plan = check(report)
        columns = plan.manifest.columns
        assert [
            (take.id, take.shot_id, take.model, take.body, take.seed, take.tags, take.notes)
            for take in plan.takes
        ] == seen
