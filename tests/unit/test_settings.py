"""Settings: what wins, what is refused and where, and that no file agrees to anything or starts a program."""

from __future__ import annotations

import json
import os
import re
from argparse import Namespace
from collections.abc import Mapping
from datetime import time
from pathlib import Path

import pytest

from runner.cli.from_flags import is_capped
from runner.cli.parser import build_parser
from runner.cli.run_arguments import RUNNING
from runner.cli.run_flags import request_of
from runner.cli.settings import FILE, FOR_THE_USER, SETTABLE, settable, settings_lines, settle
from runner.domain.errors import SettingsInvalid
from runner.domain.rates import Rate

ROOT = Path(__file__).parents[2]
BOARD = "version: 1\nrun:\n{settings}shots:\n- {{id: a, model: m/m, inputs: {{}}}}\n"
TABLE = "[rate]\n'a/a' = '10/min'\n"
TOKEN = "Zk3aPq91xVb72Lm0"


def board(folder: Path, settings: str = "", *, beside: str = "", user: str = "") -> Path:
    """Write a manifest with a `run:` block, a settings file beside it, and the user's own; return the manifest."""
    for place, text in ((folder / FILE, beside), (folder / "conf" / "shotrunner" / FILE, user)):
        if text:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
    manifest = folder / "board.yaml"
    manifest.write_text(BOARD.format(settings=settings) if settings else "version: 1\nshots: []\n", "utf-8")
    return manifest


def settled(line: str, manifest: Path, environ: Mapping[str, str] | None = None) -> Namespace:
    """Return the arguments of a command line that ends with the manifest, with the settings that hold."""
    words = [*line.split(), str(manifest)]
    arguments = build_parser().parse_args(words)
    settle(arguments, words, environ or {"XDG_CONFIG_HOME": str(manifest.parent / "conf")})
    return arguments


def refusals(manifest: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return what is said of wrong settings, each without the folder."""
    with pytest.raises(SettingsInvalid) as caught:
        settled("run", manifest, environ)
    return [str(problem).replace(f"{manifest.parent}/", "") for problem in caught.value.problems]


def test_a_flag_wins_over_the_manifest_and_that_over_the_nearer_file(tmp_path: Path) -> None:
    manifest = board(
        tmp_path,
        "  scout: 1\n  retries: 1\n",
        beside="scout = 2\nretries = 2\nmax-unknown = 2\n",
        user="scout = 3\nretries = 3\nmax-unknown = 3\nmax-submits = 3\n",
    )
    found = settled("run --scout 0 -j4", manifest)
    assert (found.scout, found.retries, found.max_unknown, found.max_submits) == (0, 1, 2, 3)
    assert settings_lines(found.settings) == [
        "settings of manifest: retries 1",
        f"settings of {FILE}: max-unknown 2",
        f"settings of {tmp_path}/conf/shotrunner/{FILE}: max-submits 3",
    ]


def test_values_are_what_the_flags_would_make_of_them(tmp_path: Path) -> None:
    manifest = board(
        tmp_path,
        "  max-cost: 20.00\n  until: 07:00\n  for: 2h30m\n  halt: [moderation=3, fail=5]\n  no-look: true\n",
        beside='schema-dir = ["more", "/other"]\nsubmit-window = "auto"\nprogress = "plain"\nwarn-cost = 12.50\n',
    )
    found = settled("plan", manifest)
    assert (found.max_cost, found.until, found.lasts, found.no_look) == (20.0, time(7), 9000.0, True)
    assert found.halt == [("moderation", 3), ("fail", 5)]
    assert found.schema_dir == [tmp_path / "more", Path("/other")]
    assert (found.submit_window, found.progress, found.warn_cost) == (None, "plain", 12.5)


def test_an_order_to_a_run_takes_no_number_from_a_file(tmp_path: Path) -> None:
    found = settled("tune --max-cost 60", board(tmp_path, "  jobs: 8\n", beside="warn-cost = 2\n"))
    assert (found.max_cost, found.jobs, found.warn_cost) == (60.0, None, None)


@pytest.mark.parametrize(
    ("rate", "caps"),
    [
        ("{a/a: 10/min, b/b: 2/s}", "{a/a: 2}"),
        ("[a/a=10/min, b/b=2/s]", "[a/a=2]"),
        ('["a/a=10/min", "b/b=2/s"]', "a/a=2"),
    ],
)
def test_limits_by_model_are_a_mapping_or_a_list(tmp_path: Path, rate: str, caps: str) -> None:
    manifest = board(tmp_path, f"  rate: {rate}\n  model-jobs: {caps}\n  first: [s010, 'tag:hero']\n")
    found = settled("run", manifest)
    assert found.rate == [("a/a", Rate(10, "min")), ("b/b", Rate(2, "s"))]
    assert (found.model_jobs, found.first) == ([("a/a", 2)], ["s010", "tag:hero"])
    toml = f"{TABLE}[model-jobs]\n'a/a' = 2\n"
    found = settled("run", board(tmp_path, beside=toml))
    assert (found.rate, found.model_jobs) == ([("a/a", Rate(10, "min"))], [("a/a", 2)])


def test_limits_of_models_in_files_for_several_boards_need_no_take_of_this_one(tmp_path: Path) -> None:
    manifest = board(tmp_path, "  model-jobs: {mine/a: 2}\n", user=TABLE)
    found = settled("run", manifest)
    found.words = []
    request = request_of(found, manifest=manifest, simulate=None)
    assert request.options.rates.keys() == request.optional_models == {"a/a"}
    assert request.options.model_jobs == {"mine/a": 2}
    assert settled("check", manifest).limited_models == {"--model-jobs": ["mine/a"]}


def test_a_table_has_the_files_and_no_manifest_of_its_own(tmp_path: Path) -> None:
    manifest = board(tmp_path, beside="jobs = 7\n").with_name("board.csv")
    manifest.write_text("id,model,run\na,m/m,run: {jobs: 1}\n", "utf-8")
    assert settled("run", manifest).jobs == 7


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 1, "shots": [], "run": {"jobs": 6}}',
        "version: 1\nvars: {n: &n 6}\nrun: {jobs: *n}\n",
        "vars: &v {run: {jobs: 6}}\n<<: *v\n",
        "shots: [{id: a, inputs: {promptText: 'walk, run: fast'}}]\n\"run\": {jobs: 6}\n",
    ],
)
def test_the_block_is_found_wherever_and_however_it_is_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "board.yaml").write_text(text, "utf-8")
    assert settled("run", tmp_path / "board.yaml").jobs == 6


def test_no_files_and_no_home_change_nothing(tmp_path: Path) -> None:
    manifest = board(tmp_path)
    found = settled("run", manifest, {"PATH": "/bin"})
    assert (found.settings, found.jobs) == ((), build_parser().parse_args(["run", str(manifest)]).jobs)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("rate: 10", "run, rate: expected a rate such as 10/min, 2/s or 100/h, not '10'"),
        ("model-jobs: 2", "run, model-jobs: '2' is not MODEL=N, such as pika/pikaframes=2"),
        ("jobs: {m/m: 2}", "run, jobs: must be one value, not a list"),
        ("job: 8", "run, job: unknown setting 'job'; did you mean jobs?"),
        ("max_cost: 8", "run, max_cost: unknown setting 'max_cost'; did you mean max-cost?"),
        ("jobs: many", "run, jobs: 'many' is not a whole number from 1 to 1000"),
        ("jobs: [1, 2]", "run, jobs: must be one value, not a list"),
        ("on-unknown: guess", "run, on-unknown: 'guess' is not one of hold, stop, pay-again"),
        ("no-look: perhaps", "run, no-look: 'perhaps' is not one of true, false"),
        (
            "until: 2027-01-31T07:00",
            "run, until: must be a time of day such as 07:00; give a date with --until",
        ),
        ("yes: true", "run, yes: cannot be a default; give --yes on the command line"),
        (
            "allow-duplicates: true",
            "run, allow-duplicates: cannot be a default; give --allow-duplicates on the command line",
        ),
        (
            "api-base: https://evil.example",
            "run, api-base: cannot be a default; give --api-base on the command line",
        ),
        (
            "run-dir: ../x",
            f"run, run-dir: must be a folder below that of the manifest; {FILE} and --run-dir may name any folder",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(tmp_path: Path, settings: str, said: str) -> None:
    assert refusals(board(tmp_path, f"  {settings}\n")) == [f"board.yaml:3:3: {said}"]


def test_all_wrong_settings_are_shown_at_once_and_those_of_toml_with_their_line(tmp_path: Path) -> None:
    manifest = board(tmp_path, "  job: 8\n", beside="# mine\njobs = 0\nuntil = 07:00:00\n", user="=\n")
    assert [said.partition(": ")[0] for said in refusals(manifest)] == [
        "board.yaml:3:3",
        f"{FILE}:2",
        f"{FILE}:3",
        f"conf/shotrunner/{FILE}",
    ]


def test_a_command_that_only_looks_is_not_kept_from_it_by_wrong_settings(tmp_path: Path) -> None:
    assert settled("status", board(tmp_path, "  job: 8\n")).target == tmp_path / "board.yaml"


def test_check_gets_wrong_settings_beside_all_other_problems(tmp_path: Path) -> None:
    assert [each.subject for each in settled("check", board(tmp_path, "  job: 8\n")).misfits] == ["run, job"]


def test_a_token_is_never_read_and_never_shown(tmp_path: Path) -> None:
    """Neither under a name of its own, nor as the value of another setting."""
    (said,) = refusals(board(tmp_path, f"  api-token: {TOKEN}\n"))
    assert said.startswith("board.yaml: run, api-token: a token is never read from here")
    environ = {"RUNCOMFY_TOKEN": TOKEN}
    (said,) = refusals(board(tmp_path, beside=f'name = "{TOKEN}"\n'), environ)
    assert said == f"{FILE}: holds the API token, which does not belong there; take it out"


def test_a_limit_in_a_file_is_no_consent_to_pay(tmp_path: Path) -> None:
    manifest = board(tmp_path, "  max-cost: 20\n")
    assert not is_capped(settled("run", manifest))
    assert is_capped(settled("run --max-cost 30", manifest))
    assert not is_capped(settled("run", board(tmp_path)))


def test_only_the_users_own_file_may_name_a_file_for_events(tmp_path: Path) -> None:
    manifest = board(tmp_path, "  progress: json:x\n", beside='progress = "json:x"\n')
    said = "may name a file only in your own settings, since this file may come from another person"
    assert refusals(manifest) == [f"board.yaml:3:3: run, progress: {said}", f"{FILE}:1: progress: {said}"]


def test_only_the_users_own_file_may_start_programs(tmp_path: Path) -> None:
    for name in FOR_THE_USER:
        manifest = board(tmp_path, f"  {name}: cmd:rm\n", beside=f'{name} = "cmd:rm"\n')
        said = f"{name}: is read from your own settings alone, since this file may come from another person"
        assert refusals(manifest) == [f"board.yaml:3:3: run, {said}", f"{FILE}:1: {said}"]


def test_a_simulated_run_has_its_own_folder_beside_the_one_that_is_set(tmp_path: Path) -> None:
    manifest = board(tmp_path, "  run-dir: out\n")
    assert settled("run", manifest).run_dir == tmp_path / "out"
    assert settled("run --simulate", manifest).run_dir == tmp_path / "out-simulated"
    (tmp_path / "out-simulated").mkdir()
    (tmp_path / "out-simulated" / "state.db").touch()
    assert settled("status", manifest).target == tmp_path / "out-simulated"
    assert settled("retry", manifest).target == tmp_path / "out-simulated"


def test_your_own_file_sets_no_folder_for_all_boards(tmp_path: Path) -> None:
    said = refusals(board(tmp_path, user='run-dir = "out"\nfirst = "s010"\n'))
    assert said[0].endswith("run-dir: is the folder of one board; set it in its manifest, or beside it")
    assert said[1].endswith("first: is a choice of takes of one board; set it in its manifest, or beside it")


def test_a_folder_that_is_gone_is_restored_where_it_was(tmp_path: Path) -> None:
    board(tmp_path, beside='run-dir = "out"\n')
    assert settled("restore", tmp_path / "gone").run_dir is None
    assert settled("restore", tmp_path / "board.yaml").run_dir == tmp_path / "out"


def test_a_folder_that_is_named_as_the_run_is_the_run(tmp_path: Path) -> None:
    """A settings file beside it may mean others."""
    board(tmp_path, beside='run-dir = "out"\n')
    for name in ("out", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.db").touch()
    for verb in ("status", "retry"):
        found = settled(verb, tmp_path / "other")
        assert (found.target, getattr(found, "run_dir", None)) == (tmp_path / "other", None)


def test_every_setting_is_a_flag_of_run_and_known_to_editors() -> None:
    schema = json.loads((ROOT / "schemas" / "manifest.schema.json").read_text("utf-8"))
    flags = settable(RUNNING).keys()
    assert flags >= set(SETTABLE) - FOR_THE_USER
    assert schema["properties"]["run"]["properties"].keys() == flags - FOR_THE_USER
    page = (ROOT / "docs" / "running.md").read_text("utf-8")
    said = page.partition("- These may be set: ")[2].partition("Any other name")[0]
    assert set(re.findall(r"`([^`]+)`", said)) == flags - FOR_THE_USER


def test_a_relative_folder_of_settings_is_not_the_users_own(tmp_path: Path) -> None:
    manifest = board(tmp_path, user="jobs = 9\n")
    assert settled("run", manifest).jobs == 9
    assert settled("run", manifest, {"XDG_CONFIG_HOME": os.path.relpath(tmp_path / "conf")}).settings == ()


def test_what_is_started_is_no_file_of_the_folder_one_is_in_and_no_address_is_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="full path"):
        settled("run", board(tmp_path, user='on-delivered = "./hook.sh --fast"\n'))
    with pytest.raises(SettingsInvalid, match="full path"):
        settled("run", board(tmp_path, user='notify = ["bell", "cmd:bin/tell me"]\n'))
    user = 'notify = ["https://chat.example/T0/secret", "cmd:tell me"]\non-delivered = "/opt/hook"\n'
    lines = settings_lines(settled("run", board(tmp_path, user=user)).settings)
    assert "secret" not in str(lines)
    assert "https://chat.example/…, cmd:tell me, on-delivered /opt/hook" in str(lines)
