"""The small tier of the tortures by fault, by classifier, by night, by clock and by state machine: seconds of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from runner.api.exchange import Answer
from runner.domain.states import AccountTurnedAway, LostContact, Refused, RefusedForNow
from tests.torture import (
    fault_stage,
    fault_table,
    night_judge,
    night_life,
    t06_fault_matrix,
    t07_classifier,
    t08_nights,
    t14_clocks,
    t15_machine,
)
from tests.torture.fault_stage import Seen, Verb
from tests.torture.night_api import Asked, Bad, Fates, Spell
from tests.torture.registry import Verdict

SEED = 20_261_120


def test_every_fault_of_every_request_is_called_what_the_table_says(tmp_path: Path) -> None:
    verdict = Verdict()
    for case in t06_fault_matrix.cases(SEED, t06_fault_matrix.PR):
        verdict += t06_fault_matrix.run(case, tmp_path / case.name)
    assert verdict.clean, verdict
    assert verdict.cases >= 160


def test_every_kind_of_fault_has_a_paid_case_in_the_small_tier_where_it_has_one_at_all() -> None:
    small = {one.row for group in t06_fault_matrix.cases(SEED, t06_fault_matrix.PR) for one in group.ones}
    special = {one.row for one in t06_fault_matrix.every() if not one.fault.name.startswith("status ")}
    assert special <= small
    assert sum(1 for _ in t06_fault_matrix.every()) >= 600


def test_the_classifier_has_an_answer_to_everything(tmp_path: Path) -> None:
    verdict = Verdict()
    for case in t07_classifier.cases(SEED, t07_classifier.PR):
        verdict += t07_classifier.run(case, tmp_path)
    assert verdict.clean, verdict
    assert verdict.cases >= 2_000


@pytest.mark.parametrize("module", [t08_nights, t14_clocks, t15_machine], ids=lambda module: module.NAME)
def test_nights_clocks_and_people_cost_nothing_and_lose_nothing(module: ModuleType, tmp_path: Path) -> None:
    verdict = Verdict()
    for case in module.cases(SEED, module.PR):
        verdict += module.run(case, tmp_path)
    assert verdict.clean, verdict
    assert verdict.cases >= 10


# -- a matrix that cannot see is worth nothing -------------------------------------------------------------------


def test_the_oracle_of_the_classifier_and_the_table_of_faults_agree_about_statuses() -> None:
    """Two readings of one document, written apart, say the same of every plain status from 200 on."""
    words = {"refused": Refused, "account": AccountTurnedAway, "later": RefusedForNow, "lost": LostContact}
    for row in fault_table.statuses():
        status = int(row.name.removeprefix("status "))
        if status >= 200:
            answer = Answer(status, b'{"message": "so it is"}')
            assert t07_classifier.expected(answer) == {words[row.outcomes[Verb.SUBMIT]]}, status


@pytest.mark.parametrize(
    ("seen", "objection"),
    [
        (Seen("not-sent", "pending", "x", charged=1, requests=1), "charged 1 times and called not-sent"),
        (Seen("lost", "held", "x", requests=2, connections=2, charged=2), "sent 2 times"),
        (Seen("lost", "pending", "x", requests=1), "lost led to pending"),
        (Seen("lost", "held", "x", requests=1, early=True), "before the intent"),
        (Seen("lost", "held", "", requests=1), "not a word"),
        (Seen("lost", "held", f"Bearer {fault_stage.TOKEN}", requests=1), "the token"),
        (Seen("accepted", "queued", requests=1, charged=1), "should be lost"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_matrix_objects_to_what_is_wrong(seen: Seen, objection: str) -> None:
    one = next(
        one for one in t06_fault_matrix.every() if one.fault.name == "junk" and one.verb is Verb.SUBMIT
    )
    assert any(objection in found for found in t06_fault_matrix.objections(one, seen))


def test_a_night_sees_a_double_a_loss_and_a_clip_under_another_name() -> None:
    morning = night_life.live(night_life.Plan(1, takes=4, jobs=2, fates=Fates(median=10.0, refused=0.0)))
    assert night_judge.judge(morning).clean
    first, second = morning.api.ledger[0], morning.api.ledger[1]
    morning.api.ledger.append(replace(first, request_id="again"))
    morning.api.clips.append((first.take, second.request_id))
    verdict = night_judge.judge(morning)
    assert (verdict.doubled, verdict.lost, verdict.mispaired) == (1, 1, 1)


def test_a_night_sees_requests_into_an_outage() -> None:
    """A client without a gate asks every second; the judge must say so."""
    spell = Spell(Bad.UNREACHABLE, 20.0, 620.0)
    plan = night_life.Plan(1, takes=4, jobs=2, fates=Fates(median=10.0, refused=0.0), weather=(spell,))
    morning = night_life.live(plan)
    morning.api.asked.extend(Asked(20.0 + second, "look") for second in range(600))
    assert any("requests in" in failure for failure in night_judge.judge(morning).failures)
