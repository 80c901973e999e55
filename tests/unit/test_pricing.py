"""Whose word on a price counts, when a catalogue is asked again, and what is said of a price that changed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runner.commands.steps.prices import invented_prices, known_prices
from runner.commands.steps.request import RunRequest
from runner.domain.errors import Position
from runner.domain.records import TakeRecord
from runner.domain.shots import Manifest, Plan, Price, PriceUnit, Take
from runner.plan.prices import (
    CATALOGUE,
    INVENTED,
    price_changes,
    priced,
    rates,
    recorded_prices,
    to_ask_for,
    unpriced_models,
)
from runner.simulator.settings import SimulatorSettings
from tests.acceptance.boards import EXAMPLES
from tests.unit.output_records import pending

TODAY = "2026-11-20"
OWN = Price(0.5)
OLD = Price(0.2, PriceUnit.OUTPUT, CATALOGUE, "2026-11-01")
NEW = Price(0.3, PriceUnit.OUTPUT, CATALOGUE, TODAY)


def plan(**prices: Price | None) -> Plan:
    """Return a plan of one take a model, each with the price given for it."""
    takes = tuple(
        Take(name, name, f"acme/{name}", "{}", name, None, {}, Position("b.yaml"), price=price)
        for name, price in prices.items()
    )
    return Plan(Manifest("board", "b.yaml", "", ""), takes)


def prices(of: Plan) -> dict[str, Price | None]:
    return {take.id: take.price for take in of.takes}


def test_the_manifest_goes_first_and_a_newer_quote_replaces_an_older_one() -> None:
    found = priced(plan(a=OWN, b=OLD, c=None, d=None), {f"acme/{name}": NEW for name in "abc"})
    assert prices(found) == {"a": OWN, "b": NEW, "c": NEW, "d": None}
    assert unpriced_models(found) == ("acme/d",)


def test_the_catalogue_is_asked_for_what_is_sent_and_is_not_of_today() -> None:
    board = plan(a=OWN, b=OLD, c=None, d=NEW, e=None)
    assert to_ask_for(board, {"a", "b", "c", "d"}, today=TODAY) == ("acme/b", "acme/c")
    assert to_ask_for(board, set(), today=TODAY) == ()


def test_a_price_that_changed_is_told_with_the_day_it_was_otherwise() -> None:
    before = plan(a=OWN, b=OLD, c=None)
    (said,) = price_changes(before, priced(before, {f"acme/{name}": NEW for name in "abc"}))
    assert said == "acme/b costs $0.30 per output now; on 2026-11-01 it was $0.20 per output"
    assert price_changes(before, before) == ()


def record(take_id: str, price: Price | None) -> TakeRecord:
    """Return a waiting take of the model acme/a with this price on record."""
    text = ""
    if price is not None:
        text = json.dumps({"usd": price.usd, "per": price.per, "source": price.source, "dated": price.dated})
    return replace(pending(take_id), model="acme/a", price_now=text)


def test_of_recorded_prices_the_newest_quote_counts_and_no_other_source() -> None:
    takes = [record("x", NEW), record("y", OLD), record("z", OWN), record("w", None)]
    assert recorded_prices(takes) == {"acme/a": NEW}


@pytest.mark.parametrize(
    ("model", "own", "simulated", "source"),
    [
        ("acme/a", None, False, CATALOGUE),
        ("acme/a", OWN, False, OWN.source),
        ("acme/b", None, False, None),
        ("pika/pikaframes", None, True, INVENTED),
        ("acme/a", None, True, None),
    ],
)
def test_what_is_known_without_asking_is_on_record_or_for_a_simulated_run_invented(
    model: str, own: Price | None, simulated: bool, source: str | None
) -> None:
    (take,) = plan(a=own).takes
    board = replace(plan(), takes=(replace(take, model=model),))
    manifest = EXAMPLES / "storyboard.yaml"
    request = RunRequest(manifest, simulate=SimulatorSettings() if simulated else None)
    (found,) = known_prices(request, board, [record("x", NEW)]).takes
    assert (found.price.source if found.price else None) == source


def test_the_simulator_names_its_prices_as_invented() -> None:
    found = invented_prices(["pika/pikaframes", "nobody/knows"], ())
    assert list(found) == ["pika/pikaframes"]
    assert "invented" in found["pika/pikaframes"].source


def board(*prices: Price | None) -> Plan:
    """Return a plan of takes of one model, each with its price."""
    takes = tuple(
        Take(f"s{at}", f"s{at}", "acme/a", "{}", f"f{at}", None, {}, Position("b.yaml"), price=price)
        for at, price in enumerate(prices)
    )
    return Plan(Manifest("board", "b.yaml", "", ""), takes)


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ([OWN, OWN], "$0.50 per output (manifest)"),
        ([NEW], "$0.30 per output (catalogue, 2026-11-20)"),
        ([Price(1e6)], "$1,000,000.00 per output (manifest)"),
        ([Price(0.000001, PriceUnit.SECOND)], "$0.000001 per second (manifest)"),
        (
            [Price(0.1), OWN, OWN],
            "$0.50 per output (manifest) for 2 takes, $0.10 per output (manifest) for 1 take",
        ),
        ([OWN, None], "$0.50 per output (manifest) for 1 take, no price for 1 take"),
    ],
)
def test_a_price_is_told_with_the_takes_it_is_for(prices: list[Price | None], said: str) -> None:
    plan = board(*prices)
    assert rates(plan, {take.id for take in plan.takes}) == {"acme/a": said}


def test_only_what_is_submitted_is_told_and_no_price_is_none() -> None:
    assert rates(board(OWN, Price(0.1)), {"s0"}) == {"acme/a": "$0.50 per output (manifest)"}
    assert rates(board(None), {"s0"}) == {}
    many = rates(board(*(Price(at / 10) for at in range(1, 9))), {f"s{at}" for at in range(8)})
    assert many["acme/a"].endswith(", other prices for 3 takes")
