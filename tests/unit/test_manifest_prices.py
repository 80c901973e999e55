"""Prices in a manifest: money is read strictly, and a shot's own price goes before that of its model."""

from __future__ import annotations

import pytest

from runner.domain.shots import Price, PriceUnit
from runner.models.registry import Models
from runner.plan.build import make_plan
from tests.unit.whole_readings import Reading, parse_manifest

MODEL = "pika/pika-2-2/image-to-video"


def read(text: str) -> Reading:
    return parse_manifest(f"version: 1\n{text}\n".encode(), file="m.yaml", name="m")


def priced(price: str) -> Reading:
    return read(f"prices: {{m: {price}}}\nshots: [{{id: s1, model: m}}]")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.45", Price(0.45)),
        ("0", Price(0.0)),
        ("'12.000001'", Price(12.000001)),
        ("{usd: 0.09, per: second, dated: 2026-11-01}", Price(0.09, PriceUnit.SECOND, dated="2026-11-01")),
        ("{usd: 1, per: output}", Price(1.0, PriceUnit.OUTPUT)),
    ],
)
def test_a_price_is_read(written: str, expected: Price) -> None:
    reading = priced(written)
    assert reading.problems == ()
    assert reading.manifest.prices == {"m": expected}


WRONG = {
    "'1,50'": "'1,50' is not a price: write a dot before the cents; did you mean 1.50?",
    "'1,000'": "'1,000' is not a price: write US dollars as a plain number, such as 0.45",
    "'0,125'": "did you mean 0.125?",
    "-1": "'-1' is not a price: a price is 0 or more",
    "nan": "'nan' is not a price: write US dollars as a plain number, such as 0.45",
    "inf": "'inf' is not a price",
    "1e-3": "'1e-3' is not a price",
    "0.1234567": "'0.1234567' is not a price: at most nine digits before the dot and six after it",
    "'1234567890'": "at most nine digits",
    "$0.45": "'$0.45' is not a price: write US dollars as a plain number, such as 0.45; did you mean 0.45?",
    "0.45 USD": "did you mean 0.45?",
    ".5": "did you mean 0.5?",
    "٤": "is not a price",
    "[1]": "prices, m: must be one value, not a list",
    "": "prices, m: has no value",
    "{per: second}": "prices, m: needs usd, as in {usd: 0.09, per: second}",
    "{usd: 1, per: secnod}": "prices, m, per: 'secnod' is not a unit of a price; did you mean second?",
    "{usd: 1, dated: 1.11.2026}": "prices, m, dated: '1.11.2026' is not a date: write it as 2026-11-01",
    "{usd: 1, dated: 2026-02-30}": "is not a date",
    "{eur: 1}": "prices, m: unknown field 'eur'",
}


@pytest.mark.parametrize(("written", "expected"), WRONG.items(), ids=WRONG)
def test_what_could_be_read_in_two_ways_is_refused(written: str, expected: str) -> None:
    problems = [str(problem) for problem in priced(written).problems]
    assert [problem for problem in problems if expected in problem], problems
    assert all(problem.startswith("m.yaml:2:") for problem in problems)


def test_a_price_that_no_shot_uses_is_told_with_the_nearest_model() -> None:
    reading = read("prices: {pika/frams: 1}\nshots: [{id: s1, model: pika/frames}]")
    assert [str(problem) for problem in reading.problems] == [
        "m.yaml:2:10: warning: prices, pika/frams: no shot uses this model; did you mean pika/frames?"
    ]


def test_the_price_of_a_swept_model_is_used() -> None:
    reading = read("prices: {m: 1, n: 2}\nshots: [{id: s1, sweep: {model: [m, n]}}]")
    assert reading.problems == ()


def test_a_take_costs_what_its_shot_says_else_its_model_else_nothing_is_known() -> None:
    inputs = "inputs: {image: https://e.com/a, promptText: x}"
    shots = f"{{id: a, model: {MODEL}, {inputs}, price: 2}}, {{id: b, model: {MODEL}, {inputs}}}"
    with_prices = read(f"prices: {{{MODEL}: {{usd: 0.5, per: second}}}}\nshots: [{shots}]")
    without = read(f"shots: [{shots}]")
    prices = [
        [take.price for take in make_plan(board.manifest, board.shots, models=Models.bundled()).plan.takes]
        for board in (with_prices, without)
    ]
    assert prices == [[Price(2.0), Price(0.5, PriceUnit.SECOND)], [Price(2.0), None]]


def test_a_csv_has_a_column_of_prices() -> None:
    """It is the user's own column: a report gives it back, and it is no input."""
    reading = parse_manifest(b'id,model,price\na,m,0.5\nb,m,\nc,m,"0,5"\n', file="m.csv", name="m")
    assert [shot.price for shot in reading.shots] == [Price(0.5), None, None]
    assert reading.manifest.columns == ("id", "model", "price")
    assert reading.shots[0].variants[0].inputs == {}
    assert [str(problem) for problem in reading.problems] == [
        "m.csv:4:3 (cell C4): shot c, price: '0,5' is not a price: write a dot before the cents; did you mean 0.5?"
    ]
