"""The package's front door: every promised name is there, and looking through it costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import runner.simulator

ROOM = Path(runner.simulator.__file__).parent
ALLOWED = {"domain", "system", "models", "simulator"}


@pytest.mark.parametrize("name", runner.simulator.__all__)
def test_every_promised_name_can_be_had(name: str) -> None:
    assert getattr(runner.simulator, name).__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(runner.simulator, "nonsense")  # noqa: B009 - a static checker would refuse the plain form


def test_settings_and_package_import_nothing_heavy() -> None:
    heavy = "{'starlette', 'uvicorn', 'yaml', 'av', 'PIL', 'numpy', 'jsonschema', 'asyncio'}"
    code = f"import sys, runner.simulator, runner.simulator.settings; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_the_room_shares_no_code_with_what_it_tests(path: Path) -> None:
    imported = {
        node.module.split(".")[1]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("runner.")
    }
    assert imported <= ALLOWED
