"""Who takes part: each contender's command, what it offers beyond speed, and why it may be absent.

In: a load, a server's address and a folder. Out: a command and its environment. It starts nothing.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks.figures import Load

PEERS = Path(__file__).parent / "peers"
TOKEN = "bench-token"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where one run takes place: the server's origin, the manifest and an empty folder to write in."""

    base: str
    manifest: Path
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What every contender finds in its environment."""
        return {"RUNCOMFY_MODEL_API_BASE": f"{self.base}/v1", "RUNCOMFY_TOKEN": TOKEN}


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to get the work done.

    `absence` returns why it cannot take part, or None. `takes_at_most` bounds a contender that is too slow for
    the whole load. The rest says what it does besides: download clips, keep state, resume, check before paying.
    """

    name: str
    command: Callable[[Load, Setting], list[str]]
    absence: Callable[[], str | None]
    downloads: bool = False
    state: bool = False
    resume: bool = False
    checks: bool = False
    takes_at_most: int | None = None


def contenders(*, shell_takes: int) -> tuple[Contender, ...]:
    """Return all contenders in the order in which they run."""
    own = partial(Contender, absence=_own_absence, state=True, resume=True, checks=True)
    return (
        own("shotrunner", _own_command, downloads=True),
        own("shotrunner --no-download", lambda load, at: [*_own_command(load, at), "--no-download"]),
        Contender("httpx script", partial(_script, "httpx"), partial(_package_absence, "httpx")),
        Contender("aiohttp script", partial(_script, "aiohttp"), partial(_package_absence, "aiohttp")),
        Contender("GNU parallel", _shell, _shell_absence, state=True, resume=True, takes_at_most=shell_takes),
    )


def _own_command(load: Load, at: Setting) -> list[str]:
    pace = ["-j", str(load.cap)]
    if load.own_poll is not None:
        pace += ["--poll-interval", str(load.own_poll)]
    rest = ["-y", "--run-dir", str(at.folder / "run"), "--progress", "none"]
    return [str(own_program()), "run", str(at.manifest), *pace, *rest]


def own_program() -> Path:
    """Return the installed command beside this interpreter."""
    return Path(sys.executable).with_name("shotrunner")


def _own_absence() -> str | None:
    if not own_program().is_file():
        return f"no shotrunner beside {sys.executable}"
    asked = subprocess.run([own_program(), "--help"], capture_output=True, check=False)
    return None if asked.returncode == 0 else "shotrunner --help fails"


def _script(kind: str, load: Load, at: Setting) -> list[str]:
    script = str(PEERS / "semaphore_script.py")
    numbers = [str(load.cap), str(load.poll)]
    return [sys.executable, script, kind, at.base, str(at.manifest), *numbers, str(at.folder / "out.csv")]


def _package_absence(name: str) -> str | None:
    return None if importlib.util.find_spec(name) else f"{name} is not installed"


def _shell(load: Load, at: Setting) -> list[str]:
    script, numbers = str(PEERS / "parallel_script.sh"), [str(load.cap), str(load.poll)]
    outputs = [str(at.folder / "joblog"), str(at.folder / "out")]
    return ["bash", script, at.base, str(at.manifest), *numbers, *outputs]


def _shell_absence() -> str | None:
    missing = [tool for tool in ("bash", "parallel", "curl", "jq") if shutil.which(tool) is None]
    advice = "Debian has them in the packages parallel, curl and jq"
    return f"not on this machine: {', '.join(missing)}; {advice}" if missing else None
