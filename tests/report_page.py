"""What a report page holds: its data unpacked, since a file that is only searched would say nothing."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any


def takes_in(page: Path) -> list[dict[str, Any]]:
    """Return the takes of a page in their order, each a `Card` as it comes from JSON."""
    return [take for block in _blocks(page, "takes") for take in block]


def head_in(page: Path) -> dict[str, Any]:
    """Return what a page says of the whole run."""
    (run,) = _blocks(page, "run")
    return dict(run)


def parts_in(page: Path) -> dict[str, Any]:
    """Return what a page that does not hold all of its takes knows of the others."""
    (parts,) = _blocks(page, "parts")
    return dict(parts)


def text_of(page: Path) -> str:
    """Return a page's source and all its data as one text."""
    data = [head_in(page), *takes_in(page)]
    return page.read_text("utf-8") + "\n".join(json.dumps(each, ensure_ascii=False) for each in data)


def unpacked(script: bytes) -> list[dict[str, Any]]:
    """Return the takes in a file of data beside a page, each with the fields that this kind of file has."""
    called = re.fullmatch(rb'arrived\("[a-z0-9.-]+","([A-Za-z0-9+/=]*)"\)\n', script)
    assert called is not None
    found: list[dict[str, Any]] = json.loads(zlib.decompress(base64.b64decode(called[1])))
    return found


def _blocks(page: Path, kind: str) -> list[Any]:
    source = page.read_text("utf-8")
    found = re.findall(rf'<script type="text/plain" class="{kind}">([A-Za-z0-9+/=]*)</script>', source)
    return [json.loads(zlib.decompress(base64.b64decode(packed))) for packed in found]
