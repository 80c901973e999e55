"""Recognises prompts of YAML that would be sent unfinished: what a spreadsheet spoilt, a file's name, an unfilled form.

In: rows without references, and the variables. Out: findings. It knows no model, so a prompt is any input whose name
says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import chain

from runner.domain.errors import Position
from runner.domain.shots import Fields, Node, Row, Text
from runner.manifest.cell_faults import LONGEST_FILLER, SUSPECT_LETTERS, CellKind, fault_of
from runner.manifest.fields import joined, row_name
from runner.manifest.problems import Findings, bare, shown
from runner.manifest.references import Style

_ADDRESS = r"https?://\S+"
_TEXT_FILE = r"@?((?:[\w.-]+/)*[\w-]+\.(?:txt|text|md|rtf|docx?|odt|pages))"
_STYLE = r"\{\{\s*style\s*\}\}"


def check_prompts(rows: Sequence[Row], defaults: Row, variables: Collection[str], findings: Findings) -> None:
    """Report prompts that are unfinished."""
    other_forms = _other_forms(variables)
    for row in chain((defaults,), rows):
        inputs = row.fields.items.get("inputs")
        for name, node in inputs.items.items() if isinstance(inputs, Fields) else ():
            if "prompt" in name.lower() and isinstance(node, Text) and not node.is_null:
                where = joined(row_name(row, ""), f"inputs.{name}")
                _check(node, where, other_forms, findings)


def _check(prompt: Text, where: str, other_forms: re.Pattern[str] | None, findings: Findings) -> None:
    text = prompt.text.strip()
    # Nearly all prompts are sound, and a longer search of each would be felt.
    is_suspect = len(text) <= LONGEST_FILLER or text[:1] in SUSPECT_LETTERS or "<" in text or "&" in text
    if is_suspect and (fault := fault_of(text, CellKind.PROMPT)):
        (findings.error if fault.is_error else findings.warn)(prompt.at, where, fault.message)
    elif " " not in text and re.fullmatch(_ADDRESS, text):
        findings.warn(
            prompt.at, where, "the prompt is only an address, whose page is not read; write the text"
        )
    elif " " not in text and (found := re.fullmatch(_TEXT_FILE, text)):
        wanted = f"to send its text write {{file: {bare(found[1])}}}"
        findings.warn(prompt.at, where, f"the prompt is only the name of a file; {wanted}")
    elif found := other_forms.search(text) if other_forms else None:
        message = f"{shown(found[0])} is sent as it is; write {{{{ {found['name']} }}}} for the variable"
        findings.warn(prompt.at, where, message)


def _other_forms(variables: Collection[str]) -> re.Pattern[str] | None:
    """Return what finds the name of a variable in the form of another template language, or None without variables."""
    names = "|".join(map(re.escape, variables))
    form = rf"(?<!\{{)(?:\$?\{{ *|%|<)(?P<name>{names})(?: *\}}|%|>)(?!\}})"
    return re.compile(form) if names else None


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


def _takes_style(node: Node) -> bool:
    if isinstance(node, Text):
        return re.search(_STYLE, node.text) is not None
    return any(map(_takes_style, node.items.values() if isinstance(node, Fields) else node.items))
