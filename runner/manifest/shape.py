"""What kind of node each field of a manifest must be, and which fields there are.

In: nodes. Out: the node as the kind that was asked for, or None and a finding. The key tables here are the
only ones; the JSON Schema for editors is tested against them. It knows no model's inputs.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.manifest.findings import Findings, shown
from runner.shots import Fields, Items, Node, Text

TOP_KEYS = ("version", "name", "vars", "defaults", "shots")
DEFAULT_KEYS = ("model", "inputs", "tags", "sweep")
SHOT_KEYS = ("id", "model", "inputs", "sweep", "tags", "notes")
RANGE_KEYS = ("from", "count", "step")
LATER_KEYS = ("sequences", "prices")
"""Fields that have a meaning to come: refused plainly, never ignored."""


def joined(subject: str, field: str) -> str:
    """Return the subject of a field: "shot s010, inputs"."""
    field = field if field.isprintable() and len(field) <= 100 else shown(field)[1:-1]
    return f"{subject}, {field}" if subject else field


def text_of(fields: Fields, key: str, findings: Findings, subject: str = "") -> Text | None:
    """Return a field that must be one scalar with a value."""
    node = fields.items.get(key)
    if node is None:
        return None
    if isinstance(node, Text) and not node.is_null:
        return node
    _refuse(node, "one value", findings, joined(subject, key))
    return None


def fields_of(fields: Fields, key: str, findings: Findings, subject: str = "") -> Fields | None:
    """Return a field that must be a mapping."""
    node = fields.items.get(key)
    if node is None or isinstance(node, Fields):
        return node
    _refuse(node, "a mapping of names to values", findings, joined(subject, key))
    return None


def items_of(fields: Fields, key: str, findings: Findings, subject: str = "") -> Items | None:
    """Return a field that must be a list."""
    node = fields.items.get(key)
    if node is None or isinstance(node, Items):
        return node
    _refuse(node, "a list", findings, joined(subject, key))
    return None


def check_keys(
    fields: Fields, known: Iterable[str], findings: Findings, subject: str, hint: str = ""
) -> None:
    """Tell every field that is not known, with the nearest name or else with `hint` or all names."""
    known = tuple(known)
    for key in fields.items:
        if key in known:
            continue
        at = fields.key_at(key)
        if key in LATER_KEYS:
            findings.error(at, subject, f"{key} is not supported yet; remove it")
            continue
        nearest = findings.nearest(key, known)
        message = f"unknown field {shown(key)}"
        if hint and not nearest:
            message += f"; {hint}"
        findings.error(at, subject, message, allowed=() if nearest else known, nearest=nearest)


def _refuse(node: Node, wanted: str, findings: Findings, subject: str) -> None:
    if isinstance(node, Text) and node.is_null:
        findings.error(node.at, subject, "has no value; give one or remove the line")
        return
    kind = "one value" if isinstance(node, Text) else "a list" if isinstance(node, Items) else "a mapping"
    findings.error(node.at, subject, f"must be {wanted}, not {kind}")
