"""Reads one model schema file: a wrapper with source and hashes, or a bare JSON Schema.

In: the bytes of a file and the model id from its path. Out: a `ModelFile`, as published and unchanged. The wrapper
holds `model`, `source`, `sha256` (of `input` and `output` as canonical JSON), `input` and `output`, and may list its
`media` inputs. A catalogue's answer is a wrapper too, with other names. Anything else in it is ignored. It knows no
directory and makes nothing strict.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias

from runner.domain.errors import SchemaInvalid
from runner.system.canonical_json import JsonValue, canonical_hash

Schema: TypeAlias = "dict[str, JsonValue]"
MOST_BYTES: Final = 4 * 2**20
_INPUTS: Final = ("input", "input_schema", "inputSchema")
_OUTPUTS: Final = ("output", "output_schema", "outputSchema")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A schema file as it is; `file` is for messages, and `media` is None if the file does not say.

    `sha256` is the hash of the file's bytes. `outputs` are the names in the output as published, such as `video`.
    """

    model: str
    file: str
    source: Mapping[str, JsonValue]
    media: tuple[str, ...] | None
    input: Schema
    sha256: str = ""
    outputs: frozenset[str] = field(default=frozenset(), compare=False)


def parse_model_file(data: bytes, *, model: str, file: str, hashes_needed: bool = False) -> ModelFile:
    """Return the schema file in `data`, which should describe `model`.

    `hashes_needed` demands the hashes of both schemas; hashes that are present are always checked.

    Raises:
        SchemaInvalid: it is not JSON, not about `model`, or not what its hashes say; the message names `file`.
    """
    document = _parsed(data, file)
    sha256 = hashlib.sha256(data).hexdigest()
    inside = next((document[name] for name in _INPUTS if isinstance(document.get(name), dict)), None)
    if inside is None or "properties" in document:
        if hashes_needed:
            raise unusable(file, "it has no `input`")
        return ModelFile(model, file, {}, None, document, sha256)
    described = document.get("model", document.get("model_id", model))
    if described != model:
        raise unusable(file, f"it says that it describes {described}, but its path says {model}")
    hashes, media = mapping(document.get("sha256")), document.get("media")
    for part in ("input", "output"):
        is_checked = hashes_needed or part in hashes
        if is_checked and hashes.get(part) != canonical_hash(document.get(part)):
            raise unusable(file, f"its {part} schema is not what its sha256 says")
    return ModelFile(
        model,
        file,
        mapping(document.get("source")),
        tuple(map(str, media)) if isinstance(media, list) else None,
        mapping(inside),
        sha256,
        frozenset(
            name for part in _OUTPUTS for name in mapping(mapping(document.get(part)).get("properties"))
        ),
    )


def _parsed(data: bytes, file: str) -> Schema:
    if len(data) > MOST_BYTES:
        raise unusable(file, f"it is larger than {MOST_BYTES // 2**20} MiB")
    try:
        text = data.decode("utf-8-sig")
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as error:
        raise unusable(file, "it is nested too deeply") from error
    except ValueError as error:
        raise unusable(file, f"not usable JSON: {error}") from error
    if not isinstance(document, dict):
        raise unusable(file, "it is not a JSON object")
    return document


def _unique(pairs: list[tuple[str, JsonValue]]) -> Schema:
    result = dict(pairs)
    if len(result) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return result


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def mapping(value: JsonValue) -> Schema:
    """Return a JSON object as it is, and anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def unusable(file: str, reason: str) -> SchemaInvalid:
    """Return the error for a schema file that cannot be used."""
    return SchemaInvalid(f"{file}: {reason}", advice="fix or remove this file")
