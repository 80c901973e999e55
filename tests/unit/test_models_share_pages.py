"""Which links are pages of well-known hosts, and which of these have a direct form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.models.media_inputs import url_fault
from runner.models.share_pages import share_page

DRIVE = "https://drive.google.com/uc?export=download&id=1AbC"
DIRECT = {
    "https://drive.google.com/file/d/1AbC/view?usp=sharing": DRIVE,
    "https://drive.google.com/file/u/0/d/1AbC/edit": DRIVE,
    "https://drive.google.com/open?id=1AbC": DRIVE,
    "https://drive.google.com/uc?id=1AbC": DRIVE,
    "https://drive.google.com/uc?export=view&id=1AbC": DRIVE,
    "https://www.dropbox.com/s/abc/010.jpg?dl=0": "raw=1 instead of dl=0",
    "https://www.dropbox.com/scl/fi/abc/010.jpg?rlkey=k&dl=0": "raw=1 instead of dl=0",
    "https://www.dropbox.com/s/abc/010.jpg": "add raw=1",
    "https://github.com/u/r/blob/main/a/b.jpg": "https://raw.githubusercontent.com/u/r/main/a/b.jpg",
    "https://gitlab.com/u/r/-/blob/main/a.jpg": "https://gitlab.com/u/r/-/raw/main/a.jpg",
    "https://huggingface.co/datasets/u/r/blob/main/a.jpg": "https://huggingface.co/datasets/u/r/resolve/main/a.jpg",
    "https://storage.cloud.google.com/bucket/a.jpg": "https://storage.googleapis.com/bucket/a.jpg",
    "https://team.sharepoint.com/:i:/s/board/Abc?e=x": "download=1",
    "https://imgur.com/AbCd": "i.imgur.com",
}
PAGES = [
    "https://drive.google.com/drive/folders/1AbC",
    "https://docs.google.com/document/d/1AbC/edit",
    "https://photos.app.goo.gl/abc",
    "https://photos.google.com/share/abc",
    "https://www.dropbox.com/scl/fo/abc/folder?dl=0",
    "https://1drv.ms/i/s!Abc",
    "https://onedrive.live.com/?id=abc",
    "https://www.icloud.com/iclouddrive/abc",
    "https://share.icloud.com/photos/abc",
    "https://we.tl/t-abc",
    "https://wetransfer.com/downloads/abc",
    "https://www.notion.so/team/Board-abc",
    "https://team.notion.site/Board-abc",
    "https://app.box.com/s/abc",
    "https://team.app.box.com/s/abc",
    "https://app.frame.io/reviews/abc",
    "https://f.io/abc",
    "https://airtable.com/app1/tbl1",
    "https://www.pinterest.com/pin/1/",
    "https://DRIVE.google.com/drive/folders/1AbC",
]
FILES = [
    "https://example.com/file/d/1AbC/view",
    "https://example.com/?u=https://drive.google.com/file/d/1AbC/view",
    DRIVE,
    "https://drive.usercontent.google.com/download?id=1AbC&export=download",
    "https://lh3.googleusercontent.com/d/1AbC",
    "https://docs.google.com/drawings/d/1AbC/export/png",
    "https://www.dropbox.com/s/abc/010.jpg?raw=1",
    "https://www.dropbox.com/scl/fi/abc/010.jpg?rlkey=k&dl=1",
    "https://dl.dropboxusercontent.com/s/abc/010.jpg",
    "https://raw.githubusercontent.com/u/r/main/a.jpg",
    "https://github.com/u/r/raw/main/a.jpg",
    "https://github.com/u/r/blob/main/a.jpg?raw=true",
    "https://github.com/u/r/releases/download/v1/a.jpg",
    "https://gitlab.com/u/r/-/raw/main/a.jpg",
    "https://i.imgur.com/AbCd.jpg",
    "https://imgur.com/AbCd.jpg",
    "https://app.box.com/shared/static/abc.jpg",
    "https://team.sharepoint.com/:i:/s/board/Abc?e=x&download=1",
    "https://notbox.com/s/abc",
    "https://cdna.artstation.com/p/a.jpg",
]


@pytest.mark.parametrize(("url", "advice"), DIRECT.items())
def test_a_page_with_a_direct_form_is_answered_with_it(url: str, advice: str) -> None:
    page = share_page(url)
    assert page is not None
    assert advice in page.message


@pytest.mark.parametrize("url", PAGES)
def test_a_page_without_a_direct_form_is_still_a_page(url: str) -> None:
    page = share_page(url)
    assert page is not None
    assert "not a file" in page.message


@pytest.mark.parametrize("url", FILES)
def test_a_link_to_a_file_is_not_a_page(url: str) -> None:
    assert share_page(url) is None


@pytest.mark.parametrize("url", DIRECT)
def test_the_direct_form_is_a_link_that_nothing_is_said_about(url: str) -> None:
    page = share_page(url)
    assert page is not None
    address = page.advice.removeprefix("write ")
    if address.startswith("https://"):
        assert (url_fault(address), share_page(address)) == (None, None)


def test_an_address_too_long_for_a_message_is_not_repeated() -> None:
    page = share_page(f"https://github.com/u/r/blob/main/{'a' * 2000}.jpg")
    assert page is not None
    assert len(page.message) < 200


@given(
    rest=st.text(max_size=60),
    host=st.sampled_from(["drive.google.com", "www.dropbox.com", "github.com", "a.sharepoint.com"]),
)
def test_no_text_breaks_the_rules(rest: str, host: str) -> None:
    page = share_page(f"https://{host}{rest}")
    assert page is None or page.message
    assert isinstance(url_fault(f"{rest}https://{host}{rest}"), str | None)


@pytest.mark.parametrize("filler", [" ", ",", "(", "https://a", "\t ", "["])
def test_a_long_text_is_judged_at_once(filler: str) -> None:
    """With anything quadratic this would take minutes."""
    text = filler * (100_000 // len(filler))
    assert isinstance(url_fault(f"https://a{text}x://"), str | None)
    assert url_fault(f"a{text}https://b") is not None
