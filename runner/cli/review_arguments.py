"""The commands for the morning after: choosing takes, asking for more of them, and the page.

In: nothing. Out: entries of the table of commands.
"""

from __future__ import annotations

from pathlib import Path

from runner.cli.arg_types import signing, whole
from runner.cli.argument_kinds import command, group, place, several, switch, value
from runner.cli.shared_arguments import MANIFEST_SIZE, MORE_SCHEMAS, OUTPUT, SIMULATED, TARGET, TARGET_OF_TWO

_SHARING = group(
    "a page for others",
    value(
        "--share DIR",
        Path,
        "write a page with clips and posters into this folder, or a zip if the name ends in .zip. It has no money,"
        " ids, errors or prompts. Comments on it come back as a file that `pick --import` reads",
    ),
    switch("--picks", "only picked takes (usual as soon as a take is picked)"),
    switch("--all", "every take with a clip"),
    switch("--prompts", "show the prompts too"),
    switch("--decide", "let the other person pick and reject"),
    switch("--force", "write into a folder, or over a zip, that has something else in it"),
)

_CHOSEN = several("takes", "TAKE", "a shot and numbers of its takes, such as s010 2 3; or labels or ids")
_CHOOSING_TAKES = (
    value("--note TEXT", str, "a note about the takes; without it an earlier note stays"),
    value("--who NAME", str, "whose decision it is (default: your login name)"),
    switch("--settle", "where people differ, take back the decisions of all others on these takes"),
    switch("-n, --dry-run", "only show what would be written"),
    OUTPUT,
)

PICK = command(
    "pick",
    "choose takes, list what was chosen, or merge the choices of several people. "
    "Choices are yours: they are in picks.csv in the run directory, which you may edit. Of several picked takes of"
    " a shot the first by number plays in a cut.",
    *TARGET_OF_TWO,
    _CHOSEN,
    switch("--maybe", "note the takes as maybe"),
    switch("--clear", "take back what you decided about the takes"),
    switch("--list", "show what was decided about every shot, and where people differ"),
    value(
        "--import FILE",
        Path,
        "merge a picks.csv of another person or of the page, or a report.csv with a filled column pick",
        dest="import_file",
    ),
    *_CHOOSING_TAKES,
)

REJECT = command(
    "reject",
    "note takes as not wanted; nothing is deleted, and reroll proposes further takes of a shot",
    *TARGET_OF_TWO,
    _CHOSEN,
    *_CHOOSING_TAKES,
)

REROLL = command(
    "reroll",
    "propose further takes of a shot whose takes were all rejected, as a change of the manifest. "
    "It shows the change and the new takes, and it writes nothing by itself. No take that exists is touched.",
    TARGET,
    place("shot", "the shot's id", metavar="SHOT"),
    SIMULATED,
    value(
        "--takes N",
        whole(1, 1000),
        "how many more seeds (default: as many as the shot has, at most 4)",
        dest="count",
    ),
    switch("--anyway", "go on although some takes of the shot are not rejected"),
    switch("--write", "change the manifest, after a question"),
    switch("-y, --yes", "with --write: do not ask"),
    MORE_SCHEMAS,
    MANIFEST_SIZE,
    OUTPUT,
)

REPORT = command(
    "report",
    "write report.csv and report.html again from the run's record, or a page for others",
    *TARGET_OF_TWO,
    value(
        "--sign TIME",
        signing,
        "if the clips are in a store: write links that anyone can open, for a time such as 30m, 12h or 7d, the longest."
        " They are in the report here alone",
    ),
    _SHARING,
    OUTPUT,
)
