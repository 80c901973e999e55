"""What a caller asks of a run, as one value: made of flags or of Python arguments, and handed to every step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from runner.api.account import named_base, on_this_machine
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.signals import Interrupts
from runner.commands.steps.summary import RunEstimate
from runner.domain.errors import Problem
from runner.domain.run_ending import Stop
from runner.domain.run_events import Listener, Listeners, RunStarted
from runner.domain.shards import Shard
from runner.domain.store_address import StoreAddress
from runner.engine.options import EngineOptions
from runner.manifest.size_limits import LIMITS
from runner.manifest.size_limits import Limits as ManifestLimits
from runner.notify.ports import Channel
from runner.plan.selection import ALL, Choice
from runner.simulator.settings import SimulatorSettings
from runner.store.run_dir import default_run_dir
from runner.system.clock import Clock, SystemClock

SIMULATOR_BASE = "simulator"

Progress: TypeAlias = Callable[[RunStarted], AbstractContextManager[Listener]]
"""Makes the listener that shows a session of a run, from how it begins."""


Warn: TypeAlias = Callable[[Sequence[Problem], bool], None]
"""Shows the warnings about a manifest; the flag says that an earlier session of this manifest has shown them."""


def no_warnings(_problems: Sequence[Problem], _known: bool) -> None:  # noqa: FBT001 - the shape of `Warn`
    """Show no warnings."""


def no_progress(_started: RunStarted) -> AbstractContextManager[Listener]:
    """Listen to a run and report nothing."""
    return nullcontext(Listeners())


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The arguments of `run_manifest`, with their defaults.

    `run_dir` is None for the directory that the manifest's name leads to; `environ` holds the token, the API's address
    and the user's folders. With `look`, a paid run looks at the media links of what it sends, and `on_link` gets how
    many of them are done. With `inspect`, each delivered clip is looked into. Files are named by `name_template`, or by
    that of the run if it is None. The takes that the patterns of `first` mean are submitted first, in that order.
    `optional_models` may have limits in `options` without any take here. `listeners` follow each session from its
    beginning to its end, beside `progress`. `interrupts` stop it from another thread. `notify` are the
    channels that get notices. `on_delivered` are the words of a command that is started once for each clip; without
    words none is. `words` are those of the command line, without secrets, for the run's log. Clips go to the store
    `out` if it is given, and `keep_local` says what stays here then: `none`, `posters` or `all`. `executor` says where
    deliveries run. With a `shard` the run handles that part of the board alone.
    """

    manifest: Path
    options: EngineOptions = field(default_factory=EngineOptions)
    simulate: SimulatorSettings | None = None
    choice: Choice = ALL
    schema_dirs: tuple[Path, ...] = ()
    api_base: str | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    confirm: Callable[[RunEstimate], bool] = lambda _: True
    progress: Progress = no_progress
    look: bool = field(default=True, kw_only=True)
    inspect: bool = field(default=True, kw_only=True)
    on_link: Callable[[int, int], None] = field(default=lambda _done, _all: None, kw_only=True)
    name_template: str | None = field(default=None, kw_only=True)
    first: tuple[str, ...] = field(default=(), kw_only=True)
    optional_models: frozenset[str] = field(default=frozenset(), kw_only=True)
    listeners: tuple[Listener, ...] = field(default=(), kw_only=True)
    interrupts: Interrupts = field(default_factory=Interrupts, kw_only=True)
    notify: tuple[Channel, ...] = field(default=(), kw_only=True)
    on_delivered: tuple[str, ...] = field(default=(), kw_only=True)
    words: tuple[str, ...] = field(default=(), kw_only=True)
    out: StoreAddress | None = field(default=None, kw_only=True)
    keep_local: str = field(default="posters", kw_only=True)
    executor: str = field(default="threads", kw_only=True)
    shard: Shard | None = field(default=None, kw_only=True)
    clock: Clock = field(default_factory=SystemClock)
    on_interrupt: Stop = Stop.DRAIN
    opening: OpenOptions = DEFAULT_OPTIONS
    stale: bool = False
    manifest_limits: ManifestLimits = LIMITS
    run_dir: Path | None = None
    warn: Warn = no_warnings

    @property
    def simulated(self) -> bool:
        """True if the run has a simulator of its own, so that nothing is paid."""
        return self.simulate is not None

    @property
    def meant(self) -> Choice:
        """The choice with all patterns that mean takes, to know what must be read for them."""
        return replace(self.choice, only=(*self.choice.only, *self.first))

    def home(self, name: str) -> Path:
        """Return the run directory of the board called `name`; it may not be there yet."""
        return self.run_dir or default_run_dir(self.manifest, name=name, simulated=self.simulated)

    @property
    def origin(self) -> str:
        """The API's origin, which needs no token to know."""
        return SIMULATOR_BASE if self.simulated else named_base(self.api_base, self.environ)

    @property
    def clip_store(self) -> str:
        """The address that clips go to by the flags, with a folder for each shard; empty if none is named."""
        if self.out is None:
            return ""
        return str(self.out.under(self.shard.folder) if self.shard else self.out)

    @property
    def on_this_machine(self) -> bool:
        """True where the API is the simulator or another server on loopback."""
        return self.simulated or on_this_machine(self.origin)
