"""Other numbers of a session: what they change, what then holds, and the flags that ask for the same."""

from __future__ import annotations

import argparse

import pytest

from runner.cli.arg_types import tuned_model_jobs, tuned_rate
from runner.commands.steps.tuned_settings import flags_of, in_force, tuned
from runner.domain.errors import UsageError
from runner.domain.orders import Tune
from runner.domain.rates import Rate
from runner.domain.tune_text import changes
from runner.system.canonical_json import JsonValue

TUNE = Tune(
    jobs=8, max_cost=999_999_999.999999, rates={"": Rate(10, "min"), "x/y": None}, model_jobs={"x/y": 3}
)


def test_only_what_an_order_names_is_set() -> None:
    assert tuned(TUNE) == {
        "jobs": 8,
        "max_cost_usd": 999_999_999.999999,
        "rates": {"": "10/min", "x/y": None},
        "model_jobs": {"x/y": 3},
    }
    assert tuned(Tune()) == {}


def test_what_an_order_would_change_is_shown_beside_what_holds() -> None:
    now: dict[str, JsonValue] = {"jobs": 8, "max_cost_usd": 40.0, "rates": {"x/y": "2/s"}}
    order = Tune(jobs=8, max_cost=60.0, rates={"": Rate(10, "min"), "x/y": None}, model_jobs={"x/\x1b": 3})
    assert list(changes(in_force(now), order)) == [
        "--jobs is 8 already",
        "--max-cost $40.00 → $60.00",
        "--rate none → 10/min",
        "--rate x/y 2/s → none",
        "--model-jobs x/\\x1b none → 3",
    ]
    assert list(changes(in_force({}), Tune(jobs=8))) == ["--jobs none → 8"]


def test_the_numbers_that_hold_are_those_of_the_settings_after_the_orders() -> None:
    assert in_force(tuned(TUNE)) == TUNE
    with pytest.raises(UsageError):
        in_force({"jobs": "many"})


def test_the_flags_ask_for_what_the_orders_led_to() -> None:
    later = Tune(jobs=12, max_cost=0.000001, rates={"": None}, model_jobs={"x/y": None})
    rates = ["--rate", "10/min"]
    assert flags_of([TUNE]) == [
        *("--jobs", "8", "--max-cost", "999999999.999999", *rates, "--model-jobs", "x/y=3")
    ]
    assert flags_of([TUNE, later]) == ["--jobs", "12", "--max-cost", "0.000001"]
    assert flags_of([Tune(jobs=100)]) == ["--jobs", "100"]


def test_a_flag_about_one_model_holds_the_model_and_the_number() -> None:
    assert tuned_rate("10/min") == ("", Rate(10, "min"))
    assert tuned_rate("a/b=2/s") == ("a/b", Rate(2, "s"))
    assert (tuned_rate("none"), tuned_rate("a/b=none")) == (("", None), ("a/b", None))
    assert (tuned_model_jobs("a/b=4"), tuned_model_jobs("a/b=none")) == (("a/b", 4), ("a/b", None))


@pytest.mark.parametrize("text", ["", "10", "=2/s", "a/b=", "0/s", "1/day", "a/b=2/s=3"])
def test_another_text_is_no_rate(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        tuned_rate(text)


@pytest.mark.parametrize("text", ["", "4", "=4", "a/b=", "a/b=0", "a/b=x"])
def test_another_text_is_no_number_of_jobs_of_a_model(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        tuned_model_jobs(text)
