"""Where a process begins and ends: parse, run one command, report what went wrong, return an exit code.

In: words of a command line. Out: printed errors and an exit code. Any error but our own is a bug in Shotrunner: it
gets one line and exit code 70, and -v shows its traceback. It does not know what a command does.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import NoReturn

from runner.cli.parser import build_parser
from runner.cli.terminal import settle_streams
from runner.cli.token_check import refuse_token_as_file, refuse_tokens
from runner.domain import failpoints
from runner.domain.disk_errors import machine_error
from runner.domain.errors import ManifestInvalid, NoSuchHost, ShotrunnerError
from runner.system.escapes import command_line

PROBLEMS_SHOWN = 50
# Advice may be a command, and a shortened command would do something else.
_ADVICE = 100_000
_BUG = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line in `argv` (else the process's own) and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    settle_streams()
    # Otherwise OpenBLAS reserves memory for each processor, and ends the process where there is too little.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    verbose = not {"-v", "--verbose"}.isdisjoint(words)
    if not verbose:
        _keep_python_quiet()
    try:
        refuse_tokens(words, os.environ)
    except ShotrunnerError as error:
        tell(error, ())
        return error.exit_code
    try:
        if rules := os.environ.get(failpoints.VARIABLE):
            failpoints.arm(rules)
        arguments = build_parser().parse_args(words)
        arguments.words = words
        refuse_token_as_file(getattr(arguments, "target", getattr(arguments, "manifest", None)))
        code: int = arguments.command(arguments)
    except ShotrunnerError as error:
        code = error.exit_code
        tell(error, words)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        print(f"stopped; go on with: {command_line(*words)}", file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug must not look like a crash of the run
        ours = machine_error(error)
        code = _BUG if ours is None else ours.exit_code
        if ours is None:
            _report_bug(error, verbose=verbose)
        else:
            tell(ours, words)
    sys.stdout.flush()
    return code


def _keep_python_quiet() -> None:
    """Keep Python itself silent: when memory or descriptors run out, it shows tracebacks that do not help a user."""
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None
    warnings.simplefilter("ignore")


def leave(code: int, *, cut: Callable[[int], NoReturn] = os._exit) -> NoReturn:
    """End this process with `code`; use `cut` if daemon threads, such as downloads, are still running.

    An interpreter that ends normally frees memory that such a thread still uses. The process may then die of a
    segmentation fault after it has reported success. `cut` loses nothing: everything that must be complete was closed
    before `main` returned, and this program has no work left for the interpreter's end.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        cut(code)
    sys.exit(code)


def tell(error: ShotrunnerError, words: Sequence[str]) -> None:
    """Print what went wrong and what to do next; if the command in `words` can continue, it is the last line."""
    from runner.domain.errors import FlagRequired
    from runner.system.escapes import visible

    if isinstance(error, ManifestInvalid):
        for problem in error.problems[:PROBLEMS_SHOWN]:
            print(visible(str(problem), limit=1000), file=sys.stderr)
        if len(error.problems) > PROBLEMS_SHOWN:
            print(f"… and {len(error.problems) - PROBLEMS_SHOWN} more", file=sys.stderr)
    print(f"shotrunner: {visible(error.message, limit=2000)}", file=sys.stderr)
    if isinstance(error, FlagRequired):
        from runner.cli.next_command import with_flags

        again = command_line(*with_flags(words, error.flag))
        print(f"  → {error.condition}: {again}", file=sys.stderr)
        print(f"  → {visible(error.otherwise, _ADVICE)}", file=sys.stderr)
    elif error.advice:
        print(f"  → {visible(error.advice, _ADVICE)}", file=sys.stderr)
    if isinstance(error, NoSuchHost):
        from runner.cli.next_command import repeated

        print(f"go on with: {repeated(words)}", file=sys.stderr)


def _report_bug(error: Exception, *, verbose: bool) -> None:
    if verbose:
        traceback.print_exception(error)
    # The message is left out, since it may quote a secret.
    print(
        f"shotrunner: a bug in Shotrunner: {type(error).__name__}; the record is safe, run again to continue",
        file=sys.stderr,
    )
    print("  → run again with -v for the traceback, and report it", file=sys.stderr)
