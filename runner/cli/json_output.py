"""What programs get with `--output json`: the envelope that every result has, and errors as objects.

In: values, errors, words of a command line. Out: values for `json.dumps`. `docs/machines.md` describes them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from runner.domain.errors import NO_WAY, FlagRequired, ManifestInvalid, Problem, ShotrunnerError

PROGRAM = "shotrunner"


def wants_json(words: Sequence[str]) -> bool:
    """Return whether a command line asks for JSON, also where it cannot be parsed; the last `--output` counts."""
    asked = ""
    for at, word in enumerate(words):
        if word == "--":
            break
        if word == "--output":
            asked = "".join(words[at + 1 : at + 2])
        elif word.startswith("--output="):
            asked = word.partition("=")[2]
    return asked == "json"


def envelope(kind: str, value: Mapping[str, object]) -> dict[str, object]:
    """Return a result with the name and the version of its format."""
    return {"format": f"{PROGRAM}-{kind}/1", **value}


def commands_as_json(*commands: Sequence[str]) -> list[list[str]]:
    """Return command lines as programs start them: with the program's name, and without what is agreed to once."""
    from runner.cli.next_command import repeated_words

    return [[PROGRAM, *repeated_words(words)] for words in commands]


def error_as_json(error: ShotrunnerError, words: Sequence[str]) -> dict[str, object]:
    """Return an error for programs; `words` are those of the command line, without secrets."""
    found = failure_as_json(
        error.code, error.exit_code, error.message, error.advice, next_words=_next(error, words)
    )
    if isinstance(error, ManifestInvalid):
        found["problems"] = [*map(problem_as_json, error.problems)]
    return envelope("error", {"error": found})


def declined_as_json(message: str) -> dict[str, object]:
    """Return what a program gets where a person answered no; `message` says what was not done."""
    return envelope("error", {"error": failure_as_json("declined", 3, message)})


def failure_as_json(
    code: str, exit_code: int, message: str, advice: str = "", *, next_words: Sequence[Sequence[str]] = ()
) -> dict[str, object]:
    """Return why a command ended without a result; each of `next_words` is a command that may help."""
    return {
        "code": code,
        "exit": exit_code,
        "message": message,
        "advice": advice or None,
        "next": [[PROGRAM, *each] for each in next_words],
    }


def _next(error: ShotrunnerError, words: Sequence[str]) -> list[list[str]]:
    if isinstance(error, FlagRequired):
        from runner.cli.next_command import with_flags

        return [with_flags(words, error.flag)]
    found = [words_of(error.advice)] if words_of(error.advice) else []
    if isinstance(error, NO_WAY):
        from runner.cli.next_command import repeated_words

        found.append(repeated_words(words))
    return found


def words_of(command: str) -> list[str]:
    """Return the words behind `shotrunner` of a command to copy; none if it is not such a command.

    A word with hidden characters is quoted in a way that is not read back here, so that command has no words either.
    """
    if not command.startswith(f"{PROGRAM} ") or "$'" in command:
        return []
    return shlex.split(command)[1:]


def problem_as_json(problem: Problem) -> dict[str, object]:
    """Return a problem of a file with its place; lines and columns count from 1."""
    return {
        "severity": problem.severity,
        **problem.at._asdict(),
        "subject": problem.subject,
        "message": problem.message,
        "allowed": list(problem.allowed),
        "nearest": problem.nearest,
    }
