"""A manifest as written: what YAML and CSV have in common before defaults, templates and sweeps.

It holds values only and knows neither of the two forms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.shots import Fields, Row, Text


@dataclass(frozen=True, slots=True)
class Source:
    """Rows in the order of the file, with the variables and defaults that are to be applied to them.

    `name` is None where the file gives none; `columns` are the user's CSV headers, empty for YAML.
    """

    rows: tuple[Row, ...]
    name: str | None = None
    variables: dict[str, Text] = field(default_factory=dict)
    defaults: Fields | None = None
    columns: tuple[str, ...] = ()
