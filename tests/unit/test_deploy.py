"""The example files for containers, systemd and Kubernetes: they parse, and name what the program and the tree have."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.cli.parser import build_parser
from runner.system.version import __version__
from tests.unit.test_docs import REFERENCE, table

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
MANIFESTS = ("job.yaml", "shards.yaml")
TRIED_AGAIN = {69, 75}
"""The exit codes after which the same command may succeed by itself."""


def compose() -> dict[str, Any]:
    """Return the compose file as it is with all variables set to 5."""
    text = re.sub(r"\$\{\w+[^}]*\}", "5", (DEPLOY / "compose.yaml").read_text("utf-8"))
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((DEPLOY / "shotrunner.service").read_text("utf-8"))
    return parser["Service"]


def job_of(name: str) -> dict[str, Any]:
    documents = list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))
    assert [document["kind"] for document in documents] == ["PersistentVolumeClaim", "Job"]
    found: dict[str, Any] = documents[1]["spec"]
    return found


def container_of(name: str) -> dict[str, Any]:
    (found,) = job_of(name)["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def commands() -> Iterator[list[str]]:
    """Yield the words of each command of the program, without its name."""
    yield compose()["services"]["runner"]["command"]
    yield shlex.split(unit()["ExecStart"])[1:]
    yield container_of("job.yaml")["args"]
    (line,) = container_of("shards.yaml")["args"]
    words = shlex.split(line.replace("$((JOB_COMPLETION_INDEX + 1))", "1"))
    assert words[:2] == ["exec", "shotrunner"]
    yield words[2:]


@pytest.mark.parametrize("words", list(commands()), ids=("compose", "systemd", "job", "shards"))
def test_every_command_is_one_the_parser_takes(words: list[str]) -> None:
    given = build_parser().parse_args([str(word) for word in words])
    assert given.yes
    assert given.max_cost is not None
    assert given.run_dir is not None


def test_the_image_copies_what_is_there_and_runs_as_an_ordinary_user() -> None:
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split()), source
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE
    assert "VOLUME /state" in DOCKERFILE
    assert "--constraint lock.txt" in DOCKERFILE


def test_no_example_holds_a_secret() -> None:
    for path in DEPLOY.iterdir():
        for name in re.findall(
            r"^\s*(\w*(?:TOKEN|SECRET)\w*): (?!\$\{)\S", path.read_text("utf-8"), re.MULTILINE
        ):
            pytest.fail(f"{path.name}: {name} has a value")
    assert "ENV RUNCOMFY" not in DOCKERFILE


def test_only_the_runner_gets_the_token() -> None:
    holders = {
        name
        for name, service in compose()["services"].items()
        if "RUNCOMFY_TOKEN" in service.get("environment", {})
    }
    assert holders == {"runner"}


def test_restarts_follow_the_table_of_exit_codes() -> None:
    final = {int(row[0]) for row in table(REFERENCE, "code") if row[0].isdigit()} - {0} - TRIED_AGAIN
    for name in MANIFESTS:
        rule = job_of(name)["podFailurePolicy"]["rules"][0]
        assert set(rule["onExitCodes"]["values"]) == final, name
    assert set(map(int, unit()["RestartForceExitStatus"].split())) == TRIED_AGAIN


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_pod_has_a_volume_for_its_state_and_time_to_leave(name: str) -> None:
    spec, container = job_of(name), container_of(name)
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] >= 30
    assert container["image"].endswith(f":{__version__}")
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert [volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume] == ["state"]
