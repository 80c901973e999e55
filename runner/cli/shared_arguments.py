"""Arguments that several commands have: which run, which takes, which models, and in which form to answer.

In: nothing. Out: entries of the table of commands.
"""

from __future__ import annotations

from argparse import SUPPRESS
from pathlib import Path

from runner.cli.arg_types import amount, executor_way, number, progress_way, whole
from runner.cli.argument_kinds import Argument, Group, group, one_of, place, several, switch, value, values
from runner.manifest.size_limits import MOST_FILE_BYTES, MOST_TAKES, MOST_TEXT_BYTES

TARGET = place("target", "a manifest that was run, or a run directory", type=Path, metavar="RUN")
SIMULATED = switch("--simulate", "use the manifest's simulated run")
TARGET_OF_TWO = (TARGET, SIMULATED)
FILE_OR_STDIN = place("manifest", "YAML, CSV or .xlsx file of shots; - is standard input", type=Path)
TAKES = several("takes", "TAKE", "ids or labels of takes")
SCHEMAS = values("--schema-dir DIR", Path, "folder with more model schemas; may be repeated")
MORE_SCHEMAS = values(
    "--schema-dir DIR",
    Path,
    f"{SCHEMAS.settings['help']}; the folder schemas beside the manifest is always searched",
)
API_BASE = value("--api-base URL", str, "API address (default: $RUNCOMFY_MODEL_API_BASE, or RunComfy)")
OUTPUT = one_of("--output", ("pretty", "json"), "text for people, or JSON for programs")
MANIFEST_SIZE = group(
    "how large the manifest may be",
    value(
        "--max-takes N",
        whole(1, MOST_TAKES),
        "takes (default: 100,000, of which at most 10,000 come from sweeps and repeats)",
    ),
    value("--max-manifest-bytes N", whole(1, MOST_FILE_BYTES), "bytes (default: 16,777,216)"),
    value(
        "--max-text-bytes N",
        whole(1, MOST_TEXT_BYTES),
        "bytes of one text, such as a prompt (default: 100,000)",
    ),
)

STEERING = (
    value("--speed X", number(0.01, 10_000.0), "speed-up factor for simulated jobs (default: 1)"),
    value("--fail-rate P", number(0.0, 1.0), "share of simulated jobs that fail (default: 0)"),
    value("--script FILE", Path, "YAML file of faults to simulate"),
    value(
        "--balance USD",
        amount,
        "balance of the simulated account before its first job; without it the balance never runs out",
    ),
)

NAME = value(
    "--name TEMPLATE",
    str,
    "name the clips by a template, such as '{shot}_t{take:02}'; also {seed}, {model}, {tag}, {id} and what is swept. A "
    "run keeps it until another is given",
)

PROGRESS = value(
    "--progress HOW=auto",
    progress_way,
    "how to show progress: auto, bar, plain, none, or json for programs: all that is printed on standard error "
    "is then an event; json:FILE adds the events to FILE (default: auto)",
)
QUIET = switch(
    "-q, --quiet",
    "print only errors and what needs a person: held and failed takes, limits; the exit code says the rest",
)
VERBOSE = switch("-v, --verbose", "list every clip, on a terminal as well", default=SUPPRESS)

NO_INSPECT = switch(
    "--no-inspect",
    "do not look into the clips; without it, odd ones are flagged, and previews of them and of their input pictures "
    "are made beside them",
)

EXECUTOR = value(
    "--executor HOW=threads",
    executor_way,
    "where clips are downloaded, looked into and stored: threads of this process; dask, two more processes of this "
    "machine; or dask:ADDRESS, the workers of that Dask scheduler (default: threads)",
)

ON_DELIVERED = value(
    "--on-delivered COMMAND",
    str,
    "start this command once for each clip that is delivered from now on, with the take's id and the clip's path as "
    "last arguments, and the take as JSON on its standard input; no shell runs it",
)


def consent(**settings: object) -> tuple[Argument, ...]:
    """Return what a person may agree to about the run directory."""
    moved = "agree that the run directory was moved or copied, and that the original is not used any more"
    shared = "agree that the run directory is on a network share that only this machine uses"
    return switch("--moved", moved, **settings), switch("--allow-network-fs", shared, **settings)


def choosing(acts: str) -> Group:
    """Return the flags that choose takes; `acts` is the verb for what is done with them."""
    which = (
        "these takes: an id, a pattern such as s01*, tag:NAME, status:STATE, or flagged, picked, unpicked, rejected,"
        " maybe; may be repeated"
    )
    return group(
        f"which takes to {acts} (default: all)",
        values("--only WHAT", str, f"{acts} only {which}"),
        values("--exclude WHAT", str, f"do not {acts} these takes; same forms as --only"),
        values("--tag TAG", str, "only takes with this tag; may be repeated"),
        values(
            "--status STATE",
            str,
            "only takes in this state (as shown by status), stale or flagged; may be repeated",
        ),
        value("--limit N", whole(1, 100_000), f"{acts} only the first N of them"),
    )
