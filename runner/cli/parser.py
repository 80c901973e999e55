"""The command line's grammar: one parser per command, and the types that check a flag's value.

Light to import: a command's code is loaded when it is called. It knows what may be written, not what it does.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from runner.errors import UsageError
from runner.states import FailureClass
from runner.version import __version__

USAGE = UsageError.exit_code

_ABOUT = """\
Render a storyboard of generative video shots: check it, submit it, go on after
any interruption, bring the clips home, and report. It never pays twice.
"""

_EXITS = """\
exit codes:
   0  all complete and on disk            2  some takes failed
   3  stopped on purpose                  4  a person is needed (held takes)
  64  usage                              65  invalid manifest
  66  no such file                       69  API unavailable
  70  a bug of ours                      73  cannot create
  74  disk full or failing               75  run in use by another process
  77  token or balance refused           78  state file unusable
  128+N  stopped by signal N

Try it without a key:
  shotrunner init && shotrunner run storyboard.yaml --simulate
"""


_MAY_BE_LEFT_OUT = re.compile(r"\bTAKE\s+\[TAKE \.\.\.\]")


class Parser(argparse.ArgumentParser):
    """An argument parser that exits with 64 (EX_USAGE), since 2 means that takes failed."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line and exit."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n  → {self.prog} --help\n")

    def format_usage(self) -> str:
        """Return the usage, with takes that may be left out in brackets."""
        return _MAY_BE_LEFT_OUT.sub("[TAKE ...]", super().format_usage())

    def format_help(self) -> str:
        """Return the help, with takes that may be left out in brackets."""
        return _MAY_BE_LEFT_OUT.sub("[TAKE ...]", super().format_help())


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; parsed arguments carry `command`, a callable."""
    parser = Parser(
        prog="shotrunner",
        description=_ABOUT,
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"shotrunner {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks of our own bugs")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_init, _check, _run, _status, _show, *_DECIDING, _report, _models, _simulate):
        add(commands)
    return parser


Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for what add_subparsers returns


def _command(commands: Commands[Parser], name: str, line: str, more: str = "") -> Parser:
    made = commands.add_parser(
        name,
        help=line,
        description=f"{line[0].upper()}{line[1:]}. {more}".strip(),
    )
    made.set_defaults(command=_later(name))
    return made


def _later(name: str) -> Callable[[argparse.Namespace], int]:
    """Return a command that loads its code when it is called."""

    def call(arguments: argparse.Namespace) -> int:
        return int(import_module(f"runner.cli.{name}").command(arguments))

    return call


def _init(commands: Commands[Parser]) -> None:
    parser = _command(commands, "init", "write a small manifest to start from")
    parser.add_argument(
        "manifest",
        nargs="?",
        type=Path,
        default=Path("storyboard.yaml"),
        help="file to write (storyboard.yaml)",
    )


def _check(commands: Commands[Parser]) -> None:
    parser = _command(
        commands, "check", "tell every problem of a manifest at once; needs no network and no key"
    )
    _manifest(parser)
    _schemas(parser, beside=_BESIDE)
    _output(parser)


def _run(commands: Commands[Parser]) -> None:
    parser = _command(
        commands,
        "run",
        "render what is missing; the same command again goes on where it stopped",
        "Nothing is submitted while the manifest has a problem.",
    )
    _manifest(parser)
    _running(parser)


def _running(parser: Parser) -> None:
    parser.add_argument(
        "-j", "--jobs", type=whole(1, 1000), default=4, metavar="N", help="jobs out at once (4)"
    )
    parser.add_argument("--only", action="append", default=[], metavar="WHAT", help=_ONLY)
    parser.add_argument("--no-download", action="store_true", help="leave the clips at the API")
    parser.add_argument("--run-dir", type=Path, metavar="DIR", help="where the run lives (reports/NAME)")
    parser.add_argument("-y", "--yes", action="store_true", help="submit paid jobs without asking")
    parser.add_argument(
        "--poll-interval",
        type=number(0.05, 30.0),
        default=1.0,
        metavar="S",
        help="least seconds between two looks at a job (1)",
    )
    parser.add_argument(
        "--submit-window",
        type=whole(1, 64),
        default=1,
        metavar="N",
        help="submits in the air at once (1); a crash leaves at most so many in doubt",
    )
    _caution(parser.add_argument_group("when things go wrong"))
    parser.add_argument(
        "--progress",
        choices=("auto", "bar", "plain", "json", "none"),
        default="auto",
        help="how to show progress",
    )
    parser.add_argument("--api-base", metavar="URL", help="the API (RUNCOMFY_MODEL_API_BASE)")
    _schemas(parser, beside=_BESIDE)
    simulation = parser.add_argument_group("simulation")
    simulation.add_argument(
        "--simulate", action="store_true", help="use a local simulator: no key, no network, no cost"
    )
    _steering(simulation)


def _caution(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--on-unknown",
        choices=("hold", "stop", "pay-again"),
        default="hold",
        help="a submit without an answer: held for you (hold), or the run stops too, or it is paid again",
    )
    group.add_argument(
        "--max-extra-paid",
        type=whole(1, 1000),
        default=0,
        metavar="N",
        help="with --on-unknown pay-again: at most so many extra payments in the run's life",
    )
    group.add_argument(
        "--max-unknown",
        type=whole(1, 1000),
        default=3,
        metavar="N",
        help="stop submitting at so many submits without an answer (3)",
    )
    group.add_argument(
        "--retries",
        type=whole(0, 20),
        default=0,
        metavar="N",
        help="pay for a take again by itself, up to N times, if the provider failed (0); never after moderation",
    )
    group.add_argument(
        "--halt",
        type=limit,
        action="append",
        default=[],
        metavar="KIND=N",
        help="stop submitting after N failures of a class, such as moderation=3, or of any: fail=5; may be repeated",
    )
    group.add_argument(
        "--scout",
        type=whole(0, 100),
        default=0,
        metavar="N",
        help="see N takes of every model and settings to their end before the rest is submitted (0)",
    )
    group.add_argument(
        "--outage-limit",
        type=period,
        default=12 * 3600.0,
        metavar="TIME",
        help="how long to wait for a service that is away, such as 30m or 12h (12h)",
    )
    group.add_argument(
        "--on-interrupt",
        choices=("drain", "detach", "cancel-queued"),
        default="drain",
        help="the first Ctrl-C: see jobs through (drain), leave them to the next run, or cancel what is queued",
    )


_BESIDE = "; a folder schemas beside the manifest is always searched"
_ONLY = "submit only these takes: an id, a glob, tag:NAME or status:STATE; may be repeated"


def _status(commands: Commands[Parser]) -> None:
    parser = _command(commands, "status", "tell where a run stands, also while it is going on")
    _target(parser)
    _output(parser)


def _show(commands: Commands[Parser]) -> None:
    parser = _command(commands, "show", "tell everything about one take")
    _target(parser)
    parser.add_argument("take", metavar="TAKE", help="the take's id")
    _output(parser)


def _reconcile(commands: Commands[Parser]) -> None:
    parser = _command(
        commands,
        "reconcile",
        "show held takes with all that is known of them, and record what you decide",
        "Without a decision it shows them and exits with 4 while there are any. It submits nothing.",
    )
    _target(parser)
    _output(parser)
    decisions = parser.add_subparsers(title="decisions", metavar="DECISION", dest="decision")
    adopt = _decision(decisions, "adopt", "the job was taken, and this is its request id")
    adopt.add_argument("take", metavar="TAKE", help="the held take's id")
    adopt.add_argument("request_id", metavar="REQUEST_ID", help="as the provider's site shows it")
    adopt.add_argument("--offline", action="store_true", help="do not ask the API whether it knows the id")
    _api_base(adopt)
    not_sent = _decision(
        decisions, "not-sent", "the job was not taken: submit it again, at the risk of paying twice"
    )
    _takes(not_sent)
    not_sent.add_argument("--all", action="store_true", help="all held takes; asks for their number")
    not_sent.add_argument("--yes-i-may-pay-twice", action="store_true", help="do not ask")
    not_sent.add_argument("--reason", default="", metavar="TEXT", help="why you are sure; kept on record")
    _takes(_decision(decisions, "drop", "give the takes up: no run sends or watches them again"))


def _decision(decisions: Commands[Parser], name: str, line: str) -> Parser:
    made = decisions.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
    # Said before or after the decision: without SUPPRESS this default would undo what was said before it.
    made.add_argument(
        "--simulate", action="store_true", default=argparse.SUPPRESS, help="the manifest's simulated run"
    )
    return made


def _retry(commands: Commands[Parser]) -> None:
    parser = _command(
        commands,
        "retry",
        "pay for a new attempt of takes that failed or were cancelled, and run them",
        "Says how many and asks; then it goes on as run does, for these takes alone.",
    )
    parser.add_argument(
        "target", type=Path, metavar="RUN", help="a manifest that has been run, or a run directory"
    )
    _takes(parser)
    parser.add_argument(
        "--even-moderated",
        action="store_true",
        help="also what moderation turned down, though nothing about it has changed",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept on record")
    _running(parser)


def _cancel(commands: Commands[Parser]) -> None:
    parser = _command(
        commands,
        "cancel",
        "ask the API to cancel jobs, and tell what became of each",
        "Only a job that still waits can be cancelled; one that runs goes on and is billed.",
    )
    _target(parser)
    _takes(parser)
    parser.add_argument("--only", action="append", default=[], metavar="WHAT", help=_WHAT)
    parser.add_argument("--all", action="store_true", help="every job that is out there")
    _api_base(parser)
    _output(parser)


def _fetch(commands: Commands[Parser]) -> None:
    parser = _command(
        commands,
        "fetch",
        "bring home rendered clips that are missing or not whole",
        "It never submits, and needs no manifest.",
    )
    _target(parser)
    _takes(parser)
    _api_base(parser)


def _verify(commands: Commands[Parser]) -> None:
    parser = _command(
        commands,
        "verify",
        "read every delivered clip again and tell what is not as it was delivered",
        "Exits with 0 if all are whole, else with 2.",
    )
    _target(parser)
    parser.add_argument(
        "--mark", action="store_true", help="let the next run fetch again what is missing, cut or changed"
    )
    _output(parser)


_DECIDING = (_reconcile, _retry, _cancel, _fetch, _verify)
_WHAT = "these takes: an id, a glob, tag:NAME or status:STATE; may be repeated"


def _takes(parser: Parser) -> None:
    takes = parser.add_argument("takes", nargs="+", default=[], metavar="TAKE", help="ids of takes")
    # Not `*`: argparse takes that for given and empty as soon as a flag stands between RUN and TAKE.
    takes.required = False


def _api_base(parser: Parser) -> None:
    parser.add_argument("--api-base", metavar="URL", help="the API (RUNCOMFY_MODEL_API_BASE)")


def _report(commands: Commands[Parser]) -> None:
    parser = _command(commands, "report", "write report.csv and report.html from the state file alone")
    _target(parser)


def _models(commands: Commands[Parser]) -> None:
    parser = _command(commands, "models", "list the models that can be used, or one model's inputs")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a model id, such as pika/pikaframes")
    _schemas(parser)
    _output(parser)


def _simulate(commands: Commands[Parser]) -> None:
    parser = _command(
        commands,
        "simulate",
        "serve a simulator of the API on this machine",
        "Point runs at it with RUNCOMFY_MODEL_API_BASE.",
    )
    parser.add_argument(
        "--port", type=whole(0, 65535), default=0, metavar="N", help="port on 127.0.0.1 (any free one)"
    )
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="file of charges; outlives a restart")
    _schemas(parser)
    _steering(parser)


def _manifest(parser: Parser) -> None:
    parser.add_argument("manifest", type=Path, help="YAML or CSV file of shots")


def _target(parser: Parser) -> None:
    parser.add_argument(
        "target", type=Path, metavar="RUN", help="a manifest that has been run, or a run directory"
    )
    parser.add_argument("--simulate", action="store_true", help="the manifest's simulated run")


def _schemas(parser: Parser, *, beside: str = "") -> None:
    parser.add_argument(
        "--schema-dir",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help=f"a folder of more model schemas; may be repeated{beside}",
    )


def _output(parser: Parser) -> None:
    parser.add_argument(
        "--output", choices=("pretty", "json"), default="pretty", help="for people or for programs"
    )


def _steering(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--speed", type=number(0.01, 10_000.0), metavar="X", help="jobs so many times as fast (1)"
    )
    parser.add_argument("--fail-rate", type=number(0.0, 1.0), metavar="P", help="share of jobs that fail (0)")
    parser.add_argument("--script", type=Path, metavar="FILE", help="YAML script of faults")


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a flag type for whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.lstrip("-").isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse


def number(least: float, most: float) -> Callable[[str], float]:
    """Return a flag type for numbers from `least` to `most`; no nan, no infinity."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return parse


def limit(text: str) -> tuple[str, int]:
    """Parse `KIND=N`: a class of failure, or `fail` for any, and how many of them are too many."""
    kind, _, count = text.partition("=")
    kinds = ["fail", *FailureClass]
    if kind not in kinds or not (count.isascii() and count.isdigit() and int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is not KIND=N with KIND one of {', '.join(kinds)}")
    return kind, int(count)


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def period(text: str) -> float:
    """Parse a time such as 90s, 30m, 12h or 2d into seconds."""
    try:
        seconds = float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        seconds = math.nan
    if not 1.0 <= seconds <= 30 * 86400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 30m, 12h or 2d")
    return seconds
