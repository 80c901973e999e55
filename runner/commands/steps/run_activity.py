"""Whether a process works on a run: its lock decides, and the record says since when and what happened last."""

from __future__ import annotations

from runner.commands.steps.run_in_store import copied_from
from runner.domain.activity import Activity
from runner.store.lock import is_held, read_owner
from runner.store.reader import Reader
from runner.store.run_dir import RunDir


def activity_of(place: RunDir, reader: Reader) -> Activity:
    """Return who works on a run at this moment; nothing is changed or kept waiting by that."""
    # Whether a run goes on that is only known by its store, no file here says.
    running = None if copied_from(place) else is_held(place.path)
    # A killed process leaves its note behind.
    owner = read_owner(place.path) if running else None
    session, since = reader.newest_session(), owner.since if owner else None
    return Activity(
        running=running,
        pid=owner.pid if owner else None,
        host=owner.host if owner else "",
        since=since,
        is_session=bool(running)
        and session is not None
        and session.ended_at is None
        and (since is None or session.began_at >= since),
        last_event=reader.last_event_at(),
    )
