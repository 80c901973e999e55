"""What the API reports about a model's schema and price, and the account's balance; all of it is free to ask.

Answers are checked for their form only: numbers are within bounds, texts are short, a schema is plain JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar
from urllib.parse import quote

from runner.api import json_fields
from runner.api.account import DEFAULT_BASE, Account
from runner.api.classify import read_record, sort_barrier
from runner.api.exchange import Answer
from runner.api.json_fields import JsonObject
from runner.api.read_pool import ReadPool
from runner.api.redaction import Redactor
from runner.domain.api_answers import FailureKind, RequestFailure
from runner.system.canonical_json import JsonValue
from runner.system.clock import Clock

BALANCE_ORIGIN = "https://api.runcomfy.net"
"""Where the real account's balance is asked for; every other API is asked at its own origin.

Source: the vendor's command line and its Zapier and Dify plugins.
"""

DEAREST = 10_000.0
"""The most US dollars that one unit can cost: a larger number is not a price."""

_LARGEST_BALANCE = 1e9
_LONGEST_WORD = 40
_CALLS = 4
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A model as the catalogue shows it; None is what it does not say, or says in an unusable form.

    `input_schema` is as published, not made strict. The price is US dollars for one `price_unit` (`output`, `second`,
    `image`): a base price, not a quote.
    """

    model: str
    input_schema: Mapping[str, JsonValue] | None = None
    base_price_usd: float | None = None
    price_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """The account's balance in US dollars, which may be negative."""

    usd: float


EntryAnswer: TypeAlias = Entry | RequestFailure
BalanceAnswer: TypeAlias = Balance | RequestFailure


class Catalogue:
    """Asks for the models and the balance of an account; close it after use."""

    def __init__(self, account: Account, *, clock: Clock) -> None:
        self._clock = clock
        self._redactor = Redactor(account.token)
        till, proxies = balance_origin(account.origin), account.proxies
        self._models = ReadPool(account.origin, account.token, calls=_CALLS, proxies=proxies)
        self._till = ReadPool(till, account.token, calls=1, proxies=proxies)

    async def entry(self, model: str) -> EntryAnswer:
        """Return the entry of one model; a failure of the kind `MISSING` means that the API does not know it."""
        path = f"/v1/models/{quote(model)}"
        return await self._read(self._models, path, lambda record: read_entry(model, record))

    async def balance(self) -> BalanceAnswer:
        """Return the account's balance."""
        return await self._read(self._till, "/prod/v2/balance", _balance)

    async def _read(
        self, pool: ReadPool, path: str, read: Callable[[JsonObject], T | RequestFailure]
    ) -> T | RequestFailure:
        exchange = self._redactor.cleaned(await pool.ask(path))
        found = sort_barrier(exchange) or read_record(exchange, now=self._clock.wall())
        if not isinstance(found, RequestFailure):
            return self._redactor.cleaned_value(read(found))
        if isinstance(exchange, Answer) and exchange.status in {404, 410}:
            # The status alone says that the path leads nowhere; no job depends on this one.
            is_told = json_fields.parse_object(exchange.body) is not None
            found = RequestFailure(FailureKind.MISSING, found.reason) if is_told else found
        return self._redactor.cleaned_value(found)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._models.aclose()
        await self._till.aclose()
        # A transport finishes closing in the loop's next turn, so the loop must not end before that.
        await asyncio.sleep(0)


def balance_origin(origin: str) -> str:
    """Return where the balance of an account at `origin` is asked for."""
    return BALANCE_ORIGIN if origin == DEFAULT_BASE else origin


def read_entry(model: str, record: JsonObject) -> EntryAnswer:
    """Return what `record` says of `model`, or a failure if it is about another one."""
    named = record.get("model_id", record.get("id", model))
    if named != model:
        return RequestFailure(
            FailureKind.TRANSIENT, f"the catalogue was asked for {model} and answered about another model"
        )
    schema, unit = record.get("input_schema"), record.get("price_unit")
    return Entry(
        model,
        # NaN, Infinity and half characters are not JSON, but Python accepts them.
        schema if isinstance(schema, dict) and json_fields.can_be_written(schema, allow_nan=False) else None,
        _bounded(record.get("base_price_usd"), least=0.0, most=DEAREST),
        unit if isinstance(unit, str) and unit.isprintable() and 0 < len(unit) <= _LONGEST_WORD else None,
    )


def _balance(record: JsonObject) -> BalanceAnswer:
    usd = _bounded(record.get("balance_usd"), least=-_LARGEST_BALANCE, most=_LARGEST_BALANCE)
    if usd is None or record.get("currency", "USD") != "USD":
        return RequestFailure(FailureKind.TRANSIENT, "the answer about the balance cannot be read")
    return Balance(usd)


def _bounded(value: object, *, least: float, most: float) -> float | None:
    number = json_fields.number(value)
    return number if number is not None and least <= number <= most else None
