"""A local server that behaves like the Model API, renders small real clips, and misbehaves on request.

It shares no code with the API adapter, the engine or the state file, so that a mistake there is not repeated here.
"""

from __future__ import annotations

from runner.simulator.settings import Script, SimulatorSettings, load_script

__all__ = ["RunningSimulator", "Script", "SimulatorSettings", "load_script", "running", "serve"]


def __getattr__(name: str) -> object:
    # The server is slow to import, and most programs that use its settings never start it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from runner.simulator import server

    return getattr(server, name)
