"""The files beside a clip: the sidecar for people and other programs, and short-lived notes for this program.

The sidecar `<stem>.json` describes the clip and proves its owner. A `PartialDownload` says how a broken download can be
continued. A `RejectedNote` says which rejected file this program may remove. Links are kept without their query, so no
file holds a secret. Any other file is read as None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from runner.domain.records import TakeRecord
from runner.domain.shots import Ticket
from runner.media.clips.clip_names import SEPARATOR, sidecar_name
from runner.media.clips.folder import Folder
from runner.media.clips.part_file import write_whole
from runner.media.http.response import Version
from runner.system.canonical_json import JsonValue

CLIPS = "clips"
"""The folder of clips in a run directory."""

MOST_OUTPUTS = 64
"""The most outputs of one job that are downloaded."""

FORMAT = "shotrunner-clip/1"
TRIAL = "trial"
"""The request id in the sidecar of a trial, which a kill may leave behind; nothing was requested for it."""

_REMAINDER = "shotrunner-remainder/2"
_REJECTED = "shotrunner-rejected/1"
_TRIAL_TAKE = re.compile(r"trial-[0-9a-f]{16}0*")


def is_trial(take_id: str, request_id: str) -> bool:
    """Return whether a sidecar is that of a trial, and proves no job."""
    return request_id == TRIAL and _TRIAL_TAKE.fullmatch(take_id) is not None


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """One present or coming output: its place in the result (from 0), name, hash, size in bytes, bare link.

    `remark` says what is unusual about it, such as a file that is not a clip; empty if nothing is.
    """

    index: int
    file: str
    sha256: str
    bytes: int
    url: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Everything about the clips of one paid job; `about` holds further facts that do not identify it."""

    take: str
    request_id: str
    outputs: tuple[DeliveredFile, ...]
    about: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the JSON text, readable by people."""
        head: dict[str, JsonValue] = {"format": FORMAT, "take": self.take, "request_id": self.request_id}
        if self.outputs:
            first = self.outputs[0]
            head |= {"file": first.file, "sha256": first.sha256, "bytes": first.bytes}
        outputs: list[JsonValue] = [
            {key: value for key, value in asdict(landed).items() if key != "remark" or value}
            for landed in self.outputs
        ]
        return _encoded({**head, **self.about, "outputs": outputs})


@dataclass(frozen=True, slots=True)
class PartialDownload:
    """The first `bytes` bytes of a download are flushed; `version` is the server's description of their file.

    `stalled` counts the tries to continue that added no bytes.
    """

    request_id: str
    url: str
    bytes: int
    version: Version
    stalled: int = 0


@dataclass(frozen=True, slots=True)
class RejectedNote:
    """The file `file` is this program's if its SHA-256 is `sha256`: it is the start of a rejected download."""

    file: str
    sha256: str


def read_sidecar(data: bytes | None, *, take: str | None, stem: str | None = None) -> Sidecar | None:
    """Return the sidecar of `take`, of any take if it is None, or None if these bytes are not one.

    All its files must have the stem; without one that is the take's id.
    """
    found = _decoded(data, FORMAT)
    try:
        owner = _text(found["take"])
        if take not in {None, owner}:
            return None
        outputs = tuple(_landed(item, stem=stem or owner) for item in found["outputs"])
        known = {"format", "take", "request_id", "file", "sha256", "bytes", "outputs"}
        about = {key: value for key, value in found.items() if key not in known}
        return Sidecar(owner, _text(found["request_id"]), outputs, about)
    except (KeyError, TypeError, ValueError):
        return None


def remark_on(outputs: Sequence[DeliveredFile]) -> str:
    """Return what is unusual about the outputs of a job, the first of which is the take's clip; empty if nothing is."""
    first, *others = outputs
    remarks = [first.remark, *(f"{other.file}: {other.remark}" for other in others if other.remark)]
    return "; ".join(filter(None, remarks))


def write_sidecar(folder: Folder, sidecar: Sidecar, *, stem: str, aside: str = "") -> None:
    """Write a sidecar under the stem of its files; `aside` is the word in the name of one that was put aside."""
    write_whole(folder, sidecar_name(stem, aside=aside), sidecar.to_bytes())


def about_job(
    job: Ticket | TakeRecord, *, seed: JsonValue, submitted_at: str, finished_at: str
) -> dict[str, JsonValue]:
    """Return the contents of a sidecar that describe the job itself, without those that are not known."""
    about: dict[str, JsonValue] = {
        "label": job.label,
        "model": job.model,
        "inputs": json.loads(job.body),
        "seed": seed,
        "fingerprint": job.fingerprint,
        "cost": job.cost,
        "submitted_at": submitted_at,
        "finished_at": finished_at,
    }
    return {key: value for key, value in about.items() if value not in (None, "")}


def note_bytes(note: PartialDownload | RejectedNote) -> bytes:
    """Return the text of a note."""
    form = _REMAINDER if isinstance(note, PartialDownload) else _REJECTED
    return _encoded({"format": form, **asdict(note)})


def read_note(data: bytes | None) -> PartialDownload | None:
    """Return the note on a broken download, or None if these bytes are not one."""
    found = _decoded(data, _REMAINDER)
    try:
        said = found["version"]
        total = None if said["total"] is None else _count(said["total"])
        version = Version(_text(said["etag"]), _text(said["modified"]), total)
        request_id, url = _text(found["request_id"]), _text(found["url"])
        return PartialDownload(request_id, url, _count(found["bytes"]), version, _count(found["stalled"]))
    except (KeyError, TypeError, ValueError):
        return None


def read_rejected_note(data: bytes | None) -> RejectedNote | None:
    """Return the note on a rejected download, or None if these bytes are not one."""
    found = _decoded(data, _REJECTED)
    try:
        return RejectedNote(_text(found["file"]), _text(found["sha256"]))
    except (KeyError, TypeError):
        return None


def _landed(item: Mapping[str, Any], *, stem: str) -> DeliveredFile:
    file = _text(item["file"])
    # With a name that does not begin with the stem, the program could move a stranger's file. An older program
    # named the second output `s010.2.mp4`, which may be another take's name: such a file needs the right hash too.
    if not file.startswith((f"{stem}.", f"{stem}{SEPARATOR}")) or "/" in file:
        raise ValueError(file)
    sha256, url, remark = _text(item["sha256"]), _text(item["url"]), _text(item.get("remark", ""))
    return DeliveredFile(_count(item["index"]), file, sha256, _count(item["bytes"]), url, remark)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value


def _encoded(content: Mapping[str, JsonValue]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=True) + "\n").encode("ascii")


def _decoded(data: bytes | None, form: str) -> dict[str, Any]:
    try:
        found = json.loads(data or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("format") == form else {}
