"""The state file passes the suite that every journal must pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path

import pytest

from runner.domain.shots import Take
from runner.domain.states import Fact
from runner.store.reader import open_reader
from runner.store.state_file import StateFile
from tests.integration.journal_conformance import CASES, Case, MakeJournal, Where, case_id
from tests.integration.store_samples import new_state_file


class FileJournal:
    """A state file that is asked through a reader, as another process would."""

    def __init__(self, state_file: StateFile) -> None:
        self._file = state_file
        self.epoch = state_file.epoch

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        return self._file.record(take_id, fact, at=at)

    def state_of(self, take_id: str) -> Where:
        with open_reader(self._file.path, checked=True) as reader:
            found = reader.take(take_id)
        assert found is not None
        return found.state, found.delivery, found.request_id


@pytest.fixture
def make_journal(tmp_path: Path) -> Iterator[MakeJournal]:
    with ExitStack() as stack:

        def make(takes: Sequence[Take]) -> FileJournal:
            return FileJournal(stack.enter_context(new_state_file(tmp_path, takes)))

        yield make


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_state_file_conforms(case: Case, make_journal: MakeJournal) -> None:
    case(make_journal)
