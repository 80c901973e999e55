"""What comes from strangers stays small and harmless: manifests, schemas of a catalogue, pictures that never begin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.api.catalogue import Entry, read_entry
from runner.commands.steps.live_catalogue import compared
from runner.manifest.size_limits import Limits
from runner.media.http.peek import MOST_BYTES, head_of
from runner.media.http.response import Download
from runner.models.regex_safety import pattern_fault
from runner.models.registry import Models
from tests.unit.whole_readings import parse_manifest, read_manifest

MODEL = "pika/pikaframes"
SECRET = "ssh-secret-or-token"


@pytest.mark.parametrize(
    "name", [".ssh/id_ed25519", ".config/runcomfy/token.json", "prompts/.hidden", "./.env", ".env"]
)
def test_a_manifest_in_a_home_folder_cannot_send_its_hidden_files(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SECRET, "utf-8")
    manifest = tmp_path / "m.yaml"
    manifest.write_text(
        f"version: 1\nshots:\n  - {{id: s, model: {MODEL}, inputs: {{promptText: {{file: {name}}}}}}}\n",
        "utf-8",
    )
    reading = read_manifest(manifest)
    assert [problem.message for problem in reading.problems] == [
        f"the file '{name}' is hidden: no part of its name may begin with a dot"
    ]
    assert SECRET not in repr(reading.shots)


def test_a_dot_for_this_folder_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.b.txt").write_text("A boat.", "utf-8")
    (tmp_path / "m.yaml").write_text(
        f"version: 1\nshots:\n  - {{id: s, model: {MODEL}, inputs: {{promptText: {{file: ./a.b.txt}}}}}}\n",
        "utf-8",
    )
    reading = read_manifest(tmp_path / "m.yaml")
    assert reading.problems == ()
    assert "A boat." in repr(reading.shots)


LONG = "x" * 1000
EXPLOSIONS = {
    "a sweep": f"shots:\n  - {{id: s, model: m/m, sweep: {{seed: 1-90}}, inputs: {{p: {LONG}}}}}\n",
    "a repeat": f"shots:\n  - {{id: s, model: m/m, repeat: 90, inputs: {{p: {LONG}}}}}\n",
    "a default": f"defaults: {{model: m/m, inputs: {{p: {LONG}}}}}\nshots:\n"
    + "".join(f"  - {{id: s{n}}}\n" for n in range(90)),
    "a nested text": f"shots:\n  - {{id: s, model: m/m, repeat: 90, inputs: {{p: {{q: [{LONG}]}}}}}}\n",
    "a swept text": f"shots:\n  - {{id: s, model: m/m, repeat: 90, sweep: {{p: [a, {LONG}]}}}}\n",
    "a style": f"styles: {{night: {{inputs: {{p: {LONG}}}}}}}\ndefaults: {{model: m/m, style: night}}\nshots:\n"
    + "".join(f"  - {{id: s{n}}}\n" for n in range(90)),
    "a sequence": f"sequences:\n  - {{id: q, model: m/m, inputs: {{p: {LONG}}}, frames: ["
    + ", ".join(f"f{n}" for n in range(91))
    + "], prompts: ["
    + ", ".join("a" for _ in range(90))
    + "]}\n",
}


@pytest.mark.parametrize("text", EXPLOSIONS.values(), ids=EXPLOSIONS)
def test_a_text_that_stands_once_cannot_fill_memory_with_its_copies(text: str) -> None:
    """A few bytes can ask for a hundred thousand takes, each with the whole text in its body."""
    data = f"version: 1\n{text}".encode()
    wide = parse_manifest(data, file="m.yaml", name="m", limits=Limits(expanded_text=200_000))
    narrow = parse_manifest(data, file="m.yaml", name="m", limits=Limits(expanded_text=80_000))
    assert not any("characters" in problem.message for problem in wide.problems)
    assert narrow.problems[-1].message == "more than 80,000 characters in all takes; split the manifest"


@pytest.mark.parametrize("pattern", ["^(a+)+{}$", "^((a|b)*)*{}$", "^(a|aa)+{}b$", "^(a{}+)+$"])
def test_braces_that_repeat_nothing_hide_no_hanging_pattern(pattern: str) -> None:
    """To the matcher `{}` is two characters; what stands before them is repeated as it was."""
    fault = pattern_fault(pattern)
    assert fault is not None
    assert "could take forever" in fault


@pytest.mark.parametrize("pattern", ["^a{}$", "^x{,3}y{2}z{1,}$", "^{}$"])
def test_braces_do_no_harm_to_a_harmless_pattern(pattern: str) -> None:
    assert pattern_fault(pattern) is None


HALF = r'{"input_schema": {"type": "object", "properties": {"a\ud800": {"type": "string"}}}}'


def test_half_a_character_in_a_live_schema_is_no_schema() -> None:
    entry = read_entry(MODEL, json.loads(HALF))
    assert isinstance(entry, Entry)
    assert entry.input_schema is None
    model = Models.bundled(()).find(MODEL)
    assert model is not None
    assert compared(model, entry).fault == "the catalogue gives no usable schema of it"


def test_a_file_that_never_says_its_size_is_looked_at_a_few_times_only() -> None:
    """Each look reads from the start: with one after every few bytes a hostile file would cost minutes."""
    looks = 0

    def never(_: bytes) -> bool:
        nonlocal looks
        looks += 1
        return False

    def drops() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // 64):
            yield b"\xff" * 64

    found = head_of(Download(200, {}, drops(), "https://x.example/"), never)
    assert (len(found.head), found.size) == (MOST_BYTES, None)
    assert looks < 40
