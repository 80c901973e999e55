"""What orders with other numbers mean: for the settings of a session, as flags of `run`, and for a person.

In: orders, and settings as the record has them. Out: settings, words of a command line, sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from runner.domain.display import money
from runner.domain.orders import Tune
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


def changes(now: Mapping[str, JsonValue], tune: Tune) -> tuple[str, ...]:
    """Return what an order would change in the settings of a session, as `--max-cost: $40.00 → $60.00`."""
    said = []
    for (name, model), value in _wanted(tune).items():
        before = now.get(name)
        if model is not None:
            before = before.get(model) if isinstance(before, dict) else None
        if before != value:
            what = f"{_FLAGS[name]} {model or ''}".rstrip()
            said.append(f"{what}: {_shown(name, before)} → {_shown(name, value)}")
    return tuple(said)


def _wanted(tune: Tune) -> dict[tuple[str, str | None], _Number]:
    """Return what an order sets, by the setting and the model; None is the model of a setting that has none."""
    numbers = {"jobs": tune.jobs, "max_cost_usd": tune.max_cost, "warn_cost_usd": tune.warn_cost}
    numbers["max_submits"] = tune.max_submits
    return {
        **{(name, None): number for name, number in numbers.items() if number is not None},
        **{("rates", model): None if rate is None else str(rate) for model, rate in tune.rates.items()},
        **{("model_jobs", model): most for model, most in tune.model_jobs.items()},
    }


def _shown(name: str, value: JsonValue) -> str:
    if isinstance(value, int | float) and name.endswith("_usd"):
        return money(value)
    return "none" if value is None else str(value)
