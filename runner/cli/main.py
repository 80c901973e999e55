"""Where a process begins and ends: parse, run one command, say what went wrong, return an exit code.

Our own errors are put into words here, once. Anything else is a bug of ours: it gets one line and exit code 70, and
the traceback goes to those who ask for it with -v.
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
from runner.cli.streams import settle_streams
from runner.cli.token_check import refuse_token_as_file, refuse_tokens
from runner.domain import failpoints
from runner.domain.disk_errors import machine_error
from runner.domain.errors import ManifestInvalid, NoSuchHost, ShotrunnerError
from runner.system.escapes import command_line

PROBLEMS_SHOWN = 50
# Advice may be a command, and a command that is cut is another one.
_ADVICE = 100_000
_BUG = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line in `argv` (else the process's own) and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    settle_streams()
    # Or the numbers' library sets memory aside for each processor, and ends the process where there is none.
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
            _confess(error, verbose=verbose)
        else:
            tell(ours, words)
    sys.stdout.flush()
    return code


def _keep_python_quiet() -> None:
    """Let Python itself say nothing: after a want of memory or descriptors it shows tracebacks that help no user."""
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None
    warnings.simplefilter("ignore")


def leave(code: int, *, cut: Callable[[int], NoReturn] = os._exit) -> NoReturn:
    """End this process with `code`, by `cut` if threads that nobody waits for are still at work, as downloads are.

    An interpreter that ends in the ordinary way frees what such a thread still uses: the process may then die of a
    segmentation fault, after it has said that all is well. Nothing is lost by the short way: what must not be cut off
    was closed before `main` returned, and no part of this program has anything to do at the interpreter's end.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        cut(code)
    sys.exit(code)


def tell(error: ShotrunnerError, words: Sequence[str]) -> None:
    """Say what went wrong and what to do next; where the command line in `words` goes on, it is the last line."""
    from runner.domain.errors import FlagRequired
    from runner.system.escapes import visible

    if isinstance(error, ManifestInvalid):
        for problem in error.problems[:PROBLEMS_SHOWN]:
            print(visible(str(problem), limit=1000), file=sys.stderr)
        if len(error.problems) > PROBLEMS_SHOWN:
            print(f"… and {len(error.problems) - PROBLEMS_SHOWN} more", file=sys.stderr)
    print(f"shotrunner: {visible(error.message, limit=2000)}", file=sys.stderr)
    if isinstance(error, FlagRequired):
        from runner.cli.prompts import with_flags

        again = command_line(*with_flags(words, error.flag))
        print(f"  → {error.condition}: {again}", file=sys.stderr)
        print(f"  → {visible(error.otherwise, _ADVICE)}", file=sys.stderr)
    elif error.advice:
        print(f"  → {visible(error.advice, _ADVICE)}", file=sys.stderr)
    if isinstance(error, NoSuchHost):
        from runner.cli.prompts import repeated

        print(f"go on with: {repeated(words)}", file=sys.stderr)


def _confess(error: Exception, *, verbose: bool) -> None:
    if verbose:
        traceback.print_exception(error)
    # Not the message: it may quote what must not be shown.
    print(
        f"shotrunner: a bug of ours: {type(error).__name__}; what was recorded is safe, running again goes on",
        file=sys.stderr,
    )
    print("  → run again with -v for the traceback, and report it", file=sys.stderr)
