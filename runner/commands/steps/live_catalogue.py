"""What the API says before anybody pays: live prices, the balance, and whether its schemas are still those at hand.

In: models, an account. Out: values, and in words what could not be learnt. All of it is free to ask and nothing of it
is needed: a catalogue that does not answer leaves takes without a price, and stops nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from runner.api.account import Account
from runner.api.catalogue import Balance, BalanceAnswer, Catalogue, Entry, EntryAnswer
from runner.commands.models import Compared, compared
from runner.commands.steps.session import run_alone
from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.display import visible
from runner.domain.money import micros
from runner.domain.shots import Price, PriceUnit
from runner.models.registry import Models
from runner.plan.prices import CATALOGUE
from runner.system.clock import Clock

_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class LiveCatalogue:
    """Prices by model, the balance in US dollars (None if not learnt), how schemas differ, and what went wrong.

    `troubles` are by model, where it could not be asked; `problems` are all of them in words. `any_told` says that the
    catalogue answered for some model.
    """

    prices: Mapping[str, Price] = field(default_factory=dict)
    balance: float | None = None
    compared: tuple[Compared, ...] = ()
    problems: tuple[str, ...] = ()
    troubles: Mapping[str, RequestFailure] = field(default_factory=dict)
    any_told: bool = False


def ask_catalogue(
    account: Account,
    model_ids: Sequence[str],
    *,
    clock: Clock,
    known: Models | None = None,
    till: bool = False,
    patience_s: float = _PATIENCE,
) -> LiveCatalogue:
    """Return what the catalogue says of the models, asking each thing once and waiting `patience_s` for all of it.

    With `known` the live schemas are compared with those; with `till` the balance is asked for.
    """
    entries, balance = run_alone(_answers(account, model_ids, clock, till=till, patience_s=patience_s))
    troubles = {model: answer for model, answer in entries.items() if isinstance(answer, RequestFailure)}
    problems = [f"{model}: {_why(trouble)}" for model, trouble in troubles.items()]
    if isinstance(balance, RequestFailure):
        problems.append(f"balance: {_why(balance)}")
    found = {model: answer for model, answer in entries.items() if isinstance(answer, Entry)}
    models = [model for model_id in found if known and (model := known.find(model_id))]
    today = datetime.fromtimestamp(clock.wall(), UTC).date().isoformat()
    return LiveCatalogue(
        {model: price for model, entry in found.items() if (price := _price(entry, today))},
        balance.usd if isinstance(balance, Balance) else None,
        tuple(compared(model, found[model.id]) for model in models),
        tuple(problems),
        troubles,
        any_told=bool(found),
    )


async def _answers(
    account: Account, model_ids: Sequence[str], clock: Clock, *, till: bool, patience_s: float
) -> tuple[dict[str, EntryAnswer], BalanceAnswer | None]:
    catalogue = Catalogue(account, clock=clock)
    late = RequestFailure(FailureKind.TRANSIENT, f"no answer in {patience_s:g} s")
    entries = {model: asyncio.ensure_future(catalogue.entry(model)) for model in model_ids}
    balance = asyncio.ensure_future(catalogue.balance()) if till else None
    everything: set[asyncio.Future[Any]] = {*entries.values(), *([balance] if balance else [])}
    try:
        if everything:
            await asyncio.wait(everything, timeout=patience_s)
        # What came in time counts, whatever did not.
        told = {model: answer.result() if answer.done() else late for model, answer in entries.items()}
        return told, (balance.result() if balance.done() else late) if balance else None
    finally:
        for asked in everything:
            asked.cancel()
        await asyncio.gather(*everything, return_exceptions=True)
        await catalogue.aclose()


def _price(entry: Entry, today: str) -> Price | None:
    # A unit that we cannot count in a request, such as an image, leaves the price unknown. So does a price of nothing,
    # which would let any number of takes pass a cap on a stranger's word; who knows that a model is free can say so.
    if entry.base_price_usd is None or entry.price_unit not in set(PriceUnit):
        return None
    if not micros(entry.base_price_usd):
        return None
    return Price(entry.base_price_usd, PriceUnit(entry.price_unit), CATALOGUE, today)


def _why(trouble: RequestFailure) -> str:
    return visible(trouble.reason, 200)
