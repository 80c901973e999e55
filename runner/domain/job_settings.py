"""What makes two jobs alike: they send the same settings, though other words, pictures and seeds.

In: a request body. Out: a text to compare. It knows no model's schema.
"""

from __future__ import annotations

import json
from functools import partial

_LONGEST_SETTING = 24
_compact = partial(json.dumps, sort_keys=True, separators=(",", ":"))


def settings_of(body: str) -> str:
    """Return the settings in a request body, such as resolution and duration: no seed, no words, no links."""
    inputs = json.loads(body)
    return _compact({name: value for name, value in inputs.items() if name != "seed" and _is_setting(value)})


def _is_setting(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_SETTING and "://" not in value and " " not in value
    return isinstance(value, bool | int | float)
