"""Turns a YAML document into rows, from the entries of `shots` and `sequences`, and checks the top-level fields.

In: the top node. Out: a `Source`. Only the keys of a row are checked here, since a CSV row cannot have wrong ones.
The content of a row is checked when it is expanded, whether it comes from YAML or CSV.
"""

from __future__ import annotations

from runner.domain.ids import why_no_id
from runner.domain.shots import Fields, Node, Row, Text
from runner.manifest.document import Source
from runner.manifest.fields import (
    DEFAULT_KEYS,
    PLACE_KEYS,
    SHOT_KEYS,
    TOP_KEYS,
    check_keys,
    fields_of,
    items_of,
    joined,
    row_name,
    text_of,
)
from runner.manifest.frames import Frames, frames_of
from runner.manifest.prices import prices_of
from runner.manifest.problems import Findings, shown
from runner.manifest.sequences import Sequences
from runner.manifest.size_limits import Limits, SizeBudget
from runner.manifest.styles import styles_of
from runner.manifest.templates import has_template, is_variable_name

_HINT = "a model's inputs go under inputs:"


def source_of(top: Node, findings: Findings, limits: Limits) -> Source:
    """Return the rows, variables and defaults of a document."""
    if not isinstance(top, Fields):
        empty = isinstance(top, Text) and top.is_null
        message = (
            "the manifest is empty" if empty else "a manifest is a mapping that begins with 'version: 1'"
        )
        findings.error(top.at, "", message)
        return Source(())
    check_keys(top, TOP_KEYS, findings, "")
    _check_version(top, findings)
    defaults = fields_of(top, "defaults", findings)
    if defaults is not None:
        check_keys(defaults, DEFAULT_KEYS, findings, "defaults", _HINT)
    variables, frames = _variables(top, findings, limits), frames_of(top, findings)
    return Source(
        _rows(
            top, Sequences(top, Frames(frames, findings), findings, SizeBudget(limits, findings)), findings
        ),
        _name(top, findings),
        variables,
        defaults,
        frames=frames,
        styles=styles_of(top, findings, variables),
        prices=prices_of(top, findings),
        top=top,
    )


def _check_version(top: Fields, findings: Findings) -> None:
    if "version" not in top.items:
        findings.error(top.at, "version", "is missing; write 'version: 1' at the top")
        return
    version = text_of(top, "version", findings)
    if version is not None and version.text != "1":
        findings.error(version.at, "version", f"{shown(version.text)} is not known", allowed=("1",))


def _name(top: Fields, findings: Findings) -> str | None:
    name = text_of(top, "name", findings)
    if name is None:
        return None
    reason = why_no_id(name.text)
    if reason:
        findings.error(name.at, "name", f"{shown(name.text)} {reason}; it names the run's folder")
        return None
    return name.text


def _variables(top: Fields, findings: Findings, limits: Limits) -> dict[str, Text]:
    fields = fields_of(top, "vars", findings)
    variables: dict[str, Text] = {}
    if fields is None:
        return variables
    if len(fields.items) > limits.variables:
        findings.error(fields.at, "vars", f"more than {limits.variables:,} variables")
        return variables
    for name in fields.items:
        subject = joined("vars", name)
        at = fields.key_at(name)
        value = text_of(fields, name, findings, "vars")
        if not is_variable_name(name) or name == "id":
            reason = (
                "is the shot's own"
                if name == "id"
                else "must be a letter or '_', then letters, digits, '_' or '-'"
            )
            findings.error(at, subject, f"the name {shown(name)} {reason}")
        elif value is not None and has_template(value.text):
            findings.error(value.at, subject, "a variable cannot be made of others; write it out")
        if value is not None:
            variables[name] = value
    return variables


def _rows(top: Fields, sequences: Sequences, findings: Findings) -> tuple[Row, ...]:
    """Return the shots, with each sequence where an entry places it, and all other sequences after them."""
    shots = items_of(top, "shots", findings)
    if not {"shots", "sequences"} & top.items.keys():
        findings.error(top.at, "shots", "is missing: a manifest lists its shots there, or sequences")
    if shots is not None and not shots.items:
        findings.error(shots.at, "shots", "no shots")
    rows: list[Row] = []
    for number, entry in enumerate(shots or (), 1):
        subject = f"entry {number} of shots"
        if not isinstance(entry, Fields):
            findings.error(entry.at, subject, "must be a mapping that begins with 'id:'")
        elif "sequence" in entry.items and "id" not in entry.items:
            check_keys(entry, PLACE_KEYS, findings, subject, "what its shots share goes under sequences:")
            name = text_of(entry, "sequence", findings, subject)
            rows += sequences.place(name, subject) if name else ()
        else:
            rows.append(Row(entry, entry.at))
            check_keys(entry, SHOT_KEYS, findings, row_name(rows[-1], number), _HINT)
    return (*rows, *sequences.rest())
