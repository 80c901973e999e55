"""The command line's grammar: one parser per command, and the types that check a flag's value.

Light to import: a command's code is loaded when it is called. It knows what may be written, not what it does.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import runner
from runner.errors import UsageError

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


class Parser(argparse.ArgumentParser):
    """An argument parser that exits with 64 (EX_USAGE), since 2 means that takes failed."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line and exit."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n  → {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; parsed arguments carry `command`, a callable."""
    parser = Parser(
        prog="shotrunner",
        description=_ABOUT,
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"shotrunner {runner.__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks of our own bugs")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_init, _check, _run, _status, _show, _report, _models, _simulate):
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
    parser.add_argument(
        "--max-unknown",
        type=whole(1, 1000),
        default=3,
        metavar="N",
        help="stop submitting after so many submits without an answer (3)",
    )
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
