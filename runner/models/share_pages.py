"""Recognises links to the pages of well-known hosts, which show a file and are not one.

In: an https link. Out: whose page it is and the direct link where its form is documented, or None. It opens no
connection, so it knows only hosts that were looked at when this was written. A direct link still needs a public file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import SplitResult, parse_qs, urlsplit

LONGEST_ADDRESS: Final = 300
"""The most characters of an address that a message repeats; a cut one would be of no use."""

_AFTER_SCHEME = len("https://")
_HOST = re.compile(r"https://(?:www\.)?([^/?#:]+)", re.IGNORECASE)
_ADVICE = "put the file where its address ends in the file itself, and write that address"


@dataclass(frozen=True, slots=True)
class SharePage:
    """A page: whose it is, and what to write instead."""

    owner: str
    advice: str = _ADVICE

    @property
    def message(self) -> str:
        """What is wrong with the link and what to do, as the end of a sentence."""
        return f"is a page of {self.owner}, not a file; {self.advice}"


_Rule: TypeAlias = "SharePage | Callable[[SplitResult], SharePage | None]"


def share_page(url: str) -> SharePage | None:
    """Return the page that `url` leads to, or None if it may be a file."""
    # Thousands of links lead to few hosts, and only what stands before the third slash decides on most of them.
    end = url.find("/", _AFTER_SCHEME)
    if (rule := _rule_of(url[:end] if end > 0 else url)) is None:
        return None
    try:
        return rule if isinstance(rule, SharePage) else rule(urlsplit(url))
    except ValueError:
        # What is not a URL leads to no page.
        return None


@lru_cache(maxsize=1024)
def _rule_of(origin: str) -> _Rule | None:
    """Return the rule of the host of an origin, or of a domain that the host belongs to."""
    named = _HOST.match(origin)
    host = named[1].lower() if named else ""
    if found := _HOSTS.get(host):
        return found
    domains = (host[dot + 1 :] for dot, char in enumerate(host) if char == ".")
    return next((_DOMAINS[domain] for domain in domains if domain in _DOMAINS), None)


def _direct(owner: str, address: str) -> SharePage:
    return SharePage(owner, f"write {address}") if len(address) <= LONGEST_ADDRESS else SharePage(owner)


def _google_drive(link: SplitResult) -> SharePage | None:
    """Google's own form: https://drive.google.com/uc?export=download&id=ID, up to 100 MB."""
    owner, query = "Google Drive", parse_qs(link.query)
    named = re.match(r"/(?:a/[^/]+/)?file/(?:u/\d+/)?d/([\w-]+)", link.path)
    file_id = named[1] if named else query.get("id", [""])[0]
    if link.path == "/thumbnail" or (link.path.endswith("/uc") and query.get("export") == ["download"]):
        return None
    if not file_id or not re.fullmatch(r"[\w-]+", file_id):
        return SharePage(owner)
    return _direct(owner, f"https://drive.google.com/uc?export=download&id={file_id}")


def _google_docs(link: SplitResult) -> SharePage | None:
    if link.path == "/uc":
        return _google_drive(link)
    return None if re.search(r"/(?:export|pub)(?:/|$)", link.path) else SharePage("Google Docs")


def _google_storage(link: SplitResult) -> SharePage:
    """`storage.cloud.google.com` asks for a login; a public object is at `storage.googleapis.com`."""
    return _direct("Google Cloud", f"https://storage.googleapis.com{link.path}")


def _dropbox(link: SplitResult) -> SharePage | None:
    """Dropbox help, "Force a file or folder to download": raw=1 or dl=1 instead of dl=0."""
    query = parse_qs(link.query)
    if query.get("raw") == ["1"] or query.get("dl") == ["1"]:
        return None
    if not re.match(r"/(?:s|scl/fi)/", link.path):
        return SharePage("Dropbox")
    told = "end the link in raw=1 instead of dl=0" if "dl" in query else "add raw=1 to the end of the link"
    return SharePage("Dropbox", told)


def _microsoft(link: SplitResult) -> SharePage | None:
    if "download=1" in link.query.split("&") or link.path.startswith("/download"):
        return None
    return SharePage(
        "OneDrive or SharePoint", f"add download=1 to the link if it opens without login, or {_ADVICE}"
    )


def _repository(
    owner: str, page: str, raw: str, *, flag: str = ""
) -> Callable[[SplitResult], SharePage | None]:
    """Return the rule of a host of repositories: the part `page` of a path shows a file, and `raw` is the file."""

    def rule(link: SplitResult) -> SharePage | None:
        if page not in link.path or (flag and flag in link.query):
            return None
        host, path = link.netloc, link.path.replace(page, raw, 1)
        if owner == "GitHub":
            host = "raw.githubusercontent.com"
        return _direct(owner, f"https://{host}{path}")

    return rule


def _unless(path: str, owner: str, advice: str = _ADVICE) -> Callable[[SplitResult], SharePage | None]:
    """Return the rule of a host whose links are pages unless their path matches `path`."""
    page = SharePage(owner, advice)
    return lambda link: None if re.search(path, link.path) else page


def _only(path: str, owner: str, advice: str = _ADVICE) -> Callable[[SplitResult], SharePage | None]:
    """Return the rule of a host whose links are pages if their path matches `path`."""
    page = SharePage(owner, advice)
    return lambda link: page if re.search(path, link.path) else None


_PICTURE = r"\.(?:avif|gif|jpe?g|png|webp|mp4|mov|webm)$"
_BOX = _unless(
    r"^/(?:shared/static|public/static)/", "Box", "take Box's direct link instead of the shared one"
)

_HOSTS: Mapping[str, _Rule] = {
    "drive.google.com": _google_drive,
    "docs.google.com": _google_docs,
    "photos.google.com": SharePage("Google Photos"),
    "photos.app.goo.gl": SharePage("Google Photos"),
    "storage.cloud.google.com": _google_storage,
    "console.cloud.google.com": SharePage("Google Cloud"),
    "s3.console.aws.amazon.com": SharePage("the AWS console"),
    "dropbox.com": _dropbox,
    "1drv.ms": SharePage("OneDrive"),
    "onedrive.live.com": _microsoft,
    "photos.onedrive.com": SharePage("OneDrive"),
    "icloud.com": SharePage("iCloud"),
    "share.icloud.com": SharePage("iCloud"),
    "wetransfer.com": SharePage("WeTransfer"),
    "we.tl": SharePage("WeTransfer"),
    "fromsmash.com": SharePage("Smash"),
    "mega.nz": SharePage("MEGA"),
    "mediafire.com": SharePage("MediaFire"),
    "u.pcloud.link": SharePage("pCloud"),
    "e.pcloud.link": SharePage("pCloud"),
    "disk.yandex.com": SharePage("Yandex Disk"),
    "yadi.sk": SharePage("Yandex Disk"),
    "github.com": _repository("GitHub", "/blob/", "/", flag="raw="),
    "gitlab.com": _repository("GitLab", "/-/blob/", "/-/raw/"),
    "bitbucket.org": _repository("Bitbucket", "/src/", "/raw/"),
    "codeberg.org": _repository("Codeberg", "/src/", "/raw/"),
    "huggingface.co": _repository("Hugging Face", "/blob/", "/resolve/"),
    "gist.github.com": _unless(r"/raw(?:/|$)", "GitHub", "take the address behind the button Raw"),
    "imgur.com": _unless(_PICTURE, "Imgur", "take the address of the picture itself, on i.imgur.com"),
    "postimg.cc": SharePage("Postimages", "take the direct link, on i.postimg.cc"),
    "ibb.co": SharePage("ImgBB", "take the direct link, on i.ibb.co"),
    "gyazo.com": _unless(_PICTURE, "Gyazo", "take the address of the picture itself, on i.gyazo.com"),
    "giphy.com": SharePage("GIPHY", "take the address of the file itself, on media.giphy.com"),
    "tenor.com": SharePage("Tenor", "take the address of the file itself, on media.tenor.com"),
    "flickr.com": SharePage("Flickr", "take the address of the picture itself, on live.staticflickr.com"),
    "unsplash.com": _unless(
        r"/download$", "Unsplash", "take the address of the picture itself, on images.unsplash.com"
    ),
    "pexels.com": SharePage("Pexels", "take the address of the file itself, on images.pexels.com"),
    "pixabay.com": _unless(r"^/get/", "Pixabay"),
    "pinterest.com": SharePage("Pinterest", "take the address of the picture itself, on i.pinimg.com"),
    "pin.it": SharePage("Pinterest", "take the address of the picture itself, on i.pinimg.com"),
    "instagram.com": SharePage("Instagram"),
    "facebook.com": SharePage("Facebook"),
    "tiktok.com": SharePage("TikTok"),
    "x.com": SharePage("X"),
    "twitter.com": SharePage("X"),
    "youtube.com": SharePage("YouTube"),
    "youtu.be": SharePage("YouTube"),
    "vimeo.com": SharePage("Vimeo"),
    "artstation.com": SharePage("ArtStation"),
    "behance.net": SharePage("Behance"),
    "figma.com": SharePage("Figma"),
    "canva.com": SharePage("Canva"),
    "miro.com": SharePage("Miro"),
    "discord.com": _only(r"^/channels/", "Discord"),
    "midjourney.com": _only(r"^/(?:app/)?jobs/", "Midjourney"),
    "notion.so": _unless(r"^/image/", "Notion"),
    "app.notion.com": SharePage("Notion"),
    "airtable.com": SharePage("Airtable"),
    "trello.com": _only(r"^/[bc]/", "Trello"),
    "app.slack.com": SharePage("Slack"),
    "app.frame.io": SharePage("Frame.io"),
    "next.frame.io": SharePage("Frame.io"),
    "f.io": SharePage("Frame.io"),
    "box.com": _BOX,
}
"""The rules by host, without `www.`."""

_DOMAINS: Mapping[str, _Rule] = {
    "sharepoint.com": _microsoft,
    "box.com": _BOX,
    "notion.site": SharePage("Notion"),
    "slack.com": _only(r"^/(?:archives|files)/", "Slack"),
    "pinterest.com": _HOSTS["pinterest.com"],
}
"""The rules for all hosts of a domain."""
