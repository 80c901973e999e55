"""The links in a job's record to what was rendered, wherever they are, the likeliest outputs first.

Documented fields come first. The others are ranked by their names, by what the record says of their type, and by how
their paths end. It never raises for what a server wrote, asks no server, and knows no state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from urllib.parse import unquote, urlsplit

from runner.domain import link_names
from runner.domain.link_names import KINDS, Path, words_of
from runner.system import web_links
from runner.system.canonical_json import JsonValue, parsed_json
from runner.system.web_links import INSIDE, NO_HOST, PAGE_KIND, kind_of, web_link

OUTPUT_LIMIT = 64
LEFT_LIMIT = 32
DEEPEST = 32
MOST_NODES = 50_000
DOCUMENTED = ("video", "videos", "image", "images", "audio", "audios")
"""Fields of `output` that the model pages and the vendor's clients name, in the order in which they are fetched."""

_DEEPEST_TEXT = 3
_LONGEST_SHOWN = 300
_API_PATH = re.compile(r"/requests/[^/]+(/(status|result|cancel|response))?/?\Z", re.ASCII)

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
    NEVER = 7


_WHY_NOT = {Rank.PREVIEW: PREVIEW, Rank.PERHAPS_INPUT: PERHAPS_INPUT, Rank.INSIDE: INSIDE}


@dataclass(frozen=True, slots=True)
class Link:
    """What looks like a link, and where in the record it was: `output.videos[0].url`.

    `kind` is what it seems to name, and `why` says what keeps it from being fetched, or why it was not taken.
    """

    text: str
    place: str
    rank: Rank = Rank.NEVER
    kind: str = ""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.text} at {self.place}, {self.why}"


@dataclass(frozen=True, slots=True)
class OutputLinks:
    """The links to fetch, at most 64, each once; `beyond` counts further ones, and `left` are at most 32.

    If the record names nothing better, `only` says what they are: previews, or perhaps inputs.
    """

    taken: tuple[Link, ...] = ()
    left: tuple[Link, ...] = ()
    beyond: int = 0
    only: str = ""

    @property
    def doubtful(self) -> tuple[Link, ...]:
        """What is not taken but may still be an output."""
        return tuple(each for each in self.left if each.why not in {INPUT, PAGE})

    @property
    def lost(self) -> tuple[Link, ...]:
        """What is not taken although it looks as much like an output as those that are."""
        return tuple(each for each in self.doubtful if each.why not in {PREVIEW, ANOTHER, PERHAPS_INPUT})

    @property
    def urls(self) -> tuple[str, ...]:
        """The links alone."""
        return tuple(found.text for found in self.taken)


def output_links(
    record: JsonValue, *, sent: str = "", origin: str = "", only_sure: bool = False
) -> OutputLinks:
    """Return what `record` names as outputs.

    `sent` is the request body: its links are inputs, and so are those that the record echoes. `origin` is the API's,
    whose own pages are not outputs; on a loopback API loopback links are as good as public ones. With `only_sure` a
    link needs a name or an ending that says what it is.
    """
    body = parsed_json(sent)
    walk = _Walk(origin, frozenset(body) if isinstance(body, dict) else frozenset(), only_sure=only_sure)
    walk.inputs.update(map(walk.same, _input_links(record, body)))
    output = record.get("output") if isinstance(record, dict) else None
    if isinstance(output, dict):
        for name in DOCUMENTED:
            walk.visit(output.get(name), ("output", name))
    walk.visit(record, ())
    return walk.chosen()


def _input_links(record: JsonValue, body: JsonValue) -> Iterator[str]:
    """Yield every link that the request held, as sent and as the record repeats it anywhere."""
    waiting: list[tuple[JsonValue, int, bool]] = [(record, 0, False), (body, 0, True)]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        value, depth, is_input = waiting.pop()
        if isinstance(value, str) and is_input:
            yield from filter(None, map(web_link, web_links.links_of(value)))
        elif isinstance(value, list) and depth < DEEPEST:
            waiting += ((item, depth + 1, is_input) for item in value)
        elif isinstance(value, dict) and depth < DEEPEST:
            waiting += (
                (item, depth + 1, is_input or bool(words_of(name) & link_names.INPUT_WORDS))
                for name, item in value.items()
            )


@dataclass(slots=True)
class _Walk:
    """One walk: all that looks like a link, by its text, at the place where it is most surely an output."""

    origin: str
    fields: frozenset[str]
    only_sure: bool
    inputs: set[str] = field(default_factory=set)
    found: dict[str, Link] = field(default_factory=dict)
    nodes: int = 0

    def same(self, link: str) -> str:
        """Return a link in the form in which two of the same file are compared, without port, escapes and fragment.

        With `only_sure` the query goes too: a service that keeps an input signs it, or asks for it smaller.
        """
        parts = urlsplit(link)
        place = parts.netloc.removesuffix({"https": ":443", "http": ":80"}[parts.scheme])
        query = "" if self.only_sure and kind_of(f"//{place}{parts.path}") else parts.query
        return unquote(f"{place}{parts.path}?{query}")

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
            kind = (path and link_names.told_kind(value)) or kind
            for name, item in value.items():
                if len(name) > link_names.LONGEST_NAME or "://" in name:
                    self._read(name, path, kind, texts)
                    name = "…"
                self.visit(item, (*path, name), kind=kind, texts=texts)

    def _read(self, text: str, path: Path, kind: str, texts: int) -> None:
        plain = text.strip()
        is_json = plain[:1] in ("{", "[", '"') and len(plain) > 2 and texts < _DEEPEST_TEXT
        if is_json and (inner := parsed_json(plain)) is not None:
            self.visit(inner, path, kind=kind, texts=texts + 1)
            return
        for piece in web_links.links_of(plain):
            if link := web_link(piece):
                self._weigh(link, path, kind)
                continue
            why = web_links.why_no_link(piece, is_meant=_is_documented(path))
            inside = web_links.links_inside(piece) if why == INSIDE and not self.only_sure else []
            for link in inside:
                self._weigh(link, path, kind, inside=True)
            if why and not inside:
                self._note(piece, Link(piece[:_LONGEST_SHOWN], _place(path), why=why))

    def _weigh(self, link: str, path: Path, kind: str, *, inside: bool = False) -> None:
        kind = kind_of(link) or kind or link_names.named_kind(path)
        rank, why = Rank.INSIDE if inside else self._rank(path, kind), ""
        if self.same(link) in self.inputs:
            rank, why = Rank.NEVER, INPUT
        elif _is_page(link, path, self.origin):
            rank, why = Rank.NEVER, PAGE
        else:
            is_local = web_links.is_on_this_machine(self.origin)
            why = web_links.trouble_of(link, allow_loopback=is_local)
        self._note(link, Link(link, _place(path), rank, kind, why))

    def _rank(self, path: Path, kind: str) -> Rank:
        words = words_of(*path)
        if words & link_names.PREVIEW_WORDS:
            return Rank.PREVIEW
        if _is_documented(path):
            return Rank.DOCUMENTED
        if words & link_names.OUTPUT_WORDS:
            return Rank.MEDIA if kind else Rank.NAMED
        if link_names.is_of_what_was_sent(path):
            return Rank.PERHAPS_INPUT
        if not self.fields.isdisjoint(path):
            # A service may repeat what was sent, or use the same name for its output; its word for the end decides.
            return Rank.PERHAPS_INPUT if self.only_sure else Rank.NAMED
        return Rank.MEDIA if kind else Rank.ANY

    def _note(self, text: str, link: Link) -> None:
        known = self.found.get(text)
        if known and known.rank is Rank.NEVER and link.rank is not Rank.NEVER:
            # Only now does it get its place in the order of the outputs.
            del self.found[text]
        if known is None or link.rank < known.rank:
            self.found[text] = link

    def chosen(self) -> OutputLinks:
        """Return the best of what was found, and the rest with the reasons."""
        links = sorted(self.found.values(), key=lambda each: each.rank is Rank.NEVER)
        # If no link is good, the others are taken: the download says what is wrong, and a rendered job never fails.
        good = self._best([each for each in links if not each.why])
        best = good or self._best([each for each in links if each.why and each.rank is not Rank.NEVER])
        taken = {each.text for each in best}
        otherwise = ANOTHER if taken else "nothing says that it is an output"
        left = [
            replace(each, why=each.why or _WHY_NOT.get(each.rank, otherwise))
            for each in links
            # If a link was taken, the bare name of its file says nothing new.
            if each.text not in taken and not (taken and each.why == NO_HOST)
        ]
        if self.nodes > MOST_NODES:
            rest = Link("the rest", "the end of the record", why="which is too long to be read through")
            left.insert(0, rest)
        only = _WHY_NOT.get(best[0].rank, "") if best else ""
        beyond = max(0, len(best) - OUTPUT_LIMIT)
        return OutputLinks(tuple(best[:OUTPUT_LIMIT]), tuple(left[:LEFT_LIMIT]), beyond, only)

    def _best(self, links: list[Link]) -> list[Link]:
        """Return the links of the best rank found, the documented ones first."""
        # The sort is stable: within a rank the order of the record stays.
        ranked = sorted(links, key=lambda each: each.rank)
        if self.only_sure:
            ranked = [each for each in ranked if each.rank <= Rank.NAMED]
        if not ranked or ranked[0].rank > Rank.MEDIA:
            return [each for each in ranked if each.rank is ranked[0].rank]
        kinds = {each.kind for each in ranked if each.rank <= Rank.MEDIA}
        first = next((kind for kind in KINDS if kind in kinds), "")
        return [
            each
            for each in ranked
            if each.rank is Rank.DOCUMENTED or (each.rank is Rank.MEDIA and each.kind == first)
        ]


def _is_documented(path: Path) -> bool:
    """Return whether a link is in a documented field: itself, as an item, or as an item's `url`."""
    if path[:1] != ("output",) or len(path) < 2 or path[1] not in DOCUMENTED:
        return False
    rest = [step for step in path[2:] if isinstance(step, str)]
    return not rest or (len(rest) == 1 and words_of(rest[0]) <= link_names.ADDRESS_WORDS)


def _is_elsewhere(path: Path) -> bool:
    """Return whether a path leads to what was sent, or to remarks about the job."""
    words = words_of(*path[-1:])
    if words == {"status"}:
        return False
    return bool(words & link_names.INPUT_WORDS) or bool(
        words & link_names.PAGE_WORDS and not words & link_names.KIND_WORDS.keys()
    )


def _is_page(link: str, path: Path, origin: str) -> bool:
    """Return whether a link leads to a page, such as the API's own or its `result_url`.

    A link that ends like a file is a file, wherever it is kept. The only page in a documented field is a job's.
    """
    parts, ending = urlsplit(link), kind_of(link)
    if ending not in {"", PAGE_KIND}:
        return False
    if _is_documented(path) or _API_PATH.search(parts.path):
        return bool(_API_PATH.search(parts.path))
    words = words_of(*path[-1:])
    is_at_api = f"{parts.scheme}://{parts.netloc}" == origin.rstrip("/").lower()
    return (
        ending == PAGE_KIND
        or (is_at_api and parts.path.startswith(("/v1/", "/prod/", "/docs")))
        or bool(words & {"result", "response", "request"} and words & link_names.ADDRESS_WORDS)
    )


def _place(path: Path) -> str:
    """Return a path as a person reads it: `output.videos[0].url`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return (text.removeprefix(".") or "the record itself")[:_LONGEST_SHOWN]
