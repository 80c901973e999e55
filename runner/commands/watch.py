"""The page of a run as it is now, for a server: what has changed on record, its files, and decisions that come back.

In: a run directory or its manifest. Out: values for `page_server`. Clips in a store are downloaded when a page asks for
them, into a private folder that leaves at the end. It only reads the record, for a moment at a time,
so that the run neither waits for it nor notices it; of the run's files it writes `picks.csv` alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from io import BytesIO
from pathlib import Path

from runner.commands.pick import take_over
from runner.commands.steps.clip_files import LocalCopies, private_folder, stored_clips
from runner.commands.steps.find_run import find_run
from runner.commands.steps.run_activity import activity_of
from runner.domain.errors import ShotrunnerError
from runner.domain.input_pictures import input_pictures
from runner.domain.money import NOTHING_SPENT
from runner.domain.picks import NO_PICKS, Picks
from runner.domain.preview_names import input_name, is_preview, preview_names
from runner.domain.records import TakeRecord
from runner.output.clip_links import sidecar
from runner.output.csv_report import is_listed
from runner.output.html_report import write_page
from runner.output.report_head import Summary
from runner.output.report_view import NOTHING_BESIDE, Beside, Card, card
from runner.output.write_reports import previews_in
from runner.page_server.ports import Change, Row
from runner.store.lock import is_held
from runner.store.open_checks import beside
from runner.store.picks_file import PICKS, read_picks
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock, SystemClock

MOST_FACTS = 1000
"""Facts in one look, so that no change becomes too large; the next look goes on with the rest."""
_RESTS = 10
"""The head of a large run is made from all its takes, and then rests this many times as long as that took."""
_COPIES = 200
"""Files of a store that are kept for the page at once."""
_FRESH_S = 1.0
"""A file may change twice within one tick of its clock, so a look trusts the time of no younger one."""


def watch(
    target: str | Path,
    *,
    who: str,
    simulated: bool | None = None,
    port: int = 0,
    until_closed: bool = False,
    on_ready: Callable[[Path, str], None] = lambda _place, _address: None,
    clock: Clock | None = None,
) -> None:
    """Serve the page of a run on this machine until a signal; `on_ready` gets the run directory and the address.

    Decisions that name no one are those of `who`. With `until_closed` it ends once the run does not go on and no page
    was open for half a minute. The other parameters are those of `report`.

    Raises:
        FileMissing: nothing has been run there.
        StateFileUnusable: the state file cannot be read.
        UsageError: the port cannot be used.
    """
    from runner.page_server.server import serve

    wall, place = clock or SystemClock(), find_run(target, simulated=simulated)
    with private_folder() as folder:
        serve(
            RecordedPage(place, who=who, clock=wall, copies=folder),
            port=port,
            until_closed=until_closed,
            monotonic=wall.monotonic,
            on_ready=lambda address: on_ready(place.path, address),
        )


class RecordedPage:
    """The `PageSource` of a run on record; the parameters are those of `watch`.

    `copies` is a folder for what a page asks for of the files in a store.
    """

    def __init__(self, place: RunDir, *, who: str, clock: Clock, copies: Path | None = None) -> None:
        self._place, self._who, self._clock = place, who, clock
        self._stored = stored_clips(place)
        self._copies = LocalCopies(self._stored, copies, most=_COPIES) if self._stored and copies else None
        self._signs: object = None
        self._picks_sign: object = None
        self._picks, self._beside = NO_PICKS, NOTHING_BESIDE
        self._renew_picks()
        self._clips: frozenset[str] = frozenset()
        self._head: Mapping[str, object] = {}
        self._is_head_old, self._head_due = False, 0.0
        # The log is read whole here, once.
        with open_reader(place.state_file) as reader:
            self._event, self._plan = reader.newest_event(), reader.plan_mark()
            self._goes_on, self._is_readable = activity_of(place, reader).goes_on, True

    @property
    def goes_on(self) -> bool:
        """Whether a session went on at the last look; False if that look failed."""
        return self._is_readable and bool(self._goes_on)

    def page(self, *, after: int) -> bytes:
        """Return the page as it is now; raises as `watch`."""
        file = BytesIO()
        # Previews that came since the last page are in a new listing.
        self._stored = stored_clips(self._place)
        with open_reader(self._place.state_file, checked=True) as reader:
            # A large page takes seconds to make, and a run that begins or ends waits for each reading. So each take
            # is read by itself; what changes meanwhile is sent after the page.
            take_ids = [each.take_id for each in reader.named_takes()]
            write_page(
                file,
                reader.header,
                (take for each in take_ids if (take := reader.take(each)) is not None),
                reader.spending(),
                simulated=reader.nothing_paid,
                made=self._clock.wall(),
                goes_on=activity_of(self._place, reader).goes_on,
                beside=Beside.of(
                    previews_in(self._place.path) | (self._stored.previews if self._stored else frozenset()),
                    self._picks_now(),
                ),
                after=after,
            )
        return file.getvalue()

    def file(self, name: str) -> Path | None:
        """Return a clip, its sidecar or a preview; nothing that a link leads to."""
        if not is_preview(name) and name not in self._clips:
            self._clips = self._linked()
            if name not in self._clips:
                return None
        path, home = self._place.path / name, os.path.realpath(self._place.path)
        if os.path.realpath(path) == f"{home}/{name}" and path.is_file():
            return path
        with suppress(ShotrunnerError):
            return self._copies.of(name) if self._copies else None
        return None

    def save(self, rows: Sequence[Row]) -> int:
        """Merge decisions into `picks.csv`; raises as `take_over`."""
        return len(take_over(self._place, rows, who=self._who, clock=self._clock).changed)

    def look(self) -> Change | None:
        """Return what has changed; no file is opened unless one has."""
        signs, is_due = self._signs_now(), self._is_head_old and self._clock.monotonic() >= self._head_due
        if signs is not None and signs == self._signs and not is_due:
            return None
        self._signs = signs
        try:
            with open_reader(self._place.state_file, checked=True) as reader, reader.at_one_moment():
                return self._look(reader)
        except ShotrunnerError:
            # What cannot be read now may be readable at the next look.
            self._signs, self._is_readable = None, False
            return None

    def _look(self, reader: Reader) -> Change | None:
        plan, goes_on = reader.plan_mark(), activity_of(self._place, reader).goes_on
        # What each take waits for depends on whether a session goes on.
        is_other = bool(goes_on) is not bool(self._goes_on)
        self._goes_on, self._is_readable = goes_on, True
        if is_other or plan != self._plan:
            # Takes may have other names now, by which decisions are found.
            self._plan, self._event, self._picks_sign = plan, reader.newest_event(), None
            self._renew_picks()
            self._is_head_old = True
            return Change(self._head, is_reload=True)
        event, changed = reader.changed_since(self._event, most=MOST_FACTS)
        self._is_head_old |= event != self._event
        self._event = event
        if event != reader.newest_event():
            self._signs = None
        cards = self._cards(reader, dict.fromkeys((*changed, *self._renew_picks())))
        if not (cards or self._is_head_old):
            return None
        is_new = self._renew_head(reader)
        return Change(self._head, cards) if cards or is_new else None

    def _cards(self, reader: Reader, take_ids: Iterable[str]) -> list[Card]:
        takes = [take for each in take_ids if (take := reader.take(each)) is not None and is_listed(take)]
        earlier = reader.spending().earlier if any(take.attempts > 1 for take in takes) else {}
        return [
            card(
                reader.header,
                take,
                earlier.get(take.take_id, NOTHING_SPENT),
                beside=replace(self._beside, previews=frozenset(self._previews(take))),
                goes_on=self.goes_on,
            )
            for take in takes
        ]

    def _previews(self, take: TakeRecord) -> Iterator[str]:
        names = astuple(preview_names(take.sha256)) if take.sha256 else ()
        copies = (input_name(link) for _, link in input_pictures(json.loads(take.body)))
        stored = self._stored.previews if self._stored else frozenset()
        return (name for name in (*names, *copies) if name in stored or (self._place.path / name).exists())

    def _renew_head(self, reader: Reader) -> bool:
        """Make the head from all takes, unless it is new or rests; return whether it was made."""
        began = self._clock.monotonic()
        if self._head and (not self._is_head_old or began < self._head_due):
            return False
        summary = Summary()
        for take in filter(is_listed, reader.each_figures()):
            summary.note(take)
        head = summary.head(
            reader.header,
            reader.sums(),
            simulated=reader.nothing_paid,
            made=self._clock.wall(),
            goes_on=self._goes_on,
        )
        ended = self._clock.monotonic()
        self._head, self._is_head_old, self._head_due = {**head}, False, ended + _RESTS * (ended - began)
        return True

    def _renew_picks(self) -> Collection[str]:
        """Read `picks.csv` if it has changed, and return the takes about which it says something else now."""
        sign = _sign(self._place.path / PICKS)
        if sign == self._picks_sign:
            return ()
        before = self._beside
        self._picks_sign, self._picks = sign, self._picks_now()
        self._beside = now = Beside.of(picks=self._picks)
        pairs = ((before.decided, now.decided), (before.comments, now.comments))
        return {take for old, new in pairs for take in {*old, *new} if old.get(take) != new.get(take)}

    def _picks_now(self) -> Picks:
        """Return what was decided; a file that is just being edited may be unreadable, and then the last one counts."""
        try:
            return read_picks(self._place.path)
        except ShotrunnerError:
            return self._picks

    def _linked(self) -> frozenset[str]:
        with suppress(ShotrunnerError), open_reader(self._place.state_file, checked=True) as reader:
            return frozenset(name for file, *_ in reader.clips() for name in (file, sidecar(file)))
        return frozenset()

    def _signs_now(self) -> object:
        """Return what is another value after each change of the record, the picks and the lock; None if unsure."""
        state = self._place.state_file
        signs = [_sign(path) for path in (state, beside(state, "-wal"), self._place.path / PICKS)]
        newest = max(sign[0] for sign in signs if sign is not None) if any(signs) else 0
        is_sure = self._clock.wall() - newest / 1e9 > _FRESH_S
        return (*signs, is_held(self._place.path)) if is_sure else None


def _sign(path: Path) -> tuple[int, int, int] | None:
    """Return time, size and number of a file, None if it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
