"""The links in a job's record to what was rendered, wherever they stand, the likeliest outputs first.

In: a result record of any shape, and the request body that was sent. Out: the links to fetch with their places, and
what looks like a link and is not taken, with the reasons. Documented fields come first; the others are ranked by their
names, by what the record says of their type, and by how their paths end. It never raises for what a server wrote, asks
no server, and knows no state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from urllib.parse import unquote, urlsplit

from runner.domain.link_names import (
    ADDRESS_WORDS,
    INPUT_WORDS,
    KIND_WORDS,
    KINDS,
    LONGEST_NAME,
    OUTPUT_WORDS,
    PAGE_WORDS,
    PREVIEW_WORDS,
    Path,
    is_of_what_was_sent,
    named_kind,
    told_kind,
    words_of,
)
from runner.system.canonical_json import JsonValue
from runner.system.web_links import (
    INSIDE,
    NO_HOST,
    PAGE_KIND,
    is_on_this_machine,
    kind_of,
    links_inside,
    links_of,
    trouble_of,
    web_link,
    why_no_link,
)

OUTPUT_LIMIT = 64
LEFT_LIMIT = 32
DEEPEST = 32
MOST_NODES = 50_000
DOCUMENTED = ("video", "videos", "image", "images", "audio", "audios")
"""Fields of `output` that the model pages and the vendor's clients name, in the order in which they are fetched."""

_DEEPEST_TEXT = 3
_LONGEST_SHOWN = 300


INPUT = "one of the inputs"
PERHAPS_INPUT = "perhaps one of the inputs"
PAGE = "a page, not an output"
PREVIEW = "a preview"
ANOTHER = "another is the output"


class Rank(IntEnum):
    """How surely a link is an output; the first three ranks outweigh a record that says that the job failed."""

    DOCUMENTED = 0
    MEDIA = 1
    NAMED = 2
    ANY = 3
    PERHAPS_INPUT = 4
    PREVIEW = 5
    INSIDE = 6


_WHY_NOT = {Rank.PREVIEW: PREVIEW, Rank.PERHAPS_INPUT: PERHAPS_INPUT, Rank.INSIDE: INSIDE}


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link to an output, and where in the record it stood: `output.videos[0].url`."""

    url: str
    place: str


@dataclass(frozen=True, slots=True)
class LeftLink:
    """What looks like a link and is not taken, where it stood, and why."""

    text: str
    place: str
    why: str

    def __str__(self) -> str:
        return f"{self.text} at {self.place}, {self.why}"


@dataclass(frozen=True, slots=True)
class OutputLinks:
    """The links to fetch, at most 64, each once; `beyond` counts further ones, and `left` are at most 32.

    If the record names nothing better, `only` says what they are: previews, or perhaps inputs.
    """

    taken: tuple[FoundLink, ...] = ()
    left: tuple[LeftLink, ...] = ()
    beyond: int = 0
    only: str = ""

    @property
    def doubtful(self) -> tuple[LeftLink, ...]:
        """What is not taken but may be an output all the same."""
        return tuple(each for each in self.left if each.why not in {INPUT, PAGE})

    @property
    def lost(self) -> tuple[LeftLink, ...]:
        """What is not taken although it seems as much an output as those that are."""
        return tuple(each for each in self.doubtful if each.why not in {PREVIEW, ANOTHER, PERHAPS_INPUT})

    @property
    def urls(self) -> tuple[str, ...]:
        """The links alone."""
        return tuple(found.url for found in self.taken)


NO_LINKS = OutputLinks()


def output_links(
    record: JsonValue, *, sent: str = "", origin: str = "", only_sure: bool = False
) -> OutputLinks:
    """Return what `record` names as outputs.

    `sent` is the request body: its links are inputs, and so are those that the record echoes. `origin` is the API's,
    whose own pages are not outputs; on a loopback API loopback links are as good as public ones. With `only_sure` a
    link needs a name or an ending that says what it is.
    """
    body = _parsed(sent)
    walk = _Walk(origin, frozenset(body) if isinstance(body, dict) else frozenset(), only_sure=only_sure)
    walk.inputs.update(_same(link, only_sure=only_sure) for link in _input_links(record, body))
    output = record.get("output") if isinstance(record, dict) else None
    if isinstance(output, dict):
        for name in DOCUMENTED:
            walk.visit(output.get(name), ("output", name))
    walk.visit(record, ())
    return walk.chosen()


def recorded_links(
    result: str | None, *, sent: str, origin: str = "", only_sure: bool = False
) -> OutputLinks:
    """Return the same for a kept record, which may be cut or missing."""
    record = _parsed(result)
    return output_links(record, sent=sent, origin=origin, only_sure=only_sure) if record else NO_LINKS


def _parsed(text: str | None) -> JsonValue:
    """Return the value of a JSON text, None if it is not JSON."""
    try:
        value: JsonValue = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return value


def _same(link: str, *, only_sure: bool) -> str:
    """Return a link in the form in which two of the same file are compared, without port, escapes and fragment.

    With `only_sure` the query goes too: a service that keeps an input signs it, or asks for it smaller.
    """
    parts = urlsplit(link)
    place = parts.netloc.removesuffix({"https": ":443", "http": ":80"}[parts.scheme])
    query = "" if only_sure and kind_of(f"//{place}{parts.path}") else parts.query
    return unquote(f"{place}{parts.path}?{query}")


_API_PATH = re.compile(r"/requests/[^/]+(/(status|result|cancel|response))?/?\Z", re.ASCII)


def _input_links(record: JsonValue, body: JsonValue) -> Iterator[str]:
    """Yield every link that the request held, as sent and as the record repeats it anywhere."""
    waiting: list[tuple[JsonValue, int, bool]] = [(record, 0, False), (body, 0, True)]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        value, depth, is_input = waiting.pop()
        if isinstance(value, str) and is_input:
            yield from filter(None, map(web_link, links_of(value)))
        elif isinstance(value, list) and depth < DEEPEST:
            waiting += ((item, depth + 1, is_input) for item in value)
        elif isinstance(value, dict) and depth < DEEPEST:
            waiting += (
                (item, depth + 1, is_input or bool(words_of(name) & INPUT_WORDS))
                for name, item in value.items()
            )


@dataclass(frozen=True, slots=True)
class _Candidate:
    link: FoundLink
    rank: Rank
    kind: str
    trouble: str


@dataclass(slots=True)
class _Walk:
    """One walk: what was found by link, in the order of the record, and what can in no case be taken."""

    origin: str
    fields: frozenset[str]
    only_sure: bool
    inputs: set[str] = field(default_factory=set)
    found: dict[str, _Candidate] = field(default_factory=dict)
    left: dict[str, LeftLink] = field(default_factory=dict)
    nodes: int = 0

    def visit(self, value: JsonValue, path: Path, *, kind: str = "", texts: int = 0) -> None:
        """Look at `value` and all in it; `kind` is what the object around it says of its type."""
        self.nodes += 1
        if self.nodes > MOST_NODES or len(path) > DEEPEST or _is_elsewhere(path):
            return
        if isinstance(value, str):
            self._read(value, path, kind, texts)
        elif isinstance(value, list):
            for at, item in enumerate(value):
                self.visit(item, (*path, at), kind=kind, texts=texts)
        elif isinstance(value, dict):
            # The type that a record gives of itself is the job's and not a file's.
            kind = (path and told_kind(value)) or kind
            for name, item in value.items():
                if len(name) > LONGEST_NAME or "://" in name:
                    self._read(name, path, kind, texts)
                    name = "…"
                self.visit(item, (*path, name), kind=kind, texts=texts)

    def _read(self, text: str, path: Path, kind: str, texts: int) -> None:
        plain = text.strip()
        if plain[:1] in ("{", "[", '"') and texts < _DEEPEST_TEXT and len(plain) > 2:
            try:
                inner = json.loads(plain)
            except (ValueError, RecursionError):
                inner = None
            if inner is not None:
                self.visit(inner, path, kind=kind, texts=texts + 1)
                return
        for piece in links_of(plain):
            self._weigh(piece, path, kind)

    def _weigh(self, text: str, path: Path, kind: str) -> None:
        link = web_link(text)
        if link:
            self._weigh_link(link, path, kind)
        elif why := why_no_link(text, is_meant=_is_documented(path)):
            inside = links_inside(text) if why == INSIDE and not self.only_sure else []
            for link in inside:
                self._weigh_link(link, path, kind, rank=Rank.INSIDE)
            if not inside:
                self._leave(text, path, why)

    def _weigh_link(self, link: str, path: Path, kind: str, *, rank: Rank | None = None) -> None:
        if _same(link, only_sure=self.only_sure) in self.inputs:
            self._leave(link, path, INPUT)
            return
        ending = kind_of(link)
        kind = ending or kind or named_kind(path)
        if _is_api_page(link, path, self.origin) or (ending == PAGE_KIND and not _is_documented(path)):
            self._leave(link, path, PAGE)
            return
        rank = rank or self._rank(path, kind)
        trouble = trouble_of(link, allow_loopback=is_on_this_machine(self.origin))
        new = _Candidate(FoundLink(link, _place(path)), rank, kind, trouble)
        if link not in self.found or new.rank < self.found[link].rank:
            self.found[link] = new

    def _rank(self, path: Path, kind: str) -> Rank:
        words = words_of(*path)
        if words & PREVIEW_WORDS:
            return Rank.PREVIEW
        if _is_documented(path):
            return Rank.DOCUMENTED
        if words & OUTPUT_WORDS:
            return Rank.MEDIA if kind else Rank.NAMED
        if is_of_what_was_sent(path):
            return Rank.PERHAPS_INPUT
        if not self.fields.isdisjoint(path):
            # A service may repeat what was sent, or use the same name for its output; its word for the end decides.
            return Rank.PERHAPS_INPUT if self.only_sure else Rank.NAMED
        return Rank.MEDIA if kind else Rank.ANY

    def _leave(self, text: str, path: Path, why: str) -> None:
        if len(self.left) < LEFT_LIMIT:
            self.left.setdefault(text, LeftLink(text[:_LONGEST_SHOWN], _place(path), why))

    def chosen(self) -> OutputLinks:
        """Return the best of what was found, and the rest with the reasons."""
        good = [each for each in self.found.values() if not each.trouble]
        # If no link is good, the others are taken: the download says what is wrong, and a rendered job never fails.
        best = _best(good, only_sure=self.only_sure) or _best(
            [each for each in self.found.values() if each.trouble], only_sure=self.only_sure
        )
        taken = {each.link.url for each in best}
        rest = [each for each in self.found.values() if each.link.url not in taken]
        left = [LeftLink(each.link.url, each.link.place, _why_left(each, taken)) for each in rest]
        # If a link was taken, the bare name of its file says nothing new.
        left += (each for each in self.left.values() if not (taken and each.why == NO_HOST))
        if self.nodes > MOST_NODES:
            left.insert(
                0, LeftLink("the rest", "the end of the record", "which is too long to be read through")
            )
        return OutputLinks(
            tuple(each.link for each in best[:OUTPUT_LIMIT]),
            tuple(left[:LEFT_LIMIT]),
            max(0, len(best) - OUTPUT_LIMIT),
            _WHY_NOT.get(best[0].rank, "") if best else "",
        )


def _best(found: Iterable[_Candidate], *, only_sure: bool) -> list[_Candidate]:
    """Return the links of the best rank there is, the documented ones first."""
    # The sort is stable: within a rank the order of the record stays.
    ranked = sorted(found, key=lambda each: each.rank)
    if only_sure:
        ranked = [each for each in ranked if each.rank <= Rank.NAMED]
    if not ranked or ranked[0].rank > Rank.MEDIA:
        return [each for each in ranked if each.rank is ranked[0].rank]
    kinds = {each.kind for each in ranked if each.rank <= Rank.MEDIA}
    first = next(kind for kind in KINDS if kind in kinds)
    return [
        each
        for each in ranked
        if each.rank is Rank.DOCUMENTED or (each.rank is Rank.MEDIA and each.kind == first)
    ]


def _is_documented(path: Path) -> bool:
    """Return whether a link stands in a documented field: itself, as an item, or as an item's `url`."""
    if path[:1] != ("output",) or len(path) < 2 or path[1] not in DOCUMENTED:
        return False
    rest = [step for step in path[2:] if isinstance(step, str)]
    return not rest or (len(rest) == 1 and words_of(rest[0]) <= ADDRESS_WORDS)


def _is_elsewhere(path: Path) -> bool:
    """Return whether a path leads to what was sent, or to remarks about the job."""
    words = words_of(path[-1]) if path else frozenset()
    if words == {"status"}:
        return False
    return bool(words & INPUT_WORDS) or bool(words & PAGE_WORDS and not words & KIND_WORDS.keys())


def _is_api_page(link: str, path: Path, origin: str) -> bool:
    """Return whether a link leads back to the API, as its own pages and its `result_url` do.

    A link that ends like a file is a file, wherever it is kept. The only page in a documented field is a job's.
    """
    if kind_of(link) not in {"", PAGE_KIND}:
        return False
    parts = urlsplit(link)
    if _API_PATH.search(parts.path):
        return True
    if _is_documented(path):
        return False
    own = bool(origin) and f"{parts.scheme}://{parts.netloc}" == origin.rstrip("/").lower()
    if own and parts.path.startswith(("/v1/", "/prod/", "/docs")):
        return True
    words = words_of(path[-1]) if path else frozenset()
    is_address = words & {"result", "response", "request"} and words & ADDRESS_WORDS
    return bool(is_address)


def _why_left(each: _Candidate, taken: Iterable[str]) -> str:
    if each.trouble:
        return each.trouble
    if each.rank in _WHY_NOT:
        return _WHY_NOT[each.rank]
    return ANOTHER if taken else "nothing says that it is an output"


def _place(path: Path) -> str:
    """Return a path as a person reads it: `output.videos[0].url`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return (text.removeprefix(".") or "the record itself")[:_LONGEST_SHOWN]
