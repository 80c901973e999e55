"""The arguments of what comes before a run: init, check, models, export, and the simulator to try things on.

In: the list of commands. Out: the same list with these commands in it. It does not know what a command does.
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
        help="file to write (default: storyboard.yaml)",
    )


def check(commands: Commands[Parser]) -> None:
    """Add `check`."""
    parser = add_command(
        commands, "check", "report every problem in a manifest at once; needs no network and no key"
    )
    args_shared.manifest(parser, says=args_shared.OR_STDIN)
    args_shared.schemas(parser, beside=args_shared.BESIDE)
    args_shared.manifest_limits(parser)
    args_shared.output(parser)
    switch(parser, "--simulate", "check for a simulated run: media may be on this machine")
    online = parser.add_argument_group("media")
    switch(
        online,
        "--online",
        "also check every media link: whether it can be fetched, its format and size, and when its signature "
        "expires; needs no key",
    )
    switch(online, "--refresh", "check links again that were checked less than an hour ago")
    value(
        online,
        "--wait TIME",
        period,
        "how long a link must stay valid, since a job may wait before it is fetched (default: 12h)",
        default=12 * 3600.0,
    )
    value(online, "--run-dir DIR", Path, "folder that keeps the results (default: reports/NAME)")


def models(commands: Commands[Parser]) -> None:
    """Add `models`."""
    parser = add_command(
        commands,
        "models",
        "list the available models, or the inputs of one; compare or add models",
        "`models diff [MODEL …]` compares the schemas here with the API's catalogue, and exits with 2 if they"
        " differ; `models add MODEL` saves a model's schema from the catalogue. Put flags after the models.",
    )
    asked = parser.add_argument(
        "asked",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="a model id, such as pika/pikaframes; or the word diff or add",
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
        "folder that add writes to (default: schemas, which a manifest beside it always searches)",
        default=Path("schemas"),
    )
    switch(asking, "--force", "let add replace an existing file")


def export(commands: Commands[Parser]) -> None:
    """Add `export` and what it can write."""
    parser = add_command(commands, "export", "write a storyboard in another form")
    forms = parser.add_subparsers(title="forms", metavar="FORM", dest="form", required=True)
    line = "a manifest with every take written out, to repeat a storyboard exactly"
    made = forms.add_parser("lock", help=line, description=f"{line[0].upper()}{line[1:]}.")
    made.add_argument(
        "target",
        type=Path,
        metavar="MANIFEST",
        help="a manifest (- is standard input); with --recorded also a run directory",
    )
    value(made, "-o FILE", Path, "file to write (default: standard output)", dest="out")
    switch(made, "--force", "replace an existing file")
    switch(made, "--recorded", "write what the run really sent, as its record says")
    switch(made, "--simulate", "with --recorded: use the manifest's simulated run")
    args_shared.schemas(made, beside=args_shared.BESIDE)
    args_shared.manifest_limits(made)


def simulate(commands: Commands[Parser]) -> None:
    """Add `simulate`."""
    parser = add_command(
        commands,
        "simulate",
        "start a simulator of the API on this machine",
        "It prints the two variables that point a run at it.",
    )
    value(parser, "--port N", whole(0, 65535), "port on 127.0.0.1 (default: any free one)", default=0)
    value(parser, "--ledger FILE", Path, "file that keeps the charges over restarts")
    args_shared.schemas(parser)
    args_shared.steering(parser)
