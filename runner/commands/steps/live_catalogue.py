"""What the API says before anybody pays: live prices, the balance, and whether its schemas are still those at hand.

All of it is free to ask, and none of it is needed: a catalogue that does not answer leaves takes without a price.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from runner.api.account import Account
from runner.api.catalogue import Balance, BalanceAnswer, Catalogue, Entry, EntryAnswer
from runner.commands.steps.api_session import answers_within, retry_transient, run_alone
from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.display import visible
from runner.domain.errors import SchemaInvalid
from runner.domain.money import micros
from runner.domain.shots import Price, PriceUnit
from runner.models.add_schema import compiled, wrapped
from runner.models.model import Model
from runner.models.registry import Models
from runner.models.schema_diff import Change, changes
from runner.plan.prices import CATALOGUE
from runner.system.clock import Clock

CATALOGUE_FILE = "the catalogue's schema"
_PATIENCE = 15.0
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Compared:
    """How one model stands with the catalogue: what has changed, or in `fault` why that cannot be said.

    `price` is the catalogue's, in words, or empty. A model that the catalogue does not know, or whose schema there
    cannot be used, has changed: runs with it may fail.
    """

    model: str
    changes: tuple[Change, ...] = ()
    fault: str = ""
    price: str = ""

    @property
    def has_changed(self) -> bool:
        """True if anything is not as the schema at hand says."""
        return bool(self.changes or self.fault)

    @property
    def words(self) -> str:
        """What has changed, as the end of a sentence."""
        return self.fault or "; ".join(map(str, self.changes))


@dataclass(frozen=True, slots=True)
class LiveCatalogue:
    """Prices by model, the balance in US dollars (None if not known), how schemas differ, and what went wrong.

    `troubles` are by model, and `problems` are all of them in words. `any_told`: the catalogue answered for some model.
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
    entries, balance = ask_entries(account, model_ids, clock=clock, till=till, patience_s=patience_s)
    troubles = {model: answer for model, answer in entries.items() if isinstance(answer, RequestFailure)}
    problems = [f"{model}: {visible(trouble.reason, _SHOWN)}" for model, trouble in troubles.items()]
    if isinstance(balance, RequestFailure):
        problems.append(f"balance: {visible(balance.reason, _SHOWN)}")
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


def ask_entries(
    account: Account,
    model_ids: Sequence[str],
    *,
    clock: Clock,
    patience_s: float,
    till: bool = False,
    insist: bool = False,
) -> tuple[dict[str, EntryAnswer], BalanceAnswer | None]:
    """Return what the catalogue says of each model and, with `till`, of the balance, within `patience_s` seconds.

    All questions are asked at the same time; `insist` repeats those that meet a passing trouble.
    """

    async def entry(catalogue: Catalogue, model: str) -> EntryAnswer:
        if insist:
            return await retry_transient(lambda: catalogue.entry(model), clock=clock)
        return await catalogue.entry(model)

    async def answers() -> tuple[dict[str, EntryAnswer], BalanceAnswer | None]:
        catalogue = Catalogue(account, clock=clock)
        late = RequestFailure(FailureKind.TRANSIENT, f"no answer in {patience_s:g} s")
        try:
            told, balance = await asyncio.gather(
                answers_within(patience_s, {model: entry(catalogue, model) for model in model_ids}),
                answers_within(patience_s, {"balance": catalogue.balance()} if till else {}),
            )
        finally:
            await catalogue.aclose()
        # What came in time counts, whatever did not.
        entries = {model: told.get(model, late) for model in model_ids}
        return entries, balance.get("balance", late) if till else None

    return run_alone(answers())


def untold(answer: EntryAnswer) -> RequestFailure | None:
    """Return the trouble of a catalogue that did not say whether it knows a model."""
    return answer if isinstance(answer, RequestFailure) and answer.kind is not FailureKind.MISSING else None


def compared(model: Model, answer: EntryAnswer) -> Compared:
    """Return how one model stands with what the catalogue answered."""
    if isinstance(answer, RequestFailure):
        what = "the catalogue did not say" if untold(answer) else "not in the catalogue"
        return Compared(model.id, fault=f"{what}: {visible(answer.reason, _SHOWN)}")
    price = _price_words(answer.base_price_usd, answer.price_unit)
    if answer.input_schema is None:
        return Compared(model.id, fault="the catalogue gives no usable schema of it", price=price)
    try:
        live = compiled(model.id, wrapped(model.id, answer.input_schema, {}), file=CATALOGUE_FILE)
    except SchemaInvalid as error:
        return Compared(model.id, fault=visible(error.message, _SHOWN), price=price)
    return Compared(model.id, (*changes(model, live), *_price_change(model, price)), price=price)


def _price_change(model: Model, price: str) -> tuple[Change, ...]:
    noted, unit = model.source.get("base_price_usd"), model.source.get("price_unit")
    if not isinstance(noted, int | float):
        return ()
    before = _price_words(float(noted), unit if isinstance(unit, str) else None)
    return (Change("", "price", before, price),) if before != price else ()


def _price_words(usd: float | None, unit: str | None) -> str:
    if usd is None:
        return ""
    return f"${usd:.6f}".rstrip("0").rstrip(".") + (f" a {visible(unit)}" if unit else "")


def _price(entry: Entry, today: str) -> Price | None:
    # A unit that we cannot count in a request, such as an image, leaves the price unknown. So does a price of nothing,
    # which would let any number of takes pass a cap on a stranger's word; who knows that a model is free can say so.
    if entry.base_price_usd is None or entry.price_unit not in set(PriceUnit):
        return None
    if not micros(entry.base_price_usd):
        return None
    return Price(entry.base_price_usd, PriceUnit(entry.price_unit), CATALOGUE, today)
