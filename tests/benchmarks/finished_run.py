"""Makes the folder of a run with so many takes in a minute: `python -m tests.benchmarks.finished_run FOLDER --takes N`.

The program's own state file adopts the plan and records every fact, in the order of a real run; no server is asked. The
folder then holds `board.csv`, the run in `run`, and in `state` the second witness. Commands that are measured need the
environment that this prints. Jobs took 60 s ± 30 %, a hundred at a time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from runner.commands.check import check
from runner.commands.report import report
from runner.commands.steps.known_jobs import heard_now
from runner.commands.steps.open_run import OpenOptions, new_header, open_recorded
from runner.domain.run_ending import EndingKind
from runner.domain.shots import Plan, Price, Ticket
from runner.domain.states import Accepted, Delivered, Ended, Fact, FetchStarted, SubmissionStarted, TakeState
from runner.media.clips.sidecar import CLIPS, DeliveredFile, Sidecar, about_job
from runner.store.run_dir import RunDir, make
from runner.store.state_file import StateFile
from runner.system.clock import SystemClock
from runner.system.version import __version__
from tests.benchmarks.contenders import TOKEN
from tests.benchmarks.harness import write_manifest

API = "http://127.0.0.1:9"
"""An origin where no server answers."""

_CAP = 100
_SECONDS = 60.0
_PRICE = 0.25
_CLIP_BYTES = 600


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A folder that `build` filled: the manifest, the run directory, and what a command finds in its environment."""

    manifest: Path
    run_dir: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Job:
    """A take's job as the API would tell of it; times are unix seconds."""

    ticket: Ticket
    attempt: str
    request_id: str
    began: float
    ended: float
    link: str
    cost: float | None

    @property
    def result(self) -> str:
        """The record that the API sends at the end."""
        record = {
            "request_id": self.request_id,
            "model_id": self.ticket.model,
            "created_at": _iso(self.began),
        }
        cost = {} if self.cost is None else {"cost": self.cost}
        ended = {"status": "succeeded", "output": {"video": self.link}, "finished_at": _iso(self.ended)}
        return json.dumps({**record, **cost, **ended})

    @property
    def clip(self) -> bytes:
        """A few bytes that no other job's clip has."""
        return self.request_id.encode().ljust(_CLIP_BYTES, b".")


def existing(folder: Path, *, api: str = API) -> FinishedRun:
    """Return what `build` makes or has made in `folder`."""
    state = str(folder / "state")
    environment = {"RUNCOMFY_MODEL_API_BASE": f"{api}/v1", "RUNCOMFY_TOKEN": TOKEN, "XDG_STATE_HOME": state}
    return FinishedRun(folder / "board.csv", folder / "run", environment)


def build(
    folder: Path,
    *,
    takes: int,
    done: float = 1.0,
    download: bool = True,
    costs: bool = True,
    api: str = API,
    reports: bool = True,
    out: str = "",
    seed: int = 1,
) -> FinishedRun:
    """Make a run of `takes` takes in `folder`, of which the share `done` has ended well; the others were never sent.

    Without `download` it is what `--no-download` leaves, and without `costs` the API told none. `api` is the origin
    that the run belongs to, and `out` the address of the store that its clips go to.
    """
    made = existing(folder, api=api)
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(made.manifest, takes)
    place, count = make(made.run_dir), round(takes * done)
    # As if the last job had ended just now.
    at = SystemClock().wall() - takes * _SECONDS / _CAP - 2 * _SECONDS
    opening = OpenOptions(environ=made.environment)
    header = new_header(place, made.manifest, name="board", simulated=False, api_base=api, now=at)
    header = replace(header, out=out)
    with opening.locked(place), StateFile.create(place.state_file, header, opening.at(place)) as record:
        record.begin(at=at)
        record.adopt_plan(_quoted(check(made.manifest, allow_private_media=True), at=at), renew=(), at=at)
        make(place.path / CLIPS)
        _end_well(record, record.tickets()[:count], at=at, api=api, download=download, costs=costs, seed=seed)
        record.note_heard(heard_now(place, made.environment))
    if reports:
        report(place.path)
    return made


def complete(run: FinishedRun, *, download: bool = True, costs: bool = True, seed: int = 2) -> None:
    """Let all takes end well that were not sent yet; the parameters are those of `build`."""
    place, opening = RunDir(run.run_dir), OpenOptions(environ=run.environment)
    with opening.locked(place), open_recorded(place, opening) as record:
        at, api = SystemClock().wall(), record.header.api_base
        record.begin(at=at)
        left = [ticket for ticket in record.tickets() if ticket.state is TakeState.PENDING]
        _end_well(record, left, at=at, api=api, download=download, costs=costs, seed=seed)
        record.note_heard(heard_now(place, run.environment))


def hold_open(run: FinishedRun, until: IO[str]) -> None:
    """Hold the run as one that goes on does, until `until` ends."""
    place, opening = RunDir(run.run_dir), OpenOptions(environ=run.environment)
    with opening.locked(place), open_recorded(place, opening) as record:
        record.begin(at=SystemClock().wall())
        print("open", flush=True)
        until.read()


def _end_well(
    record: StateFile,
    tickets: Sequence[Ticket],
    *,
    at: float,
    api: str,
    download: bool,
    costs: bool,
    seed: int,
) -> None:
    """Record a session in which these takes end well, a hundred at a time; it begins at the wall time `at`."""
    clips, chance = record.path.parent / CLIPS if download else None, random.Random(seed)
    record.begin_session(at=at, version=__version__)
    for start in range(0, len(tickets), _CAP):
        group = tickets[start : start + _CAP]
        cost = _PRICE if costs else None
        _record(record, [_job(ticket, at=at, api=api, chance=chance, cost=cost) for ticket in group], clips)
        at += _SECONDS
    record.end_session(at=at, ending=EndingKind.FINISHED)


def _quoted(plan: Plan, *, at: float) -> Plan:
    """Return the plan with the price that the catalogue of the counting server states."""
    price = Price(_PRICE, source="catalogue", dated=_iso(at)[:10])
    return replace(plan, takes=tuple(replace(take, price=price) for take in plan.takes))


def _job(ticket: Ticket, *, at: float, api: str, chance: random.Random, cost: float | None) -> _Job:
    attempt, request_id = (uuid.UUID(int=chance.getrandbits(128)).hex for _ in range(2))
    ended = at + _SECONDS * chance.uniform(0.7, 1.3)
    return _Job(ticket, attempt, request_id, at, ended, f"{api}/files/{request_id}.mp4", cost)


def _record(record: StateFile, jobs: Sequence[_Job], clips: Path | None) -> None:
    """Record all facts about jobs that ran at the same time, and write their clips."""
    waiting: list[Future[None]] = []

    def note(job: _Job, fact: Fact, at: float) -> None:
        waiting.append(record.record(job.ticket.take_id, fact, at=at))

    for job in jobs:
        note(job, SubmissionStarted(job.attempt, job.ticket.fingerprint, record.epoch), job.began)
        note(job, Accepted(job.attempt, job.request_id), job.began)
    for job in sorted(jobs, key=lambda each: each.ended):
        seconds = job.ended - job.began
        note(
            job,
            Ended(TakeState.SUCCEEDED, job.result, (job.link,), cost=job.cost, seconds=seconds),
            job.ended,
        )
        if clips is not None:
            note(job, FetchStarted(job.link), job.ended)
            note(job, _delivered(job, clips), job.ended)
    for future in waiting:
        future.result()


def _delivered(job: _Job, clips: Path) -> Delivered:
    """Write a clip and its sidecar, which a real run would flush."""
    data, name = job.clip, f"{job.ticket.take_id}.mp4"
    landed = DeliveredFile(0, name, hashlib.sha256(data).hexdigest(), len(data), job.link)
    ticket = replace(job.ticket, cost=job.cost)
    seed = json.loads(ticket.body)["seed"]
    about = about_job(ticket, seed=seed, submitted_at=_iso(job.began), finished_at=_iso(job.ended))
    sidecar = Sidecar(ticket.take_id, job.request_id, (landed,), {**about, "fetched_at": _iso(job.ended)})
    for path, content in ((clips / name, data), (clips / f"{ticket.take_id}.json", sidecar.to_bytes())):
        path.write_bytes(content)
        path.chmod(0o600)
    return Delivered(f"{CLIPS}/{name}", landed.sha256, landed.bytes)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the folder and print the environment and the commands that fit it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.finished_run", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--takes", type=int, default=10_000)
    parser.add_argument("--done", type=float, default=1.0, help="share of the takes that ended well")
    parser.add_argument("--no-download", action="store_true", help="as a run without clips leaves it")
    parser.add_argument("--no-costs", action="store_true", help="as if the API told no cost")
    parser.add_argument("--no-reports", action="store_true", help="leave out report.csv and report.html")
    parser.add_argument("--api", default=API, help="origin of the API that the run belongs to")
    parser.add_argument("--out", default="", help="address of the store that clips will go to")
    parser.add_argument("--complete", action="store_true", help="let the rest of the run in FOLDER end well")
    parser.add_argument(
        "--hold", action="store_true", help="hold the run in FOLDER open until the input ends"
    )
    given = parser.parse_args(arguments)
    if given.complete or given.hold:
        run = existing(given.folder.absolute())
        complete(
            run, download=not given.no_download, costs=not given.no_costs
        ) if given.complete else hold_open(run, sys.stdin)
        return 0
    made = build(
        given.folder.absolute(),
        takes=given.takes,
        done=given.done,
        download=not given.no_download,
        costs=not given.no_costs,
        api=given.api,
        reports=not given.no_reports,
        out=given.out,
    )
    for name, value in made.environment.items():
        print(f"export {name}={value}")
    for command in ("plan", "run -y"):
        rest = " --no-download" if given.no_download and command != "plan" else ""
        print(f"shotrunner {command} {made.manifest} --run-dir {made.run_dir}{rest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
