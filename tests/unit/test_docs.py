"""The documents say what the program does: help texts, exit codes, states, layers, links and commands cannot drift."""

from __future__ import annotations

import io
import re
import shlex
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import runner
from runner.cli.parser import build_parser
from runner.domain import display, errors
from runner.manifest.fields import SHOT_KEYS, TOP_KEYS
from runner.models.scalars import ParseError, read_boolean, read_integer, read_number
from runner.simulator.fault_script import SETTINGS, read_script
from runner.simulator.faults import FAULTS
from tests import generated_docs
from tests.unit.test_layers import rooms

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "schemas/*.md", "reports/README.md", "tests/**/*.md")
    for path in ROOT.glob(pattern)
)
README = (ROOT / "README.md").read_text("utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PLAIN = [
    path
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
    if path.name != "commands.md"
]
"""The pages that must be in plain English. Those of the commands are the program's help texts."""
FORBIDDEN = (
    "tells?",
    "told",
    "telling",
    "(?:is|are) no(?! longer)",
    r"br(?:ing|ings|inging|ought)\b[^.|]{0,40}\bhome",
    "(?:comes?|came) home",
    "out there",
    "(?:is|are) out",
    "jobs? out",
    "anew",
    "any ?more",
    "whoever",
    "whatever",
    "somebody",
    "nobody",
    "so many",
    "ours",
    "our own",
    "in the air",
    "at hand",
    "all the same",
    "befell|befalls?",
    "shall",
    "who wants",
)

_FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fences(text: str, kind: str) -> list[str]:
    return [found["text"] for found in _FENCE.finditer(text) if found["kind"] == kind]


def prose(text: str) -> str:
    return _FENCE.sub("", text)


def without_generated(text: str) -> str:
    return re.sub(r"<!-- generated: .*?<!-- end -->", "", text, flags=re.DOTALL)


def table(text: str, head: str) -> list[list[str]]:
    """Return the body of the Markdown table whose first line begins with `| head |`."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {head} |"):
            break
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert len(rows) > 1, f"there is no table headed {head}"
    return rows[1:]


def names(cell: str) -> set[str]:
    """Return what stands in backticks in a cell."""
    return set(re.findall(r"`([^`]+)`", cell))


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, spelled as GitHub spells them."""
    heads = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


# generated parts


@pytest.mark.parametrize("document", generated_docs.HOMES)
def test_generated_parts_are_as_the_program_makes_them(document: str) -> None:
    found = dict(generated_docs.parts((ROOT / document).read_text("utf-8")))
    for name, text in found.items():
        fresh = generated_docs.made(name)
        same = generated_docs.same_help if name.startswith("help") else str
        assert same(text) == same(fresh), f"{document}, {name}: run python -m tests.generated_docs"


def test_each_document_holds_the_parts_it_should() -> None:
    for document, wanted in generated_docs.HOMES.items():
        found = [name for name, _ in generated_docs.parts((ROOT / document).read_text("utf-8"))]
        assert len(found) == len(set(found))
        assert {name.split()[0] for name in found} == set(wanted)


def test_every_command_has_its_help_among_the_commands() -> None:
    wanted = [f"help {command}" for command in generated_docs.commands()]
    assert [name for name, _ in generated_docs.parts(COMMANDS)] == wanted
    assert [name for name, _ in generated_docs.parts(REFERENCE) if name.startswith("help")] == ["help"]


def test_help_texts_of_all_pythons_compare_equal() -> None:
    old = "usage: x [-h]\n         [-j N]\n\n  -j N, --jobs N  jobs"
    new = "usage: x [-h] [-j N]\n\n  -j, --jobs N    jobs"
    assert generated_docs.same_help(old) == generated_docs.same_help(new)
    assert generated_docs.same_help(old) != generated_docs.same_help(new.replace("jobs N", "jobs M"))


# exit codes and states


def error_classes(
    root: type[errors.ShotrunnerError] = errors.ShotrunnerError,
) -> Iterator[type[errors.ShotrunnerError]]:
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from error_classes(kind)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    rows = table(REFERENCE, "code")
    told = {(name, code) for code, *_, classes in rows for name in names(classes)}
    assert told == {(kind.__name__, str(kind.exit_code)) for kind in error_classes()}


def test_the_exit_codes_are_those_of_the_help_text() -> None:
    epilog = build_parser().epilog or ""
    in_help = set(re.findall(r"(?:^|\s{2,})(\d+(?:\+N)?) +[A-Za-z]", epilog))
    assert {row[0] for row in table(REFERENCE, "code")} == in_help


def test_the_exit_codes_in_one_line_of_the_readme_are_exit_codes() -> None:
    (paragraph,) = (text for text in README.split("\n\n") if text.startswith("Exit codes:"))
    assert {"0", "2", "3", "4"} <= names(paragraph) <= {row[0] for row in table(REFERENCE, "code")}


def test_every_word_for_a_take_is_explained() -> None:
    told = [word for row in table(REFERENCE, "word") for word in row[0].split(", ")]
    assert sorted(told) == sorted(display.STANDINGS)


# layers and dependencies


def test_every_dependency_has_its_reason_and_its_door() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [
        *project["dependencies"],
        *(line for extra in extras if extra != "test" for line in extras[extra]),
    ]
    wanted = {re.split(r"[<>=\[; ]", line)[0] for line in needed}
    told = {
        word for libraries, *_ in table(ARCHITECTURE, "library") for word in re.findall(r"[\w-]+", libraries)
    }
    assert wanted <= told


def test_the_house_of_the_contributors_page_has_every_room() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    house = fences(page, "")[0]
    for room in rooms():
        assert re.search(rf"\b{room}\b", house), room


# links and commands


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_relative_link_resolves(path: Path) -> None:
    text = path.read_text("utf-8")
    for found in _LINK.finditer(prose(text)):
        target, _, anchor = found["target"].partition("#")
        if "://" in target:
            continue
        there = (path.parent / target) if target else path
        assert there.exists(), found["target"]
        if anchor:
            assert anchor in anchors(there.read_text("utf-8")), found["target"]


def commands_in(text: str) -> Iterator[str]:
    """Yield every command line of ours, in a block for a shell or in backticks."""
    for block in fences(text, "sh"):
        for line in block.splitlines():
            yield from (part.strip() for part in line.split("&&") if part.strip().startswith("shotrunner "))
    for quoted in re.findall(r"`(shotrunner [^`]+)`", prose(text)):
        yield quoted.replace("…", "x.yaml")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_command_line_is_one_the_parser_takes(path: Path) -> None:
    parser = build_parser()
    for line in commands_in(path.read_text("utf-8")):
        words = shlex.split(line, comments=True)[1:]
        if words == ["--version"] or (len(words) == 1 and words[0] in generated_docs.commands()):
            # A command that is only named, or a flag that ends the program.
            continue
        assert callable(parser.parse_args(words).command), line


def test_the_readme_has_every_command_in_one_line() -> None:
    rows = [re.findall(r"`(\w+)", row[0]) for row in table(README, "command")]
    assert tuple(command for row in rows for command in row) == generated_docs.commands()


def test_every_command_is_shown_at_work() -> None:
    shown = {shlex.split(line)[1] for path in DOCUMENTS for line in commands_in(path.read_text("utf-8"))}
    assert shown >= set(generated_docs.commands())


def test_the_readme_is_short_and_links_every_page() -> None:
    assert len(README.splitlines()) <= 220
    linked = {found["target"].partition("#")[0] for found in _LINK.finditer(README)}
    assert {name_of(path) for path in ROOT.glob("docs/*")} <= linked


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_make_target_is_in_the_makefile(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = path.read_text("utf-8")
    quoted = re.findall(r"`make ([a-z]+)`", text) + re.findall(
        r"^make ([a-z]+)", "\n".join(fences(text, "sh")), re.MULTILINE
    )
    assert set(quoted) <= targets


def test_the_two_commands_stand_at_the_top_of_the_readme() -> None:
    first = fences(README, "sh")[0]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]
    assert README.index(first) < README.index("\n## ")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_file_the_documents_name_is_there(path: Path) -> None:
    for name in re.findall(r"`((?:runner|tests|manifests)/[\w/.-]+)`", prose(path.read_text("utf-8"))):
        assert (ROOT / name).exists(), name


# plain English


@pytest.mark.parametrize("path", PLAIN, ids=name_of)
def test_no_forbidden_phrase_comes_back(path: Path) -> None:
    text = " ".join(prose(without_generated(path.read_text("utf-8"))).split())
    found = [
        match[0] for phrase in FORBIDDEN for match in re.finditer(rf"\b(?:{phrase})\b", text, re.IGNORECASE)
    ]
    assert found == []


_IN_SOURCE = (
    "tells?",
    "telling",
    "(?:is|are|was|were) told",
    r"(?<!there )is no (?!longer)[a-z]\w*",
    r"br(?:ing|ings|ought) (?:\w+ )?home",
    "out there",
    "anew",
    "whoever",
    "somebody",
    "nobody",
    "so many",
    "in the air",
    "nevermore",
    "once more",
    "all the same",
)
"""Phrases that may not come back in a docstring, a comment or a message; what stands in code quotes is a name."""


def test_no_forbidden_phrase_comes_back_in_the_source() -> None:
    phrase = re.compile(rf"\b(?:{'|'.join(_IN_SOURCE)})\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{token.start[0]}: {match[0]}"
        for path in sorted((ROOT / "runner").rglob("*.py"))
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
        if token.type in {tokenize.COMMENT, tokenize.STRING}
        for match in phrase.finditer(re.sub(r"`[^`]*`", "", token.string))
    ]
    assert found == []


# the two references


def test_the_manifest_reference_has_every_field() -> None:
    page = (ROOT / "docs" / "manifest.md").read_text("utf-8")
    assert tuple(row[0].strip("`") for row in table(page, "field")) == TOP_KEYS
    assert tuple(row[0].strip("`") for row in table(page, "field of a shot")) == SHOT_KEYS


def test_the_table_of_values_is_what_the_text_rule_does() -> None:
    page = (ROOT / "docs" / "manifest.md").read_text("utf-8")
    readers = (read_integer, read_number, read_boolean)
    for written, *told, _ in table(page, "written | read as a whole number"):
        text = written.strip("`")
        for reader, cell in zip(readers, told, strict=True):
            value = reader(text)
            assert cell.startswith("refused") == isinstance(value, ParseError), (text, cell)
            if not isinstance(value, ParseError):
                assert cell == str(value).lower()
            elif "proposed" in cell:
                assert cell == f"refused, {value.nearest} proposed"


def test_the_simulator_page_has_every_key_of_a_rule() -> None:
    page = (ROOT / "docs" / "simulator.md").read_text("utf-8")
    told = {row[0].strip("`") for row in table(page, "key")}
    options = {option for row in table(page, "fault") for option in names(row[3])}
    settings = {name for fault in FAULTS.values() for name in fault.settings}
    assert told | options == {"route", "fault", *SETTINGS, *settings}


def test_the_script_on_the_simulator_page_is_one() -> None:
    page = (ROOT / "docs" / "simulator.md").read_text("utf-8")
    (script,) = fences(page, "yaml")
    assert len(read_script(script, "simulator.md").rules) == 2


def test_the_changelog_knows_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(
        rf"^## \[{re.escape(runner.__version__)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE
    )
