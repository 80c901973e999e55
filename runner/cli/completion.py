"""`completion`: prints what makes a shell complete commands, flags, takes, tags and models, and answers that shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from runner.cli.arg_types import PROGRESS
from runner.cli.argument_kinds import Argument, Command, Group
from runner.cli.arguments import COMMANDS
from runner.cli.terminal import show
from runner.domain.errors import ShotrunnerError
from runner.system.escapes import visible

_SCRIPTS = {
    "bash": r"""_shotrunner() {
  local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]} words last begun
  read -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  last=${words[@]: -1}
  # Bash ends a word at a colon and at an equals sign, and puts the proposal behind it.
  [[ $word == "$last" ]] || begun=${last%"${last##*[:=]}"}
  local IFS=$'\n'
  COMPREPLY=($(shotrunner completion words -- "${words[@]:1}" 2>/dev/null))
  COMPREPLY=("${COMPREPLY[@]#"$begun"}")
}
complete -o default -F _shotrunner shotrunner""",
    "zsh": r"""_shotrunner() {
  local -a found
  found=(${(f)"$(shotrunner completion words -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)"})
  (( $#found )) && compadd -a found || _files
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _shotrunner shotrunner""",
    "fish": r"""function __shotrunner
  set -l found (shotrunner completion words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
  if set -q found[1]
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c shotrunner -f -a '(__shotrunner)'""",
}
_CHOOSING = frozenset({"--only", "--exclude", "--first"})


def command(arguments: argparse.Namespace) -> int:
    """Print the script of a shell, or the words that may come next."""
    show([_SCRIPTS[arguments.shell]] if arguments.shell in _SCRIPTS else proposals(arguments.typed))
    return 0


def proposals(typed: Sequence[str]) -> list[str]:
    """Return the words that the last of the words typed so far may become; a file is left to the shell."""
    *before, begun = typed or [""]
    if begun.startswith("--") and "=" in begun:
        flag, _, value = begun.partition("=")
        return [f"{flag}={word}" for word in proposals([*before, flag, value])]
    found = {word for word in _next_words(before, begun) if word.startswith(begun) and visible(word) == word}
    return sorted(found)


def _next_words(before: Sequence[str], begun: str) -> Iterable[str]:
    level: tuple[Command, ...] = COMMANDS
    arguments, rest = tuple[Argument | Group, ...](), list(before)
    while rest and (chosen := _named(level, rest[0])):
        level, arguments = chosen.parts, (*arguments, *chosen.arguments)
        del rest[0]
    known = list(_flat(arguments))
    asked = next((each for each in known if rest and rest[-1] in each.names), None)
    if asked is not None and asked.settings.get("action") not in {"store_true", "version"}:
        return _values(asked, rest)
    if begun.startswith("-"):
        return (name for each in known for name in each.names if name.startswith("--"))
    places = (_values(each, rest) for each in known if not each.names[0].startswith("-"))
    return (*(each.name for each in level), *(word for words in places for word in words))


def _named(level: Iterable[Command], name: str) -> Command | None:
    return next((each for each in level if each.name == name), None)


def _flat(arguments: Iterable[Argument | Group]) -> Iterator[Argument]:
    for each in arguments:
        if isinstance(each, Group):
            yield from _flat(each.arguments)
        else:
            yield each


def _values(argument: Argument, rest: Sequence[str]) -> Iterable[str]:
    """Return the values of an argument as far as they are known: fixed ones, or those of the run among `rest`."""
    name = argument.names[0]
    if choices := argument.settings.get("choices"):
        return map(str, choices)
    if name == "--progress":
        return PROGRESS
    if name in {"--model", "asked"}:
        return _models()
    if name in {"takes", "--tag", *_CHOOSING}:
        labels, tags = _recorded(rest)
        if name in _CHOOSING:
            return (*labels, *(f"tag:{tag}" for tag in tags))
        return tags if name == "--tag" else labels
    return ()


def _recorded(words: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return the labels and the tags of the takes of the first run that `words` name."""
    from runner.commands.steps.find_run import find_run, read_takes

    for word in words:
        with suppress(ShotrunnerError, OSError):
            if Path(word).exists():
                takes = read_takes(find_run(word))
                return {take.label for take in takes}, {tag for take in takes for tag in take.tags}
    return set(), set()


def _models() -> Iterable[str]:
    from runner.models.registry import SCHEMA_FOLDER, Models

    return Models.bundled([Path(SCHEMA_FOLDER)]).ids()
