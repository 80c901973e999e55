"""Which API a command line means, and whether it runs on this machine.

In: a flag and the environment. Out: an origin. It asks no network.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.api.account import BASE_VARIABLE, DEFAULT_BASE, on_this_machine, parse_base


def named_base(given: str | None, environ: Mapping[str, str]) -> str:
    """Return the origin that the flag names, else that of the environment, else the real API.

    Raises:
        UsageError: it is not a usable URL.
    """
    return parse_base(given or environ.get(BASE_VARIABLE) or DEFAULT_BASE)


def is_local(given: str | None, environ: Mapping[str, str]) -> bool:
    """Return whether the API that is named runs on this machine.

    Raises:
        UsageError: it is not a usable URL.
    """
    return on_this_machine(given or environ.get(BASE_VARIABLE))
