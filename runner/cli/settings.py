"""Settings: defaults for flags, from the manifest's `run:` block, a file beside it, and the user's own file.

In: parsed arguments, the words they were parsed from, the environment. Out: the same arguments with the settings among
them. A flag wins over the manifest, the manifest over the file beside it, and that over the user's own.
"""

from __future__ import annotations

import os
from argparse import SUPPRESS, ArgumentTypeError, Namespace
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import time
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any, cast

from runner.cli.arg_types import events_file
from runner.cli.argument_kinds import Argument, Command, Group
from runner.cli.parser import Parser, add_command
from runner.cli.run_arguments import RUNNING
from runner.cli.token_check import names_secret
from runner.domain.display import PATH_LIMIT, visible
from runner.domain.errors import SettingsInvalid, ShotrunnerError
from runner.domain.notify_places import PROGRAM, shown_place
from runner.domain.token_leaks import tokens_in
from runner.manifest.problems import Findings, shown
from runner.manifest.reader import is_stdin, settings_in
from runner.manifest.settings import Setting, toml_settings
from runner.system.private_files import read_given

FILE = "shotrunner.toml"
SETTABLE = (
    "jobs", "model-jobs", "rate", "first", "max-cost", "warn-cost", "max-submits", "until", "for", "max-unknown",
    "on-unknown", "retries", "halt", "scout", "outage-limit", "job-limit", "poll-interval", "submit-window", "name",
    "run-dir", "schema-dir", "no-look", "no-inspect", "progress", "notify", "on-delivered",
    "executor",
)  # fmt: skip
"""The flags that may have a default in a file. Consent, the API's address and the choice of takes never have one."""

BY_MODEL = ("model-jobs", "rate")
"""The flags that limit models."""

FOR_THE_USER = frozenset({"notify", "on-delivered", "executor"})
"""What starts a program, sends to an address or lets another machine work, so only the user's own file may set it.

A manifest may come from another person, and so may each file beside it.
"""

_OF_ONE_BOARD = {"run-dir": "the folder", "first": "a choice of takes"}
_MOST_BYTES = 1 << 16


class Home(StrEnum):
    """Where settings stand, from the nearest to the farthest."""

    MANIFEST = "manifest"
    BESIDE = "beside the manifest"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one file, and what is wrong with them."""

    home: Home
    file: Path
    settings: tuple[Setting, ...]
    findings: Findings

    @property
    def name(self) -> str:
        """What a person calls the file."""
        return {Home.MANIFEST: "manifest", Home.BESIDE: FILE}.get(self.home, str(self.file))


@dataclass(frozen=True, slots=True)
class Used:
    """A setting that holds: its name, its value as it was written, where it stands, and its value for the flag."""

    name: str
    text: str
    layer: Layer
    value: object = field(compare=False)


def settle(arguments: Namespace, words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Put the settings that hold for a command among its `arguments`, which were parsed from `words`.

    `arguments.settings` are those that no flag replaces, and `arguments.limited_models` the models that the manifest's
    own settings limit, by flag. `check` finds what is wrong with settings in `arguments.misfits`; for other commands
    that use settings it is raised.

    Raises:
        SettingsInvalid: a setting is unknown, wrong, or not allowed where it stands.
    """
    command: Command | None = getattr(arguments, "called", None)
    place = getattr(arguments, "manifest", getattr(arguments, "target", None))
    # What `tune` does not name stays as it is, so a default would change what no one asked for.
    flags = settable(command.arguments) if command and command.name != "tune" else {}
    is_about_run = command is not None and _names_run(command)
    if command is None or not isinstance(place, Path) or not (flags or is_about_run):
        return
    try:
        is_folder, is_file = place.is_dir(), place.is_file() or is_stdin(place)
    except OSError:
        # The command itself says what is wrong with the path.
        return
    # A folder that is gone, as restore may be given, has no manifest beside which to look.
    if not (flags if is_folder else is_file):
        return
    manifest = _manifest_of(place) if is_folder else place
    layers = layers_of(manifest, environ)
    found = merged(layers)
    misfits = tuple(problem for layer in layers for problem in layer.findings.in_order())
    if misfits and flags and command.name != "check":
        raise SettingsInvalid(misfits)
    given = given_flags(command, words) if found else ()
    used = [each for each in found.values() if each.name in flags and _dest(flags[each.name]) not in given]
    if is_about_run:
        used = [each for each in used if each.name != "run-dir"]
        if "run-dir" in found and "run_dir" not in given and not is_folder:
            arguments.target = _run_of(place, Path(str(found["run-dir"].value)), arguments)
    for each in used:
        setattr(arguments, _dest(flags[each.name]), _for_command(each, arguments))
    arguments.settings, arguments.misfits = tuple(used), misfits
    arguments.limited_models = {
        f"--{name}": [model for model, _ in cast("list[tuple[str, object]]", found[name].value)]
        for name in BY_MODEL
        if name in found and found[name].layer.home is Home.MANIFEST
    }


def settable(arguments: Iterable[Argument | Group]) -> dict[str, Argument]:
    """Return the flags among `arguments` that may have a default in a file, by the names of their settings."""
    flags = ((each.names[-1].removeprefix("--"), each) for each in _flat(arguments))
    return {name: each for name, each in flags if name in SETTABLE and name != each.names[-1]}


def _flat(arguments: Iterable[Argument | Group]) -> Iterator[Argument]:
    for each in arguments:
        yield from each.arguments if isinstance(each, Group) else (each,)


def _dest(argument: Argument) -> str:
    return str(argument.settings.get("dest") or argument.names[-1].removeprefix("--").replace("-", "_"))


def given_flags(command: Command, words: Sequence[str]) -> Collection[str]:
    """Return the names in the namespace of all arguments that a valid line of `command` gives by itself."""
    bare = [
        replace(each, settings=each.settings | {"default": SUPPRESS}) for each in _flat(command.arguments)
    ]
    parser = add_command(Parser().add_subparsers(), replace(command, arguments=tuple(bare), parts=()))
    return vars(parser.parse_args(words[list(words).index(command.name) + 1 :])).keys()


def layers_of(manifest: Path | None, environ: Mapping[str, str]) -> tuple[Layer, ...]:
    """Return the settings that may hold for a manifest, the nearest first; files that are not there have none."""
    layers = []
    if manifest is not None:
        layers.append(Layer(Home.MANIFEST, manifest, settings_in(manifest), Findings(str(manifest))))
        layers.append(_toml_layer(Home.BESIDE, manifest.parent / FILE, environ))
    folder = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", ""), ".config"))
    # Below a relative one, the folder of another person's board could pass for the user's own.
    if folder.is_absolute():
        layers.append(_toml_layer(Home.USER, folder / "shotrunner" / FILE, environ))
    return tuple(layers)


def _toml_layer(home: Home, file: Path, environ: Mapping[str, str]) -> Layer:
    findings, settings = Findings(str(file)), tuple[Setting, ...]()
    try:
        text = read_given(file, limit=_MOST_BYTES).decode("utf-8")
        if any(token in text for token in tokens_in(environ)):
            findings.error(findings.at(), "", "holds the API token, which does not belong there; take it out")
        else:
            settings = toml_settings(text, findings)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, UnicodeDecodeError) as error:
        if home is Home.USER and not os.access(file.parent, os.X_OK):
            # HOME is another user's, as after `su`, so nothing in it is this user's own.
            return Layer(home, file, settings, findings)
        # A limit on money that cannot be read must not be left out in silence.
        findings.error(findings.at(), "", f"cannot be read: {getattr(error, 'strerror', 'it is not UTF-8')}")
    return Layer(home, file, settings, findings)


def merged(layers: Iterable[Layer]) -> dict[str, Used]:
    """Return the setting of each name from the nearest layer that has it; what is wrong is among the findings."""
    flags, found = settable(RUNNING), dict[str, Used]()
    for layer in layers:
        for setting in layer.settings:
            if fault := _fault(setting, layer):
                at = setting.at
                # The line may hold a secret.
                at = at._replace(line=None, column=None) if names_secret(f"--{setting.name}") else at
                layer.findings.error(at, setting.subject, fault)
            elif setting.name not in flags:
                message = f"unknown setting {shown(setting.name)}"
                layer.findings.unknown(setting.name, flags, setting.at, setting.subject, message)
            else:
                try:
                    value = _value(setting, flags[setting.name].settings, layer.file.parent)
                except ArgumentTypeError as error:
                    layer.findings.error(setting.at, setting.subject, str(error))
                else:
                    text = ", ".join(map(shown_place, setting.texts))
                    found.setdefault(setting.name, Used(setting.name, text, layer, value))
    return found


def _fault(setting: Setting, layer: Layer) -> str:
    """Return why a setting may not stand where it does, or nothing."""
    name = setting.name
    if names_secret(f"--{name}"):
        return "a token is never read from here; export RUNCOMFY_TOKEN=… instead, and revoke one that others have seen"
    if name in FOR_THE_USER and layer.home is not Home.USER:
        return "is read from your own settings alone, since this file may come from another person"
    if name in FOR_THE_USER and any(map(_names_program_here, setting.texts)):
        return "needs a program's full path, or a name found in PATH, since it holds in every folder"
    if name not in SETTABLE and any(f"--{name}" in each.names for each in _flat(RUNNING)):
        return f"cannot be a default; give --{name} on the command line"
    if name == "progress" and layer.home is not Home.USER and any(map(events_file, setting.texts)):
        return "may name a file only in your own settings, since this file may come from another person"
    if name in _OF_ONE_BOARD and layer.home is Home.USER:
        return f"is {_OF_ONE_BOARD[name]} of one board; set it in its manifest, or beside it"
    if name == "run-dir" and layer.home is Home.MANIFEST:
        parts = PurePath(*setting.texts)
        if parts.is_absolute() or ".." in parts.parts:
            return f"must be a folder below that of the manifest; {FILE} and --run-dir may name any folder"
    return ""


def _names_program_here(text: str) -> bool:
    """Return whether a command's program is a path below the folder that a person happens to be in."""
    program = (text.removeprefix(PROGRAM).split() or [""])[0].strip("'\"")
    return "/" in program and "://" not in program and not Path(program).is_absolute()


def _value(setting: Setting, how: Mapping[str, Any], folder: Path) -> object:
    """Return the value of a setting, by the flag's own parser; a path is relative to `folder`.

    Raises:
        ArgumentTypeError: it is wrong, in the words of the flag.
    """
    is_several = how.get("action") == "append"
    if setting.is_list and not is_several:
        raise ArgumentTypeError("must be one value, not a list")
    values = [_one(text, how, folder) for text in setting.texts]
    if setting.name == "until" and not isinstance(values[0], time):
        raise ArgumentTypeError("must be a time of day such as 07:00; give a date with --until")
    return values if is_several else values[0]


def _one(text: str, how: Mapping[str, Any], folder: Path) -> object:
    is_switch = how.get("action") == "store_true"
    words = ("true", "false") if is_switch else how.get("choices", (text,))
    if text not in words:
        raise ArgumentTypeError(f"{text!r} is not one of {', '.join(words)}")
    if is_switch:
        return text == "true"
    parse = how.get("type", str)
    return folder / text if parse is Path else parse(text)


def _names_run(command: Command) -> bool:
    """Return whether a command finds a run by its manifest; `restore` has a flag for the folder, which may be gone."""
    places = (each for each in command.arguments if isinstance(each, Argument) and each.names == ["target"])
    return command.name != "restore" and any(each.settings.get("metavar") == "RUN" for each in places)


def _manifest_of(run: Path) -> Path | None:
    """Return the manifest that a run on record was made from, or None if the record does not say."""
    from runner.commands.steps.find_run import find_recorded, manifest_of

    with suppress(ShotrunnerError, OSError):
        recorded = find_recorded(run)
        return manifest_of(recorded.place, recorded.header)
    return None


def _run_of(place: Path, run_dir: Path, arguments: Namespace) -> Path:
    """Return the run that the setting `run-dir` leads to, or `place` itself, where nothing has been run there."""
    from runner.commands.steps.find_run import is_recorded, simulated_beside

    real = () if getattr(arguments, "simulate", False) else (run_dir,)
    return next((each for each in (*real, simulated_beside(run_dir)) if is_recorded(each)), place)


def _for_command(used: Used, arguments: Namespace) -> object:
    """Return the value of a setting; a simulated run has a folder beside the one that is set."""
    if used.name != "run-dir" or not getattr(arguments, "simulate", False):
        return used.value
    from runner.commands.steps.find_run import simulated_beside

    return simulated_beside(Path(str(used.value)))


def settings_lines(settings: Sequence[Used]) -> list[str]:
    """Return which settings hold, a line for each file that they stand in."""
    found = dict[str, list[str]]()
    for each in settings:
        found.setdefault(each.layer.name, []).append(f"{each.name} {each.text}")
    return [visible(f"settings of {name}: {', '.join(said)}", PATH_LIMIT) for name, said in found.items()]
