"""The arguments and flags that several commands share, so that they have the same names and help everywhere.

In: the parser of a command. Out: the same parser with one argument more. It does not know which command has which.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.cli.arg_types import Parser, number, one_of, switch, value, values, whole
from runner.manifest.size_limits import MOST_FILE_BYTES, MOST_TAKES, MOST_TEXT_BYTES

BESIDE = "; the folder schemas beside the manifest is always searched"
OR_STDIN = "YAML or CSV file of shots; - is standard input"
WHICH_TAKES = "these takes: an id, a pattern such as s01*, tag:NAME or status:STATE; may be repeated"


def manifest(parser: Parser, *, says: str = "YAML or CSV file of shots") -> None:
    """Add the manifest to be read; `says` is its help."""
    parser.add_argument("manifest", type=Path, help=says)


def target(parser: Parser) -> None:
    """Add the run, given by its manifest or its directory."""
    parser.add_argument(
        "target", type=Path, metavar="RUN", help="a manifest that was run, or a run directory"
    )


def target_of_two(parser: Parser) -> None:
    """Add the run, and the choice between a manifest's paid run and its simulated one."""
    target(parser)
    switch(parser, "--simulate", "use the manifest's simulated run")


def takes(parser: Parser) -> None:
    """Add ids of takes, which are optional."""
    added = parser.add_argument("takes", nargs="+", default=[], metavar="TAKE", help="ids of takes")
    # `*` would fail: with a flag between RUN and TAKE, argparse treats the takes as given and empty.
    added.required = False


def choosing(parser: Parser, *, acts: str) -> None:
    """Add the flags that choose takes; `acts` is the verb for what is done with them."""
    group = parser.add_argument_group(f"which takes to {acts} (default: all)")
    values(group, "--only WHAT", str, f"{acts} only {WHICH_TAKES}")
    values(group, "--exclude WHAT", str, f"do not {acts} these takes; same forms as --only")
    values(group, "--tag TAG", str, "only takes with this tag; may be repeated")
    values(
        group,
        "--status STATE",
        str,
        "only takes in this state (as shown by status), or stale; may be repeated",
    )
    value(group, "--limit N", whole(1, 100_000), f"{acts} only the first N of them")


def schemas(parser: Parser, *, beside: str = "") -> None:
    """Add folders of more model schemas; `beside` ends the help text."""
    values(parser, "--schema-dir DIR", Path, f"folder with more model schemas; may be repeated{beside}")


def manifest_limits(parser: Parser) -> None:
    """Add how large a manifest may be."""
    group = parser.add_argument_group("how large the manifest may be")
    value(
        group,
        "--max-takes N",
        whole(1, MOST_TAKES),
        "takes (default: 100,000, of which at most 10,000 come from sweeps and repeats)",
    )
    value(group, "--max-manifest-bytes N", whole(1, MOST_FILE_BYTES), "bytes (default: 16,777,216)")
    value(
        group,
        "--max-text-bytes N",
        whole(1, MOST_TEXT_BYTES),
        "bytes of one text, such as a prompt (default: 100,000)",
    )


def api_base(parser: argparse._ActionsContainer) -> None:
    """Add the address of the API."""
    value(parser, "--api-base URL", str, "API address (default: $RUNCOMFY_MODEL_API_BASE, or RunComfy)")


def consent(parser: Parser, *, said_before: bool = False) -> None:
    """Add what a person may agree to; `said_before` keeps flags that stood before a decision."""
    default = argparse.SUPPRESS if said_before else False
    switch(
        parser,
        "--moved",
        "agree that the run directory was moved or copied, and that the original is not used any more",
        default=default,
    )
    switch(
        parser,
        "--allow-network-fs",
        "agree that the run directory is on a network share that only this machine uses",
        default=default,
    )


def output(parser: Parser) -> None:
    """Add the choice between text for people and JSON for programs."""
    one_of(parser, "--output", ("pretty", "json"), "text for people, or JSON for programs")


def steering(parser: argparse._ActionsContainer) -> None:
    """Add the flags that control the simulator."""
    value(parser, "--speed X", number(0.01, 10_000.0), "speed-up factor for simulated jobs (default: 1)")
    value(parser, "--fail-rate P", number(0.0, 1.0), "share of simulated jobs that fail (default: 0)")
    value(parser, "--script FILE", Path, "YAML file of faults to simulate")
