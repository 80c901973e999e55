"""Defines the fields of a manifest, and checks what kind of node each of them is.

In: nodes. Out: the node as the kind that was asked for, or None and a finding. The key tables here are the
only ones; a test compares the JSON Schema for editors with them. It knows no model's inputs.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.problems import Findings, shown

TOP_KEYS = (
    "version", "name", "vars", "defaults", "frames", "styles", "prices", "shots", "sequences",
)  # fmt: skip
DEFAULT_KEYS = ("model", "inputs", "style", "tags", "sweep", "repeat")
SHOT_KEYS = (
    "id", "model", "inputs", "style", "sweep", "tags", "notes", "repeat", "chain", "price", "take", "point",
)  # fmt: skip
PLACE_KEYS = ("sequence",)
SEQUENCE_KEYS = (
    "id", "model", "frames", "prompts", "durations", "inputs", "style", "sweep", "tags", "notes", "repeat", "chain",
    "price", "first", "last", "prompt", "duration",
)  # fmt: skip
ENTRY_KEYS = ("id", "prompt", "inputs", "style", "sweep", "tags", "notes", "repeat", "price")
STYLE_KEYS = ("text", "inputs")
PRICE_KEYS = ("usd", "per", "dated")
POINT_KEYS = ("exclude", "include")
RANGE_KEYS = ("from", "count", "step")
RANDOM_KEYS = ("random", "from")
LATER_KEYS = {
    "publish": "local files cannot be put on a host for you yet; upload them and write their https addresses",
}
"""Fields that will get a meaning later, and what to do until then; they are refused and never ignored."""


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


def flag_of(fields: Fields, key: str, findings: Findings, subject: str = "") -> bool:
    """Return a field that must be true or false; if it is missing, it is false."""
    text = text_of(fields, key, findings, subject)
    if text is None or text.text in {"true", "false"}:
        return text is not None and text.text == "true"
    findings.error(text.at, joined(subject, key), f"must be true or false, not {shown(text.text)}")
    return False


def row_name(row: Row, number: int) -> str:
    """Return the name of a row in a problem: its id, or else its place."""
    identity = row.fields.items.get("id")
    if isinstance(identity, Text) and not identity.is_null and identity.text:
        return f"shot {shown(identity.text)[1:-1]}"
    if row.at.cell:
        return f"row {row.at.cell.lstrip('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}"
    return f"entry {number} of shots"


def check_keys(
    fields: Fields, known: Iterable[str], findings: Findings, subject: str, hint: str = ""
) -> None:
    """Report every unknown field, with the nearest name, or else with `hint` or all names."""
    known = tuple(known)
    for key in fields.items:
        if key in known:
            continue
        at = fields.key_at(key)
        if key in LATER_KEYS:
            findings.error(at, subject, f"{key} is not supported yet: {LATER_KEYS[key]}")
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
