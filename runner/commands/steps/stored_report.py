"""The reports of a run whose clips are in a store: one here, with links as far as there are any, and one in the store.

In: a run, its record, its store. Out: the links of the report here, and a report beside the clips in the store. A
signed link is a secret: it is in the report here alone, and never in the store or in a log.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

from runner.commands.steps.clip_files import AT_ONCE, StoredClips, private_folder
from runner.commands.steps.find_run import command_about
from runner.commands.steps.run_in_store import copied_from
from runner.domain.display import when
from runner.domain.errors import UsageError
from runner.domain.picks import Picks
from runner.domain.preview_names import preview_names
from runner.domain.records import RunHeader, TakeRecord
from runner.output.clip_links import BESIDE_THE_PAGE, ClipLinks, file_link
from runner.output.page_data import DATA
from runner.output.write_reports import Record, previews_in, write_report
from runner.store.picks_file import PICKS
from runner.store.run_dir import RunDir
from runner.system.escapes import command_line
from runner.system.file_digest import digest_of

_PAGE = "report.html"


def report_links(
    place: RunDir, header: RunHeader, stored: StoredClips | None, *, now: float, sign_s: int | None = None
) -> ClipLinks:
    """Return where the report in the run's own folder says that the clips are; `now` is unix seconds.

    With `sign_s` each link is signed for this number of seconds.

    Raises:
        UsageError: the clips are in the run's own folder, or their store signs no links.
        StoreAway, StoreRefused: the store's credentials cannot be used.
    """
    if stored is None:
        if sign_s is not None:
            raise UsageError(
                "the clips are beside the report, so no link is signed", advice="leave out --sign"
            )
        return BESIDE_THE_PAGE
    if sign_s is not None:
        return _signed_links(stored, until=now + sign_s, seconds=sign_s)
    words = ("--sign", "12h")
    address = copied_from(place)
    again = (
        command_line("report", str(address), *words)
        if address
        else command_about(place, header, "report", *words)
    )
    remark = (
        f"The clips are in {stored.address}, and {_PAGE} beside them plays them. This page plays what is kept here:"
        f" small previews at most. For links that anyone can open: {again}"
    )
    return ClipLinks(
        page=lambda take: _local_link(stored, take),
        table=lambda take: _local_text(stored, take.file),
        remarks=(remark,),
    )


def publish_reports(
    place: RunDir, record: Record, stored: StoredClips, *, now: float, picks: Picks, goes_on: bool | None
) -> None:
    """Write the reports into the store, beside the clips, with `picks.csv` and the previews that it lacks.

    The page comes last, so that what it shows is there. Then the data of an earlier page is removed.

    Raises:
        StoreAway, StoreRefused: the store takes no file.
        CannotCreate, DiskFailed: the report cannot be made on this disk.
    """
    here = previews_in(place.path)
    _put_all(stored, ((place.path / name, name) for name in sorted(here - stored.previews)))
    publish_picks(place, stored)
    with private_folder() as folder:
        previews = here | stored.previews
        write_report(folder, record, now=now, picks=picks, goes_on=goes_on, previews=previews)
        files = {
            path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
        }
        earlier = stored.store.sizes(DATA)
        # A file of the page's data has a name that says what it holds.
        same = {
            name for name, size in earlier.items() if name in files and files[name].stat().st_size == size
        }
        _put_all(stored, ((path, name) for name, path in files.items() if name not in {_PAGE, *same}))
        _put_all(stored, [(files[_PAGE], _PAGE)])
    for name in earlier.keys() - files.keys():
        stored.store.remove(name)


def publish_picks(place: RunDir, stored: StoredClips) -> None:
    """Copy the run's `picks.csv` into the store; the one of the run's own folder is the one that counts."""
    path = place.path / PICKS
    if path.is_file():
        stored.store.put_bytes(PICKS, path.read_bytes())


def _put_all(stored: StoredClips, files: Iterable[tuple[Path, str]]) -> None:
    def put(source: Path, name: str) -> None:
        stored.store.put_file(source, name, sha256=digest_of(source))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(put, source, name) for source, name in files]:
            done.result()


def _local_link(stored: StoredClips, take: TakeRecord) -> str | None:
    """Return what a page on this disk can play: the clip if it is reached by a path, else its small preview."""
    if (link := file_link(take.file)) is None or take.file is None:
        return None
    if stored.is_kept(take.file):
        return link
    if stored.address.scheme == "file":
        return f"{quote(str(stored.address), safe='/:', errors='replace')}/{link}"
    names = preview_names(take.sha256 or "")
    return next((file_link(name) for name in (names.motion, names.large) if stored.is_kept(name)), None)


def _local_text(stored: StoredClips, file: str | None) -> str | None:
    return file if file is None or stored.is_kept(file) else stored.address_of(file)


def _signed_links(stored: StoredClips, *, until: float, seconds: int) -> ClipLinks:
    parts = urlsplit(stored.store.sign(_PAGE, seconds))

    def link(take: TakeRecord) -> str | None:
        return stored.store.sign(take.file, seconds) if take.file and file_link(take.file) else None

    return ClipLinks(
        page=link,
        table=link,
        remarks=(f"The links to the clips end at {when(until)}. Until then anyone who has one can open it.",),
        media=f"{parts.scheme}://{parts.netloc}",
    )
