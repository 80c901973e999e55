"""Which rule strikes when, and how scripts are read: all mistakes at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.errors import ManifestInvalid, UsageError
from runner.simulator.fault_rules import FaultPlan, Route, Rule, Script
from runner.simulator.fault_script import read_script
from runner.simulator.faults import FAULTS
from runner.simulator.jobs import ClipFlaw, JobOutcome
from runner.simulator.settings import SimulatorSettings, load_script
from tests.simulated_faults import ALL

EXAMPLE = Path(__file__).parents[2] / "manifests" / "faults.yaml"


def a_rule(
    fault: str = "close", *, route: Route = Route.SUBMIT, after: int = 0, count: int | None = None
) -> Rule:
    return Rule(FAULTS[fault], frozenset({route}), after=after, count=count)


def strikes(mischief: FaultPlan, hits: int, *, route: Route = Route.SUBMIT, key: str = "") -> list[bool]:
    return [mischief.strike(route, model="pika/x", key=key) is not None for _ in range(hits)]


def test_a_rule_passes_the_first_hits_and_strikes_the_next() -> None:
    mischief = FaultPlan([a_rule(after=2, count=2)], seed=0, clock=float)
    assert strikes(mischief, 6) == [False, False, True, True, False, False]


def test_a_rule_leaves_other_routes_and_models_alone() -> None:
    rule = Rule(FAULTS["close"], frozenset({Route.SUBMIT}), model="pika/pika-*")
    mischief = FaultPlan([rule], seed=0, clock=float)
    assert strikes(mischief, 2, route=Route.FILE) == [False, False]
    assert strikes(mischief, 1) == [False]
    assert mischief.strike(Route.SUBMIT, model="pika/pika-2-2/image-to-video") == rule


def test_the_first_rule_that_strikes_wins_and_later_rules_still_count_the_hit() -> None:
    first, second = a_rule("close", count=1), a_rule("html", after=1, count=1)
    mischief = FaultPlan([first, second], seed=0, clock=float)
    assert [mischief.strike(Route.SUBMIT) for _ in range(3)] == [first, second, None]


def test_a_rule_for_each_job_counts_each_job_by_itself() -> None:
    rule = Rule(FAULTS["status"], frozenset({Route.FILE}), count=1, per="job")
    mischief = FaultPlan([rule], seed=0, clock=float)
    seen = [mischief.strike(Route.FILE, key=key) is not None for key in ("a", "b", "a", "b")]
    assert seen == [True, True, False, False]


def test_a_rule_for_the_first_jobs_never_meets_another() -> None:
    rule = Rule(FAULTS["refusal"], frozenset({Route.STATUS, Route.RESULT}), jobs=2)
    mischief = FaultPlan([rule], seed=0, clock=float)
    seen = [mischief.strike(Route.STATUS, key=key) is not None for key in ("a", "b", "c", "a", "c", "b")]
    assert seen == [True, True, False, True, False, True]
    assert mischief.strike(Route.RESULT, key="b") == rule
    assert mischief.strike(Route.RESULT, key="d") is None


def test_a_spell_ends_after_its_time_from_the_first_strike() -> None:
    now = [0.0]
    rule = Rule(FAULTS["status"], frozenset({Route.STATUS}), after=1, for_s=10)
    mischief = FaultPlan([rule], seed=0, clock=lambda: now[0])
    seen = []
    for now[0] in (0.0, 5.0, 15.0, 15.1):
        seen.append(mischief.strike(Route.STATUS) is not None)
    assert seen == [False, True, True, False]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.2, 0.8))
def test_probability_is_a_share_of_hits_that_repeats_under_a_seed(seed: int, share: float) -> None:
    rule = Rule(FAULTS["close"], frozenset({Route.SUBMIT}), probability=share)
    one, again = (strikes(FaultPlan([rule], seed=seed, clock=float), 400) for _ in range(2))
    assert one == again
    assert abs(sum(one) / 400 - share) < 0.13


def test_every_fault_is_described_and_every_fate_is_a_fault() -> None:
    assert all(fault.says and fault.routes for fault in FAULTS.values())
    assert {fault.fate: fault.name for fault in FAULTS.values() if fault.fate} == {
        fate: fate.value for fate in JobOutcome if fate is not JobOutcome.SUCCEEDS
    }
    assert {fault.flaw: fault.name for fault in FAULTS.values() if fault.flaw} == {
        flaw: flaw.value for flaw in ClipFlaw
    }


@pytest.mark.parametrize("fault", ALL)
def test_every_fault_can_be_asked_for_on_any_route_it_can_strike(fault: str) -> None:
    [rule] = read_script(f"faults: [{{route: any, fault: {fault}}}]", "f.yaml", faults=ALL).rules
    assert rule.fault is ALL[fault]
    assert rule.routes == ALL[fault].routes
    assert rule.accepted is ALL[fault].accepted
    assert set(rule.values) | {"delay_s"} >= set(ALL[fault].settings)


def test_a_script_of_a_user_cannot_name_the_faults_of_tests() -> None:
    assert len(set(ALL) - set(FAULTS)) > 10
    for name in set(ALL) - set(FAULTS):
        with pytest.raises(ManifestInvalid, match="1 problem"):
            load_script(f"faults: [{{route: any, fault: {name}}}]", "f.yaml")


def test_a_script_is_read_as_it_was_meant() -> None:
    script = load_script(
        """
version: 1
faults:
  - {route: [status, result], fault: throttled, retry_after: 2.5, retry_form: date, after: 3, count: 2}
  - route: submit
    fault: close
    accepted: no
    probability: 0.25
    per: job
    model: pika/*
""",
        "faults.yaml",
    )
    throttled, close = script.rules
    assert throttled.routes == {Route.STATUS, Route.RESULT}
    assert throttled.values == {"retry_after": 2.5, "retry_form": "date"}
    assert (throttled.after, throttled.count) == (3, 2)
    assert (close.accepted, close.probability, close.per, close.model) == (False, 0.25, "job", "pika/*")


def test_json_is_a_script_too_even_with_tabs() -> None:
    script = load_script(
        '{\n\t"faults": [\n\t\t{"route": "file", "fault": "cut", "count": 1}\n\t]\n}', "f.json"
    )
    assert script == Script((a_rule("cut", route=Route.FILE, count=1),))


def test_a_delay_is_longer_than_a_patient_reader_unless_it_says_otherwise() -> None:
    plain, quick = load_script(
        "faults: [{route: status, fault: delay}, {route: status, fault: delay, delay_s: 0.5}]", "f"
    ).rules
    assert (plain.delay_s, quick.delay_s) == (30.0, 0.5)


WRONG = {
    "unknown fault": (
        "{route: file, fault: cutt}",
        "f.yaml:2:25: rule 1, fault: cutt is not a fault; did you mean cut?",
    ),
    "unknown setting": (
        "{route: file, fault: cut, cuont: 1}",
        "f.yaml:2:30: rule 1: cuont: unknown setting; did you mean count?",
    ),
    "unknown route": ("{route: files, fault: cut}", "rule 1, route: files is not a route (allowed: submit, "),
    "impossible route": (
        "{route: file, fault: moderation}",
        "rule 1, route: moderation cannot apply to file (allowed: submit)",
    ),
    "fault missing": ("{route: file}", "rule 1, fault: the name of a fault is needed"),
    "route missing": ("{fault: cut}", "rule 1, route: a route is needed"),
    "given twice": ("{route: file, fault: cut, count: 1, count: 2}", "rule 1: count is given twice"),
    "no number": (
        "{route: file, fault: cut, count: many}",
        "rule 1, count: 'many' is not a whole number, 0 or more",
    ),
    "full-width number": ("{route: file, fault: cut, count: １}", "'１' is not a whole number"),
    "no share": ("{route: file, fault: cut, probability: 1.5}", "'1.5' is not a number from 0 to 1"),
    "nan": ("{route: file, fault: cut, probability: .nan}", "'.nan' is not a number"),
    "negative": ("{route: file, fault: delay, delay_s: -1}", "'-1' is not a number, 0 or more"),
    "no status": ("{route: file, fault: status, code: 200}", "'200' is not an HTTP status from 400 to 599"),
    "no form": ("{route: file, fault: throttled, retry_form: soon}", "'soon' is not seconds or date or none"),
    "no yes": ("{route: submit, fault: cut, accepted: maybe}", "'maybe' is not true or false or yes or no"),
    "empty word": ('{route: status, fault: unknown-word, word: ""}', "'' is not some text"),
    "foreign setting": (
        "{route: file, fault: cut, code: 404}",
        "rule 1, code: means nothing to cut (allowed: after,",
    ),
    "fate is accepted": ("{route: submit, fault: fails, accepted: no}", "accepted: means nothing to fails"),
    "unknown form": ("{route: file, fault: ranges, form: none}", "'none' is not refused or other-file"),
    "form without forms": ("{route: file, fault: cut, form: half}", "form: means nothing to cut"),
    "no place": ("{route: result, fault: links-at, at: a..b}", "'a..b' is not a place such as video.uri"),
    "not a mapping": ("close", "f.yaml:2:4: rule 1: a rule is a mapping"),
    "list for a value": ("{route: file, fault: cut, count: [1]}", "rule 1, count: a single value is needed"),
}


@pytest.mark.parametrize(("rule", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_rule_is_refused_with_place_and_advice(rule: str, said: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        load_script(f"faults:\n - {rule}\n", "f.yaml")
    assert said in str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f: the script is empty"),
        ("- 1", "f:1:1: a fault script is a mapping"),
        ("faults: {}", "f:1:9: faults: a list of rules is needed"),
        ("version: 1", "f:1:1: faults: a list of rules is needed"),
        ("version: 2\nfaults: []", "f:1:10: version: only version 1 is known (allowed: 1)"),
        ("fault: []\nfaults: []", "f:1:1: fault: unknown setting; did you mean faults?"),
        ("faults: [", "f:1:10: not YAML"),
        ("[" * 20_000, "f: the script is nested too deeply"),
        ("#" * 300_000, "f: a fault script has at most 262144 characters"),
    ],
)
def test_a_text_that_is_no_script_is_refused(text: str, said: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        load_script(text, "f")
    assert said in str(caught.value.problems[0])


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ManifestInvalid) as caught:
        load_script(
            "faults:\n - {route: fil, fault: cutt}\n - {route: file, fault: cut, count: x, after: y}", "f"
        )
    assert len(caught.value.problems) == 4


def test_the_example_script_is_valid_and_never_ends_a_job_for_ever() -> None:
    rules = load_script(EXAMPLE.read_text(), str(EXAMPLE)).rules
    assert {"close", "throttled", "moderation", "cut"} <= {rule.fault.name for rule in rules}
    assert "never-ends" not in {rule.fault.name for rule in rules}
    assert all(rule.count is not None or rule.probability < 1 for rule in rules)


@pytest.mark.parametrize(
    ("speed", "fail_rate", "slots"),
    [(0, 0, 1), (float("inf"), 0, 1), (1, 1.1, 1), (1, float("nan"), 1), (1, 0, 0)],
)
def test_settings_that_cannot_be_are_refused(speed: float, fail_rate: float, slots: int) -> None:
    with pytest.raises(UsageError, match=r"expected a (?:whole )?number"):
        SimulatorSettings(speed=speed, fail_rate=fail_rate, slots=slots)
