"""Orders: what a person asks of a run while it goes on, from another terminal.

In: nothing. Out: frozen values, and the same as JSON. They do not know how they reach the run, or what it does then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from runner.domain.errors import UsageError
from runner.domain.option_checks import above_zero, by_model, check_options, one, or_none, whole
from runner.domain.rates import Rate
from runner.system.canonical_json import JsonValue

ALL_MODELS = ""
"""The key of a rate for the submissions of all models together."""

MOST_JOBS = 1000
"""How many jobs a person may want at the API at the same time."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Submit no more until `Resume`; jobs are watched and clips downloaded as before."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Submit again."""


@dataclass(frozen=True, slots=True)
class Tune:
    """Other numbers for the rest of the session; None, and models without a word, stay as they are.

    `max_cost` and `warn_cost` are US dollars over the whole life of the run. `rates` and `model_jobs` are by model, and
    None takes a model's own limit away; the key `ALL_MODELS` is the rate of all together.

    Raises:
        UsageError: a number with which nothing could ever happen, or no number at all.
    """

    jobs: int | None = None
    max_cost: float | None = None
    warn_cost: float | None = None
    max_submits: int | None = None
    rates: Mapping[str, Rate | None] = field(default_factory=lambda: MappingProxyType({}))
    model_jobs: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_options(self, _NUMBERS | _BY_MODEL)


_NUMBERS = {
    "jobs": or_none(whole(1, MOST_JOBS)),
    "max_submits": or_none(whole(1)),
    **dict.fromkeys(("max_cost", "warn_cost"), or_none(above_zero())),
}
_BY_MODEL = {
    "rates": by_model(or_none(one(Rate))),
    "model_jobs": by_model(or_none(whole(1, MOST_JOBS))),
}


@dataclass(frozen=True, slots=True)
class CancelTakes:
    """Ask the API to cancel the jobs of these takes, and do not send those of them that wait."""

    take_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reload:
    """Plan again from the manifest, which must still have these SHA-256, and go on with the new plan.

    The person agreed to submissions that cost `most_usd` together by their estimates, and to `unpriced` ones without.
    """

    manifest_sha256: str
    most_usd: float
    unpriced: int = 0


Order: TypeAlias = Pause | Resume | Tune | CancelTakes | Reload

VERBS: Mapping[type[Order], str] = MappingProxyType(
    {Pause: "pause", Resume: "resume", Tune: "tune", CancelTakes: "cancel", Reload: "reload"}
)
"""The command that gives each kind of order."""


@dataclass(frozen=True, slots=True)
class GivenOrder:
    """An order on its way: `by` gave it at `at` (unix seconds) to the session that the epoch names."""

    id: str
    by: str
    at: float
    epoch: int
    order: Order


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of an order: whether anything is different now, and sentences for the person who gave it."""

    changed: bool
    says: tuple[str, ...]


def order_as_json(order: Order) -> dict[str, JsonValue]:
    """Return an order as a JSON object with its verb."""
    verb: dict[str, JsonValue] = {"order": VERBS[type(order)]}
    match order:
        case Tune():
            numbers = {name: getattr(order, name) for name in _NUMBERS}
            rates = {model: None if rate is None else str(rate) for model, rate in order.rates.items()}
            return verb | numbers | {"rates": rates, "model_jobs": dict(order.model_jobs)}
        case CancelTakes():
            return verb | {"takes": list(order.take_ids)}
        case Reload():
            agreed: dict[str, JsonValue] = {"most_usd": order.most_usd, "unpriced": order.unpriced}
            return verb | {"manifest_sha256": order.manifest_sha256} | agreed
    return verb


def order_from_json(value: JsonValue) -> Order:
    """Return the order that a JSON object means.

    Raises:
        UsageError: it means none; files in a folder may be anyone's.
    """
    try:
        match value:
            case {"order": "pause", **rest} if not rest:
                return Pause()
            case {"order": "resume", **rest} if not rest:
                return Resume()
            case {"order": "cancel", "takes": list() as takes, **rest} if not rest:
                return CancelTakes(tuple(_text(take) for take in takes))
            case {
                "order": "reload",
                "manifest_sha256": str() as sha256,
                "most_usd": float() | int() as most,
                "unpriced": int() as unpriced,
                **rest,
            } if not rest:
                if re.fullmatch("[0-9a-f]{64}", sha256):
                    return Reload(sha256, most, unpriced)
            case {"order": "tune", "rates": dict() as rates, "model_jobs": dict() as jobs, **numbers}:
                if numbers.keys() == _NUMBERS.keys():
                    parsed = {
                        model: None if rate is None else Rate.parse(_text(rate))
                        for model, rate in rates.items()
                    }
                    # The class checks the numbers.
                    return Tune(rates=parsed, model_jobs=jobs, **cast("dict[str, Any]", numbers))
    except TypeError as error:
        raise UsageError(f"not an order: {error}") from error
    raise UsageError("not an order")


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value
