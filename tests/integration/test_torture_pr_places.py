"""The small tier of the tortures of lost places, of clips from a lying host, and of shares of failing requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import t23_lost_places, t24_clips, t25_cliff
from tests.torture.t23_lost_places import LOSSES, LostPlace, When
from tests.torture.t24_clips import Clips
from tests.torture.t25_cliff import Cliff

SEED = 20_261_130
MOMENTS = {
    "renamed": When.LIVE,
    "deleted": When.BEFORE_KILL,
    "replaced by an empty one": When.AFTER_KILL,
    "set back": When.AFTER_KILL,
    "folder set back": When.AFTER_KILL,
    "record lost": When.LIVE,
    "marker lost": When.BEFORE_KILL,
    "log cut": When.AFTER_KILL,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_whose_place_is_lost_pays_for_nothing_twice_and_completes(loss: str, tmp_path: Path) -> None:
    verdict = t23_lost_places.run(LostPlace(loss, SEED, loss, MOMENTS[loss]), tmp_path)
    assert verdict.clean, verdict


def test_every_file_is_what_one_job_made_as_one_output(tmp_path: Path) -> None:
    verdict = t24_clips.run(Clips("clips", SEED, outputs=2, lives=2), tmp_path)
    assert verdict.clean, verdict


@pytest.mark.parametrize("kind", ["looks", "submits"])
def test_a_share_of_failing_requests_costs_its_share(kind: str, tmp_path: Path) -> None:
    verdict = t25_cliff.run(Cliff(kind, SEED, kind, 0.2, takes=30), tmp_path)
    assert verdict.clean, verdict
