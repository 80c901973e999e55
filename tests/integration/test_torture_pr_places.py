"""The small tier of the tortures of clips from a lying host, and of shares of failing requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import t24_clips, t25_cliff
from tests.torture.t24_clips import Clips
from tests.torture.t25_cliff import Cliff

SEED = 20_261_130


def test_every_file_is_what_one_job_made_as_one_output(tmp_path: Path) -> None:
    verdict = t24_clips.run(Clips("clips", SEED, outputs=2, lives=2), tmp_path)
    assert verdict.clean, verdict


@pytest.mark.parametrize("kind", ["looks", "submits"])
def test_a_share_of_failing_requests_costs_its_share(kind: str, tmp_path: Path) -> None:
    verdict = t25_cliff.run(Cliff(kind, SEED, kind, 0.2, takes=30), tmp_path)
    assert verdict.clean, verdict
