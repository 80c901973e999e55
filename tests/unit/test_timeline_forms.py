"""Each form of a cut is read back by a reader that is not ours, with the same clips, lengths, places and gaps."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.errors import UsageError
from runner.domain.picks import Pick
from runner.system.csv_cells import unguard
from runner.timeline.adapter_forms import MOST_EVENTS, MOST_REEL, edl_texts, fcp7_text, reel_name
from runner.timeline.carried import Form, lost_in
from runner.timeline.cut_table import csv_text
from runner.timeline.fcpxml import fcpxml_text
from runner.timeline.ffconcat import ffconcat_text
from runner.timeline.lengths import EDITING_RATES, editing_rate, exact_rate, placed, seconds_of, timecode
from runner.timeline.otio_json import otio_text
from runner.timeline.otioz import write_otioz
from runner.timeline.slots import Clip, Slot, Timeline
from runner.timeline.targets import file_url, relative_to
from tests.clips import make_clip
from tests.unit.any_timelines import FOLDER, ODD, plain_clip, timelines

# The newest Python may have no wheel of it yet.
otio = pytest.importorskip("opentimelineio")

ANY = settings(max_examples=25)
EVENT = re.compile(
    r"(?P<number>\d{3})  (?P<reel>\S+) +(?P<channels>V   |AA/V)  C        "
    r"(?P<times>\d\d:\d\d:\d\d:\d\d(?: \d\d:\d\d:\d\d:\d\d){3})"
)


def path_of(clip: Clip) -> str:
    return str(clip.file)


def a_cut(*slots: Slot, fps: float = 24.0) -> Timeline:
    return Timeline("night", fps, slots)


def labels_and_frames(timeline: Timeline, rate: Fraction) -> list[tuple[str | None, int, int]]:
    """Return what every form must say: the label, None for a gap, and where it begins and ends."""
    return [
        (place.slot.active.label if place.slot.active else None, place.start, place.end)
        for place in placed(timeline, rate)
    ]


def frames_in(text: str, base: int) -> int:
    hours, minutes, seconds, frames = map(int, text.split(":"))
    assert frames < base
    return ((hours * 60 + minutes) * 60 + seconds) * base + frames


def events(text: str, base: int) -> list[tuple[str, int, int, int, int]]:
    """Return reel, source in and out, record in and out of each event of an EDL; a reader written for this test."""
    head, *lines = text.rstrip("\n").split("\n")
    assert head.startswith("TITLE: ")
    assert lines.pop(0) == "FCM: NON-DROP FRAME"
    found: list[tuple[str, int, int, int, int]] = []
    for line in lines:
        assert line.isascii()
        assert line.isprintable()
        if event := EVENT.fullmatch(line):
            assert int(event["number"]) == len(found) + 1
            times = [frames_in(each, base) for each in event["times"].split()]
            found.append((event["reel"], times[0], times[1], times[2], times[3]))
        else:
            assert not line or line.startswith("* ")
    return found


@ANY
@given(timelines())
def test_no_slot_is_off_by_more_than_a_frame_and_no_clip_is_longer_than_its_file(timeline: Timeline) -> None:
    rate = exact_rate(timeline.fps)
    before = 0
    for place in placed(timeline):
        assert place.start == before
        before = place.end
        lasts = seconds_of(place.slot) * float(rate)
        assert abs(place.frames - lasts) <= 1
        if place.slot.active and place.slot.active.seconds and lasts >= 1:
            assert place.frames <= lasts + 0.05


@pytest.mark.parametrize(
    ("given_rate", "meant"),
    [(23.976, (24000, 1001)), (23.98, (24000, 1001)), (29.97, (30000, 1001)), (59.94, (60000, 1001))]
    + [(float(rate), (rate, 1)) for rate in (1, 16, 24, 25, 30, 48, 50, 60, 1000)]
    + [(24.0001, (24, 1)), (12.5, (25, 2))],
)
def test_a_rate_is_the_one_that_people_mean(given_rate: float, meant: tuple[int, int]) -> None:
    assert exact_rate(given_rate) == Fraction(*meant)


@pytest.mark.parametrize(("fps", "usual"), [(16.0, 24), (24.0, 24), (26.0, 30), (240.0, 60)])
def test_editors_get_the_next_rate_that_they_have(fps: float, usual: int) -> None:
    assert editing_rate(fps) == usual
    assert editing_rate(23.976) in EDITING_RATES


@ANY
@given(timelines())
def test_the_library_reads_an_otio_file_as_it_is_and_would_write_the_same(timeline: Timeline) -> None:
    text = otio_text(timeline)
    read = otio.adapters.read_from_string(text, "otio_json")
    assert json.loads(otio.adapters.write_to_string(read, "otio_json")) == json.loads(text)
    rate = exact_rate(timeline.fps)
    track = read.video_tracks()[0]
    found = []
    for item in track:
        extent = item.range_in_parent()
        begin, end = extent.start_time.value, extent.end_time_exclusive().value
        found.append((item.name if isinstance(item, otio.schema.Clip) else None, round(begin), round(end)))
    assert found == labels_and_frames(timeline, rate)
    for item, slot in zip(track, timeline.slots, strict=True):
        if slot.active is None:
            assert item.markers[0].name.startswith(slot.shot_id)
            continue
        assert set(item.media_references()) == {clip.label for clip in (slot.active, *slot.others)}
        assert item.active_media_reference_key == slot.active.label
        assert unquote(urlsplit(item.media_reference.target_url).path) == str(slot.active.file)
        assert item.metadata["shotrunner"]["take"]
    for sound in read.audio_tracks():
        assert sound.duration() == track.duration()


def test_a_cut_without_sound_has_no_audio_track() -> None:
    silent = replace(plain_clip("s010_t01"), has_audio=False)
    read = otio.adapters.read_from_string(otio_text(a_cut(Slot("s010", 5.0, silent))), "otio_json")
    assert not read.audio_tracks()


def test_a_comment_is_a_marker_at_its_time() -> None:
    clip = replace(plain_clip("s010_t01"), comments=(Pick("s010", "t", None, "too dark", "Ann", at=1.5),))
    read = otio.adapters.read_from_string(otio_text(a_cut(Slot("s010", 5.0, clip))), "otio_json")
    marker = read.video_tracks()[0][0].markers[0]
    assert (marker.name, marker.comment) == ("too dark", "by Ann")
    assert marker.marked_range.start_time == otio.opentime.RationalTime(36, 24)


@ANY
@given(timelines())
def test_an_edl_has_each_clip_at_its_frames_and_holes_for_gaps(timeline: Timeline) -> None:
    rate = editing_rate(timeline.fps)
    (text,) = edl_texts(timeline)
    wanted = [
        (reel_name(label), 0, end - begin, begin, end)
        for label, begin, end in labels_and_frames(timeline, rate)
        if label is not None
    ]
    assert events(text, round(rate)) == wanted
    if wanted:
        read = otio.adapters.read_from_string(text, "cmx_3600", rate=round(rate))
        clips = list(read.video_tracks()[0].find_clips())
        assert [clip.duration().value for clip in clips] == [end - begin for _, _, _, begin, end in wanted]
        assert [clip.media_reference.target_url for clip in clips] == [
            file_url(slot.active) for slot in timeline.slots if slot.active
        ]


def test_a_cut_begins_at_the_timecode_that_was_asked_for_in_every_form() -> None:
    clip = replace(plain_clip("s010_t01"), comments=(Pick("s010", "t", None, "too dark", "Ann", at=1.5),))
    end = replace(
        clip, label="s020_t01", comments=(Pick("s020", "t", None, "cut", "Ann", at=9.0),), has_audio=False
    )
    timeline = replace(a_cut(Slot("s010", 5.0, clip), Slot("s020", 5.0, end)), start="01:00:00:00")
    (text,) = edl_texts(timeline)
    assert [each[3:] for each in events(text, 24)] == [(86400, 86520), (86520, 86640)]
    assert [each["channels"] for each in map(EVENT.fullmatch, text.split("\n")) if each] == ["AA/V", "V   "]
    # A marker has the timecode of the cut, and one behind the end of its shot is on the last frame.
    assert re.findall(r"LOC: (\S+)", text) == ["01:00:01:12", "01:00:09:23"]
    read = otio.adapters.read_from_string(otio_text(timeline), "otio_json")
    assert read.global_start_time == otio.opentime.RationalTime(86400, 24)
    sequence = ET.fromstring(fcpxml_text(timeline)).find(".//sequence")
    assert sequence is not None
    assert exact(sequence.get("tcStart", "")) == 3600
    assert [exact(item.get("offset", "")) for item in sequence.findall("./spine/*")] == [3600, 3605]
    rows = csv.DictReader(io.StringIO(csv_text(timeline, path=path_of), newline=""))
    assert [row["record_in"] for row in rows] == ["01:00:00:00", "01:00:05:00"]
    assert "<string>01:00:00:00</string>" in fcp7_text(timeline)
    with pytest.raises(UsageError, match="frames end at 23"):
        edl_texts(replace(timeline, start="01:00:00:24"))


def test_an_edl_of_many_shots_is_cut_at_event_999_and_its_timecodes_continue() -> None:
    slots = [Slot(f"s{at}", 5.0, plain_clip(f"s{at}_t01") if at % 50 else None) for at in range(1, 2101)]
    timeline = a_cut(*slots)
    texts = edl_texts(timeline)
    found = [events(text, 24) for text in texts]
    assert [len(part) for part in found] == [MOST_EVENTS, MOST_EVENTS, 2058 - 2 * MOST_EVENTS]
    wanted = [(begin, end) for label, begin, end in labels_and_frames(timeline, Fraction(24)) if label]
    assert [(begin, end) for part in found for _, _, _, begin, end in part] == wanted


@given(st.lists(st.text("ab", min_size=1, max_size=80), unique=True))
def test_reel_names_are_short_and_differ(labels: list[str]) -> None:
    names = [reel_name(label) for label in labels]
    assert len(set(names)) == len(names)
    assert all(len(name) <= MOST_REEL for name in names)


def exact(text: str) -> Fraction:
    """Return seconds from a time of FCPXML, such as `1001/24000s`."""
    return Fraction(text.removesuffix("s"))


@ANY
@given(timelines())
def test_fcpxml_has_each_slot_at_its_exact_time(timeline: Timeline) -> None:
    rate = editing_rate(timeline.fps)
    text = fcpxml_text(timeline)
    root = ET.fromstring(text)
    spine = root.find("./event/project/sequence/spine")
    assert spine is not None
    found = []
    for item in spine:
        begin, lasts = (exact(item.get(name, "")) * rate for name in ("offset", "duration"))
        assert begin.denominator == lasts.denominator == 1
        label = item.get("name") if item.tag == "asset-clip" else None
        found.append((label, int(begin), int(begin + lasts)))
    assert found == labels_and_frames(timeline, rate)
    assets = {asset.get("id"): asset for asset in root.findall("./resources/asset")}
    urls = {
        clip.label: file_url(clip) for slot in timeline.slots for clip in (slot.active, *slot.others) if clip
    }
    used = root.findall(".//asset-clip")
    assert {each.get("name"): assets[each.get("ref")].get("src") for each in used} == urls


# The adapter asks for the truth of an element, which Python 3.12 advises against.
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")
@ANY
@given(timelines().map(lambda cut: with_rate(cut, 25.0)))
def test_the_adapter_reads_fcpxml_back(timeline: Timeline) -> None:
    read = otio.adapters.read_from_string(fcpxml_text(timeline), "fcpx_xml")[0]
    wanted = [place for place in labels_and_frames(timeline, Fraction(25)) if place[0]]
    for clip, (label, begin, end) in zip(read.find_clips(), wanted, strict=True):
        assert clip.name == label
        # The adapter counts 406/25 s as 405 frames, since it cuts off what floating point leaves.
        assert clip.duration().value in {end - begin, end - begin - 1}


@ANY
@given(timelines())
def test_the_adapter_reads_xml_of_final_cut_pro_7_back(timeline: Timeline) -> None:
    rate = editing_rate(timeline.fps)
    read: Any = otio.adapters.read_from_string(fcp7_text(timeline), "fcp_xml")
    wanted = [place for place in labels_and_frames(timeline, rate) if place[0]]
    found = []
    for clip in read.video_tracks()[0].find_clips():
        extent = clip.range_in_parent()
        begin, end = extent.start_time.value, extent.end_time_exclusive().value
        found.append((clip.name, round(begin), round(end)))
    assert found == wanted


def with_rate(timeline: Timeline, fps: float) -> Timeline:
    """Return the cut with this rate for all its clips: what the adapter can count."""
    slots = (
        replace(
            slot,
            active=slot.active and replace(slot.active, fps=fps),
            others=tuple(replace(clip, fps=fps) for clip in slot.others),
        )
        for slot in timeline.slots
    )
    return replace(timeline, fps=fps, slots=tuple(slots))


@ANY
@given(timelines())
def test_the_table_has_a_row_for_each_shot_and_no_formula(timeline: Timeline) -> None:
    text = csv_text(timeline, path=path_of)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    base = round(exact_rate(timeline.fps))
    found = [
        (row["label"] or None, frames_in(row["record_in"], base), frames_in(row["record_out"], base))
        for row in rows
    ]
    assert found == labels_and_frames(timeline, exact_rate(timeline.fps))
    for row, slot in zip(rows, timeline.slots, strict=True):
        assert not any(cell.startswith(("=", "+", "@", "\t")) for cell in row.values())
        assert unguard(row["prompt"]) == slot.prompt
        assert unguard(row["file"]) == (str(slot.active.file) if slot.active else "")


def test_a_list_for_ffmpeg_quotes_every_name_and_refuses_a_line_break() -> None:
    clip = replace(plain_clip("s010_t01"), file=Path("it's 100%.mp4"))
    gap = Slot("s020", 5.0, why="held")
    assert ffconcat_text(a_cut(Slot("s010", 5.0, clip), gap), path=path_of) == (
        "ffconcat version 1.0\nfile './it'\\''s 100%.mp4'\nduration 5.000000\n"
    )
    broken = replace(clip, file=Path("a\nfile b.mp4"))
    with pytest.raises(UsageError, match="line break"):
        ffconcat_text(a_cut(Slot("s010", 5.0, broken)), path=path_of)


def test_ffmpeg_itself_plays_the_list_from_end_to_end(tmp_path: Path) -> None:
    clips = [
        replace(plain_clip(f"s0{at}0_t01", seconds=0.5), file=tmp_path / f"{at} it's {ODD[8:24]}.mp4")
        for at in (1, 2)
    ]
    for clip in clips:
        make_clip(clip.file, fps=24, seconds=0.5)
    cut = a_cut(*(Slot(clip.label, 0.5, clip) for clip in clips))
    path = tmp_path / "cut.ffconcat"
    path.write_text(ffconcat_text(cut, path=path_of))
    with av.open(str(path), format="concat", options={"safe": "0"}) as joined:
        times = [frame.time for frame in joined.decode(video=0)]
    assert times == pytest.approx([at / 24 for at in range(24)])


def test_a_bundle_holds_every_take_and_is_the_same_each_time(tmp_path: Path) -> None:
    clips = [replace(plain_clip(f"s010_t0{at}"), file=tmp_path / f"{at}{ODD[:9]}.mp4") for at in (1, 2)]
    for clip in clips:
        clip.file.write_bytes(clip.label.encode() * 1000)
    timeline = a_cut(Slot("s010", 5.0, clips[0], (clips[1],)))
    path, again = tmp_path / "cut.otioz", io.BytesIO()
    with path.open("wb") as file:
        write_otioz(timeline, file)
    write_otioz(timeline, again)
    assert path.read_bytes() == again.getvalue()
    read = otio.adapters.read_from_file(str(path))
    (clip,) = read.video_tracks()[0]
    with zipfile.ZipFile(path) as bundle:
        for label, reference in clip.media_references().items():
            assert bundle.read(reference.target_url) == label.encode() * 1000


def test_a_name_is_relative_to_the_file_and_safe_in_a_url() -> None:
    clip = replace(plain_clip("s010_t01"), file=FOLDER / "a b:c%é'.mp4")
    assert relative_to(Path("/night/exports"))(clip) == "../clips/a%20b%3Ac%25%C3%A9%27.mp4"


def test_a_large_board_is_written_whole() -> None:
    slots = (
        Slot(f"s{at}", 5.0, replace(plain_clip(f"s{at}_t01"), has_audio=False), (plain_clip(f"s{at}_t02"),))
        for at in range(5000)
    )
    timeline = a_cut(*slots)
    assert otio.adapters.read_from_string(otio_text(timeline), "otio_json").duration().value == 5000 * 120
    assert fcpxml_text(timeline).count("<asset-clip ") == 10_000
    assert csv_text(timeline, path=path_of).count("\r\n") == 5001


def test_what_a_form_cannot_carry_is_counted() -> None:
    clip = replace(plain_clip("s010_t01", fps=30.0), comments=(Pick("s010", "t", None, "dark"),))
    timeline = a_cut(Slot("s010", 5.0, clip, (plain_clip("s010_t02"),)), Slot("s020", 5.0, why="held"))
    assert {form: lost_in(form, timeline) for form in Form} == {
        Form.OTIO: (),
        Form.OTIOZ: (),
        Form.FCPXML: (),
        Form.FCP7: ("the reason for 1 gap", "1 alternative", "metadata of 1 clip"),
        Form.EDL: (
            "the reason for 1 gap",
            "1 alternative",
            "metadata of 1 clip",
            "the frame rate of 1 clip",
        ),
        Form.CSV: ("the sound of 1 clip",),
        Form.FFCONCAT: (
            "1 gap",
            "the reason for 1 gap",
            "1 alternative",
            "1 comment",
            "metadata of 1 clip",
            "the frame rate of 1 clip",
        ),
    }


@pytest.mark.parametrize(("frames", "rate", "text"), [(25, 24, "00:00:01:01"), (90_000, 25, "01:00:00:00")])
def test_a_timecode_counts_every_frame(frames: int, rate: int, text: str) -> None:
    assert timecode(frames, Fraction(rate)) == text
