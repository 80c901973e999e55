"""Changes the text of a manifest so that one shot has further takes, and nothing else changes.

In: the text, the shot, how many more, and the seeds that come next. Out: changes of the text, or None where the form is
not understood. It guesses from the form alone, so a caller must read the result as a manifest and compare the takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import yaml

from runner.domain.errors import Position
from runner.manifest.fields import whole_number
from runner.manifest.safe_fixes import Fix, fixed
from runner.manifest.size_limits import LIMITS
from runner.manifest.source_text import SourceText, Span
from runner.manifest.sweep_points import TAKES, range_values
from runner.manifest.templates import has_template
from runner.manifest.yaml_reader import FAST_LOADER

_RANDOM = re.compile(r"(random[ :]?)(\d{1,18})((?::\S{1,80})?)", re.IGNORECASE | re.ASCII)
_CELL_AXIS = r"(?:(?<=[\s;])|^){}\s*=\s*(?P<values>[^\s;]+)"
_OTHER_BREAKS = frozenset("\x85\u2028\u2029")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many takes a shot is to have more, the name of its model's seed, and the seeds that come next."""

    shot: str
    count: int
    seed: str
    seeds: Sequence[int]


def more_takes(source: SourceText, wanted: Wanted) -> tuple[Fix, ...] | None:
    """Return changes that give a shot further takes, None if none is known that surely does."""
    found = _in_table(source, wanted) if source.is_table else _in_yaml(source.text, wanted)
    return None if found is None else (found,)


def _in_table(source: SourceText, wanted: Wanted) -> Fix | None:
    """Return the change of a cell in the row of the shot: of its seeds, its sweep, or its number of takes."""
    headings = [heading.strip().casefold() for heading in source.headings.values()]
    row = next(_rows_of(source, headings, wanted.shot), None)
    if row is None:
        return None
    cells = dict(zip(headings, row, strict=False))
    said = {name: source.text[slice(*span)] for name, span in cells.items()}
    if said.get("seeds"):
        return _fix(cells["seeds"], _grown_list(said["seeds"], wanted, joint="; "))
    if said.get("sweep"):
        axis = re.search(_CELL_AXIS.format(re.escape(wanted.seed)), said["sweep"])
        if axis is not None:
            start = cells["sweep"][0]
            span = (start + axis.start("values"), start + axis.end("values"))
            return _fix(span, _grown_list(axis["values"], wanted, joint="|"))
    if TAKES not in cells or said.get(wanted.seed.casefold()):
        return None
    before = whole_number(said[TAKES]) if said[TAKES] else 1
    return None if before is None else Fix(*cells[TAKES], str(before + wanted.count))


def _rows_of(source: SourceText, headings: Sequence[str], shot: str) -> Iterator[list[Span]]:
    place = headings.index("id") if "id" in headings else len(headings)
    for start in source.records():
        row = list(source.cells(start))
        if place < len(row) and source.text[slice(*row[place])] == shot:
            yield row


def _grown_list(cell: str, wanted: Wanted, *, joint: str) -> str | None:
    """Return a cell of seeds with more of them: more drawn ones, a longer range, or further values."""
    text = cell.strip()
    if drawn := _RANDOM.fullmatch(text):
        return f"{drawn[1]}{int(drawn[2]) + wanted.count}{drawn[3]}"
    if has_template(text):
        return None
    return _longer_range(text, wanted.count) or joint.join([text, *map(str, wanted.seeds[: wanted.count])])


def _longer_range(text: str, count: int) -> str | None:
    """Return a range such as 1000-1003 or 0-100:50 with `count` more steps; None for other text."""
    values = range_values(text, Position(""), limit=LIMITS.points)
    if not isinstance(values, list) or not values:
        return None
    head, _, step = text.partition(":")
    last = Decimal(values[-1].text) + count * (Decimal(step.strip()) if step else 1)
    first = re.match(r"\s*-?[0-9.]+", head)
    return f"{first[0].strip()}-{last:f}{f':{step}' if step else ''}" if first else None


def _in_yaml(text: str, wanted: Wanted) -> Fix | None:
    # YAML 1.1 breaks lines at these, and places would be others.
    if not _OTHER_BREAKS.isdisjoint(text):
        return None
    try:
        top = yaml.compose(text, Loader=FAST_LOADER)
    except (yaml.YAMLError, RecursionError):
        return None
    shots = _value(top, "shots")
    entries = shots.value if isinstance(shots, yaml.SequenceNode) else ()
    entry = next((each for each in entries if _text(_value(each, "id")) == wanted.shot), None)
    if not isinstance(entry, yaml.MappingNode):
        return None
    sweep, takes = _value(entry, "sweep"), _value(entry, TAKES)
    if takes is not None:
        before = whole_number(_text(takes) or "")
        return None if before is None else Fix(*_span(takes), str(before + wanted.count))
    if isinstance(sweep, yaml.MappingNode) and (axis := _value(sweep, wanted.seed)) is not None:
        return _grown(text, axis, wanted)
    usual = _value(_value(top, "defaults"), "sweep")
    if sweep is None and (axis := _value(usual, wanted.seed)) is not None and usual is not None:
        grown = _grown(text, axis, wanted)
        return None if grown is None else _with_sweep(text, entry, usual, grown)
    return _inserted(text, entry, [f"{TAKES}: {1 + wanted.count}"])


def _grown(text: str, axis: yaml.Node, wanted: Wanted) -> Fix | None:
    """Return the change that gives an axis of seeds more of them."""
    if isinstance(axis, yaml.MappingNode):
        counted = _value(axis, "random") or _value(axis, "count")
        number = whole_number(_text(counted) or "")
        return None if counted is None or number is None else Fix(*_span(counted), str(number + wanted.count))
    more = [str(seed) for seed in wanted.seeds[: wanted.count]]
    if isinstance(axis, yaml.SequenceNode) and axis.value:
        end = axis.value[-1].end_mark.index
        if axis.flow_style:
            return Fix(end, end, "".join(f", {seed}" for seed in more))
        # The line may end in a comment.
        end = _line_end(text, end)
        return Fix(
            end, end, "".join(f"{_break(text)}{' ' * axis.start_mark.column}- {seed}" for seed in more)
        )
    said = _text(axis)
    if said is None or has_template(said):
        return None
    return _fix(_span(axis), _longer_range(said, wanted.count) or f"[{', '.join((said, *more))}]")


def _with_sweep(text: str, entry: yaml.MappingNode, usual: yaml.Node, grown: Fix) -> Fix | None:
    """Return the change that gives a shot the usual sweep as its own, with one of its axes grown."""
    start, end = _span(usual)
    inner = replace(grown, start=grown.start - start, end=grown.end - start)
    own = fixed(text[start:end].rstrip(), [inner])
    if getattr(usual, "flow_style", False) or "\n" not in own:
        return _inserted(text, entry, [f"sweep: {own}" if own.startswith("{") else f"sweep: {{{own}}}"])
    first, *others = own.splitlines()
    column = usual.start_mark.column
    if any(line[:column].strip() for line in others):
        return None
    return _inserted(text, entry, ["sweep:", f"  {first}", *(f"  {line[column:]}" for line in others)])


def _inserted(text: str, entry: yaml.MappingNode, lines: Sequence[str]) -> Fix | None:
    """Return the change that adds a field to an entry, behind its id."""
    key, value = next(pair for pair in entry.value if _text(pair[0]) == "id")
    if entry.flow_style:
        end = value.end_mark.index
        return Fix(end, end, f", {lines[0]}") if len(lines) == 1 else None
    end = _line_end(text, value.end_mark.index)
    indent = " " * key.start_mark.column
    return Fix(end, end, "".join(f"{_break(text)}{indent}{line}".rstrip(" ") for line in lines))


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    """Return what a mapping has under a name, None for anything else."""
    if not isinstance(node, yaml.MappingNode):
        return None
    pairs: Iterable[tuple[yaml.Node, yaml.Node]] = node.value
    return next((value for key, value in pairs if _text(key) == name), None)


def _text(node: yaml.Node | None) -> str | None:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def _span(node: yaml.Node) -> Span:
    return node.start_mark.index, node.end_mark.index


def _fix(span: Span, words: str | None) -> Fix | None:
    return None if words is None else Fix(*span, words)


def _line_end(text: str, index: int) -> int:
    found = re.compile(r"[^\r\n]*").match(text, index)
    return found.end() if found else len(text)


def _break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
