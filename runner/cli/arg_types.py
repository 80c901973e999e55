"""The types of flags: each checks the text of a value and returns the value. It does not know any command."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path

from runner.domain.errors import UsageError
from runner.domain.orders import ALL_MODELS, MOST_JOBS
from runner.domain.rates import Rate
from runner.domain.states import FailureClass
from runner.domain.store_address import StoreAddress, is_store_address, store_address

_EVENTS = "json"
_LONGEST_LINK_S = 7 * 86400.0
_EVENTS_FILE = f"{_EVENTS}:"
PROGRESS = ("auto", "bar", "plain", _EVENTS, "none")
_PROGRESS_WORDS = ", ".join((*PROGRESS, f"{_EVENTS_FILE}FILE"))
_AMOUNT = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_STRETCH = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)
_PIXELS = re.compile(r"(\d{2,4})x(\d{2,4})", re.ASCII)
_TIMECODE = re.compile(r"(?:[01]\d|2[0-3])(?::[0-5]\d){2}:\d\d", re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def folder(text: str) -> Path:
    """Parse a folder of a run, which is on a local disk."""
    if is_store_address(text):
        raise argparse.ArgumentTypeError(
            f"{text} is the address of a store, and a run's folder must be on a local disk, since its record is there;"
            f" --out {text} puts the clips there"
        )
    return Path(text)


def folder_or_store(text: str) -> Path | StoreAddress:
    """Parse what a run is named by: its folder or manifest, or its address in a store."""
    return store(text) if is_store_address(text) else Path(text)


def store(text: str) -> StoreAddress:
    """Parse the address of a folder in a store."""
    try:
        return store_address(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.advice}") from None


def progress_way(text: str) -> str:
    """Parse a value of `--progress`: one of its words, or `json:` and a file."""
    if text not in PROGRESS and not events_file(text):
        from runner.system.nearest_name import Speller

        near = Speller().nearest(text, PROGRESS)
        meant = f"; did you mean {near}?" if near else ""
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {_PROGRESS_WORDS}{meant}")
    return text


def events_file(way: str) -> str | None:
    """Return the file that a value of `--progress` sends events to: empty for standard error, None for no events."""
    return (
        way.removeprefix(_EVENTS).removeprefix(":")
        if way == _EVENTS or way.startswith(_EVENTS_FILE)
        else None
    )


def executor_way(text: str) -> str:
    """Parse a value of `--executor`: `threads`, `dask`, or `dask:` and the address of a scheduler."""
    kind, colon, address = text.partition(":")
    is_address = re.fullmatch(r"(?:[a-z]+://)?[A-Za-z0-9.\[\]:_-]+:\d{1,5}", address) is not None
    if text not in {"threads", "dask"} and not (kind == "dask" and colon and is_address):
        form = "threads, dask, or dask:ADDRESS such as dask:tcp://scheduler:8786"
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {form}")
    return text


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a flag type for whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.lstrip("-").isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse


jobs = whole(1, MOST_JOBS)


def or_auto(parse: Callable[[str], int]) -> Callable[[str], int | None]:
    """Return a flag type that takes the word `auto` as None, and anything else as `parse` does."""
    return lambda text: None if text == "auto" else parse(text)


def number(least: float, most: float) -> Callable[[str], float]:
    """Return a flag type for numbers from `least` to `most`; no nan, no infinity."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return parse


def pixels(text: str) -> tuple[int, int]:
    """Parse a width and a height such as 1280x720, from 16 to 8192 pixels each."""
    found = _PIXELS.fullmatch(text)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1280x720")
    return width, height


def timecode(text: str) -> str:
    """Check a timecode such as 01:00:00:00, hours to frames."""
    if not _TIMECODE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a timecode such as 01:00:00:00")
    return text


def limit(text: str) -> tuple[str, int]:
    """Parse `KIND=N`: a class of failure, or `fail` for any, and the number at which to stop."""
    kind, _, count = text.partition("=")
    kinds = ["fail", *FailureClass]
    if kind not in kinds or not (count.isascii() and count.isdigit() and int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is not KIND=N with KIND one of {', '.join(kinds)}")
    return kind, int(count)


def model_rate(text: str) -> tuple[str, Rate]:
    """Parse `N/UNIT`, the rate of all models together, or `MODEL=N/UNIT`."""
    model, equals, rate = text.rpartition("=")
    try:
        parsed = Rate.parse(rate)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.message) from error
    if equals and not model:
        raise argparse.ArgumentTypeError(f"{text!r} names no model")
    return model or ALL_MODELS, parsed


def model_jobs(text: str) -> tuple[str, int]:
    """Parse `MODEL=N`: how many jobs of a model may be active."""
    model, _, most = text.rpartition("=")
    if not model:
        raise argparse.ArgumentTypeError(f"{text!r} is not MODEL=N, such as pika/pikaframes=2")
    return model, jobs(most)


def tuned_rate(text: str) -> tuple[str, Rate | None]:
    """Parse what `model_rate` does, or `none` and `MODEL=none`, which lift a rate."""
    model, _, rate = text.rpartition("=")
    return (model or ALL_MODELS, None) if rate == "none" else model_rate(text)


def tuned_model_jobs(text: str) -> tuple[str, int | None]:
    """Parse what `model_jobs` does, or `MODEL=none`, which lifts the limit of a model."""
    model, _, most = text.rpartition("=")
    return (model, None) if model and most == "none" else model_jobs(text)


def amount(text: str) -> float:
    """Parse an amount of US dollars above zero: plain digits with a dot, so that it can be read in one way only."""
    value = float(text) if _AMOUNT.fullmatch(text) else 0.0
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of US dollars such as 12.50")
    return value


def stretch(text: str) -> float:
    """Parse a time that may have several parts, such as 6h, 90m or 2h30m, into seconds."""
    found = _STRETCH.fullmatch(text)
    parts = [] if found is None else zip(found.groups(), (86400, 3600, 60, 1), strict=True)
    seconds = float(sum(int(number) * unit for number, unit in parts if number))
    if not 1.0 <= seconds <= 30 * 86400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 6h, 90m or 2h30m")
    return seconds


def moment(text: str) -> time | float:
    """Parse a time of day such as 07:00, or an ISO date and time; without a zone it is this machine's time."""
    try:
        if _TIME_OF_DAY.fullmatch(text):
            hour, minute = map(int, text.split(":"))
            return time(hour, minute)
        if _DATE_TIME.match(text):
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        # There is no such hour or day, or the system's clock cannot represent it.
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 07:00 or 2027-01-31T07:00")


def signing(text: str) -> int:
    """Parse how long a signed link can be opened, such as 30m, 12h or 7d, into seconds."""
    seconds = period(text)
    if seconds > _LONGEST_LINK_S:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than 7d, which is the most a store allows")
    return int(seconds)


def period(text: str) -> float:
    """Parse a time such as 90s, 30m, 12h or 2d into seconds."""
    try:
        seconds = float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        seconds = math.nan
    if not 1.0 <= seconds <= 30 * 86400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 30m, 12h or 2d")
    return seconds
