"""What orders with other numbers mean: for the settings of a session, and as flags of `run`.

In: orders, and settings as the record has them. Out: settings, words of a command line, the order that settings mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from runner.domain.orders import Tune, order_from_json
from runner.system.canonical_json import JsonValue

_FLAGS = {
    "jobs": "--jobs",
    "max_cost_usd": "--max-cost",
    "warn_cost_usd": "--warn-cost",
    "max_submits": "--max-submits",
    "rates": "--rate",
    "model_jobs": "--model-jobs",
}
"""By setting of a session: the flag that sets it."""

_Number: TypeAlias = float | str | None


def flags_of(tunes: Iterable[Tune]) -> list[str]:
    """Return the flags of `run` that ask for what these orders led to; a limit that was lifted has none."""
    wanted: dict[tuple[str, str | None], _Number] = {}
    for tune in tunes:
        wanted |= _wanted(tune)
    words = []
    for (name, model), value in wanted.items():
        if value is not None:
            text = value if isinstance(value, str) else f"{value:.6f}".rstrip("0").rstrip(".")
            words += [_FLAGS[name], f"{model}={text}" if model else text]
    return words


def tuned(tune: Tune) -> Mapping[str, JsonValue]:
    """Return the settings of a session that an order changes; null takes a model's own limit away."""
    settings: dict[str, JsonValue] = {}
    for (name, model), value in _wanted(tune).items():
        of_models = settings.setdefault(name, {})
        if model is not None and isinstance(of_models, dict):
            of_models[model] = value
        else:
            settings[name] = value
    return settings


def in_force(settings: Mapping[str, JsonValue]) -> Tune:
    """Return the numbers that hold by the settings of a session, as one order.

    Raises:
        UsageError: the settings are not those of a session.
    """
    numbers = {name: settings.get(name) for name in ("jobs", "max_submits")}
    costs = {name: settings.get(f"{name}_usd") for name in ("max_cost", "warn_cost")}
    of_models = {name: settings.get(name, {}) for name in ("rates", "model_jobs")}
    order = order_from_json({"order": "tune", **numbers, **costs, **of_models})
    assert isinstance(order, Tune)
    return order


def _wanted(tune: Tune) -> dict[tuple[str, str | None], _Number]:
    """Return what an order sets, by the setting and the model; None is the model of a setting that has none."""
    numbers = {"jobs": tune.jobs, "max_cost_usd": tune.max_cost, "warn_cost_usd": tune.warn_cost}
    numbers["max_submits"] = tune.max_submits
    return {
        **{(name, None): number for name, number in numbers.items() if number is not None},
        **{("rates", model): None if rate is None else str(rate) for model, rate in tune.rates.items()},
        **{("model_jobs", model): most for model, most in tune.model_jobs.items()},
    }
