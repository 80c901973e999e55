"""YAML manifests: what is written is what is read, and every trap of the form is told with its place."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.ids import ID_RULE
from runner.domain.shots import Fields, Items, Node, Text
from runner.manifest.fields import SHOT_KEYS
from runner.manifest.problems import Findings
from runner.manifest.size_limits import Limits
from runner.manifest.yaml_reader import FAST_LOADER, Loader, parse_yaml
from tests.unit.whole_readings import Reading, parse_manifest

HEAD = "version: 1\nshots:\n  - id: s010\n    model: m\n    inputs:\n"
LOADERS = pytest.mark.parametrize("loader", [FAST_LOADER, yaml.SafeLoader], ids=["fast", "pure"])


def read(text: str, *, limits: Limits | None = None) -> Reading:
    return parse_manifest(text.encode(), file="m.yaml", name="m", limits=limits or Limits())


def told(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def node_of(text: str, loader: Loader = FAST_LOADER) -> tuple[Node | None, list[str]]:
    findings = Findings("m.yaml")
    node = parse_yaml(text, findings, Limits(), loader=loader)
    return node, [str(problem) for problem in findings.in_order()]


def plain(node: Node | None) -> object:
    """Return a node without its places."""
    if isinstance(node, Fields):
        return {key: plain(value) for key, value in node.items.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node]
    return node.text if isinstance(node, Text) else None


@LOADERS
@pytest.mark.parametrize(
    "written",
    [
        "010",
        "007",
        "0x1F",
        "1:30",
        "16:9",
        "no",
        "on",
        "YES",
        "1e3",
        "1_000",
        ".nan",
        ".inf",
        "2024-13-45",
        "9" * 5000,
        "~",
    ],
    ids=lambda text: text[:12],
)
def test_a_plain_scalar_is_the_text_that_was_written(written: str, loader: Loader) -> None:
    node, problems = node_of(f"a: {written}\n", loader)
    assert plain(node) == {"a": written}
    assert not problems


def test_a_quoted_scalar_says_so_and_is_never_null() -> None:
    node, _ = node_of("a: 'no'\nb: no\nc: ''\nd:\n")
    assert isinstance(node, Fields)
    texts = [value for value in node.items.values() if isinstance(value, Text)]
    assert [text.quoted for text in texts] == [True, False, True, False]
    assert [text.is_null for text in texts] == [False, False, False, True]


@LOADERS
def test_lines_and_columns_count_from_one(loader: Loader) -> None:
    node, _ = node_of("# é\na:\n  - x\n  - 'ü': [y]\n", loader)
    assert isinstance(node, Fields)
    assert str(node.key_at("a")) == "m.yaml:2:1"
    items = node.items["a"]
    assert isinstance(items, Items)
    assert [str(item.at) for item in items] == ["m.yaml:3:5", "m.yaml:4:5"]
    inner = items.items[1]
    assert isinstance(inner, Fields)
    assert str(inner.items["ü"].at) == "m.yaml:4:10"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "p: a cat: running",
            "6:15: there is a second ': ' where only text is allowed; quote the text: p: \"a cat: running\"",
        ),
        ("p: @cat", "6:10: '@' cannot begin a value; quote the text: p: \"@cat\""),
        ("p: `cat", "6:10: '`' cannot begin a value; quote the text: p: \"`cat\""),
        ("p: %cat", "6:10: '%' cannot begin a value; quote the text: p: \"%cat\""),
        ("p: *bold* cat", "6:15: '*' begins an alias; quote the text: p: \"*bold* cat\""),
        ("p: &cat", '6:10: &cat names an empty value; quote the text: "&cat"'),
        ("p: !wow cat", "6:10: the tag '!wow' is not allowed; quote the text if '!' is meant"),
        ("p: !!binary aGk=", "6:10: the tag 'tag:yaml.org,2002:binary' is not allowed"),
        (
            "p: !!python/object:os.system x",
            "6:10: the tag 'tag:yaml.org,2002:python/object:os.system' is not allowed",
        ),
        ('p: "a cat', "6:10: the quote that opens here is never closed"),
        ("p: 'it's'", "6:14: the value ended before this; quote all of it"),
        ("p: [a, b", "6:10: the list that opens with '[' is not closed"),
        ("p: {a: b", "6:10: the mapping that opens with '{' is not closed"),
        (
            "p: | x",
            "6:12: text after '|' or '>' begins on the next line; or write it in quotes on this one: p: \"x\"",
        ),
        (r'p: "a\qb"', "6:10: a backslash in double quotes begins an escape"),
        ("\tp: x", "6:7: a tab indents this line; YAML is indented with spaces only"),
        ("p: {{ style }}", '6:11: quote a value that begins with a template: "{{ style }}"'),
        (r'p: "\0"', "6:10: an escape here writes a control character"),
        (r'p: "\e[31m"', "6:10: an escape here writes a control character"),
        (r'p: "\ud800"', "6:10: an escape here writes half a surrogate pair"),
        ("p: *nope", "6:10: *nope refers to nothing above it"),
        ("p: &x [*x]", "6:14: the alias *x is inside what it names"),
        ("1: x", "6:7: the key '1' is not text; quote it if it is meant"),
        ("true: x", "6:7: the key 'true' is not text"),
        ("[1, 2]: x", "6:7: a key must be text, not a list, mapping or alias"),
        ("? {a: b}\n      : c", "6:9: a key must be text"),
        ("p: 1\n      p: 2", "7:7: 'p' is written twice in one mapping (first at line 6)"),
        (
            "p: 1\n     q: 2",
            "7:6: this line is not indented like the fields above it; indent it by 6 blanks, not by 5",
        ),
        ("<<: {a: 1}\n      <<: {b: 2}", "7:7: '<<' is written twice in one mapping (first at line 6)"),
        ("a: &A {<<: {b: 1}}\n      <<: *A", "7:7: '<<' cannot merge a mapping that itself uses '<<'"),
        ("<<: [a, b]", "6:7: '<<' takes one mapping, as in <<: *base"),
    ],
)
def test_a_trap_is_told_in_plain_words_where_it_lies(line: str, expected: str) -> None:
    problems = told(f"{HEAD}      {line}\n")
    assert [p for p in problems if p.startswith(f"m.yaml:{expected}")], problems


@pytest.mark.parametrize(
    ("value", "dropped"),
    [
        ("a shot #3 of cat", "'#3 of cat'"),
        ("shot #3", "'#3'"),
        ("#3 of cat", "'#3 of cat'"),
        ("a long prompt # and more", "'# and more'"),
    ],
)
def test_text_lost_to_a_comment_is_a_warning(value: str, dropped: str) -> None:
    (warning,) = (p for p in read(f"{HEAD}      p: {value}\n").problems if p.severity == "warning")
    assert f"dropped as a comment: {dropped}" in warning.message


@pytest.mark.parametrize("value", ["5  # seconds", "'a b' # said", "[a] #x", "a#b", "720p\n      # a line"])
def test_an_ordinary_comment_is_no_warning(value: str) -> None:
    assert told(f"{HEAD}      p: {value}\n") == []


def test_an_anchor_that_swallowed_a_word_is_a_warning() -> None:
    (problem,) = told(f"{HEAD}      p: &black cat\n")
    assert "the anchor &black is never used; quote the text" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "m.yaml:1: the manifest is empty"),
        ("# only a comment\n", "m.yaml:1: the manifest is empty"),
        ("---\n", "m.yaml:2:1: the manifest is empty"),
        ("- a\n", "m.yaml:1:1: a manifest is a mapping that begins with 'version: 1'"),
        ("text\n", "m.yaml:1:1: a manifest is a mapping that begins with 'version: 1'"),
        ("version: 1\nshots: []\n---\na: 1\n", "m.yaml:3:1: a second document begins here"),
    ],
)
def test_a_manifest_is_one_mapping(text: str, expected: str) -> None:
    problems = told(text)
    assert [p for p in problems if p.startswith(expected)], problems


@LOADERS
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "{? "], ids=["list", "flow", "block", "key"])
def test_deep_nesting_stops_at_once(opening: str, loader: Loader) -> None:
    """PyYAML from 6.0.4 on has a limit of its own, in other words."""
    _, problems = node_of(opening * 20_000, loader)
    assert len(problems) == 1
    assert re.search("nested more than 64 deep|maximum nesting depth", problems[0])


def test_an_alias_bomb_is_refused_by_its_weight() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (problem,) = node_of("\n".join(lines))[1]
    assert "the aliases of this file stand for more than 100,000 nodes" in problem


def test_a_file_with_more_values_than_can_be_meant_is_refused() -> None:
    findings = Findings("m.yaml")
    assert parse_yaml("- a\n" * 20, findings, Limits(nodes=10)) is None
    told = "m.yaml:10:3: more than 10 values; split the manifest, or raise --max-manifest-bytes"
    assert told in [str(p) for p in findings.in_order()]


def test_a_large_file_without_aliases_is_no_bomb() -> None:
    node, problems = node_of("a: [" + "x, " * 150_000 + "]")
    assert not problems
    assert isinstance(node, Fields)
    assert isinstance(items := node.items["a"], Items)
    assert len(items.items) == 150_000


@LOADERS
def test_merge_lays_a_mapping_beneath_the_written_keys(loader: Loader) -> None:
    node, problems = node_of("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n", loader)
    assert plain(node) == {"base": {"x": "1", "y": "2"}, "use": {"y": "3", "x": "1"}}
    assert not problems


def test_only_a_sweep_has_lists_as_keys() -> None:
    node, problems = node_of("sweep:\n  [seed, duration]: [[1, 2]]\n")
    assert plain(node) == {"sweep": {"[seed, duration]": [["1", "2"]]}}
    assert not problems


def test_the_pure_loader_tells_an_impossible_escape() -> None:
    node, problems = node_of(r'a: "\UFFFFFFFF"', yaml.SafeLoader)
    assert node is None
    assert "not valid YAML" in problems[0]


def test_all_problems_are_told_in_the_order_of_the_file() -> None:
    text = (
        "version: 2\nname: a/b\nsequences: []\nshtos: []\nvars: {id: x, b: '{{ c }}', 'a b': 1}\n"
        "shots:\n  - {id: a, zoom: x}\n  - text\n"
    )
    problems = told(text)
    assert [p.split(": ", 1)[1] for p in problems] == [
        "version: '2' is not known (allowed: 1)",
        f"name: 'a/b' is not an id: {ID_RULE}; write a-b; it names the run's folder",
        "sequences: no sequences",
        "unknown field 'shtos'; did you mean shots?",
        "vars, id: the name 'id' is the shot's own",
        "vars, b: a variable cannot be made of others; write it out",
        "vars, a b: the name 'a b' must be a letter a to z or '_', then such letters, digits, '_' or '-'",
        "shot a: has no model, and defaults give none",
        f"shot a: unknown field 'zoom'; a model's inputs go under inputs: (allowed: {', '.join(SHOT_KEYS)})",
        "entry 2 of shots: must be a mapping that begins with 'id:'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shots: [{id: a, model: m}]", "version: is missing"),
        ("version: 1", "shots: is missing"),
        ("version: 1\nshots: []", "shots: no shots"),
        ("version: 1\nshots: {a: b}", "shots: must be a list, not a mapping"),
        ("version: 1\nvars:\nshots: [{id: a, model: m}]", "vars: has no value; give one or remove the line"),
        ("version: [1]\nshots: [{id: a, model: m}]", "version: must be one value, not a list"),
        (
            "version: 1\ndefaults: {modle: m}\nshots: [{id: a, model: m}]",
            "defaults: unknown field 'modle'; did you mean model?",
        ),
        (
            "version: 1\npublish: {}\nshots: [{id: a, model: m}]",
            "publish is not supported yet: local files cannot be put on a host for you yet",
        ),
        (
            "version: 1\nshots: [{id: a, model: m, inputs: [x]}]",
            "shot a, inputs: must be a mapping of names to values, not a list",
        ),
        ("version: 1\nshots: [{model: m}]", "entry 1 of shots: has no id"),
        ("version: 1\nshots: [{id: , model: m}]", "entry 1 of shots, id: has no value"),
        ("version: 1\nshots: [{id: a, model: }]", "shot a, model: has no value"),
    ],
)
def test_a_field_of_the_wrong_shape_is_told(text: str, expected: str) -> None:
    assert [p for p in told(text) if expected in p], told(text)


@settings(max_examples=150)
@given(
    st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff\ufeff"),
        max_size=60,
    )
)
def test_quoted_text_survives_reading(text: str) -> None:
    written = text.replace("'", "''")
    node, problems = node_of(f"a: '{written}'\n")
    assert plain(node) == {"a": text}
    assert not problems


@settings(max_examples=100)
@given(
    st.text("0123456789.:-+eE_xonNyYfFtT", min_size=1, max_size=12).filter(
        lambda t: t[0] not in "-?:" and t[-1] != ":"
    )
)
def test_no_plain_scalar_is_ever_interpreted(text: str) -> None:
    assert plain(node_of(f"a: {text}\n")[0]) == {"a": text}
