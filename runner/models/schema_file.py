"""Reads one model schema file: a wrapper with source and hashes, or a bare JSON Schema.

In: the bytes of a file and the model id from its path. Out: a `ModelFile`, as published and unchanged. The wrapper
holds `model`, `source`, `sha256` (of `input` and `output` as canonical JSON), `input` and `output`, and may list its
`media` inputs; anything else in it is ignored. It knows no directory and makes nothing strict.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from runner.domain.errors import SchemaInvalid
from runner.models.keywords import Schema
from runner.system.canonical_json import JsonValue, canonical_hash

MOST_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A schema file as it is; `file` is for messages, and `media` is None if the file does not say.

    `sha256` is the hash of the file's bytes.
    """

    model: str
    file: str
    source: Mapping[str, JsonValue]
    media: tuple[str, ...] | None
    input: Schema
    output: Schema
    sha256: str = ""


def parse_model_file(data: bytes, *, model: str, file: str, hashes_needed: bool = False) -> ModelFile:
    """Return the schema file in `data`, which should describe `model`.

    `hashes_needed` demands the hashes of both schemas; hashes that are present are always checked.

    Raises:
        SchemaInvalid: it is not JSON, not about `model`, or not what its hashes say; the message names `file`.
    """
    document = _parsed(data, file)
    sha256 = hashlib.sha256(data).hexdigest()
    if not isinstance(document.get("input"), dict) or "properties" in document:
        if hashes_needed:
            _refuse(file, "it has no `input`")
        return ModelFile(model, file, {}, None, document, {}, sha256)
    if document.get("model", model) != model:
        _refuse(file, f"it says that it describes {document['model']}, but its path says {model}")
    _check_hashes(document, file, needed=hashes_needed)
    media, source = document.get("media"), document.get("source")
    return ModelFile(
        model,
        file,
        source if isinstance(source, dict) else {},
        tuple(map(str, media)) if isinstance(media, list) else None,
        _section(document, "input"),
        _section(document, "output"),
        sha256,
    )


def _parsed(data: bytes, file: str) -> Schema:
    if len(data) > MOST_BYTES:
        _refuse(file, f"it is larger than {MOST_BYTES // 2**20} MiB")
    try:
        document = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError:
        _refuse(file, "it is nested too deeply")
    except ValueError as error:
        raise SchemaInvalid(f"{file}: not usable JSON: {error}", advice="fix or remove this file") from error
    if not isinstance(document, dict):
        _refuse(file, "it is not a JSON object")
    return document


def _unique(pairs: list[tuple[str, JsonValue]]) -> Schema:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = Counter(name for name, _ in pairs)
        twice = next(name for name, count in names.items() if count > 1)
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return result


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _check_hashes(document: Schema, file: str, *, needed: bool) -> None:
    recorded = document.get("sha256")
    hashes = recorded if isinstance(recorded, dict) else {}
    for part in ("input", "output"):
        if part not in hashes and not needed:
            continue
        if hashes.get(part) != canonical_hash(document.get(part)):
            _refuse(file, f"its {part} schema is not what its sha256 says")


def _section(document: Schema, name: str) -> Schema:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _refuse(file: str, reason: str) -> NoReturn:
    raise SchemaInvalid(f"{file}: {reason}", advice="fix or remove this file")
