"""The small tier of the tortures of the state file: failing calls, power loss, full disks, damage; seconds of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import t03_torture_calls, t04_power_loss, t12_disk_full, t22_damaged
from tests.torture.registry import Verdict

SEED = 20_261_120
needs_strace = pytest.mark.skipif(bool(t03_torture_calls.obstacle()), reason=t03_torture_calls.obstacle())
needs_disks = pytest.mark.skipif(bool(t12_disk_full.obstacle()), reason=t12_disk_full.obstacle())


@needs_strace
def test_a_failing_call_costs_no_id_and_shows_no_traceback(tmp_path: Path) -> None:
    verdict = Verdict()
    for case in t03_torture_calls.few(SEED):
        verdict += t03_torture_calls.run(case, tmp_path / case.name)
    assert verdict.clean, verdict
    assert verdict.cases >= 4


@needs_strace
def test_no_power_loss_makes_a_take_be_paid_again_and_weaker_settings_do(tmp_path: Path) -> None:
    product, *controls = t04_power_loss.few(SEED, 560)
    verdict = t04_power_loss.run(product, tmp_path / product.name)
    assert verdict.clean, verdict
    assert verdict.cases >= 500
    for case in controls:
        assert t04_power_loss.run(case, tmp_path / case.name).clean, case.name


@needs_disks
def test_a_disk_that_fills_up_loses_no_id(tmp_path: Path) -> None:
    verdict = Verdict()
    for case in t12_disk_full.few(SEED):
        folder = tmp_path / case.name
        folder.mkdir()
        verdict += t12_disk_full.run(case, folder)
    assert verdict.clean, verdict
    assert verdict.cases >= 4


def test_no_damaged_file_is_run_from(tmp_path: Path) -> None:
    verdict = Verdict()
    for case in t22_damaged.cases(SEED, 0.04):
        verdict += t22_damaged.run(case, tmp_path)
    assert verdict.clean, verdict
    assert verdict.cases >= 50
