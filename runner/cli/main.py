"""Where a process begins and ends: parse, run one command, report what went wrong, return an exit code.

Any error but our own is a bug in Shotrunner: it gets one line and exit code 70, and -v shows its traceback.
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

from runner.cli.json_output import envelope, error_as_json, failure_as_json, wants_json
from runner.cli.parser import build_parser
from runner.cli.terminal import settle_streams, show_json, warn, wrapped
from runner.cli.token_check import refuse_token_as_file, refuse_tokens
from runner.domain import failpoints
from runner.domain.disk_errors import machine_error
from runner.domain.errors import NO_WAY, FlagRequired, ManifestInvalid, ShotrunnerError, WordsRefused
from runner.domain.notify_places import shown_words
from runner.system.escapes import command_line, visible

# Advice may be a command, and a shortened command would do something else.
_ADVICE = 100_000
_BUG = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line in `argv` (else the process's own) and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    settle_streams()
    # Otherwise OpenBLAS reserves memory for each processor, and ends the process where there is too little.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    verbose, as_json = not {"-v", "--verbose"}.isdisjoint(words), wants_json(words)
    if not verbose:
        _keep_python_quiet()
    # Words that may hold a token are not shown.
    shown: list[str] = []
    try:
        refuse_tokens(words, os.environ)
        shown = shown_words(words)
        if rules := os.environ.get(failpoints.VARIABLE):
            failpoints.arm(rules)
        arguments = build_parser().parse_args(words)
        # Not for --help, which ends in the line above.
        from runner.cli.settings import settle

        arguments.words = shown
        refuse_token_as_file(getattr(arguments, "target", getattr(arguments, "manifest", None)))
        settle(arguments, words, os.environ)
        code: int = arguments.command(arguments)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        again = shown_words(words)
        if as_json:
            _show_failure("interrupted", code, "stopped", next_words=[again])
        warn([f"stopped; go on with: {command_line(*again)}"])
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug must not look like a crash of the run
        ours = error if isinstance(error, ShotrunnerError) else machine_error(error)
        if ours is None:
            code = _BUG
            # The message is left out, since it may quote a secret.
            bug = f"a bug in Shotrunner: {type(error).__name__}; the record is safe, run again to continue"
            if as_json:
                _show_failure("bug", code, bug, next_words=[shown])
            _report_bug(error, bug, verbose=verbose)
        else:
            code = ours.exit_code
            tell(ours, shown, as_json=as_json)
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


def tell(error: ShotrunnerError, words: Sequence[str], *, as_json: bool = False) -> None:
    """Print what went wrong and what to do next; if the command in `words` can continue, it is the last line.

    With `as_json` that is one object on standard output, and nothing else.
    """
    if as_json:
        show_json(error_as_json(error, words))
        return
    if isinstance(error, ManifestInvalid):
        from runner.cli.problems import show_invalid

        show_invalid(error, all_with="to see all, give check --all")
        return
    command = error.command if isinstance(error, WordsRefused) else "shotrunner"
    lines = wrapped(f"{command}: {visible(error.message, limit=2000)}")
    if isinstance(error, FlagRequired):
        from runner.cli.next_command import with_flags

        again = command_line(*with_flags(words, error.flag))
        lines += [f"  → {error.condition}: {again}", f"  → {visible(error.otherwise, _ADVICE)}"]
    elif error.advice:
        lines.append(f"  → {visible(error.advice, _ADVICE)}")
    if isinstance(error, NO_WAY):
        from runner.cli.next_command import repeated

        lines.append(f"go on with: {repeated(words)}")
    warn(lines)


def _show_failure(code: str, exit_code: int, message: str, *, next_words: Sequence[Sequence[str]]) -> None:
    found = failure_as_json(code, exit_code, message, next_words=next_words)
    show_json(envelope("error", {"error": found}))


def _report_bug(error: Exception, bug: str, *, verbose: bool) -> None:
    if verbose:
        traceback.print_exception(error)
    warn([f"shotrunner: {bug}", "  → run again with -v for the traceback, and report it"])
