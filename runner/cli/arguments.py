"""The arguments of every command as one table, in the order in which help shows them.

In: the arguments that the other modules describe. Out: values that `parser` hands to argparse. It does not know what a
command does.
"""

from __future__ import annotations

from argparse import SUPPRESS
from dataclasses import replace
from pathlib import Path

from runner.cli.arg_types import (
    amount,
    folder,
    folder_or_store,
    jobs,
    number,
    period,
    tuned_model_jobs,
    tuned_rate,
    whole,
)
from runner.cli.argument_kinds import command, group, place, rest, several, switch, value, values
from runner.cli.export_arguments import EXPORT
from runner.cli.review_arguments import PICK, REJECT, REPORT, REROLL
from runner.cli.run_arguments import PLANNING, RUNNING
from runner.cli.shared_arguments import (
    API_BASE,
    EXECUTOR,
    FILE_OR_STDIN,
    MANIFEST_SIZE,
    MORE_SCHEMAS,
    NAME,
    NO_INSPECT,
    ON_DELIVERED,
    OUTPUT,
    PROGRESS,
    QUIET,
    SCHEMAS,
    SIMULATED,
    STEERING,
    TAKES,
    TARGET,
    TARGET_OF_TWO,
    VERBOSE,
    choosing,
    consent,
)

# All may stand before or after the decision. Without SUPPRESS these defaults would undo one given before.
_SAID_BEFORE = (
    switch("--simulate", "use the manifest's simulated run", default=SUPPRESS),
    *consent(default=SUPPRESS),
    replace(OUTPUT, settings=OUTPUT.settings | {"default": SUPPRESS}),
)

_ADOPT = command(
    "adopt",
    "the API accepted the job, and this is its request id",
    *_SAID_BEFORE,
    place("take", "the held take's id or label", metavar="TAKE"),
    place("request_id", "the job's id on the provider's site", metavar="REQUEST_ID"),
    switch("--offline", "do not ask the API whether it knows the id"),
    API_BASE,
)
_NOT_SENT = command(
    "not-sent",
    "the API did not accept the job: submit it again, at the risk of paying twice",
    *_SAID_BEFORE,
    TAKES,
    choosing("decide on"),
    switch("--all", "all held takes; you must type how many there are"),
    switch("--yes-i-may-pay-twice", "do not ask for the number"),
    value("--reason TEXT", str, "why you are sure; kept on record", default=""),
)
_DROP = command(
    "drop",
    "give up takes, held or not: no run submits or watches them again",
    *_SAID_BEFORE,
    TAKES,
    choosing("decide on"),
    switch("-y, --yes", "do not ask, even if a job may still be billed or a rendered clip is lost"),
)

_NO_ORDER = switch("-n, --dry-run", "only show what would change")

COMMANDS = (
    command(
        "init",
        "write a small manifest to start from",
        place(
            "manifest",
            "file to write, YAML or CSV by its suffix (default: storyboard.yaml)",
            nargs="?",
            type=Path,
            default=Path("storyboard.yaml"),
        ),
        OUTPUT,
    ),
    command(
        "import",
        "take a spreadsheet as it is: propose what its columns are, and write that down beside it. "
        "It writes one file, such as board.columns.yaml, which check, plan and run read by themselves. "
        "The sheet stays yours: it is never written, and you can export it again and again.",
        place("manifest", "CSV or Excel (.xlsx) file", type=Path, metavar="BOARD"),
        value(
            "--model ID",
            str,
            "model of rows that name none (default: it offers the one that the headings fit)",
        ),
        value("--columns FILE", Path, "column map of another sheet, to take the same headings from"),
        value("--sheet NAME", str, "sheet of a workbook (default: the first)"),
        switch("-n, --dry-run", "only show what would be written"),
        switch("-y, --yes", "write without asking"),
        switch("--force", "replace an existing column map"),
        MORE_SCHEMAS,
        OUTPUT,
    ),
    command(
        "check",
        "report every problem in a manifest at once; needs no network and no key",
        FILE_OR_STDIN,
        MORE_SCHEMAS,
        MANIFEST_SIZE,
        OUTPUT,
        switch("--simulate", "check for a simulated run: media may be on this machine"),
        switch(
            "--all", "show every problem; else 20 or more are shown by kind, with the first places of each"
        ),
        group(
            "fixes",
            switch(
                "--fix",
                "make the changes that cannot alter what is meant, such as 5.0 to 5, the case of a name, and blanks at "
                "ends of lines; shows them as a diff and asks first",
            ),
            switch("--diff", "only show what --fix would change"),
            switch("-y, --yes", "with --fix: change the file without asking"),
        ),
        group(
            "media",
            switch(
                "--online",
                "also check every media link: whether it can be fetched, its format and size, and when its "
                "signature expires; needs no key",
            ),
            switch("--refresh", "check links again that were checked less than an hour ago"),
            value(
                "--wait TIME=12h",
                period,
                "how long a link must stay valid, since a job may wait before it is fetched (default: 12h)",
            ),
            value("--run-dir DIR", folder, "folder that keeps the results (default: reports/NAME)"),
        ),
    ),
    command(
        "plan",
        "show what a run would do with each take, why, and at what cost; spends and changes nothing. "
        "It accepts the flags of run. It needs no network and no token.",
        FILE_OR_STDIN,
        *PLANNING,
        *RUNNING,
    ),
    command(
        "run",
        "render what is missing; the same command again continues where it stopped. "
        "It submits nothing while the manifest has a problem.",
        place("manifest", "YAML, CSV or .xlsx file of shots", type=Path),
        switch("-n, --dry-run", "only show what the run would do, as plan does"),
        *PLANNING,
        *RUNNING,
    ),
    command(
        "status",
        "show where a run stands, who runs it and when it may end",
        *TARGET_OF_TWO,
        value(
            "--by WHAT",
            str,
            "also a table by shot, model, tag, class (of failure) or the name of a swept input",
        ),
        value(
            "--watch SECONDS",
            number(0.5, 3600.0),
            "on a terminal, draw it again at this interval (default: 2) until the run has ended",
            nargs="?",
            const=2.0,
        ),
        OUTPUT,
    ),
    command(
        "pause",
        "let a run that goes on submit no more until resume. "
        "Its jobs are still watched, and their clips downloaded. A limit in time goes on as well.",
        *TARGET_OF_TWO,
        _NO_ORDER,
        OUTPUT,
    ),
    command("resume", "let a paused run submit again", *TARGET_OF_TWO, _NO_ORDER, OUTPUT),
    command(
        "tune",
        "give a run that goes on other limits, until its session ends. "
        "What no flag names stays as it is. No setting in a file counts here.",
        *TARGET_OF_TWO,
        value("-j, --jobs N", jobs, "jobs at the API at the same time"),
        value("--max-cost USD", amount, "stop submitting when the total cost would exceed this amount"),
        value("--warn-cost USD", amount, "warn once the total cost exceeds this amount"),
        value(
            "--max-submits N",
            whole(1, 1_000_000),
            "submit at most N jobs, over all runs in the run directory",
        ),
        values(
            "--rate N/UNIT",
            tuned_rate,
            "submit at most so often, such as 10/min, 2/s or 100/h; MODEL=N/UNIT limits one model; none lifts it; may "
            "be repeated",
        ),
        values(
            "--model-jobs MODEL=N",
            tuned_model_jobs,
            "jobs of one model at the same time; MODEL=none lifts it; may be repeated",
        ),
        _NO_ORDER,
        OUTPUT,
    ),
    command(
        "reload",
        "let a run that goes on take up what has changed in its manifest. "
        "It shows the new takes and asks before they are paid for. The settings in a `run:` block stay as they were.",
        *TARGET_OF_TWO,
        _NO_ORDER,
        switch("-y, --yes", "do not ask"),
        switch("--allow-duplicates", "also pay for takes that send the same request as another take"),
        MORE_SCHEMAS,
        MANIFEST_SIZE,
        *consent(),
        OUTPUT,
    ),
    command(
        "watch",
        "serve the page of a run on this machine, where it changes as the run goes on. "
        "What you decide there is saved at once. It prints the address, which only you should know, and ends at"
        " Ctrl-C. The run does not notice it.",
        *TARGET_OF_TWO,
        switch("--open", "open the address in your browser"),
        value("--port N=0", whole(0, 65535), "port on 127.0.0.1 (default: any free one)"),
        switch(
            "--until-closed",
            "end by itself once the run does not go on and no page was open for 30 seconds",
        ),
        OUTPUT,
    ),
    command(
        "show",
        "show everything about one take",
        *TARGET_OF_TWO,
        place("take", "a take, by its id or its label; or a shot, for a table of its takes", metavar="TAKE"),
        switch("-v, --verbose", "also show everything the API sent with a refusal", default=SUPPRESS),
        OUTPUT,
    ),
    command(
        "reconcile",
        "show held takes with all that is known about them, and record your decision. "
        "Without a decision it only shows them, and exits with 4 if there are any. It submits nothing.",
        *TARGET_OF_TWO,
        *consent(),
        OUTPUT,
        title="decisions",
        parts=(_ADOPT, _NOT_SENT, _DROP),
    ),
    command(
        "restore",
        "rebuild a lost or outdated run record from its other files, or bring a run here from its store; pays nothing. "
        "It reads the copies that a run keeps beside its record and in your home folder, and the clips' sidecars."
        " The next run watches or fetches every job with a request id; a take without one is held."
        " With the address of a store the run continues here and nowhere else: whatever else had it can submit nothing"
        " more.",
        place(
            "target",
            "the run's manifest, its directory (which may be gone), or its address in a store",
            type=folder_or_store,
            metavar="RUN",
        ),
        SIMULATED,
        switch("-n, --dry-run", "only show what would be recorded"),
        value("--run-dir DIR", folder, "folder of the run (default: reports/NAME beside it)"),
        API_BASE,
        MORE_SCHEMAS,
        *consent(),
        OUTPUT,
    ),
    command(
        "retry",
        "pay for new attempts of failed or cancelled takes, and run them. "
        "It says how many and asks. Then it works as run does, for these takes alone.",
        TARGET,
        TAKES,
        switch("--even-moderated", "also retry takes rejected by moderation, even if unchanged"),
        value("--reason TEXT", str, "why you retry; kept on record", default=""),
        OUTPUT,
        *RUNNING,
    ),
    command(
        "accept",
        "keep the clips of takes whose rows changed after rendering. "
        "Such takes are called stale. To render them again instead, use run --stale.",
        *TARGET_OF_TWO,
        TAKES,
        choosing("accept"),
        switch("--all", "every stale take"),
        MORE_SCHEMAS,
        MANIFEST_SIZE,
        *consent(),
        OUTPUT,
    ),
    command(
        "cancel",
        "ask the API to cancel jobs, and show what became of each. "
        "Only a queued job can be cancelled; a running job continues and is billed. A run that goes on cancels them"
        " itself, and sends those takes no more that still wait.",
        *TARGET_OF_TWO,
        TAKES,
        choosing("cancel"),
        switch("--all", "every active job, and every take that a run that goes on would still send"),
        switch("-n, --dry-run", "only show which jobs it would be asked about"),
        API_BASE,
        *consent(),
        OUTPUT,
    ),
    command(
        "fetch",
        "download rendered clips that are missing or damaged. It never submits, and it needs no manifest.",
        *TARGET_OF_TWO,
        TAKES,
        choosing("fetch"),
        PROGRESS,
        QUIET,
        VERBOSE,
        NO_INSPECT,
        EXECUTOR,
        NAME,
        ON_DELIVERED,
        API_BASE,
        *consent(),
        OUTPUT,
    ),
    command(
        "verify",
        "read every downloaded clip and report what is missing or changed. "
        "It exits with 0 if all are whole, else with 2.",
        *TARGET_OF_TWO,
        switch("--mark", "let the next run download again what is missing, cut or changed"),
        switch("--deep", "read clips that are in a store too; without it their names and sizes are compared"),
        *consent(),
        OUTPUT,
    ),
    PICK,
    REJECT,
    REROLL,
    REPORT,
    EXPORT,
    command(
        "models",
        "list the available models, or the inputs of one; compare or add models. "
        "`models diff [MODEL …]` compares the schemas here with the API's catalogue, and exits with 2 if they"
        " differ; `models add MODEL` saves a model's schema from the catalogue; `models import FILE|URL` saves"
        " the schemas in a catalogue's answer, an OpenAPI document or a JSON Schema. Put flags after the models.",
        several("asked", "MODEL", "a model id, such as pika/pikaframes; or the word diff, add or import"),
        values(
            "--schema-dir DIR", Path, f"{SCHEMAS.settings['help']}; the folder schemas is always searched"
        ),
        OUTPUT,
        group(
            "diff, add and import",
            API_BASE,
            value("--name ID", str, "id of the model to import, if the document does not say or has several"),
            value(
                "--into, --out DIR=schemas",
                Path,
                "folder to write to (default: schemas, which a manifest beside it always searches)",
            ),
            switch("-n, --dry-run", "show what import finds, and write nothing"),
            switch("--force", "replace existing files"),
        ),
    ),
    command(
        "schema",
        "write the JSON Schema of a manifest for an editor, with the inputs of every model found. "
        "The first line of a manifest names the file, as in those that init writes.",
        MORE_SCHEMAS,
        value("-o, --out FILE", Path, "file to write (default: standard output)"),
        switch("--force", "replace a file that is not a manifest's schema"),
    ),
    command(
        "doctor",
        "look whether a paid run can work here: token, proxy, certificates, API, clock, folder, disk, extras and "
        "settings. It pays nothing and changes nothing, and exits with 2 if it finds a fault.",
        place(
            "folder",
            "folder for manifests and runs (default: this one)",
            nargs="?",
            type=Path,
            default=Path(),
        ),
        API_BASE,
        OUTPUT,
    ),
    command(
        "completion",
        "print what makes your shell complete commands, flags, takes, tags and models. "
        "Add the output to the start-up file of your shell.",
        place("shell", "your shell", choices=("bash", "zsh", "fish", "words"), metavar="{bash,zsh,fish}"),
        place("typed", SUPPRESS, nargs="..."),
    ),
    command(
        "simulate",
        "start a simulator of the API on this machine. It prints the two variables that point a run at it, or sets"
        " them for one command.",
        value("--port N=0", whole(0, 65535), "port on 127.0.0.1 (default: any free one)"),
        value("--ledger FILE", Path, "file that keeps the charges over restarts"),
        SCHEMAS,
        *STEERING,
        rest(
            "--exec",
            "CMD",
            "run this command with the variables set, and end with its exit code; it takes all words that follow",
        ),
    ),
)
"""All commands, in the order in which help lists them."""
