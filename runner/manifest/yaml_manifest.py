"""Turns a YAML document into rows without references, and checks the top-level fields.

Only the keys of a row are checked here, since a CSV row cannot have wrong ones. The content of a row is checked when it
is expanded, whether it comes from YAML or CSV.
"""

from __future__ import annotations

from dataclasses import replace

from runner.domain.ids import why_no_id
from runner.domain.shots import Fields, Node, Row, Text
from runner.manifest.expand import Source, each_once
from runner.manifest.fields import DEFAULT_KEYS, PLACE_KEYS, SHOT_KEYS, TOP_KEYS, Section, row_name
from runner.manifest.prices import prices_of
from runner.manifest.problems import Findings, shown
from runner.manifest.prompt_files import OpenBeside, PromptFiles
from runner.manifest.references import References, frames_of, styles_of
from runner.manifest.sequences import Sequences
from runner.manifest.settings import settings_of
from runner.manifest.size_limits import Limits, SizeBudget
from runner.manifest.templates import has_template, is_variable_name
from runner.manifest.yaml_prompts import check_frames, check_prompts, check_styles

_SHOT_KEYS = frozenset(SHOT_KEYS)
_OTHER_FILES = {
    "columns": "this is a column map; give the sheet beside it, which is read through this map",
    "faults": "this is a script for the simulator; give it with --script, beside a manifest",
}


def source_of(node: Node, findings: Findings, limits: Limits, open_beside: OpenBeside | None) -> Source:
    """Return the rows, variables and defaults of a document.

    Raises:
        Stop: the manifest asks for more than its limits allow; the problem has been reported.
    """
    if not isinstance(node, Fields):
        empty = isinstance(node, Text) and node.is_null
        wanted = "a manifest is a mapping that begins with 'version: 1'"
        findings.error(node.at, "", "the manifest is empty" if empty else wanted)
        return Source(())
    for key in _OTHER_FILES.keys() & node.items.keys():
        findings.stop(node.key_at(key), "", _OTHER_FILES[key])
    top = Section(node, findings).check_keys(TOP_KEYS)
    _check_version(top)
    settings_of(top.section("run"))
    defaults = top.section("defaults").check_keys(DEFAULT_KEYS)
    variables, frames = _variables(top, limits), frames_of(top)
    rows = _rows(top, Sequences(top, frames, SizeBudget(limits, findings)))
    styles = styles_of(top, variables)
    prices = prices_of(top)
    prices_at = {model: top.section("prices").fields.key_at(model) for model in prices}
    source = Source((), name_of(top), variables, defaults.fields, prices=prices, prices_at=prices_at)
    files = PromptFiles(open_beside, findings, limits)
    budget = SizeBudget(limits, findings)
    references = References(frames, styles, files, budget, defaults.fields.items.get("style"))
    rows = [references.row(row, number) for number, row in enumerate(rows, 1)]
    if defaults.strays:
        rows = [replace(row, reported=row.reported | defaults.strays) for row in rows]
    defaults_only = references.inner(defaults.fields, "defaults")
    check_prompts(rows, Row(defaults_only, defaults_only.at), variables, findings)
    check_styles(rows, defaults_only, styles.values(), findings)
    check_frames(rows, frames.frames, findings)
    return replace(source, rows=each_once(rows), defaults=defaults_only)


def name_of(top: Section) -> str | None:
    """Return the name that the manifest gives, if it can name a run's folder."""
    name = top.text("name")
    if name is None:
        return None
    reason = why_no_id(name.text)
    if reason:
        top.error(name.at, "name", f"{shown(name.text)} {reason}; it names the run's folder")
    return None if reason else name.text


def _check_version(top: Section) -> None:
    version = top.text("version")
    if "version" not in top:
        top.error(top.fields.at, "version", "is missing; write 'version: 1' at the top")
    elif version is not None and version.text != "1":
        message = f"{shown(version.text)} is not known"
        top.findings.unknown(version.text, ("1",), version.at, "version", message)


def _variables(top: Section, limits: Limits) -> dict[str, Text]:
    section = top.section("vars")
    if len(section.fields.items) > limits.variables:
        top.error(section.fields.at, "vars", f"more than {limits.variables:,} variables")
        return {}
    variables: dict[str, Text] = {}
    for name in section.fields.items:
        value = section.text(name)
        if not is_variable_name(name) or name == "id":
            rule = "must be a letter a to z or '_', then such letters, digits, '_' or '-'"
            reason = "is the shot's own" if name == "id" else rule
            section.error(section.fields.key_at(name), name, f"the name {shown(name)} {reason}")
        elif value is not None and has_template(value.text):
            section.error(value.at, name, "a variable cannot be made of others; write it out")
        if value is not None:
            variables[name] = value
    return variables


def _rows(top: Section, sequences: Sequences) -> list[Row]:
    """Return the shots, with each sequence where an entry places it, and all other sequences after them."""
    if "shots" not in top and "sequences" not in top:
        top.error(top.fields.at, "shots", "is missing: a manifest lists its shots there, or sequences")
    rows: list[Row] = []
    for entry in top.entries("shots"):
        if "sequence" in entry and "id" not in entry:
            entry.check_keys(PLACE_KEYS, "what its shots share goes under sequences:")
            name = entry.text("sequence")
            rows += sequences.place(name, entry.subject) if name else ()
        else:
            row = Row(entry.fields, entry.fields.at)
            if not entry.fields.items.keys() <= _SHOT_KEYS:
                named = replace(entry, subject=row_name(row, entry.subject))
                checked = named.check_keys(SHOT_KEYS)
                row = replace(row, fields=checked.fields, reported=checked.strays)
            rows.append(row)
    return [*rows, *sequences.rest()]
