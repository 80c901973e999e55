"""Links the API can fetch, links it cannot, and which inputs are links."""

from __future__ import annotations

import pytest

from runner.models.media_inputs import frame_inputs, is_media, url_fault
from runner.models.schema_file import Schema
from runner.models.value_doubts import link_doubt, text_doubt

PUBLIC = [
    "https://example.com/a.jpg",
    "https://example.com:8443/a.jpg?signature=x#y",
    "HTTPS://EXAMPLE.COM/a.jpg",
    "https://bücher.example.com/ä.jpg",
    "https://93.184.216.34/a.jpg",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/a.jpg",
    "https://localhost.example.com/a.jpg",
    "https://example.com./a.jpg",
]
PRIVATE = [
    "localhost",
    "LOCALHOST.",
    "box.localhost",
    "printer.local",
    "metadata.google.internal",
    "nas",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "１２７.０.０.１",
    "127。0。0。1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "0",
    "224.0.0.1",
    "999.999.999.999",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fd00::1]",
    "[ff02::1]",
]
REFUSED = {
    "plain http": ("http://example.com/a.jpg", "http is not https"),
    "other scheme": ("ftp://example.com/a.jpg", "ftp is not https"),
    "script": ("javascript:alert(1)", "javascript is not https"),
    "embedded": ("data:image/png;base64,AAAA", "embedded data"),
    "relative path": ("board/010a.jpg", "board/010a.jpg is a file on this machine"),
    "absolute path": ("/home/me/010a.jpg", "010a.jpg is a file on this machine"),
    "windows path": ("C:\\board\\010a.jpg", "010a.jpg is a file on this machine"),
    "home path": ("~/010a.jpg", "010a.jpg is a file on this machine"),
    "network path": ("\\\\nas\\board\\010a.jpg", "010a.jpg is a file on this machine"),
    "windows path with a blank": ("C:/my board/010a.jpg", "010a.jpg is a file on this machine"),
    "folder": ("board/", "board/ is a file on this machine"),
    "forgotten scheme": ("www.example.com/a.jpg?x=secret", "if it is on the web, begin it with https://"),
    "embedded with a blank": ("DATA:image/png;base64, secret", "embedded data"),
    "file url": ("file:///home/me/010a.jpg", "010a.jpg is a file on this machine"),
    "no host": ("https:///a.jpg", "no usable host"),
    "only scheme": ("https:", "no usable host"),
    "password": ("https://me:secret@example.com/a.jpg", "user name or password"),
    "user": ("https://me@example.com/a.jpg", "user name or password"),
    "disguised host": ("https://example.com\\@127.0.0.1/a.jpg", "user name or password"),
    "escaped host": ("https://%31%32%37.0.0.1/a.jpg", "no usable host"),
    "bad port": ("https://example.com:99999/a.jpg", "malformed"),
    "bad bracket": ("https://[::1/a.jpg", "malformed"),
    "blank": ("https://example.com/my cat.jpg", "a blank"),
    "line break": ("https://example.com/a.jpg\n", "control character"),
    "bidi mark": ("https://example.com/\u202egpj.a", "control character"),
}


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_https_link_is_fine(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_host_is_refused_in_any_notation(host: str) -> None:
    fault = url_fault(f"https://{host}/a.jpg")
    assert fault is not None
    assert "not a public host" in fault or "no usable host" in fault


@pytest.mark.parametrize(("url", "reason"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_with_its_reason(url: str, reason: str) -> None:
    fault = url_fault(url)
    assert fault is not None
    assert reason in fault
    assert "secret" not in fault


PLAIN = "https://example.com/a.jpg"
WRAPPED = {
    "name and address": f"frame 010.jpg ({PLAIN})",
    "Markdown link": f"[a]({PLAIN})",
    "Markdown picture": f"![a]({PLAIN})",
    "angle brackets": f"<{PLAIN}>",
    "HYPERLINK": f'=HYPERLINK("{PLAIN}","a")',
    "IMAGE": f'=IMAGE("{PLAIN}")',
    "HTML": f"<img src='{PLAIN}'>",
    "BBCode": f"[img]{PLAIN}[/img]",
    "quotes": f'"{PLAIN}"',
    "curly quotes": f"“{PLAIN}”",
    "an invisible character before it": f"\u200b{PLAIN}",
    "a blank before it": f" {PLAIN}",
    "a word before it": f"start: {PLAIN}",
}


@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED)
def test_an_address_in_a_wrapping_is_shown_alone(text: str) -> None:
    fault = url_fault(text) or ""
    assert fault.endswith(f"write only the address, which stands in it: {PLAIN}")


def test_a_signature_in_a_wrapped_address_is_not_shown() -> None:
    fault = url_fault(f"[a]({PLAIN}?signature=secret)") or ""
    assert "secret" not in fault
    assert fault.endswith(f"{PLAIN}?…")


@pytest.mark.parametrize("between", [",", ";", ", ", "\n", " ", " | "])
def test_two_addresses_are_refused(between: str) -> None:
    assert "more than one address" in (url_fault(f"{PLAIN}{between}{PLAIN}") or "")


@pytest.mark.parametrize(
    "url",
    [
        f"https://proxy.example.com/?url={PLAIN}",
        f"https://proxy.example.com/w_300,h_200/{PLAIN}",
        f"https://proxy.example.com/collage?of={PLAIN},{PLAIN}",
        "https://example.com/a_(b).jpg",
    ],
)
def test_an_address_may_hold_another(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("=IMAGE(A1)", "is a formula"),
        ("#REF!", "an error of a spreadsheet"),
        ("#N/A", "an error of a spreadsheet"),
    ],
)
def test_what_a_spreadsheet_left_is_named(text: str, reason: str) -> None:
    assert reason in (url_fault(text) or "")


def test_a_local_path_is_answered_with_what_to_do() -> None:
    fault = url_fault("010.jpg") or ""
    assert "public https URLs only" in fault
    assert "put the file on a public https host" in fault


FRAMES = {
    "keyframes": (
        {"keyFramesFirst": "Start Image", "keyFramesLast": "End Image"},
        ("keyFramesFirst", "keyFramesLast"),
    ),
    "titles alone": ({"a": "First frame", "b": "Last frame"}, ("a", "b")),
    "one image": ({"image": "Image"}, ("image", None)),
    "image and its tail": ({"image": "Image", "tail_image_url": ""}, ("image", "tail_image_url")),
    "image url": ({"reference_image_url": "", "image_url": ""}, ("image_url", None)),
    "a video": ({"video": "Video"}, (None, None)),
    "nothing": ({}, (None, None)),
}


@pytest.mark.parametrize(("titles", "expected"), FRAMES.values(), ids=FRAMES)
def test_the_frames_of_a_model_are_found_by_their_names(
    titles: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    assert frame_inputs(titles) == expected


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/a.jpg", "https://localhost/a.jpg", "http://nas/a.jpg"]
)
def test_private_links_pass_where_the_api_is_on_this_machine(url: str) -> None:
    assert url_fault(url, allow_private=True) is None


@pytest.mark.parametrize("url", ["http://example.com/a.jpg", "a.jpg", "https://me@localhost/a.jpg"])
def test_nothing_else_passes_there(url: str) -> None:
    assert url_fault(url, allow_private=True) is not None


TEXT: Schema = {"type": "string"}
MEDIA: dict[str, tuple[str, Schema]] = {
    "image": ("image", TEXT),
    "camel case": ("startFrame", TEXT),
    "snake case": ("first_frame_image", TEXT),
    "url": ("audio_url", TEXT),
    "title": ("keyFramesFirst", {"type": "string", "title": "Start Image"}),
    "format": ("src", {"type": "string", "format": "image_uri"}),
    "plain uri": ("src", {"type": "string", "format": "uri"}),
    "default": ("src", {"type": "string", "default": "https://example.com/a.jpg"}),
    "tail": ("image_tail", TEXT),
    "file of a sound": ("sound_file", TEXT),
    "media type": ("ref", {"type": "string", "contentMediaType": "image/*"}),
    "described": ("ref", {"type": "string", "description": "URL of the reference image"}),
    "list": ("images", {"type": "array", "items": {"type": "string"}}),
    "list format": ("refs", {"type": "array", "items": {"type": "string", "format": "video_uri"}}),
}
NOT_MEDIA: dict[str, tuple[str, Schema]] = {
    "number or word": ("frame", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    "mapping or nothing": ("image", {"anyOf": [{"type": "object"}, {"type": "null"}]}),
    "prompt": ("promptText", {"type": "string", "title": "Prompt"}),
    "text of an input": ("text_input", TEXT),
    "webhook": ("webhook_url", {"type": "string", "format": "uri"}),
    "embedded": ("ref", {"type": "string", "contentMediaType": "image/png", "contentEncoding": "base64"}),
    "number": ("num_frames", {"type": "integer"}),
    "size": ("image_size", TEXT),
    "choice": ("video", {"type": "string", "enum": ["a", "b"]}),
    "long title": ("prompt", {"type": "string", "title": "What happens in the video"}),
    "date": ("when", {"type": "string", "format": "date"}),
    "numbers": ("frames", {"type": "array", "items": {"type": "integer"}}),
}


@pytest.mark.parametrize(("name", "schema"), MEDIA.values(), ids=MEDIA)
def test_a_link_to_media_is_recognised(name: str, schema: Schema) -> None:
    assert is_media(name, schema)


@pytest.mark.parametrize(("name", "schema"), NOT_MEDIA.values(), ids=NOT_MEDIA)
def test_what_only_sounds_like_media_is_not(name: str, schema: Schema) -> None:
    assert not is_media(name, schema)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("frames/a.png", "is a file on this machine"),
        ("C:\\My Board\\a.png", "is a file on this machine"),
        ("file:///a", "is a file on this machine"),
        ("/Users/me/a", "is a file on this machine"),
        ("~/a", "is a file on this machine"),
        ("data:image/png;base64,AAAA", "embedded data"),
        ("prompts/010.txt", "write {file: prompts/010.txt}"),
        ("@prompts/010.txt", "write {file: prompts/010.txt}"),
        ("https://docs.example.com/d/1", "is only an address"),
    ],
)
def test_a_text_that_is_a_file_or_an_address_is_doubted(text: str, doubt: str) -> None:
    assert doubt in (text_doubt(text, name="promptText") or "")


@pytest.mark.parametrize(
    "text", ["A cat", "16:9", "and/or", "/imagine", "/9j/4AAQSk", "C:1", "v2.1", "C:\\Users on a screen", ""]
)
def test_any_other_text_is_not_doubted(text: str) -> None:
    assert text_doubt(text, name="promptText") is None


@pytest.mark.parametrize("name", ["inputs.file_name", "inputs.outputName", "inputs.output_path", "logo_text"])
def test_the_name_of_what_is_made_is_not_doubted(name: str) -> None:
    assert text_doubt("clip.mp4", name=name) is None


def test_an_address_of_media_is_doubted_in_an_input_that_is_not_listed_as_media() -> None:
    assert "http is not https" in (text_doubt("http://example.com/a.png", name="subject_reference") or "")
    assert "not of a picture" in (text_doubt("https://example.com/a.mp4", name="image_base64") or "")
    assert text_doubt("http://127.0.0.1/a.png", name="mask", allow_private=True) is None
    assert text_doubt("http://example.com/a", name="website") is None
    assert link_doubt("https://example.com/a.mp4", name="image_or_video") is None


def test_an_address_may_be_the_value_of_an_input_that_is_not_a_prompt() -> None:
    assert text_doubt("https://example.com/a.png", name="style") is None


@pytest.mark.parametrize(
    ("url", "doubt"),
    [
        (f"{PLAIN},", "ends in ','"),
        (f"{PLAIN}.", "ends in '.'"),
        (f"{PLAIN})", "ends in ')'"),
        ("https://example.com", "names no file"),
        ("https://example.com/f/", "names no file"),
        ("https://example.com/a.HEIC", "is a HEIC file"),
        ("https://example.com/a.mp4", "is the address of a video, not of a picture"),
        ("https://example.com/a.MOV?x=1", "is the address of a video"),
        ("https://example.com/a.html", "is the address of a page"),
    ],
)
def test_a_link_that_names_no_picture_is_doubted(url: str, doubt: str) -> None:
    assert doubt in (link_doubt(url, name="inputs.end_image") or "")


@pytest.mark.parametrize(
    "url", [PLAIN, "https://example.com/a_(b)", "https://example.com/?id=4", f"{PLAIN}?x=1"]
)
def test_a_link_to_a_file_is_not_doubted(url: str) -> None:
    assert link_doubt(url, name="inputs.end_image") is None
