"""The grammar of what comes before a run: init, check, models, and the simulator to try things on.

In: the list of commands. Out: the same list with these in it. What they do is in the module each is named after.
"""

from __future__ import annotations

from pathlib import Path

from runner.cli import args_shared
from runner.cli.arg_types import Commands, Parser, add_command, period, switch, value, whole


def init(commands: Commands[Parser]) -> None:
    """Add `init`."""
    parser = add_command(commands, "init", "write a small manifest to start from")
    parser.add_argument(
        "manifest",
        nargs="?",
        type=Path,
        default=Path("storyboard.yaml"),
        help="file to write (storyboard.yaml)",
    )


def check(commands: Commands[Parser]) -> None:
    """Add `check`."""
    parser = add_command(
        commands, "check", "tell every problem of a manifest at once; needs no network and no key"
    )
    args_shared.manifest(parser, says=args_shared.OR_STDIN)
    args_shared.schemas(parser, beside=args_shared.BESIDE)
    args_shared.manifest_limits(parser)
    args_shared.output(parser)
    switch(parser, "--simulate", "as for a simulated run: media may lie on this machine")
    online = parser.add_argument_group("media")
    switch(
        online,
        "--online",
        "also look once at every media link, without a key: whether it can be fetched, what it is, how large, "
        "and when its signature ends",
    )
    switch(online, "--refresh", "look again at what was seen less than an hour ago")
    value(
        online,
        "--wait TIME",
        period,
        "how long a job may wait before its links are fetched (12h)",
        default=12 * 3600.0,
    )
    value(online, "--run-dir DIR", Path, "where what was seen is kept (reports/NAME)")


def models(commands: Commands[Parser]) -> None:
    """Add `models`."""
    parser = add_command(
        commands,
        "models",
        "list the models that can be used, or one model's inputs; diff and add ask the catalogue",
        "`models diff [MODEL …]` says what the live catalogue has otherwise than the schemas here, and exits with 2 if"
        " it has; `models add MODEL` takes a model's schema from there. Flags stand behind the models.",
    )
    asked = parser.add_argument(
        "asked",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="a model id, such as pika/pikaframes; or diff, or add",
    )
    asked.required = False
    args_shared.schemas(parser)
    args_shared.output(parser)
    asking = parser.add_argument_group("diff and add")
    args_shared.api_base(asking)
    value(
        asking,
        "--into DIR",
        Path,
        "the folder of schemas that add writes to (schemas, which is searched for a manifest beside it)",
        default=Path("schemas"),
    )
    switch(asking, "--force", "add may replace a file that is there")


def export(commands: Commands[Parser]) -> None:
    """Add `export` and what it can write."""
    parser = add_command(commands, "export", "write a board in another form")
    forms = parser.add_subparsers(title="forms", metavar="FORM", dest="form", required=True)
    line = "a manifest with every take written out, to repeat a board exactly"
    made = forms.add_parser("lock", help=line, description=f"{line[0].upper()}{line[1:]}.")
    made.add_argument(
        "target",
        type=Path,
        metavar="MANIFEST",
        help="a manifest (- is standard input); with --recorded also a run directory",
    )
    value(made, "-o FILE", Path, "file to write (standard output)", dest="out")
    switch(made, "--force", "replace a file that is there")
    switch(made, "--recorded", "what the run has really sent, from its state file")
    switch(made, "--simulate", "with --recorded: the manifest's simulated run")
    args_shared.schemas(made, beside=args_shared.BESIDE)
    args_shared.manifest_limits(made)


def simulate(commands: Commands[Parser]) -> None:
    """Add `simulate`."""
    parser = add_command(
        commands,
        "simulate",
        "serve a simulator of the API on this machine",
        "Point runs at it with RUNCOMFY_MODEL_API_BASE.",
    )
    value(parser, "--port N", whole(0, 65535), "port on 127.0.0.1 (any free one)", default=0)
    value(parser, "--ledger FILE", Path, "file of charges; outlives a restart")
    args_shared.schemas(parser)
    args_shared.steering(parser)
