"""The types of flags about one model: how often it is submitted, and how many of its jobs are active.

In: the text of a value. Out: the model and the value. They do not know which models a run has.
"""

from __future__ import annotations

import argparse

from runner.cli.arg_types import whole
from runner.domain.errors import UsageError
from runner.domain.orders import ALL_MODELS
from runner.domain.rates import Rate

_NONE = "none"
_MOST_JOBS = 1000


def rate_of_model(text: str) -> tuple[str, Rate | None]:
    """Parse `[MODEL=]N/UNIT`, or `none` for no rate; without a model it is the rate of all together."""
    model, equals, said = text.rpartition("=")
    if equals and not model:
        raise argparse.ArgumentTypeError(f"{text!r} names no model before the =")
    if said == _NONE:
        return model, None
    try:
        return model or ALL_MODELS, Rate.parse(said)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.message) from error


def jobs_of_model(text: str) -> tuple[str, int | None]:
    """Parse `MODEL=N`, or `MODEL=none` for no limit of its own."""
    model, _, said = text.rpartition("=")
    if not model:
        raise argparse.ArgumentTypeError(f"{text!r} is not MODEL=N")
    return model, None if said == _NONE else whole(1, _MOST_JOBS)(said)
