"""The arguments of a run, which `plan`, `run` and `retry` share.

In: nothing. Out: entries of the table of commands.
"""

from __future__ import annotations

from runner.cli.arg_types import (
    amount,
    folder,
    jobs,
    limit,
    model_jobs,
    model_rate,
    moment,
    number,
    or_auto,
    period,
    shard,
    store,
    stretch,
    whole,
)
from runner.cli.argument_kinds import Argument, Group, group, one_of, switch, value, values
from runner.cli.shared_arguments import (
    API_BASE,
    EXECUTOR,
    MANIFEST_SIZE,
    MORE_SCHEMAS,
    NAME,
    NO_INSPECT,
    ON_DELIVERED,
    OUTPUT,
    PROGRESS,
    QUIET,
    STEERING,
    VERBOSE,
    choosing,
    consent,
)

_EXTENT = (
    value("-j, --jobs N=4", jobs, "jobs at the API at the same time (default: 4)"),
    values(
        "--model-jobs MODEL=N", model_jobs, "at most N jobs of this model at the same time; may be repeated"
    ),
    values(
        "--rate RATE",
        model_rate,
        "submit no more often than this, evenly spaced: 2/s, 10/min or 100/h for all takes together, or "
        "MODEL=10/min for those of a model; may be repeated",
    ),
    values(
        "--first WHAT", str, "submit these takes before all others; same forms as --only; may be repeated"
    ),
    switch(
        "--stale", "also render takes again whose rows changed after they were paid for; older clips are kept"
    ),
    switch("--no-download", "do not download the clips; they stay at the API"),
    value("--run-dir DIR", folder, "folder of the run (default: reports/NAME beside the manifest)"),
    value(
        "--out ADDRESS",
        store,
        "put clips, posters and reports into a store, such as s3://bucket/folder; the record stays in the run's "
        "folder, with copies in the store; needs the extra [cloud]",
    ),
    one_of(
        "--keep-local",
        ("posters", "none", "all"),
        "with --out: which files also stay in the run's folder (default: posters)",
    ),
    value(
        "--shard N/M",
        shard,
        "handle only this part of the board, such as 2/5, in a folder of its own; the others are for other machines or "
        "accounts, and each has limits of its own",
    ),
    NAME,
    switch("-y, --yes", "submit paid jobs without asking"),
    switch(
        "--allow-duplicates",
        "where no question is asked, also pay for takes that send the same request as another take",
    ),
    value(
        "--poll-interval S",
        number(0.05, 30.0),
        "minimum seconds between two status checks of a job (default: 1; less for jobs below 20 s, at least 0.25)",
    ),
    value(
        "--submit-window N=auto",
        or_auto(whole(1, 64)),
        "submissions being sent at the same time; a crash leaves at most N in doubt (default: auto: 1 while that fills "
        "the free slots, and at most an eighth of --jobs and 32)",
    ),
)
_LIMITS = group(
    "money and time, counted over all runs in the run directory",
    value(
        "--max-cost USD",
        amount,
        "stop submitting when the total cost would exceed this amount; takes without a price are refused",
    ),
    value("--warn-cost USD", amount, "warn once the total cost exceeds this amount"),
    switch("--allow-unpriced", "with --max-cost: also submit takes without a price, counted as 0"),
    value("--max-submits N", whole(1, 1_000_000), "submit at most N jobs"),
    value(
        "--until TIME",
        moment,
        "stop submitting at this time on this machine's clock, such as 07:00 or 2027-01-31T07:00",
    ),
    value(
        "--for TIME",
        stretch,
        "stop submitting after this length of time, such as 6h or 2h30m; a restarted run uses what is left of it",
        dest="lasts",
    ),
    one_of(
        "--cutoff",
        ("drain", "cancel-queued"),
        "what to do at a limit: finish active jobs, and submit more if these cost less than estimated (drain), or "
        "cancel queued jobs at once (cancel-queued)",
    ),
)
_CAUTION = group(
    "when things go wrong",
    one_of(
        "--on-unknown",
        ("hold", "stop", "pay-again"),
        "what to do if the answer to a submission is lost: hold the take for your decision (hold), hold it and stop "
        "submitting (stop), or submit and pay again (pay-again)",
    ),
    value(
        "--max-extra-paid N",
        whole(1, 1000),
        "with --on-unknown pay-again: at most N extra payments, over all runs",
        default=0,
    ),
    value(
        "--max-unknown N=3",
        whole(1, 1000),
        "stop submitting after N submissions without an answer (default: 3)",
    ),
    value(
        "--retries N=0",
        whole(0, 20),
        "pay for a take again, up to N times, if the provider failed (default: 0); never after moderation",
    ),
    values(
        "--halt KIND=N",
        limit,
        "stop submitting after N failures of a kind, such as moderation=3, or of any kind: fail=5; may be repeated",
    ),
    value(
        "--scout N=0",
        whole(0, 100),
        "first finish N takes of each model and settings; submit the rest only if these succeed (default: 0)",
    ),
    value(
        "--outage-limit TIME=12h",
        period,
        "how long to wait for a service that does not answer, such as 30m (default: 12h)",
    ),
    value(
        "--job-limit TIME=24h",
        period,
        "stop waiting for a job that is older than this (default: 24h); the next run checks it again",
    ),
    one_of(
        "--on-interrupt",
        ("drain", "detach", "cancel-queued"),
        "what the first Ctrl-C does: finish active jobs (drain), leave them to the next run (detach), or cancel "
        "queued jobs (cancel-queued)",
    ),
)
_NOTIFICATION = group(
    "who is notified",
    values(
        "--notify WHERE",
        str,
        "notify at the end, at the first failure and held take, at --warn-cost, and at an outage: bell, desktop, "
        "'cmd:PROGRAM ARGUMENT', https://ADDRESS (a POST of JSON), or an address of apprise such as slack://; may be "
        "repeated",
    ),
    ON_DELIVERED,
)
_NO_LOOK = switch(
    "--no-look",
    "do not look at the media links of what is about to be paid for, and make no small copies of pictures; only links "
    "that show themselves that they have expired are refused",
)

RUNNING: tuple[Argument | Group, ...] = (
    choosing("submit"),
    *_EXTENT,
    _LIMITS,
    _CAUTION,
    _NOTIFICATION,
    _NO_LOOK,
    NO_INSPECT,
    EXECUTOR,
    PROGRESS,
    switch("--open", "open the page in your browser when the run begins; it changes as the run goes on"),
    QUIET,
    VERBOSE,
    API_BASE,
    *consent(),
    switch(
        "--new-run",
        "start over although the folder of an earlier run, or its log in a store, is gone; all its jobs may then be "
        "paid for again",
    ),
    MORE_SCHEMAS,
    MANIFEST_SIZE,
    group(
        "simulation",
        switch("--simulate", "use a simulator on this machine: no key, no network, no cost"),
        *STEERING,
    ),
)
PLANNING = (
    switch("--exit-code", "for a plan: exit with 2 if it would submit anything"),
    switch("--online", "for a plan: also ask the API for prices, your balance and schemas"),
    OUTPUT,
)
