"""The fingerprint of a take: equal where the same model would be sent the same bytes.

In: a model id and a body's canonical text. Out: a SHA-256. It knows no shot and no record.
"""

from __future__ import annotations

import hashlib

from runner.system.canonical_json import canonical_json

__all__ = ["canonical_json", "fingerprint"]


def fingerprint(model: str, body_text: str) -> str:
    """Return 64 hex digits: the SHA-256 of the canonical JSON list of the model id and the body.

    `body_text` must be canonical itself, as `canonical_json` makes it; it is taken as it is.
    """
    return hashlib.sha256(f"[{canonical_json(model)},{body_text}]".encode()).hexdigest()
