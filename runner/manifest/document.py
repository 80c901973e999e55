"""Holds a manifest as written: what YAML and CSV have in common before defaults, templates and sweeps.

It holds values only and knows neither YAML nor CSV.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.domain.shots import Fields, Price, Row, Text
from runner.manifest.styles import Style


@dataclass(frozen=True, slots=True)
class Source:
    """Rows in the order of the file, with the variables and defaults that apply to them.

    `name` is None if the file gives none; `columns` are the user's CSV headers, empty for YAML. Rows may refer to
    `frames` and `styles` by name; `top` is the whole document, empty for CSV. `misplaced` is the same as in a
    `Manifest`.
    """

    rows: tuple[Row, ...]
    name: str | None = None
    variables: dict[str, Text] = field(default_factory=dict)
    defaults: Fields | None = None
    columns: tuple[str, ...] = ()
    frames: dict[str, Text] = field(default_factory=dict)
    styles: dict[str, Style] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    top: Fields | None = None
    misplaced: Mapping[str, str] = field(default_factory=dict)
