"""`--shard` for the commands that find a run by its manifest: the folder of that part of the board takes its place.

In: parsed arguments. Out: the same, with a folder as their target. `run`, `plan`, `retry` and `restore` also have
`--run-dir`, and find the folder themselves.
"""

from __future__ import annotations

from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from runner.domain.errors import StateFileUnusable, UsageError
from runner.domain.shards import Shard


def settle_shard(arguments: Namespace) -> None:
    """Let the targets of a command be the folders of the shard that `--shard` names.

    Raises:
        FileMissing: this shard has not been run here.
        UsageError: a folder holds another part of the board.
    """
    shard: Shard | None = getattr(arguments, "shard", None)
    if shard is None or not hasattr(arguments, "target") or hasattr(arguments, "run_dir"):
        return
    simulated = getattr(arguments, "simulate", False) or None
    arguments.target = _folder(arguments.target, shard, simulated=simulated)
    if hasattr(arguments, "more"):
        arguments.more = [_folder(each, shard, simulated=simulated) for each in arguments.more]


def _folder(target: Path, shard: Shard, *, simulated: bool | None) -> Path:
    from runner.commands.steps.find_run import find_run, read_header

    place = find_run(target, simulated=simulated, shard=shard)
    # The command itself says what is wrong with a record.
    with suppress(StateFileUnusable):
        if read_header(place).shard != str(shard):
            raise UsageError(
                f"{place.path} does not hold shard {shard} of a board", advice="leave out --shard"
            )
    return place.path
