"""Which API a run belongs to: the one its jobs live at, and until there was any the one it was last called with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.commands.steps.open_run import open_state
from runner.domain.errors import UsageError
from runner.domain.records import RunHeader
from runner.domain.states import NotSent, SubmissionStarted
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from tests.integration.store_samples import HEADER, make_take, new_state_file, tell

WRONG, RIGHT = "https://api.exmaple.net", "https://api.example.net"
RECORDED = replace(HEADER, simulated=False, api_base=WRONG)
ASKED = replace(RECORDED, api_base=RIGHT)


def opened(folder: Path, header: RunHeader) -> str:
    """Open the run as a call does that asks for `header`; return the API that it is recorded to belong to."""
    with open_state(RunDir(folder), header=header) as state:
        return state.header.api_base


def test_a_run_that_has_sent_nothing_takes_the_address_it_is_called_with(tmp_path: Path) -> None:
    """As often as it takes; what is recorded is what the next call is held against."""
    new_state_file(tmp_path, [make_take("a")], header=RECORDED).close()
    assert opened(tmp_path, ASKED) == RIGHT
    assert opened(tmp_path, RECORDED) == WRONG
    assert opened(tmp_path, ASKED) == RIGHT


def test_a_run_that_has_begun_to_send_stays_where_its_jobs_may_live(tmp_path: Path) -> None:
    """Even if that submit was proved not to have left: only what was never begun is beyond doubt."""
    take = make_take("a")
    with new_state_file(tmp_path, [take], header=RECORDED) as state:
        tell(state, SubmissionStarted("try-1", take.fingerprint, state.epoch), NotSent("try-1", "refused"))
    with pytest.raises(UsageError, match=f"was run against {WRONG}, not {RIGHT}"):
        opened(tmp_path, ASKED)
    assert opened(tmp_path, RECORDED) == WRONG


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(replace(ASKED, simulated=True, api_base="simulator"), id="the other kind"),
        pytest.param(replace(ASKED, name="another", manifest="/boards/another.csv"), id="another board"),
    ],
)
def test_a_call_that_is_refused_for_another_reason_changes_no_address(
    tmp_path: Path, asked: RunHeader
) -> None:
    with new_state_file(tmp_path, [make_take("a")], header=RECORDED):
        pass
    with pytest.raises(UsageError):
        opened(tmp_path, asked)
    with open_reader(tmp_path / "state.db") as reader:
        assert reader.header.api_base == WRONG
