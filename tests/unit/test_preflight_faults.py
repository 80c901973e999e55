"""What a look found is told plainly: what is wrong, at which input of which takes, and what to do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runner.domain.errors import Position, Severity
from runner.domain.shots import Take
from runner.media.file_kinds import Family
from runner.media.http.peek import FileHead
from runner.media.http.response import DownloadError, plain
from runner.media.image_size import Pixels
from runner.media.preflight.frame_fit import fit_faults
from runner.media.preflight.link_rules import Fault, is_sound, link_faults
from runner.media.preflight.media_links import Place, TakeMedia
from runner.media.preflight.preflight import Finding, inspect
from runner.media.preflight.probe import LinkProbe, look_at
from runner.models.registry import Models
from runner.system.canonical_json import JsonValue

NOW = 1_795_000_000.0
HOUR = 3600.0
URL = "https://cdn.example.com/board/010.jpg"
GOOD = LinkProbe(
    NOW, url=URL, size=1_000_000, content_type="image/jpeg", format="JPEG", pixels=Pixels(1920, 1080)
)


def faults(look: LinkProbe, url: str = URL, wants: Family | None = Family.IMAGE) -> list[Fault]:
    return list(link_faults(url, look, wants=wants, now=NOW, wait=12 * HOUR))


def refused(status: int) -> LinkProbe:
    return LinkProbe(NOW, trouble=f"HTTP {status} from {URL}", status=status)


CERTAIN = {
    "login": refused(401),
    "forbidden": refused(403),
    "not there": refused(404),
    "gone": refused(410),
    "page": replace(GOOD, format="HTML"),
    "another kind": replace(GOOD, format="MP4"),
    "empty": replace(GOOD, size=0),
    "too large": replace(GOOD, size=60_000_000),
    "leads to a private host": LinkProbe(NOW, trouble="it leads to where the API does not go"),
}
DOUBTFUL = {
    "busy": refused(429),
    "failing": refused(503),
    "refused in another way": refused(418),
    "no answer": LinkProbe(NOW, trouble="no route", away=True),
    "unknown kind": replace(GOOD, format=""),
    "an archive": replace(GOOD, format="ZIP"),
    "unknown size": replace(GOOD, size=None),
}


@pytest.mark.parametrize("look", CERTAIN.values(), ids=CERTAIN)
def test_a_job_with_such_a_link_fails_whatever_the_api_does(look: LinkProbe) -> None:
    (fault,) = faults(look)
    assert (fault.is_certain, fault.is_silent) == (True, False)


@pytest.mark.parametrize("look", DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_job_with_such_a_link_may_still_succeed(look: LinkProbe) -> None:
    (fault,) = faults(look)
    assert (fault.is_certain, fault.is_silent) == (False, look.away)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("[Errno -2] Name or service not known", "no host has this name"),
        ("[Errno 111] Connection refused", "Connection refused"),
        ("The read operation timed out", "The read operation timed out"),
    ],
)
def test_a_person_reads_no_codes(message: str, words: str) -> None:
    assert plain(message) == words


def test_a_sound_picture_has_no_fault() -> None:
    assert faults(GOOD) == []
    assert is_sound(GOOD)


@pytest.mark.parametrize(
    ("look", "words"),
    [
        pytest.param(refused(401), "asks for a login (HTTP 401)", id="401"),
        pytest.param(refused(403), "is forbidden (HTTP 403)", id="403"),
        pytest.param(refused(404), "is not there (HTTP 404)", id="404"),
        pytest.param(refused(410), "is gone (HTTP 410)", id="410"),
        pytest.param(refused(418), "is refused (HTTP 418)", id="another"),
        pytest.param(refused(503), "its server fails (HTTP 503)", id="503"),
        pytest.param(LinkProbe(NOW, trouble="no route", away=True), "cannot be fetched: no route", id="away"),
        pytest.param(replace(GOOD, size=0), "is empty", id="empty"),
        pytest.param(replace(GOOD, format="HTML"), "is a web page, not a picture", id="page"),
        pytest.param(
            replace(GOOD, format="", content_type="text/html"), "is a web page", id="a page that begins oddly"
        ),
        pytest.param(replace(GOOD, format=""), "does not begin like a known picture", id="unknown"),
        pytest.param(replace(GOOD, format="ZIP"), "is a file of another kind (ZIP), not a picture", id="zip"),
        pytest.param(
            replace(GOOD, size=50_000_001),
            "has 50,000,001 bytes, and the API fetches at most 50 MB",
            id="large",
        ),
    ],
)
def test_what_would_make_a_job_fail_is_an_error(look: LinkProbe, words: str) -> None:
    (fault,) = faults(look)
    assert fault.severity is Severity.ERROR
    assert words in fault.message
    assert fault.advice
    assert not is_sound(look)


def test_a_file_of_another_kind_than_the_input_wants_is_an_error_and_yet_sound() -> None:
    look = replace(GOOD, format="MP4", content_type="video/mp4")
    (fault,) = faults(look)
    assert (fault.severity, fault.message) == (Severity.ERROR, "is a video (MP4), not a picture")
    assert is_sound(look)


@pytest.mark.parametrize(
    ("look", "words"),
    [
        pytest.param(refused(429), "was not looked at", id="busy"),
        pytest.param(replace(GOOD, size=None), "does not say how large it is", id="no size"),
        pytest.param(replace(GOOD, content_type="image/png"), "its server calls it image/png", id="header"),
        pytest.param(replace(GOOD, format="PNG", content_type=""), "its name ends in .jpg", id="suffix"),
        pytest.param(
            replace(GOOD, format="PNG"),
            "is PNG by its first bytes, but its name ends in .jpg and its server calls it image/jpeg",
            id="both in one line",
        ),
    ],
)
def test_what_may_go_well_is_a_warning(look: LinkProbe, words: str) -> None:
    (fault,) = faults(look)
    assert fault.severity is Severity.WARNING
    assert words in fault.message


def test_a_format_that_few_take_is_a_warning() -> None:
    look = replace(GOOD, format="HEIC", content_type="image/heic")
    (fault,) = faults(look, url="https://cdn.example.com/a.heic")
    assert (fault.severity, fault.advice) == (Severity.WARNING, "JPEG, PNG and WebP are taken everywhere")


@pytest.mark.parametrize("content_type", ["", "application/octet-stream", "binary/octet-stream"])
def test_a_server_that_does_not_say_what_it_is_does_not_lie(content_type: str) -> None:
    assert faults(replace(GOOD, content_type=content_type)) == []


def test_a_video_may_be_twice_as_large() -> None:
    video = replace(GOOD, format="MP4", content_type="video/mp4", size=99_000_000, pixels=None)
    url = "https://cdn.example.com/a.mp4"
    assert faults(video, url=url, wants=Family.VIDEO) == []
    (fault,) = faults(replace(video, size=100_000_001), url=url, wants=Family.VIDEO)
    assert "at most 100 MB" in fault.message


def test_an_input_that_names_no_kind_takes_any_media() -> None:
    video = replace(GOOD, format="MP4", content_type="video/mp4")
    assert faults(video, url="https://cdn.example.com/a", wants=None) == []


@pytest.mark.parametrize(
    ("url", "found", "words"),
    [
        ("https://drive.google.com/file/d/1/view", "https://drive.google.com/file/d/1/view", "Google Drive"),
        ("https://www.dropbox.com/s/a/b.jpg", "https://www.dropbox.com/s/a/b.jpg", "raw=1"),
        ("https://drive.google.com/uc", "https://accounts.google.com/v3/signin", "Google Drive"),
        ("https://x.example.com/a", "https://login.example.com/", "login"),
        ("https://x.example.com/a", "https://x.example.com/a", "share link"),
        ("https://notdropbox.com/a", "https://notdropbox.com/a", "share link"),
    ],
)
def test_a_page_is_told_with_the_way_out_of_its_drive(url: str, found: str, words: str) -> None:
    (fault,) = faults(LinkProbe(NOW, url=found, size=9, format="HTML"), url=url)
    assert words in fault.advice


SIGNED = URL + "?expires={:.0f}&sig=SECRET"


def test_a_signature_that_ended_is_an_error_and_one_that_will_in_time_a_warning() -> None:
    (over,) = faults(GOOD, url=SIGNED.format(NOW - 1))
    (soon,) = faults(GOOD, url=SIGNED.format(NOW + HOUR))
    assert (over.severity, soon.severity) == (Severity.ERROR, Severity.WARNING)
    assert "expired at 2026-11-18" in over.message
    assert "in 1 h 00 min; a job may wait 12 h 00 min" in soon.message
    assert faults(GOOD, url=SIGNED.format(NOW + 12 * HOUR)) == []


def test_a_refusal_for_an_expired_signature_is_told_once() -> None:
    (fault,) = faults(refused(403), url=SIGNED.format(NOW - 1))
    assert "expired" in fault.message
    assert len(faults(refused(503), url=SIGNED.format(NOW - 1))) == 2


# sizes against wishes and each other


def take(body: dict[str, JsonValue], **places: str) -> TakeMedia:
    return TakeMedia(
        "s010",
        Position("b.csv", 2),
        body,
        tuple(Place(name, url, Family.IMAGE) for name, url in places.items()),
    )


def fits(body: dict[str, JsonValue], **sizes: tuple[int, int] | None) -> list[tuple[str, Severity, str]]:
    looks = {
        f"u:{name}": replace(GOOD, pixels=Pixels(*size) if size else None) for name, size in sizes.items()
    }
    media = take(body, **{name: f"u:{name}" for name in sizes})
    return [(place.input, fault.severity, fault.message) for place, fault in fit_faults(media, looks)]


@pytest.mark.parametrize(
    ("body", "size", "words"),
    [
        ({"aspect_ratio": "16:9"}, (1024, 768), "is 1024×768 (4:3), and aspect_ratio asks for 16:9"),
        ({"aspectRatio": "9/16"}, (1920, 1080), "asks for 9/16"),
        ({"ratio": "1:1"}, (1000, 541), "(1.85:1)"),
        ({"resolution": "1280x720"}, (720, 1280), "asks for 1280x720"),
        ({"size": "512*512"}, (1024, 768), "asks for 512*512"),
        ({"resolution": "1080p"}, (1280, 720), "is 1280×720, smaller than resolution 1080p asks for"),
        ({"resolution": "720p"}, (1280, 700), "smaller than resolution 720p"),
        ({"resolution": "4K"}, (1920, 1080), "smaller than resolution 4K"),
    ],
)
def test_a_picture_that_does_not_fit_the_wish_is_a_warning(
    body: dict[str, JsonValue], size: tuple[int, int], words: str
) -> None:
    ((where, severity, message),) = fits(body, image=size)
    assert (where, severity) == ("image", Severity.WARNING)
    assert words in message


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ({"aspect_ratio": "16:9"}, (1366, 768)),
        ({"aspect_ratio": "auto"}, (10, 1000)),
        ({"aspect_ratio": "0:0"}, (10, 1000)),
        ({"aspect_ratio": None, "ratio": [16, 9]}, (10, 1000)),
        ({"resolution": "720p"}, (720, 1280)),
        ({"resolution": "best"}, (1, 1)),
        ({"resolution": "00x00"}, (1, 1)),
        ({"promptText": "16:9"}, (10, 1000)),
        ({"resolution": "1080p"}, None),
    ],
)
def test_a_picture_that_fits_or_cannot_be_compared_is_fine(
    body: dict[str, JsonValue], size: tuple[int, int] | None
) -> None:
    assert fits(body, image=size) == []


def test_keyframes_of_another_shape_are_an_error_and_of_another_size_a_warning() -> None:
    ((where, severity, message),) = fits({}, keyFramesFirst=(1920, 1080), keyFramesLast=(1080, 1920))
    assert (where, severity) == ("keyFramesLast", Severity.ERROR)
    assert "is 1080×1920, and keyFramesFirst is 1920×1080" in message
    ((_, severity, _),) = fits({}, keyFramesFirst=(1920, 1080), keyFramesLast=(1280, 720))
    assert severity is Severity.WARNING
    assert fits({}, keyFramesFirst=(1920, 1080), keyFramesLast=(1920, 1080)) == []
    assert fits({}, keyFramesFirst=(1920, 1080), keyFramesLast=None) == []


@pytest.mark.parametrize(
    "names",
    [("image", "end_image"), ("first_frame_image", "last_frame_image"), ("image_url", "tail_image_url")],
)
def test_the_two_ends_of_a_shot_are_known_by_their_names(names: tuple[str, str]) -> None:
    assert len(fits({}, **{names[0]: (100, 100), names[1]: (100, 300)})) == 1


@pytest.mark.parametrize("names", [("image_1", "image_2"), ("image", "mask"), ("images.0", "images.1")])
def test_pictures_that_are_no_pair_may_differ(names: tuple[str, str]) -> None:
    assert fits({}, **{names[0]: (100, 100), names[1]: (100, 300)}) == []


# findings


FRAME = "pika/pikaframes"


def found_in(*takes: Take) -> tuple[Finding, ...]:
    gone = LinkProbe(NOW, trouble="HTTP 404", status=404)
    report = inspect(
        takes,
        find=Models.bundled().find,
        look_at_all=lambda urls: dict.fromkeys(urls, gone),
        kept="",
        now=NOW,
    )
    return report.findings


def frames(take_id: str, **links: str) -> Take:
    return Take(take_id, "s010", FRAME, json.dumps(links), "", None, {}, Position("b.csv", 2, 1))


def test_a_fault_that_many_takes_share_is_one_line_without_the_links_query() -> None:
    link = f"{URL}?X-Amz-Signature=SECRET#frag"
    (finding,) = found_in(*(frames(f"s010@seed={number}", keyFramesFirst=link) for number in range(12)))
    assert len(finding.takes) == 12
    assert str(finding.problem) == (
        f"b.csv:2:1: s010@seed=0 and 11 more, inputs.keyFramesFirst: {URL} is not there (HTTP 404); "
        "correct the address, or upload the file"
    )


def test_the_same_fault_at_two_inputs_is_two_findings() -> None:
    findings = found_in(frames("s010", keyFramesFirst=URL, keyFramesLast=URL))
    assert [finding.input for finding in findings] == ["keyFramesFirst", "keyFramesLast"]


@pytest.mark.parametrize(
    ("error", "away", "words"),
    [
        (DownloadError("HTTP 404", link_refused=True, status=404), False, "HTTP 404"),
        (
            DownloadError("must be https: http://x", permanent=True),
            False,
            "leads to where the API does not go",
        ),
        (DownloadError("refused", unreachable=True), True, "refused"),
        (DownloadError("took longer than 20 s"), True, "took longer"),
    ],
)
def test_a_link_that_shows_nothing_is_a_look_with_trouble(
    error: DownloadError, away: bool, words: str
) -> None:
    def peek(_: str, _enough: object) -> FileHead:
        raise error

    look = look_at(URL, peek=peek, at=NOW)
    assert (look.away, look.status) == (away, error.status)
    assert words in look.trouble
    assert json.dumps(look.trouble).isascii()
