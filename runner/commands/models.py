"""The bundled schemas held against the API's catalogue, and a schema taken from there into a folder of the user.

In: models, an environment, a folder. Out: what has changed, model by model, or the file that was written. It asks what
is free to ask, and submits nothing. Prices are compared with the one that was noted when a schema was taken.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runner.api.account import Account, find_account
from runner.api.catalogue import Catalogue, Entry, EntryAnswer
from runner.commands.steps.api_session import retry_transient, unanswered
from runner.commands.steps.session import run_alone
from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.display import visible
from runner.domain.errors import SchemaInvalid, UsageError
from runner.models.add_schema import add_file, compiled, place_of, wrapped
from runner.models.model import Model
from runner.models.registry import Models
from runner.models.schema_diff import Change, changes
from runner.system.canonical_json import JsonValue
from runner.system.clock import Clock, SystemClock

_CATALOGUE_FILE = "the catalogue's schema"
_REASON = 200


@dataclass(frozen=True, slots=True)
class Compared:
    """How one model stands with the catalogue: what has changed, or in `fault` why that cannot be said.

    `price` is the catalogue's, in words, empty where it gives none. A model that the catalogue does not know, or whose
    schema there cannot be used, is a change like others: runs with it may fail.
    """

    model: str
    changes: tuple[Change, ...] = ()
    fault: str = ""
    price: str = ""

    @property
    def has_changed(self) -> bool:
        """True if anything is not as the schema at hand says."""
        return bool(self.changes or self.fault)


def compare_with_catalogue(
    model_ids: Sequence[str] = (),
    *,
    schema_dirs: Sequence[Path] = (),
    api_base: str | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> tuple[Compared, ...]:
    """Return how the named models, or all that can be planned, stand with the live catalogue.

    Raises:
        UsageError: a model has no schema here, or the base is not a usable URL.
        AccountRefused: there is no token, or the API refuses it whatever model is asked about.
        ServiceUnavailable: the catalogue did not answer about any model.
    """
    known = Models.bundled(schema_dirs)
    models = [_known(known, model_id) for model_id in model_ids or known.ids()]
    account = find_account(os.environ if environ is None else environ, base=api_base)
    answers = _asked(account, [model.id for model in models], clock=clock or SystemClock())
    troubles = [trouble for answer in answers.values() if (trouble := _untold(answer))]
    if troubles and len(troubles) == len(answers):
        raise unanswered(troubles[0])
    return tuple(compared(model, answers[model.id]) for model in models)


def add_from_catalogue(
    model_id: str,
    folder: Path,
    *,
    replace: bool = False,
    api_base: str | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Path:
    """Write the catalogue's schema of a model to `folder/models/ID.json`, and return that path.

    Raises:
        UsageError: this is not a model id, the catalogue does not know it, or the base is not a usable URL.
        SchemaInvalid: the catalogue's schema cannot be used; nothing was written.
        CannotCreate: the file is there already and `replace` is false, or it cannot be written.
        AccountRefused: there is no token, or the API refuses it.
        ServiceUnavailable: the catalogue did not answer.
    """
    # First of all: the id becomes part of a URL and of a path.
    path = place_of(model_id, folder)
    account = find_account(os.environ if environ is None else environ, base=api_base)
    clock = clock or SystemClock()
    answer = _asked(account, [model_id], clock=clock)[model_id]
    if trouble := _untold(answer):
        raise unanswered(trouble)
    if isinstance(answer, RequestFailure):
        raise UsageError(
            f"the catalogue does not know the model {model_id!r}: {visible(answer.reason, _REASON)}",
            advice="an id is as on the model's page: pika/pikaframes",
        )
    if answer.input_schema is None:
        raise SchemaInvalid(f"the catalogue gives no usable schema of {model_id}")
    data = wrapped(model_id, answer.input_schema, _source(account, answer, clock))
    compiled(model_id, data, file=_CATALOGUE_FILE)
    add_file(data, path, replace=replace)
    return path


def _known(models: Models, model_id: str) -> Model:
    model = models.find(model_id)
    if model is None:
        nearest = models.nearest(model_id)
        raise UsageError(
            f"there is no schema for the model {model_id!r}",
            advice=f"did you mean {nearest}?" if nearest else "shotrunner models",
        )
    return model


def _asked(account: Account, model_ids: Sequence[str], *, clock: Clock) -> Mapping[str, EntryAnswer]:
    """Return what the catalogue says of each model, or what kept it from saying."""

    async def ask() -> Mapping[str, EntryAnswer]:
        catalogue = Catalogue(account, clock=clock)
        try:
            return {
                model_id: await retry_transient(_question(catalogue, model_id), clock=clock)
                for model_id in model_ids
            }
        finally:
            await catalogue.aclose()

    return run_alone(ask())


def _question(catalogue: Catalogue, model_id: str) -> Callable[[], Awaitable[EntryAnswer]]:
    return lambda: catalogue.entry(model_id)


def _untold(answer: EntryAnswer) -> RequestFailure | None:
    """Return the trouble of a catalogue that did not say whether it knows a model."""
    return answer if isinstance(answer, RequestFailure) and answer.kind is not FailureKind.MISSING else None


def compared(model: Model, answer: EntryAnswer) -> Compared:
    """Return how one model stands with what the catalogue answered."""
    if isinstance(answer, RequestFailure):
        what = "the catalogue did not say" if _untold(answer) else "not in the catalogue"
        return Compared(model.id, fault=f"{what}: {visible(answer.reason, _REASON)}")
    price = _price(answer.base_price_usd, answer.price_unit)
    if answer.input_schema is None:
        return Compared(model.id, fault="the catalogue gives no usable schema of it", price=price)
    try:
        live = compiled(model.id, wrapped(model.id, answer.input_schema, {}), file=_CATALOGUE_FILE)
    except SchemaInvalid as error:
        return Compared(model.id, fault=visible(error.message, _REASON), price=price)
    return Compared(model.id, (*changes(model, live), *_price_change(model, price)), price=price)


def _price_change(model: Model, price: str) -> tuple[Change, ...]:
    noted, unit = model.source.get("base_price_usd"), model.source.get("price_unit")
    if not isinstance(noted, int | float):
        return ()
    before = _price(float(noted), unit if isinstance(unit, str) else None)
    return (Change("", "price", before, price),) if before != price else ()


def _price(usd: float | None, unit: str | None) -> str:
    if usd is None:
        return ""
    return f"${usd:.6f}".rstrip("0").rstrip(".") + (f" a {visible(unit)}" if unit else "")


def _source(account: Account, entry: Entry, clock: Clock) -> dict[str, JsonValue]:
    day = datetime.fromtimestamp(clock.wall(), UTC).date().isoformat()
    said: dict[str, JsonValue] = {"base_price_usd": entry.base_price_usd, "price_unit": entry.price_unit}
    return {
        "url": f"{account.origin}/v1/models/{entry.model}",
        "retrieved": day,
        **{name: value for name, value in said.items() if value is not None},
    }
