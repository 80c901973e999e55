"""Recognises prompts of YAML that would be sent unfinished: what a spreadsheet spoilt, or a form that nothing fills.

In: rows without references, and the names of variables, styles and frames. Out: findings. It knows no model, so a
prompt is any input whose name says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import chain

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.cell_faults import (
    SUSPECT_LETTERS,
    CellFault,
    CellKind,
    fault_of,
    is_error_value,
    may_be_filler,
)
from runner.manifest.fields import joined, row_name
from runner.manifest.problems import FRAME_MEANT, Findings, shown
from runner.manifest.references import Style

# Python and Rust write `{name}` in texts, shells `${name}`, Windows `%name%`, and people `<name>`.
_OTHER_FORM = r"(?<!\{)(?:\$?\{ *|%|<)(?P<name>[A-Za-z_][\w-]*)(?: *\}|%|>)(?!\})"
_STYLE = r"\{\{\s*style\s*\}\}"


def check_prompts(rows: Sequence[Row], defaults: Row, variables: Collection[str], findings: Findings) -> None:
    """Report prompts that are unfinished."""
    for row in chain((defaults,), rows):
        inputs = row.fields.items.get("inputs")
        for name, node in inputs.items.items() if isinstance(inputs, Fields) else ():
            if "prompt" not in name.lower() or not isinstance(node, Text) or node.is_null:
                continue
            if fault := _fault_of(node.text.strip(), variables):
                # What looks like a formula may be meant: YAML is written by people and programs, and has no formulas.
                report = findings.error if is_error_value(node.text.strip()) else findings.warn
                report(node.at, joined(row_name(row, ""), f"inputs.{name}"), fault.message)


def _fault_of(text: str, variables: Collection[str]) -> CellFault | None:
    # Nearly all prompts are sound, and a longer search of each would be felt.
    is_suspect = may_be_filler(text) or text[:1] in SUSPECT_LETTERS or "<" in text or "&" in text
    if is_suspect and (fault := fault_of(text, CellKind.PROMPT)):
        return fault
    found = re.finditer(_OTHER_FORM, text) if variables else ()
    form = next((form for form in found if form["name"] in variables), None)
    if form is None:
        return None
    message = f"{shown(form[0])} is sent as it is; write {{{{ {form['name']} }}}} for the variable"
    return CellFault(message, is_error=False)


def check_styles(
    rows: Sequence[Row], defaults: Fields, styles: Collection[Style], findings: Findings
) -> None:
    """Warn of the texts of styles that no prompt takes; a style with inputs has an effect without its text."""
    unused = {style.text.at for style in styles if style.text and not style.inputs.items}
    if not unused or _takes_style(defaults):
        return
    named: set[Position] = set()
    for row in rows:
        style = row.fields.items.get("style")
        if isinstance(style, Text) and style.at in unused:
            named.add(style.at)
            unused -= {style.at} if _takes_style(row.fields) else set()
    for at in unused & named:
        findings.warn(at, "styles", "no prompt holds {{ style }}, so this text has no effect")


def check_frames(rows: Sequence[Row], frames: Collection[str], findings: Findings) -> None:
    """Warn of inputs that name a frame without the sign that refers to it."""
    for row in rows if frames else ():
        inputs = row.fields.items.get("inputs")
        for name, given in inputs.items.items() if isinstance(inputs, Fields) else ():
            for node in given if isinstance(given, Items) else (given,):
                text = node.text if isinstance(node, Text) else ""
                frame = text.strip("{} ").removeprefix("frame:").removeprefix("@ ").strip()
                if frame in frames:
                    where = joined(row_name(row, ""), f"inputs.{name}")
                    findings.warn(node.at, where, f'{shown(text)} {FRAME_MEANT} "@{frame}"')


def _takes_style(node: Node) -> bool:
    if isinstance(node, Text):
        return re.search(_STYLE, node.text) is not None
    return any(map(_takes_style, node.items.values() if isinstance(node, Fields) else node.items))
