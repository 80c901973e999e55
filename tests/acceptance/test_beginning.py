"""A newcomer's first commands: `init`, `models`, help, the version; and how little they load."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.simulator.settings import SIMULATOR_TOKEN
from tests.acceptance.boards import record_many
from tests.acceptance.command import Desk

HEAVY_FOR_HELP = {
    "aiohttp",
    "httpx",
    "pandas",
    "yaml",
    "jsonschema",
    "asyncio",
    "sqlite3",
    "tqdm",
    "starlette",
    "av",
}
HEAVY_FOR_CHECK = {
    "aiohttp",
    "pandas",
    "httpx",
    "sqlite3",
    "starlette",
    "uvicorn",
    "tqdm",
    "av",
    "PIL",
    "numpy",
}
HEAVY_FOR_STATUS = {"pandas", "aiohttp", "httpx", "starlette", "uvicorn", "av", "PIL", "numpy"}
HEAVY_FOR_A_FINISHED_RUN = {"pandas", "httpx", "aiohttp", "starlette", "uvicorn", "av", "PIL", "numpy"}
MOST_MODULES = {"--help": 170, "check": 350, "run": 590}
"""A quarter more than today, since other Pythons split their library in other ways, and each of our files is one."""

COMMANDS = ("init", "check", "run", "status", "show", "report", "models", "schema", "simulate")


def test_init_writes_a_board_that_checks_and_runs(desk: Desk) -> None:
    """The three commands that `init` leads to work as they stand, and an editor finds the schema."""
    said = desk.run("init").out
    board = desk.folder / "storyboard.yaml"
    first = board.read_text("utf-8").splitlines()[0]
    schema = board.parent / first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads(schema.read_text("utf-8"))["$schema"].startswith("https://json-schema.org/")
    advice = [line.split()[2:] for line in said.splitlines() if "→ shotrunner" in line]
    assert [words[0] for words in advice] == ["check", "run"]
    assert desk.run(*advice[0]).err == ""
    outcome = desk.run(*advice[1], "--speed", 50, "--poll-interval", 0.1)
    assert "6 takes: 6 delivered" in outcome.out


@pytest.mark.parametrize("words", [("--version",), ("run", "--help"), ("check", "none.yaml"), ("paint",), ()])
def test_a_fork_of_the_command_is_as_good_as_the_installed_one(desk: Desk, words: tuple[str, ...]) -> None:
    """What most tests start says and returns the same."""
    forked, real = (each.run(*words, code=None) for each in (desk, replace(desk, is_installed=True)))
    assert (forked.code, forked.out, forked.err) == (real.code, real.out, real.err)


@pytest.mark.parametrize("name", ["storyboard.yaml", "mine.yaml"])
def test_init_never_writes_over_a_file(desk: Desk, name: str) -> None:
    """Exit 73 with the way out; the file is as it was."""
    board = desk.folder / name
    board.write_text("precious")
    outcome = desk.run("init", name, code=73)
    assert name in outcome.err
    assert "→" in outcome.err
    assert board.read_text() == "precious"


def test_init_in_a_folder_that_is_not_there_is_73(desk: Desk) -> None:
    """The folder is named."""
    assert "nowhere" in desk.run("init", "nowhere/board.yaml", code=73).err


def test_models_lists_what_can_be_used(desk: Desk) -> None:
    """One model a line with where it comes from, the same for programs."""
    own = desk.folder / "schemas" / "acme"
    own.mkdir(parents=True)
    (own / "dream.json").write_text('{"type": "object", "properties": {}}', "utf-8")
    listed = [line.split() for line in desk.run("models").out.splitlines()]
    bundled = [["pika/pika-2-2/image-to-video", "bundled"], ["pika/pikaframes", "bundled"]]
    assert listed == [["acme/dream", "schemas"], *bundled]
    found = json.loads(desk.run("models", "--output", "json").out)
    assert [[each["model"], each["from"]] for each in found["models"]] == listed


def test_a_models_inputs_are_a_table(desk: Desk) -> None:
    """Every input with its type, what is allowed, its default, and whether it is needed."""
    lines = desk.run("models", "pika/pikaframes").out.splitlines()
    rows = {line.split()[0]: line for line in lines[2:8] + lines[8:9]}
    assert "required" in rows["keyFramesFirst"]
    assert "2000" in rows["promptText"]
    assert "720p, 1080p" in rows["resolution"]
    assert "90190857" in rows["seed"]
    assert "required" not in rows["duration"]


def test_rules_that_nothing_is_checked_against_are_shown_with_the_model(desk: Desk) -> None:
    """Both where a schema is imported and where the model is looked up."""
    schema = {"type": "object", "properties": {"prompt": {"type": "string", "pattern": "^(a+)+$"}}}
    (desk.folder / "a.json").write_text(json.dumps(schema))
    for words in (("import", "a.json", "--name", "acme/a"), ("acme/a",)):
        assert "acme/a: nothing is checked against ^(a+)+$" in desk.run("models", *words).err


def test_a_misspelt_word_of_models_is_shown_as_it_was_meant(desk: Desk) -> None:
    """It is neither taken for a model nor for several."""
    assert "→ shotrunner models import a.json" in desk.run("models", "improt", "a.json", code=64).err
    assert "→ shotrunner models diff" in desk.run("models", "dif", code=64).err


def test_a_model_is_imported_and_used_and_an_editor_knows_it(desk: Desk) -> None:
    """What was found is shown, and the schema for editors is renewed; check says when that is old."""
    desk.run("init", "board.yaml")
    schema = {"type": "object", "required": ["prompt"], "properties": {"prompt": {"type": "string"}}}
    (desk.folder / "entry.json").write_text(json.dumps({"model_id": "acme/dream", "input_schema": schema}))
    out = desk.run("models", "import", "entry.json").out
    assert "looks like an answer of a catalogue; its model is acme/dream: 1 input, 1 required, 0 media" in out
    assert "wrote schemas/acme/dream.json\nwrote manifest.schema.json\n" in out
    board = "version: 1\nshots: [{id: a, model: acme/dream, inputs: {prompt: hi}}]\n"
    (desk.folder / "board.yaml").write_text(board)
    assert desk.run("check", "board.yaml").err == ""
    assert "add --force" in desk.run("models", "import", "entry.json", code=73).err
    again = desk.run("models", "import", "entry.json", "--dry-run", "--output", "json").out
    assert [each["model"] for each in json.loads(again)["models"]] == ["acme/dream"]
    (desk.folder / "schemas" / "acme" / "dream.json").unlink()
    desk.run("init", "another.yaml")
    assert "manifest.schema.json was made from other schemas" in desk.run("check", "another.yaml").err
    desk.run("schema", "--out", "manifest.schema.json")
    assert desk.run("check", "another.yaml").err == ""
    made = desk.run("schema").out
    assert made == (desk.folder / "manifest.schema.json").read_text("utf-8")
    (desk.folder / "schemas" / "acme" / "broken.json").write_text("{")
    assert "the inputs of acme/broken are left open: schemas/acme/broken.json" in desk.run("schema").err


def test_a_model_without_an_id_is_asked_for_only_where_a_person_is(desk: Desk) -> None:
    """Without one, the flag that answers is named."""
    (desk.folder / "bare.json").write_text('{"type": "object", "properties": {"prompt": {"type": "string"}}}')
    assert "--name VENDOR/NAME" in desk.run("models", "import", "bare.json", code=64).err
    asked = desk.start_at_terminal("models", "import", "bare.json")
    asked.wait_until(lambda asked: "the id on the model's page?" in asked.err)
    asked.type("acme/typed\n")
    assert asked.end().code == 0
    assert (desk.folder / "schemas" / "acme" / "typed.json").exists()


def test_models_without_a_token_names_no_flag_that_it_lacks(desk: Desk) -> None:
    """A schema from a file is what it can do without one."""
    for words in (("diff",), ("add", "pika/pikaframes")):
        err = desk.run("models", *words, code=77).err
        assert "--simulate" not in err
        assert "shotrunner models import FILE" in err


def test_an_unknown_model_is_64_with_the_nearest(desk: Desk) -> None:
    """A slip of the pen is recognised, also in the last part alone."""
    for name in ("pika/pikafrims", "pikaframes"):
        assert "did you mean pika/pikaframes?" in desk.run("models", name, code=64).err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(desk: Desk, command: str) -> None:
    """`--help` is on stdout, names its arguments, and says first what the command does."""
    outcome = desk.run(command, "--help")
    assert outcome.out.startswith(f"usage: shotrunner {command} ")
    assert outcome.err == ""
    assert outcome.out.split("\n\n")[1][0].isupper()
    assert max(map(len, outcome.out.splitlines())) <= 120


def test_help_lists_every_command_and_every_exit_code(desk: Desk) -> None:
    """The first page a person sees leads to all others."""
    page = desk.run("--help").out
    assert [command for command in COMMANDS if f"    {command} " not in page] == []
    assert [
        code for code in (2, 3, 4, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78) if f"{code} " not in page
    ] == []


def test_the_module_is_the_command(desk: Desk) -> None:
    """`python -m runner` says and does the same."""
    module = Desk(desk.folder, desk.environment, (sys.executable, "-m", "runner"))
    for arguments in (("--help",), ("--version",), ("check", "--help")):
        assert module.run(*arguments).out == desk.run(*arguments).out


def test_no_command_at_all_is_64(desk: Desk) -> None:
    """A usage error leads to the help."""
    assert "shotrunner --help" in desk.run(code=64).err


def imported(desk: Desk, *arguments: object) -> set[str]:
    """Return the modules that a command imports, as the interpreter itself tells them."""
    program = (sys.executable, "-X", "importtime", "-m", "runner")
    outcome = Desk(desk.folder, desk.environment, program).run(*arguments)
    lines = [line for line in outcome.err.splitlines() if line.startswith("import time:")]
    names = {line.rpartition("|")[2].strip() for line in lines}
    assert "argparse" in names
    return names


def loaded(desk: Desk, *arguments: object) -> set[str]:
    """Return the top-level packages that a command imports."""
    return {name.partition(".")[0] for name in imported(desk, *arguments)}


def test_help_loads_nothing_heavy(desk: Desk) -> None:
    """`--help` answers in a blink because nothing is imported for it."""
    assert loaded(desk, "--help") & HEAVY_FOR_HELP == set()
    assert loaded(desk, "run", "--help") & HEAVY_FOR_HELP == set()


def test_check_loads_what_checking_needs(desk: Desk, tmp_path: Path) -> None:
    """`check` needs no network, no state file and no table."""
    board = tmp_path / "board.yaml"
    desk.run("init", board)
    assert loaded(desk, "check", board) & HEAVY_FOR_CHECK == set()


def test_a_run_with_nothing_to_do_loads_no_network(desk: Desk, tmp_path: Path) -> None:
    """The same command again, when all is done, is ended before a library for sending is needed."""
    board, place = tmp_path / "board.yaml", tmp_path / "run"
    desk.run("init", board)
    words = ("run", board, "--run-dir", place, "--simulate", "--speed", 50, "--poll-interval", 0.1)
    desk.run(*words)
    assert loaded(desk, *words) & HEAVY_FOR_A_FINISHED_RUN == set()
    assert len(imported(desk, *words)) <= MOST_MODULES["run"]


def test_few_modules_are_imported(desk: Desk, tmp_path: Path) -> None:
    """Each takes time at every start, whether a command uses it or not."""
    board = tmp_path / "board.yaml"
    desk.run("init", board)
    for words in (("--help",), ("check", board)):
        assert len(imported(desk, *words)) <= MOST_MODULES[words[0]]


def test_a_state_files_readers_load_no_network_and_no_tables(desk: Desk) -> None:
    """`status` of ten thousand takes comes at once because it only reads."""
    place = record_many(desk.folder / "run", 3)
    assert loaded(desk, "status", place) & HEAVY_FOR_STATUS == set()


def test_a_command_runs_against_the_simulator_and_its_exit_code_is_passed_on(desk: Desk) -> None:
    """The user's own token does not reach it, whatever its name."""
    script = "echo $RUNCOMFY_MODEL_API_BASE $RUNCOMFY_TOKEN ${RUNCOMFY_API_KEY-none}; exit 7"
    with_token = desk.with_environment(RUNCOMFY_API_KEY="real-token")
    said = with_token.run("simulate", "--exec", "sh", "-c", script, code=7).out
    base, token, other = said.split()
    assert base.startswith("http://127.0.0.1:")
    assert (token, other) == (SIMULATOR_TOKEN, "none")
