"""The arguments and flags that several commands share: written once, so that they are called and told the same.

In: the parser of a command. Out: the same parser with one thing more. Which command takes which is not said here.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.cli.arg_types import Parser, number, one_of, switch, value, values, whole
from runner.manifest.size_limits import MOST_FILE_BYTES, MOST_TAKES, MOST_TEXT_BYTES

BESIDE = "; a folder schemas beside the manifest is always searched"
OR_STDIN = "YAML or CSV file of shots; - is standard input"
WHICH_TAKES = "these takes: an id, a glob, tag:NAME or status:STATE; may be repeated"


def manifest(parser: Parser, *, says: str = "YAML or CSV file of shots") -> None:
    """Add the manifest to be read; `says` is its help."""
    parser.add_argument("manifest", type=Path, help=says)


def target(parser: Parser) -> None:
    """Add the run that is meant, by its manifest or its directory."""
    parser.add_argument(
        "target", type=Path, metavar="RUN", help="a manifest that has been run, or a run directory"
    )


def target_of_two(parser: Parser) -> None:
    """Add the run that is meant, and the choice between a manifest's paid run and its simulated one."""
    target(parser)
    switch(parser, "--simulate", "the manifest's simulated run")


def takes(parser: Parser) -> None:
    """Add ids of takes, which may be left out."""
    added = parser.add_argument("takes", nargs="+", default=[], metavar="TAKE", help="ids of takes")
    # Not `*`: argparse takes that for given and empty as soon as a flag stands between RUN and TAKE.
    added.required = False


def choosing(parser: Parser, *, acts: str) -> None:
    """Add what chooses takes; `acts` is what is done with them."""
    group = parser.add_argument_group(f"which takes to {acts} (all)")
    values(group, "--only WHAT", str, f"{acts} only {WHICH_TAKES}")
    values(group, "--exclude WHAT", str, "all but these; written as for --only")
    values(group, "--tag TAG", str, "only takes with this tag; may be repeated")
    values(
        group,
        "--status STATE",
        str,
        "only takes in this state: as status tells it, or stale; may be repeated",
    )
    value(group, "--limit N", whole(1, 100_000), f"{acts} at most the first N")


def schemas(parser: Parser, *, beside: str = "") -> None:
    """Add folders of more model schemas; `beside` is said after the help's own words."""
    values(parser, "--schema-dir DIR", Path, f"a folder of more model schemas; may be repeated{beside}")


def manifest_limits(parser: Parser) -> None:
    """Add how large a manifest may be."""
    group = parser.add_argument_group("how large the manifest may be")
    value(
        group,
        "--max-takes N",
        whole(1, MOST_TAKES),
        "takes in all (100,000, of which sweeps and repeats make 10,000)",
    )
    value(group, "--max-manifest-bytes N", whole(1, MOST_FILE_BYTES), "bytes of its file (16,777,216)")
    value(
        group,
        "--max-text-bytes N",
        whole(1, MOST_TEXT_BYTES),
        "bytes of one text, such as a prompt (100,000)",
    )


def api_base(parser: argparse._ActionsContainer) -> None:
    """Add the address of the API."""
    value(parser, "--api-base URL", str, "the API (RUNCOMFY_MODEL_API_BASE)")


def consent(parser: Parser, *, said_before: bool = False) -> None:
    """Add what a person may agree to about the place of the run; `said_before` keeps what stood before a decision."""
    default = argparse.SUPPRESS if said_before else False
    switch(
        parser,
        "--moved",
        "I moved or copied this run directory on purpose; the original is not used any more",
        default=default,
    )
    switch(
        parser,
        "--allow-network-fs",
        "the run directory may lie on a network share; only this machine uses it",
        default=default,
    )


def output(parser: Parser) -> None:
    """Add the choice between text for people and JSON for programs."""
    one_of(parser, "--output", ("pretty", "json"), "for people or for programs")


def steering(parser: argparse._ActionsContainer) -> None:
    """Add what steers the simulator."""
    value(parser, "--speed X", number(0.01, 10_000.0), "jobs so many times as fast (1)")
    value(parser, "--fail-rate P", number(0.0, 1.0), "share of jobs that fail (0)")
    value(parser, "--script FILE", Path, "YAML script of faults")
