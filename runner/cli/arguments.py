"""The arguments of every command as one table: names, help, and the order in which help shows them.

In: nothing. Out: values that `parser` hands to argparse. It does not know what a command does.
"""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.cli.arg_types import (
    amount,
    limit,
    moment,
    number,
    or_auto,
    period,
    pixels,
    stretch,
    timecode,
    whole,
)
from runner.manifest.size_limits import MOST_FILE_BYTES, MOST_TAKES, MOST_TEXT_BYTES


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, as the words for argparse's `add_argument`."""

    names: Sequence[str]
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """Arguments that help shows under a title of their own."""

    title: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command; the first sentence of what it `says` is its line in the list of commands.

    `parts` are the commands below it, one of which must be given if they are `required`. Help lists them under `title`,
    and the parsed arguments hold the chosen one under the title's singular.
    """

    name: str
    says: str
    arguments: tuple[Argument | Group, ...]
    title: str = ""
    parts: tuple[Command, ...] = ()
    required: bool = False


def _place(name: str, says: str, **settings: object) -> Argument:
    """Return an argument without a flag, known by its place."""
    return Argument([name], {"help": says, **settings})


def _several(name: str, metavar: str, says: str) -> Argument:
    """Return an argument without a flag for any number of words. The parser lets all of them be left out.

    `*` would fail: with a flag between RUN and TAKE, argparse treats the takes as given and empty.
    """
    return Argument([name], {"nargs": "+", "default": [], "metavar": metavar, "help": says})


def _switch(spelled: str, says: str, **settings: object) -> Argument:
    """Return a flag that is on or off; `spelled` holds its names as help lists them, `-n, --dry-run`."""
    return Argument(spelled.split(", "), {"action": "store_true", "help": says, **settings})


def _value(spelled: str, parse: Callable[[str], object], says: str, **settings: object) -> Argument:
    """Return a flag with a value; `spelled` holds its names, the value's name and any default: `-j, --jobs N=4`."""
    names, value = spelled.rsplit(" ", 1)
    metavar, _, default = value.partition("=")
    known = {"type": parse, "default": default or None, "metavar": metavar, "help": says}
    return Argument(names.split(", "), known | settings)


def _values(spelled: str, parse: Callable[[str], object], says: str) -> Argument:
    """Return a flag with a value that may be given several times."""
    name, metavar = spelled.split(" ")
    return Argument(
        [name], {"action": "append", "type": parse, "default": [], "metavar": metavar, "help": says}
    )


def _one_of(name: str, words: Sequence[str], says: str) -> Argument:
    """Return a flag whose value is one of `words`; the first is the default."""
    return Argument([name], {"choices": words, "default": words[0], "help": says})


def _group(title: str, *arguments: Argument) -> Group:
    return Group(title, arguments)


def _command(
    name: str,
    says: str,
    *arguments: Argument | Group,
    title: str = "",
    parts: tuple[Command, ...] = (),
    required: bool = False,
) -> Command:
    return Command(name, says, arguments, title, parts, required)


_TARGET = _place("target", "a manifest that was run, or a run directory", type=Path, metavar="RUN")
_SIMULATED = _switch("--simulate", "use the manifest's simulated run")
_TARGET_OF_TWO = (_TARGET, _SIMULATED)
_FILE_OR_STDIN = _place("manifest", "YAML, CSV or .xlsx file of shots; - is standard input", type=Path)
_TAKES = _several("takes", "TAKE", "ids or labels of takes")
_SCHEMAS = _values("--schema-dir DIR", Path, "folder with more model schemas; may be repeated")
_MORE_SCHEMAS = _values(
    "--schema-dir DIR",
    Path,
    f"{_SCHEMAS.settings['help']}; the folder schemas beside the manifest is always searched",
)
_API_BASE = _value("--api-base URL", str, "API address (default: $RUNCOMFY_MODEL_API_BASE, or RunComfy)")
_OUTPUT = _one_of("--output", ("pretty", "json"), "text for people, or JSON for programs")
_MANIFEST_SIZE = _group(
    "how large the manifest may be",
    _value(
        "--max-takes N",
        whole(1, MOST_TAKES),
        "takes (default: 100,000, of which at most 10,000 come from sweeps and repeats)",
    ),
    _value("--max-manifest-bytes N", whole(1, MOST_FILE_BYTES), "bytes (default: 16,777,216)"),
    _value(
        "--max-text-bytes N",
        whole(1, MOST_TEXT_BYTES),
        "bytes of one text, such as a prompt (default: 100,000)",
    ),
)
_STEERING = (
    _value("--speed X", number(0.01, 10_000.0), "speed-up factor for simulated jobs (default: 1)"),
    _value("--fail-rate P", number(0.0, 1.0), "share of simulated jobs that fail (default: 0)"),
    _value("--script FILE", Path, "YAML file of faults to simulate"),
)


def _consent(**settings: object) -> tuple[Argument, ...]:
    """Return what a person may agree to about the run directory."""
    moved = "agree that the run directory was moved or copied, and that the original is not used any more"
    shared = "agree that the run directory is on a network share that only this machine uses"
    return _switch("--moved", moved, **settings), _switch("--allow-network-fs", shared, **settings)


def _choosing(acts: str) -> Group:
    """Return the flags that choose takes; `acts` is the verb for what is done with them."""
    which = (
        "these takes: an id, a pattern such as s01*, tag:NAME, status:STATE, or flagged, picked, unpicked, rejected,"
        " maybe; may be repeated"
    )
    return _group(
        f"which takes to {acts} (default: all)",
        _values("--only WHAT", str, f"{acts} only {which}"),
        _values("--exclude WHAT", str, f"do not {acts} these takes; same forms as --only"),
        _values("--tag TAG", str, "only takes with this tag; may be repeated"),
        _values(
            "--status STATE",
            str,
            "only takes in this state (as shown by status), stale or flagged; may be repeated",
        ),
        _value("--limit N", whole(1, 100_000), f"{acts} only the first N of them"),
    )


_NAME = _value(
    "--name TEMPLATE",
    str,
    "name the clips by a template, such as '{shot}_t{take:02}'; also {seed}, {model}, {tag}, {id} and what is swept. A "
    "run keeps it until another is given",
)
_EXTENT = (
    _value("-j, --jobs N=4", whole(1, 1000), "jobs at the API at the same time (default: 4)"),
    _switch(
        "--stale", "also render takes again whose rows changed after they were paid for; older clips are kept"
    ),
    _switch("--no-download", "do not download the clips; they stay at the API"),
    _value("--run-dir DIR", Path, "folder of the run (default: reports/NAME beside the manifest)"),
    _NAME,
    _switch("-y, --yes", "submit paid jobs without asking"),
    _switch(
        "--allow-duplicates",
        "where no question is asked, also pay for takes that send the same request as another take",
    ),
    _value(
        "--poll-interval S",
        number(0.05, 30.0),
        "minimum seconds between two status checks of a job (default: 1; less for jobs below 20 s, at least 0.25)",
    ),
    _value(
        "--submit-window N=auto",
        or_auto(whole(1, 64)),
        "submissions being sent at the same time; a crash leaves at most N in doubt (default: auto: 1 while that fills "
        "the free slots, and at most an eighth of --jobs and 32)",
    ),
)
_LIMITS = _group(
    "money and time, counted over all runs in the run directory",
    _value(
        "--max-cost USD",
        amount,
        "stop submitting when the total cost would exceed this amount; takes without a price are refused",
    ),
    _value("--warn-cost USD", amount, "warn once the total cost exceeds this amount"),
    _switch("--allow-unpriced", "with --max-cost: also submit takes without a price, counted as 0"),
    _value("--max-submits N", whole(1, 1_000_000), "submit at most N jobs"),
    _value(
        "--until TIME",
        moment,
        "stop submitting at this time on this machine's clock, such as 07:00 or 2027-01-31T07:00",
    ),
    _value(
        "--for TIME",
        stretch,
        "stop submitting after this length of time, such as 6h or 2h30m; a restarted run uses what is left of it",
        dest="lasts",
    ),
    _one_of(
        "--cutoff",
        ("drain", "cancel-queued"),
        "what to do at a limit: finish active jobs, and submit more if these cost less than estimated (drain), or "
        "cancel queued jobs at once (cancel-queued)",
    ),
)
_CAUTION = _group(
    "when things go wrong",
    _one_of(
        "--on-unknown",
        ("hold", "stop", "pay-again"),
        "what to do if the answer to a submission is lost: hold the take for your decision (hold), hold it and stop "
        "submitting (stop), or submit and pay again (pay-again)",
    ),
    _value(
        "--max-extra-paid N",
        whole(1, 1000),
        "with --on-unknown pay-again: at most N extra payments, over all runs",
        default=0,
    ),
    _value(
        "--max-unknown N=3",
        whole(1, 1000),
        "stop submitting after N submissions without an answer (default: 3)",
    ),
    _value(
        "--retries N=0",
        whole(0, 20),
        "pay for a take again, up to N times, if the provider failed (default: 0); never after moderation",
    ),
    _values(
        "--halt KIND=N",
        limit,
        "stop submitting after N failures of a kind, such as moderation=3, or of any kind: fail=5; may be repeated",
    ),
    _value(
        "--scout N=0",
        whole(0, 100),
        "first finish N takes of each model and settings; submit the rest only if these succeed (default: 0)",
    ),
    _value(
        "--outage-limit TIME=12h",
        period,
        "how long to wait for a service that does not answer, such as 30m (default: 12h)",
    ),
    _value(
        "--job-limit TIME=24h",
        period,
        "stop waiting for a job that is older than this (default: 24h); the next run checks it again",
    ),
    _one_of(
        "--on-interrupt",
        ("drain", "detach", "cancel-queued"),
        "what the first Ctrl-C does: finish active jobs (drain), leave them to the next run (detach), or cancel "
        "queued jobs (cancel-queued)",
    ),
)
_NO_LOOK = _switch(
    "--no-look",
    "do not look at the media links of what is about to be paid for, and make no small copies of pictures; only links "
    "that show themselves that they have expired are refused",
)
_NO_INSPECT = _switch(
    "--no-inspect",
    "do not look into the clips; without it, odd ones are flagged, and previews of them and of their input pictures "
    "are made beside them",
)
_RUNNING: tuple[Argument | Group, ...] = (
    _choosing("submit"),
    *_EXTENT,
    _LIMITS,
    _CAUTION,
    _NO_LOOK,
    _NO_INSPECT,
    _one_of("--progress", ("auto", "bar", "plain", "json", "none"), "how to show progress"),
    _API_BASE,
    *_consent(),
    _switch(
        "--new-run",
        "start over although the folder of an earlier run is gone; all its jobs may then be paid for again",
    ),
    _MORE_SCHEMAS,
    _MANIFEST_SIZE,
    _group(
        "simulation",
        _switch("--simulate", "use a simulator on this machine: no key, no network, no cost"),
        *_STEERING,
    ),
)
_PLANNING = (
    _switch("--exit-code", "for a plan: exit with 2 if it would submit anything"),
    _switch("--online", "for a plan: also ask the API for prices, your balance and schemas"),
    _OUTPUT,
)
# Both may stand before or after the decision. Without SUPPRESS these defaults would undo one given before.
_SAID_BEFORE = (
    _switch("--simulate", "use the manifest's simulated run", default=SUPPRESS),
    *_consent(default=SUPPRESS),
)

_ADOPT = _command(
    "adopt",
    "the API accepted the job, and this is its request id",
    *_SAID_BEFORE,
    _place("take", "the held take's id or label", metavar="TAKE"),
    _place("request_id", "the job's id on the provider's site", metavar="REQUEST_ID"),
    _switch("--offline", "do not ask the API whether it knows the id"),
    _API_BASE,
)
_NOT_SENT = _command(
    "not-sent",
    "the API did not accept the job: submit it again, at the risk of paying twice",
    *_SAID_BEFORE,
    _TAKES,
    _choosing("decide on"),
    _switch("--all", "all held takes; you must type how many there are"),
    _switch("--yes-i-may-pay-twice", "do not ask for the number"),
    _value("--reason TEXT", str, "why you are sure; kept on record", default=""),
)
_DROP = _command(
    "drop",
    "give up takes, held or not: no run submits or watches them again",
    *_SAID_BEFORE,
    _TAKES,
    _choosing("decide on"),
    _switch("-y, --yes", "do not ask, even if a job may still be billed or a rendered clip is lost"),
)
_SHARING = _group(
    "a page for others",
    _value(
        "--share DIR",
        Path,
        "write a page with clips and posters into this folder, or a zip if the name ends in .zip. It has no money,"
        " ids, errors or prompts. Comments on it come back as a file that `pick --import` reads",
    ),
    _switch("--picks", "only picked takes (usual as soon as a take is picked)"),
    _switch("--all", "every take with a clip"),
    _switch("--prompts", "show the prompts too"),
    _switch("--decide", "let the other person pick and reject"),
    _switch("--force", "write into a folder, or over a zip, that has something else in it"),
)
_LOCK = _command(
    "lock",
    "a manifest with every take written out, to repeat a storyboard exactly",
    _place(
        "target",
        "a manifest (- is standard input); with --recorded also a run directory",
        type=Path,
        metavar="MANIFEST",
    ),
    _value("-o FILE", Path, "file to write (default: standard output)", dest="out"),
    _switch("--force", "replace an existing file"),
    _switch("--recorded", "write what the run really sent, as its record says"),
    _switch("--simulate", "with --recorded: use the manifest's simulated run"),
    _MORE_SCHEMAS,
    _MANIFEST_SIZE,
)

_CHOSEN = _several("takes", "TAKE", "a shot and numbers of its takes, such as s010 2 3; or labels or ids")
_CHOOSING_TAKES = (
    _value("--note TEXT", str, "a note about the takes; without it an earlier note stays"),
    _value("--who NAME", str, "whose decision it is (default: your login name)"),
    _switch("--settle", "where people differ, take back the decisions of all others on these takes"),
    _switch("-n, --dry-run", "only show what would be written"),
    _OUTPUT,
)
_BOARD = _place(
    "target", "a manifest, which need not have been run, or a run directory", type=Path, metavar="RUN"
)


def _timeline(form: str, says: str) -> Command:
    """Return a form of the cut: one clip a shot in board order, the picked take or else the newest whole one."""
    return _command(
        form,
        says,
        _BOARD,
        _SIMULATED,
        _value(
            "-o FILE",
            Path,
            "file to write, - is standard output (default: in the folder exports of the run)",
            dest="out",
        ),
        _switch("--force", "replace any file, not only an unchanged export"),
        _value("--fps N", number(1.0, 1000.0), "frames per second (default: most clips' own, or 24)"),
        _value(
            "--start TIMECODE=01:00:00:00", timecode, "timecode of the first frame (default: 01:00:00:00)"
        ),
        _switch("--relative", "name the clips relative to the file, so that both can be moved together"),
        _choosing("cut"),
        _MORE_SCHEMAS,
    )


_TIMELINES = (
    _timeline("otio", "the cut for editors as OpenTimelineIO; it carries everything"),
    _timeline("otioz", "the same with all clips in one file"),
    _timeline("edl", "the cut as CMX 3600, which every editor reads; needs the extra [timeline]"),
    _timeline("fcpxml", "the cut for Final Cut Pro and DaVinci Resolve"),
    _timeline("fcp7", "the cut as XML for Premiere; needs the extra [timeline]"),
    _timeline("csv", "the cut as a table: files, in and out, prompts, reasons for gaps"),
    _timeline("ffconcat", "the clips in order, as a list for FFmpeg"),
)
"""The cut of a board in the forms of `runner.timeline.carried`."""


def _seen(form: str, says: str, *arguments: Argument | Group) -> Command:
    """Return a form of the board that needs no editor to be looked at."""
    out = _value("-o FILE", Path, "file to write (default: in the folder exports of the run)", dest="out")
    force = _switch("--force", "replace any file, not only an unchanged export")
    return _command(form, says, _BOARD, *arguments, _SIMULATED, out, force, _MORE_SCHEMAS)


def _moving(form: str, says: str) -> Command:
    """Return a form for a chat."""
    return _seen(
        form,
        says,
        _place(
            "take", "a shot, of which the take that plays is meant, or a take's id or label", metavar="TAKE"
        ),
        _value("--width N=480", whole(16, 1920), "width of each clip in pixels (default: 480)"),
        _value("--fps N=10", number(1.0, 50.0), "frames per second (default: 10)"),
        _switch("--side-by-side", "show all takes of the shot beside each other, with their labels"),
    )


_CUTS = (
    _seen(
        "cut",
        "one MP4 of the takes that play, in board order; needs the extra [video]. The picked take of each shot"
        " plays, else the newest whole one. A shot without a clip is a slate of the planned length.",
        _switch("--burn-in", "write the label and the seed of each take into the picture"),
        _value("--size WxH", pixels, "size of the picture, such as 1280x720 (default: most clips' own)"),
        _value("--fps N", number(1.0, 120.0), "frames per second (default: most clips' own)"),
        _switch("--no-slates", "leave out shots that have no clip"),
        _choosing("cut"),
    ),
    _seen(
        "contact-sheet",
        "pictures of all takes on one page, as PNG or PDF; needs the extra [video]",
        _value("--columns N=6", whole(1, 40), "pictures beside each other (default: 6)"),
        _choosing("show"),
    ),
    _moving("gif", "a moving picture of a take for a chat; needs the extra [video]"),
    _moving("webp", "the same as WebP, which is smaller; needs the extra [video]"),
)

COMMANDS = (
    _command(
        "init",
        "write a small manifest to start from",
        _place(
            "manifest",
            "file to write, YAML or CSV by its suffix (default: storyboard.yaml)",
            nargs="?",
            type=Path,
            default=Path("storyboard.yaml"),
        ),
    ),
    _command(
        "import",
        "take a spreadsheet as it is: propose what its columns are, and write that down beside it. "
        "It writes one file, such as board.columns.yaml, which check, plan and run read by themselves. "
        "The sheet stays yours: it is never written, and you can export it again and again.",
        _place("manifest", "CSV or Excel (.xlsx) file", type=Path, metavar="BOARD"),
        _value(
            "--model ID",
            str,
            "model of rows that name none (default: it offers the one that the headings fit)",
        ),
        _value("--columns FILE", Path, "column map of another sheet, to take the same headings from"),
        _value("--sheet NAME", str, "sheet of a workbook (default: the first)"),
        _switch("-n, --dry-run", "only show what would be written"),
        _switch("-y, --yes", "write without asking"),
        _switch("--force", "replace an existing column map"),
        _MORE_SCHEMAS,
    ),
    _command(
        "check",
        "report every problem in a manifest at once; needs no network and no key",
        _FILE_OR_STDIN,
        _MORE_SCHEMAS,
        _MANIFEST_SIZE,
        _OUTPUT,
        _switch("--simulate", "check for a simulated run: media may be on this machine"),
        _switch(
            "--all", "show every problem; else 20 or more are shown by kind, with the first places of each"
        ),
        _group(
            "fixes",
            _switch(
                "--fix",
                "make the changes that cannot alter what is meant, such as 5.0 to 5, the case of a name, and blanks at "
                "ends of lines; shows them as a diff and asks first",
            ),
            _switch("--diff", "only show what --fix would change"),
            _switch("-y, --yes", "with --fix: change the file without asking"),
        ),
        _group(
            "media",
            _switch(
                "--online",
                "also check every media link: whether it can be fetched, its format and size, and when its "
                "signature expires; needs no key",
            ),
            _switch("--refresh", "check links again that were checked less than an hour ago"),
            _value(
                "--wait TIME=12h",
                period,
                "how long a link must stay valid, since a job may wait before it is fetched (default: 12h)",
            ),
            _value("--run-dir DIR", Path, "folder that keeps the results (default: reports/NAME)"),
        ),
    ),
    _command(
        "plan",
        "show what a run would do with each take, why, and at what cost; spends and changes nothing. "
        "It accepts the flags of run. It needs no network and no token.",
        _FILE_OR_STDIN,
        *_PLANNING,
        *_RUNNING,
    ),
    _command(
        "run",
        "render what is missing; the same command again continues where it stopped. "
        "It submits nothing while the manifest has a problem.",
        _place("manifest", "YAML, CSV or .xlsx file of shots", type=Path),
        _switch("-n, --dry-run", "only show what the run would do, as plan does"),
        *_PLANNING,
        *_RUNNING,
    ),
    _command("status", "show where a run stands, even while it is running", *_TARGET_OF_TWO, _OUTPUT),
    _command(
        "show",
        "show everything about one take",
        *_TARGET_OF_TWO,
        _place("take", "a take, by its id or its label; or a shot, for a table of its takes", metavar="TAKE"),
        _switch("-v, --verbose", "also show everything the API sent with a refusal", default=SUPPRESS),
        _OUTPUT,
    ),
    _command(
        "reconcile",
        "show held takes with all that is known about them, and record your decision. "
        "Without a decision it only shows them, and exits with 4 if there are any. It submits nothing.",
        *_TARGET_OF_TWO,
        *_consent(),
        _OUTPUT,
        title="decisions",
        parts=(_ADOPT, _NOT_SENT, _DROP),
    ),
    _command(
        "restore",
        "rebuild a lost or outdated run record from its other files; pays nothing. "
        "It reads the copies that a run keeps beside its record and in your home folder, and the clips' sidecars."
        " The next run watches or fetches every job with a request id; a take without one is held.",
        _place(
            "target", "the run's manifest, or its directory (which may be gone)", type=Path, metavar="RUN"
        ),
        _SIMULATED,
        _switch("-n, --dry-run", "only show what would be recorded"),
        _value("--run-dir DIR", Path, "folder of the run (default: reports/NAME beside it)"),
        _API_BASE,
        _MORE_SCHEMAS,
        *_consent(),
    ),
    _command(
        "retry",
        "pay for new attempts of failed or cancelled takes, and run them. "
        "It says how many and asks. Then it works as run does, for these takes alone.",
        _TARGET,
        _TAKES,
        _switch("--even-moderated", "also retry takes rejected by moderation, even if unchanged"),
        _value("--reason TEXT", str, "why you retry; kept on record", default=""),
        *_RUNNING,
    ),
    _command(
        "accept",
        "keep the clips of takes whose rows changed after rendering. "
        "Such takes are called stale. To render them again instead, use run --stale.",
        *_TARGET_OF_TWO,
        _TAKES,
        _choosing("accept"),
        _switch("--all", "every stale take"),
        _MORE_SCHEMAS,
        _MANIFEST_SIZE,
        *_consent(),
    ),
    _command(
        "cancel",
        "ask the API to cancel jobs, and show what became of each. "
        "Only a queued job can be cancelled; a running job continues and is billed.",
        *_TARGET_OF_TWO,
        _TAKES,
        _choosing("cancel"),
        _switch("--all", "every active job"),
        _API_BASE,
        *_consent(),
        _OUTPUT,
    ),
    _command(
        "fetch",
        "download rendered clips that are missing or damaged. It never submits, and it needs no manifest.",
        *_TARGET_OF_TWO,
        _TAKES,
        _choosing("fetch"),
        _NO_INSPECT,
        _NAME,
        _API_BASE,
        *_consent(),
    ),
    _command(
        "verify",
        "read every downloaded clip and report what is missing or changed. "
        "It exits with 0 if all are whole, else with 2.",
        *_TARGET_OF_TWO,
        _switch("--mark", "let the next run download again what is missing, cut or changed"),
        *_consent(),
        _OUTPUT,
    ),
    _command(
        "pick",
        "choose takes, list what was chosen, or merge the choices of several people. "
        "Choices are yours: they are in picks.csv in the run directory, which you may edit. Of several picked takes of"
        " a shot the first by number plays in a cut.",
        *_TARGET_OF_TWO,
        _CHOSEN,
        _switch("--maybe", "note the takes as maybe"),
        _switch("--clear", "take back what you decided about the takes"),
        _switch("--list", "show what was decided about every shot, and where people differ"),
        _value(
            "--import FILE",
            Path,
            "merge a picks.csv of another person or of the page, or a report.csv with a filled column pick",
            dest="import_file",
        ),
        *_CHOOSING_TAKES,
    ),
    _command(
        "reject",
        "note takes as not wanted; nothing is deleted, and reroll proposes further takes of a shot",
        *_TARGET_OF_TWO,
        _CHOSEN,
        *_CHOOSING_TAKES,
    ),
    _command(
        "reroll",
        "propose further takes of a shot whose takes were all rejected, as a change of the manifest. "
        "It shows the change and the new takes, and it writes nothing by itself. No take that exists is touched.",
        _TARGET,
        _place("shot", "the shot's id", metavar="SHOT"),
        _SIMULATED,
        _value(
            "--takes N",
            whole(1, 1000),
            "how many more seeds (default: as many as the shot has, at most 4)",
            dest="count",
        ),
        _switch("--anyway", "go on although some takes of the shot are not rejected"),
        _switch("--write", "change the manifest, after a question"),
        _switch("-y, --yes", "with --write: do not ask"),
        _MORE_SCHEMAS,
        _MANIFEST_SIZE,
    ),
    _command(
        "report",
        "write report.csv and report.html again from the run's record, or a page for others",
        *_TARGET_OF_TWO,
        _SHARING,
    ),
    _command(
        "export",
        "write a storyboard in another form: for an editor, or to repeat it",
        title="forms",
        parts=(_LOCK, *_TIMELINES, *_CUTS),
        required=True,
    ),
    _command(
        "models",
        "list the available models, or the inputs of one; compare or add models. "
        "`models diff [MODEL …]` compares the schemas here with the API's catalogue, and exits with 2 if they"
        " differ; `models add MODEL` saves a model's schema from the catalogue; `models import FILE|URL` saves"
        " the schemas in a catalogue's answer, an OpenAPI document or a JSON Schema. Put flags after the models.",
        _several("asked", "MODEL", "a model id, such as pika/pikaframes; or the word diff, add or import"),
        _values(
            "--schema-dir DIR", Path, f"{_SCHEMAS.settings['help']}; the folder schemas is always searched"
        ),
        _OUTPUT,
        _group(
            "diff, add and import",
            _API_BASE,
            _value(
                "--name ID", str, "id of the model to import, if the document does not say or has several"
            ),
            _value(
                "--into, --out DIR=schemas",
                Path,
                "folder to write to (default: schemas, which a manifest beside it always searches)",
            ),
            _switch("-n, --dry-run", "show what import finds, and write nothing"),
            _switch("--force", "replace existing files"),
        ),
    ),
    _command(
        "schema",
        "write the JSON Schema of a manifest for an editor, with the inputs of every model found. "
        "The first line of a manifest names the file, as in those that init writes.",
        _MORE_SCHEMAS,
        _value("-o, --out FILE", Path, "file to write (default: standard output)"),
        _switch("--force", "replace a file that is not a manifest's schema"),
    ),
    _command(
        "simulate",
        "start a simulator of the API on this machine. It prints the two variables that point a run at it.",
        _value("--port N=0", whole(0, 65535), "port on 127.0.0.1 (default: any free one)"),
        _value("--ledger FILE", Path, "file that keeps the charges over restarts"),
        _SCHEMAS,
        *_STEERING,
    ),
)
"""All commands, in the order in which help lists them."""
