"""A local server that behaves like the Model API, renders small real clips, and misbehaves on request.

It shares no code with the API adapter, the engine or the state file, so that a mistake there is not repeated
here. Names are loaded when they are first used, so importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["RunningSimulator", "Script", "SimulatorSettings", "load_script", "running", "serve"]

_HOMES = {
    "RunningSimulator": "server",
    "Script": "settings",
    "SimulatorSettings": "settings",
    "load_script": "settings",
    "running": "server",
    "serve": "server",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
