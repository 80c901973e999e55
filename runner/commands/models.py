"""The schemas here compared with the API's catalogue, and a schema from there written to a folder of the user.

It asks what is free to ask, and submits nothing. A price is compared with the one noted when the schema was taken.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from runner.api.account import find_account
from runner.commands.steps.api_session import unanswered
from runner.commands.steps.live_catalogue import CATALOGUE_FILE, Compared, ask_entries, compared, untold
from runner.domain.api_answers import RequestFailure
from runner.domain.display import visible
from runner.domain.errors import SchemaInvalid, UsageError
from runner.models.add_schema import add_file, compiled, place_of, wrapped
from runner.models.registry import Models
from runner.system.canonical_json import JsonValue
from runner.system.clock import SystemClock

_REASON = 200
_PATIENCE = 120.0
_NO_ACCOUNT = "read a schema from a file: shotrunner models import FILE"


def compare_with_catalogue(
    model_ids: Sequence[str] = (),
    *,
    schema_dirs: Sequence[Path] = (),
    api_base: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Compared, ...]:
    """Return how the named models, or all that can be planned, stand with the live catalogue.

    Raises:
        UsageError: a model has no schema here, or the base is not a usable URL.
        AccountRefused: there is no token, or the API refuses it whatever model is asked about.
        ServiceUnavailable: the catalogue did not answer about any model.
    """
    known = Models.bundled(schema_dirs)
    models, unusable = [], []
    for model_id in model_ids or known.ids():
        try:
            models.append(known.named(model_id))
        except SchemaInvalid as error:
            if model_ids:
                raise
            unusable.append(Compared(model_id, fault=error.message))
    account = find_account(environ, base=api_base, otherwise=_NO_ACCOUNT)
    ids = [model.id for model in models]
    answers, _ = ask_entries(account, ids, clock=SystemClock(), patience_s=_PATIENCE, insist=True)
    troubles = [trouble for answer in answers.values() if (trouble := untold(answer))]
    if troubles and len(troubles) == len(answers):
        raise unanswered(troubles[0])
    return (*(compared(model, answers[model.id]) for model in models), *unusable)


def add_from_catalogue(
    model_id: str,
    folder: Path,
    *,
    replace: bool = False,
    api_base: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Write the catalogue's schema of a model to `folder/ID.json`, and return that path.

    Raises:
        UsageError: this is not a model id, the catalogue does not know it, or the base is not a usable URL.
        SchemaInvalid: the catalogue's schema cannot be used; nothing was written.
        CannotCreate: the file is there already and `replace` is false, or it cannot be written.
        AccountRefused: there is no token, or the API refuses it.
        ServiceUnavailable: the catalogue did not answer.
    """
    # First of all: the id becomes part of a URL and of a path.
    path = place_of(model_id, folder)
    account, clock = find_account(environ, base=api_base, otherwise=_NO_ACCOUNT), SystemClock()
    answers, _ = ask_entries(account, [model_id], clock=clock, patience_s=_PATIENCE, insist=True)
    answer = answers[model_id]
    if trouble := untold(answer):
        raise unanswered(trouble)
    if isinstance(answer, RequestFailure):
        raise UsageError(
            f"the catalogue does not know the model {model_id!r}: {visible(answer.reason, _REASON)}",
            advice="an id is as on the model's page: pika/pikaframes",
        )
    if answer.input_schema is None:
        raise SchemaInvalid(f"the catalogue gives no usable schema of {model_id}")
    source: dict[str, JsonValue] = {
        "url": f"{account.origin}/v1/models/{model_id}",
        "retrieved": datetime.fromtimestamp(clock.wall(), UTC).date().isoformat(),
    }
    if answer.base_price_usd is not None:
        source["base_price_usd"] = answer.base_price_usd
    if answer.price_unit is not None:
        source["price_unit"] = answer.price_unit
    data = wrapped(model_id, answer.input_schema, source)
    compiled(model_id, data, file=CATALOGUE_FILE)
    add_file(data, path, replace=replace)
    return path
