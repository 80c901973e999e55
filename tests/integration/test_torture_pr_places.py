"""The small tier of the tortures of clips from a lying host."""

from __future__ import annotations

from pathlib import Path

from tests.torture import t24_clips
from tests.torture.t24_clips import Clips

SEED = 20_261_130


def test_every_file_is_what_one_job_made_as_one_output(tmp_path: Path) -> None:
    verdict = t24_clips.run(Clips("clips", SEED, outputs=2, lives=2), tmp_path)
    assert verdict.clean, verdict
