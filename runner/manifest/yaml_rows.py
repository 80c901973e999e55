"""A YAML document becomes rows: the top-level fields, checked, and the entries of `shots`.

In: the top node. Out: a `Source`. What a row holds is looked at when it is expanded, whether it came from here or
from CSV; only its keys are checked here, since a CSV row cannot have others.
"""

from __future__ import annotations

from runner.manifest.findings import Findings, shown
from runner.manifest.ids import why_no_id
from runner.manifest.limits import Limits
from runner.manifest.shape import (
    DEFAULT_KEYS,
    SHOT_KEYS,
    TOP_KEYS,
    check_keys,
    fields_of,
    items_of,
    joined,
    text_of,
)
from runner.manifest.source import Source
from runner.manifest.templates import has_template, is_variable_name
from runner.shots import Fields, Node, Row, Text

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
    return Source(_rows(top, findings), _name(top, findings), _variables(top, findings, limits), defaults)


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


def _rows(top: Fields, findings: Findings) -> tuple[Row, ...]:
    shots = items_of(top, "shots", findings)
    if shots is None:
        if "shots" not in top.items:
            findings.error(top.at, "shots", "is missing: a manifest lists its shots there")
        return ()
    if not shots.items:
        findings.error(shots.at, "shots", "no shots")
    rows: list[Row] = []
    for number, entry in enumerate(shots, 1):
        if not isinstance(entry, Fields):
            findings.error(entry.at, f"entry {number} of shots", "must be a mapping that begins with 'id:'")
            continue
        identity = entry.items.get("id")
        named = isinstance(identity, Text) and identity.text
        subject = (
            f"shot {shown(identity.text)[1:-1]}"
            if named and isinstance(identity, Text)
            else f"entry {number} of shots"
        )
        check_keys(entry, SHOT_KEYS, findings, subject, _HINT)
        rows.append(Row(entry, entry.at))
    return tuple(rows)
