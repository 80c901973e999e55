"""The same command again, when a run has left nothing to do: it compares what the run was made from, and counts.

In: the request of a run. Out: its summary, or None where the whole flow must look. It only reads, and takes no lock. It
decides nothing about money, since nothing is sent. Any doubt and any failure is None, so the whole flow explains it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from runner.commands.steps.clip_files import stored_clips
from runner.commands.steps.known_jobs import known_outside
from runner.commands.steps.open_run import new_header
from runner.commands.steps.request import RunRequest
from runner.commands.steps.summary import RunSummary
from runner.domain.errors import ShotrunnerError
from runner.domain.name_template import BY_ID
from runner.domain.records import Completion, CostsUntold
from runner.domain.run_ending import Ending, EndingKind
from runner.domain.shots import Plan
from runner.domain.token_leaks import tokens_in
from runner.engine.late_costs import asks_since
from runner.manifest.reader import manifest_bytes, map_beside, name_in, opener_beside
from runner.models.registry import Models, search_path
from runner.output.write_reports import reports_are_current, reports_of
from runner.store.location import is_same, machine_id, place_of
from runner.store.open_checks import refuse_less_known
from runner.store.picks_file import read_picks
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir, is_run
from runner.system.version import __version__
from runner.system.web_links import is_same_api


def completion_of(request: RunRequest, plan: Plan) -> Completion:
    """Return what a run of `plan` is made from; the state file adds the number of its newest fact."""
    manifest = plan.manifest
    return _made_from(request, manifest.sha256, files=manifest.files, schemas=plan.schemas, events=0)


def _made_from(
    request: RunRequest, sha256: str, *, files: Mapping[str, str], schemas: Mapping[str, str], events: int
) -> Completion:
    limits = json.dumps(asdict(request.manifest_limits))
    private, downloads = request.on_this_machine, request.options.download
    return Completion(__version__, sha256, files, schemas, private, limits, events, downloads)


def complete_run(request: RunRequest) -> RunSummary | None:
    """Return the summary of a run that has nothing to do, if that is certain without reading every take."""
    agreed = request.opening.moved or request.opening.new_run
    if agreed or not request.choice.is_all:
        return None
    with suppress(ShotrunnerError, OSError):
        data = manifest_bytes(request.manifest, request.manifest_limits)
        place = RunDir(request.home(name_in(data, request.manifest)))
        if not is_run(place.path):
            return None
        with open_reader(place.state_file) as reader:
            if (
                _is_same_run(request, place, reader)
                and _is_as_it_was(request, data, reader.completion())
                and not _asks_costs_again(reader.costs_untold(), now=request.clock.wall())
                and reports_are_current(place.path, reader, picks=read_picks(place.path))
            ):
                # This comes last: after a kill there is much to read, and the opening of the record reads it as well.
                told = known_outside(place, request.environ)
                refuse_less_known(reader.path, reader.header.run_id, told, unknown=reader.unrecorded)
                return _summary(place, reader)
    return None


def _is_same_run(request: RunRequest, place: RunDir, reader: Reader) -> bool:
    """Return whether the run is where it was, and of this manifest and API."""
    header, origin = reader.header, reader.origin()
    asked = new_header(
        place, request.manifest, name=header.name, simulated=request.simulated, api_base=request.origin
    )
    return (
        (header.manifest, header.simulated) == (asked.manifest, asked.simulated)
        and is_same_api(header.api_base, asked.api_base)
        and origin.machine == machine_id()
        and is_same(origin.place, place_of(place.path))
        and request.clip_store in {"", header.out}
        and request.name_template in {None, reader.name_template() or BY_ID}
    )


def _is_as_it_was(request: RunRequest, data: bytes, known: Completion | None) -> bool:
    """Return whether the manifest, all that it names, the program and what is asked of it are as they were."""
    if known is None or any(token.encode() in data for token in tokens_in(request.environ)):
        return False
    models = Models.bundled(search_path(request.manifest, request.schema_dirs))
    return known == _made_from(
        request,
        hashlib.sha256(data).hexdigest(),
        files=_files(request.manifest, known.files, most=request.manifest_limits.text_bytes + 1),
        schemas={model: models.sha256(model) for model in known.schemas},
        events=known.events,
    )


def _asks_costs_again(untold: CostsUntold | None, *, now: float) -> bool:
    """Return whether late costs, which were asked for in vain, are worth another question by now."""
    return untold is not None and asks_since(untold, now=now) < untold.ended_at


def _files(manifest: Path, known: Mapping[str, str], *, most: int) -> Mapping[str, str]:
    open_beside, column_map = opener_beside(manifest), map_beside(manifest)
    # A map that was written since the run changes what the same sheet means.
    names = [*known, *([column_map.name] if column_map else [])]
    return {name: hashlib.sha256(open_beside(name, most)).hexdigest() for name in names}


def _summary(place: RunDir, reader: Reader) -> RunSummary | None:
    """Return what the whole flow would, or None if a clip is not what it was."""
    recorded = list(reader.clips())
    clips = {place.path / file: (size, take, label) for file, size, take, label in recorded}
    if stored := recorded and stored_clips(place, out=reader.header.out):
        if any(stored.sizes.get(file) != size for file, size, *_ in recorded):
            return None
    elif any(clip.stat().st_size != size for clip, (size, *_) in clips.items()):
        return None
    counts, deliveries = reader.counts(), reader.deliveries()
    return RunSummary(
        run_dir=place.path,
        name=reader.header.name,
        out=reader.header.out,
        simulated=reader.nothing_paid,
        ending=Ending(EndingKind.FINISHED),
        submitted=0,
        counts={state: count for state, count in counts.items() if count},
        deliveries={state: count for state, count in deliveries.items() if count},
        clips=tuple(clips),
        labels={clip: label for clip, (_, _, label) in clips.items()},
        take_ids={clip: take for clip, (_, take, _) in clips.items()},
        held=(),
        reports=reports_of(place.path),
        spending=reader.spending(),
        flagged=tuple(reader.flagged()),
    )
