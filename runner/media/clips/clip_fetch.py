"""Downloads for a task that runs anywhere: a picklable value, and what the sidecars of a take say of its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.domain.api_answers import FetchAnswer
from runner.domain.job_files import ClipFile, JobFiles
from runner.domain.shots import Ticket
from runner.media.clips.clip_names import clip_name, extension_of, set_aside_word, sidecar_name
from runner.media.clips.fetch import FetchOptions, fetch_clip
from runner.media.clips.sidecar import CLIPS, MOST_OUTPUTS, DeliveredFile, Sidecar, read_sidecar, remark_on


@dataclass(frozen=True, slots=True)
class ClipFetch:
    """Fits `delivery.ports.ClipSource`."""

    options: FetchOptions

    @property
    def folder(self) -> Path:
        """The folder whose `clips/` gets the files."""
        return self.options.run_dir

    def at(self, folder: Path) -> ClipFetch:
        """Return the same download into another folder, which is made if it is missing."""
        return ClipFetch(replace(self.options, run_dir=folder, home=None))

    def __call__(self, ticket: Ticket) -> FetchAnswer:
        """Download as `fetch_clip`; raises as that."""
        return fetch_clip(ticket, self.options)

    def sidecar_of(self, ticket: Ticket) -> str:
        """Return the name of the sidecar of the take's present clips."""
        return f"{CLIPS}/{sidecar_name(ticket.file_stem)}"

    def read(self, ticket: Ticket, data: bytes) -> JobFiles | None:
        """Return the files that a sidecar of the take lists; None if these bytes are not one, or it lists none."""
        found = read_sidecar(data, take=ticket.take_id, stem=ticket.file_stem)
        if found is None or not found.outputs:
            return None
        wanted = set(range(len(ticket.outputs[:MOST_OUTPUTS])))
        files = _files(found, self.sidecar_of(ticket), data)
        return replace(files, is_complete=wanted <= {each.index for each in found.outputs})

    def aside(self, ticket: Ticket, data: bytes, *, number: int) -> JobFiles | None:
        """Return the files of an older job of the take under the names that keep them; as `read`.

        `number` is above 1 if files of another older job have the plain names.
        """
        found = read_sidecar(data, take=ticket.take_id, stem=ticket.file_stem)
        if found is None:
            return None
        word = set_aside_word(found.request_id) + (f"-{number}" if number > 1 else "")

        def moved(each: DeliveredFile) -> DeliveredFile:
            name = clip_name(ticket.file_stem, each.index, extension_of(each.file), aside=word)
            return replace(each, file=name)

        older = replace(found, outputs=tuple(map(moved, found.outputs)))
        return _files(older, f"{CLIPS}/{sidecar_name(ticket.file_stem, aside=word)}", older.to_bytes())


def _files(sidecar: Sidecar, name: str, data: bytes) -> JobFiles:
    outputs: Sequence[DeliveredFile] = sorted(sidecar.outputs, key=lambda each: each.index)
    clips = tuple(ClipFile(f"{CLIPS}/{each.file}", each.sha256, each.bytes) for each in outputs)
    return JobFiles(sidecar.request_id, name, data, clips, remark=remark_on(outputs))
