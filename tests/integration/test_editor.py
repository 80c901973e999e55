"""An editor with the usual YAML language server completes and marks a manifest by the schema that the program writes.

The server is a package of npm. It is downloaded once and kept in pytest's cache; without Node, npm or a network these
tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from runner.commands.steps.editor_schema import EDITOR_SCHEMA, editor_schema, models_beside

SERVER = "yaml-language-server@1.25.0"
ROOT = Path(__file__).parents[2]
NOT_BOARDS = ("faults", ".columns.")
EXAMPLES = [
    path
    for path in sorted((ROOT / "manifests").glob("*.yaml"))
    if not any(word in path.name for word in NOT_BOARDS)
]
HEAD = f"# yaml-language-server: $schema={EDITOR_SCHEMA}\nversion: 1\n"
CURSOR = "|"
OWN = {"type": "object", "properties": {"prompt": {"type": "string"}, "mood": {"enum": ["calm", "wild"]}}}

pytestmark = pytest.mark.starts


class Editor:
    """One language server and what it says of documents in `folder`, over its standard streams."""

    def __init__(self, server: subprocess.Popen[bytes], folder: Path) -> None:
        assert server.stdin
        assert server.stdout
        self._to, self._from, self._folder = server.stdin, server.stdout, folder
        self._numbers = count(1)
        self._faults: dict[str, list[dict[str, Any]]] = {}
        self._ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}})
        self._tell("initialized", {})
        settings = {"validate": True, "completion": True, "schemaStore": {"enable": False}}
        self._tell("workspace/didChangeConfiguration", {"settings": {"yaml": settings}})

    def faults(self, text: str) -> dict[int, str]:
        """Return what the editor marks in a document, by its line."""
        uri = self._opened(text)
        while uri not in self._faults:
            self._take(self._read())
        return {fault["range"]["start"]["line"] + 1: fault["message"] for fault in self._faults[uri]}

    def offers(self, text: str) -> set[str]:
        """Return what the editor offers where the cursor is in a document."""
        before, _, after = text.partition(CURSOR)
        place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        document = {"uri": self._opened(before + after)}
        found = self._ask("textDocument/completion", {"textDocument": document, "position": place})
        return {item["label"] for item in found["items"]}

    def _opened(self, text: str) -> str:
        uri = (self._folder / f"board-{next(self._numbers)}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _tell(self, method: str, params: object, **more: object) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        self._to.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._to.flush()

    def _ask(self, method: str, params: object) -> Any:  # noqa: ANN401 - any JSON
        number = next(self._numbers)
        self._tell(method, params, id=number)
        while True:
            message = self._read()
            if message.get("id") == number and "method" not in message:
                return message["result"]
            self._take(message)

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._from.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(self._from.read(length))
        return message

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self._faults[message["params"]["uri"]] = message["params"]["diagnostics"]


@pytest.fixture(scope="module")
def server(pytestconfig: pytest.Config) -> Path:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node and npm are not on this machine")
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("editor") / SERVER
    start = folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", SERVER]
    # Tests in other processes may want it at the same time.
    with FileLock(folder.parent / "install.lock"):
        if not start.exists():
            folder.mkdir(exist_ok=True)
            (folder / "package.json").write_text("{}", "utf-8")
            done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
            if done.returncode or not start.exists():
                pytest.skip(f"npm cannot install {SERVER}: {done.stderr.strip()[:200]}")
    return start


@pytest.fixture(scope="module")
def editor(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("editor")
    own = folder / "schemas" / "acme"
    own.mkdir(parents=True)
    (own / "dream.json").write_text(json.dumps(OWN), "utf-8")
    (folder / EDITOR_SCHEMA).write_text(editor_schema(models_beside(folder / "board.yaml")), "utf-8")
    words = ["node", str(server), "--stdio"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder) as process:
        try:
            yield Editor(process, folder)
        finally:
            process.kill()


def test_ids_of_models_are_completed(editor: Editor) -> None:
    models = {"acme/dream", "pika/pikaframes", "pika/pika-2-2/image-to-video"}
    assert editor.offers(f"{HEAD}shots:\n  - id: a\n    model: |\n") == models
    assert editor.offers(f"{HEAD}defaults:\n  model: |\nshots: [{{id: a}}]\n") == models


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("shots:\n  - id: a\n    model: acme/dream\n    inputs:\n      |\n", {"prompt", "mood"}),
        ("defaults:\n  model: acme/dream\n  inputs:\n    |\nshots: [{id: a}]\n", {"prompt", "mood"}),
        ("defaults: {model: acme/dream}\nshots:\n  - id: a\n    inputs:\n      |\n", {"prompt", "mood"}),
        ("shots:\n  - id: a\n    model: acme/dream\n    inputs:\n      mood: |\n", {"calm", "wild"}),
    ],
    ids=["shot", "defaults", "shot of the defaults", "values"],
)
def test_inputs_of_the_model_are_completed(text: str, offered: set[str], editor: Editor) -> None:
    assert editor.offers(HEAD + text) == offered


def test_a_shot_is_offered_what_a_shot_has(editor: Editor) -> None:
    offered = editor.offers(f"{HEAD}defaults: {{model: acme/dream}}\nshots:\n  - id: a\n    |\n")
    assert {"model", "inputs", "sweep", "notes"} <= offered
    assert offered.isdisjoint({"prompts", "frames", "prompt", "mood"})


def test_a_wrong_name_a_wrong_value_and_an_unknown_model_are_marked(editor: Editor) -> None:
    text = f"""{HEAD}defaults: {{model: pika/pikaframes}}
shots:
  - id: a
    inputs:
      promtText: x
      duration: 99
  - id: b
    model: pika/nothing
"""
    found = editor.faults(text)
    assert sorted(found) == [7, 8, 10]
    assert "promtText is not allowed" in found[7]
    assert "1, 2, 3" in found[8]
    assert "pika/pikaframes" in found[10]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_nothing_is_marked_in_the_examples(path: Path, editor: Editor) -> None:
    assert editor.faults(path.read_text("utf-8")) == {}


def test_nothing_is_marked_in_a_board_to_start_from(editor: Editor) -> None:
    assert editor.faults((ROOT / "runner" / "cli" / "starter.yaml").read_text("utf-8")) == {}
