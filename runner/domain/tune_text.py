"""What an order with other numbers means, in sentences: the same ones before it is given and in the run's answer.

In: the numbers that hold, as a `Tune` of all of them, and an order. Out: sentences. It knows no run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from runner.domain.display import visible
from runner.domain.money import dollars, micros
from runner.domain.orders import ALL_MODELS, Tune
from runner.system.nearest_name import Speller

T = TypeVar("T")


def changes(before: Tune, order: Tune) -> Iterator[str]:
    """Yield a sentence for each number of the order: the old one and the new one."""
    yield from _change("--jobs", before.jobs, order.jobs)
    yield from _change("--max-cost", before.max_cost, order.max_cost, text=_usd)
    yield from _change("--warn-cost", before.warn_cost, order.warn_cost, text=_usd)
    yield from _change("--max-submits", before.max_submits, order.max_submits)
    for model, rate in order.rates.items():
        yield _sentence(f"--rate {visible(model)}".rstrip(), before.rates.get(model), rate)
    for model, most in order.model_jobs.items():
        yield _sentence(f"--model-jobs {visible(model)}", before.model_jobs.get(model), most)


def unknown_models(order: Tune, models: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield a sentence and advice for each model of the order that is none of a run's `models`."""
    speller, known = Speller(), sorted(models)
    for model in sorted({*order.rates, *order.model_jobs}.difference(known)):
        if model != ALL_MODELS or model in order.model_jobs:
            near = speller.nearest(model, known)
            advice = f"did you mean {near}?" if near else f"its models are {visible(', '.join(known))}"
            yield f"no take of this run is of the model {visible(model)!r}", advice


def _change(flag: str, old: T | None, new: T | None, *, text: Callable[[T], str] = str) -> Iterable[str]:
    """Return a sentence if the order has a new value; without one the old value stays."""
    if new is None:
        return ()
    return (_sentence(flag, old, new, text=text),)


def _sentence(flag: str, old: T | None, new: T | None, *, text: Callable[[T], str] = str) -> str:
    before, after = ("none" if value is None else text(value) for value in (old, new))
    return f"{flag} is {after} already" if old == new else f"{flag} {before} → {after}"


def _usd(amount: float) -> str:
    return dollars(micros(amount))
