"""Finds model schemas by id, in the package and in folders that a user adds.

A model is a file, and its id is the file's path: `models/pika/pikaframes.json` is `pika/pikaframes`. In: ids
and folders. Out: `Model`s, each read at its first use. It knows no manifest and no network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain
from pathlib import Path
from typing import Final

from runner.domain.errors import FileMissing, Position, Problem, SchemaInvalid, Severity, UsageError
from runner.models.model import Model
from runner.models.schema_file import MOST_BYTES, parse_model_file
from runner.system.escapes import command_line
from runner.system.nearest_name import Speller

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", re.ASCII)
_DEEPEST: Final = 8
_LONGEST_ID: Final = 200
_SAME_MAKER: Final = 0.7
HOW_TO_ADD: Final = "`shotrunner models import FILE` adds one, from the schema that its maker publishes"
SCHEMA_FOLDER: Final = "schemas"
"""The folder beside a manifest that is always searched."""

BUNDLED: Final = "bundled"
"""Where a model comes from if it came with the program."""


@dataclass(frozen=True, slots=True)
class _SchemaFolder:
    """A folder of schema files; `bare` folders hold other files too, so ids there must contain a slash.

    `given` is the folder that a person named, and None for the package.
    """

    root: Traversable
    given: Path | None = None
    bare: bool = False

    @property
    def bundled(self) -> bool:
        """True for the folder in the package."""
        return self.given is None

    @property
    def name(self) -> str:
        """The folder as a person named it, or `bundled`."""
        return BUNDLED if self.given is None else str(self.given)

    def file(self, model_id: str) -> Traversable | None:
        if self.bare and ("/" not in model_id or model_id.startswith("models/")):
            return None
        found = self.root.joinpath(*f"{model_id}.json".split("/"))
        return found if found.is_file() else None

    def ids(self) -> Iterator[str]:
        return (each for each in _ids(self.root) if _ID.fullmatch(each) and self.file(each))


def is_model_id(text: str) -> bool:
    """Return whether `text` can be a model's id: plain names with slashes between them, as in a relative path."""
    return len(text) <= _LONGEST_ID and _ID.fullmatch(text) is not None


class Models:
    """Every model that can be planned: the bundled ones, and those in a user's folders.

    The first folder that has a model wins, and the package comes last; `overridden` reports the bundled models that a
    user's file replaces.
    """

    def __init__(self, shelves: Sequence[_SchemaFolder]) -> None:
        self._shelves = tuple(shelves)
        # Errors are kept too, because a thousand shots of one model must not read its file a thousand times.
        self._loaded: dict[str, Model | SchemaInvalid | None] = {}
        self._speller = Speller()

    @classmethod
    def bundled(cls, extra_dirs: Sequence[Path] = ()) -> Models:
        """Return the bundled models and those in `extra_dirs`, as `models/<id>.json` or `<id>.json`.

        A folder that does not exist holds no models; the caller decides whether that is an error.
        """
        own = (
            (_SchemaFolder(each / "models", each), _SchemaFolder(each, each, bare=True))
            for each in extra_dirs
        )
        return cls([*chain.from_iterable(own), _SchemaFolder(schemas_root() / "models")])

    def ids(self) -> tuple[str, ...]:
        """Return the sorted ids of all models, as they were at the first call; no file is opened."""
        return self._ids

    @cached_property
    def _ids(self) -> tuple[str, ...]:
        return tuple(sorted({model_id for shelf in self._shelves for model_id in shelf.ids()}))

    def where_from(self) -> Mapping[str, str]:
        """Return the sorted ids of all models, each with the folder that `find` reads it from, or `bundled`."""
        found = {model_id: shelf.name for shelf in reversed(self._shelves) for model_id in shelf.ids()}
        return dict(sorted(found.items()))

    def find(self, model_id: str) -> Model | None:
        """Return the model, or None if there is no file for it.

        Raises:
            SchemaInvalid: its file cannot be used; the message names the file and the reason.
        """
        if model_id not in self._loaded:
            try:
                self._loaded[model_id] = self._load(model_id)
            except SchemaInvalid as error:
                self._loaded[model_id] = error
        found = self._loaded[model_id]
        if isinstance(found, SchemaInvalid):
            raise SchemaInvalid(found.message, advice=found.advice)
        return found

    def named(self, model_id: str) -> Model:
        """Return the model that a person named.

        Raises:
            UsageError: there is no file for it; the advice names the nearest id.
            SchemaInvalid: as for `find`.
        """
        model = self.find(model_id)
        if model is None:
            nearest = self.nearest(model_id)
            raise UsageError(
                f"there is no schema for the model {model_id!r}",
                advice=f"did you mean {nearest}?" if nearest else HOW_TO_ADD,
            )
        return model

    def sha256(self, model_id: str) -> str:
        """Return the SHA-256 of the file that `find` would read, empty if there is none; raises `OSError`."""
        located = self._locate(model_id)
        return hashlib.sha256(located[0].read_bytes()).hexdigest() if located else ""

    def nearest(self, model_id: str) -> str | None:
        """Return the id that was probably meant, even if only its last part was written.

        A model of another maker is not a misspelling, however much the rest of its id resembles one that is here.
        """
        nearest, ids = self._speller.nearest, self.ids()
        maker, slash, _ = model_id.partition("/")
        if slash:
            makers = dict.fromkeys(known.partition("/")[0] for known in ids)
            close_maker = nearest(maker, makers, likeness=_SAME_MAKER)
            ids = tuple(known for known in ids if known.partition("/")[0] == close_maker)
        tails = {known.rpartition("/")[2]: known for known in ids}
        close = nearest(model_id, ids) or nearest(model_id.rpartition("/")[2], tails)
        return tails.get(close, close) if close else None

    @cached_property
    def overridden(self) -> tuple[Problem, ...]:
        """The warnings, one for each bundled model whose schema a user's file replaces with a different one."""
        found, package = [], self._shelves[-1]
        for model_id in package.ids():
            located, own = self._locate(model_id), package.file(model_id)
            if not located or not own or located[1] is package:
                continue
            file = located[0]
            if file.read_bytes() != own.read_bytes():
                message, subject = "this file replaces the bundled schema", f"model {model_id}"
                found.append(Problem(Position(str(file)), subject, message, severity=Severity.WARNING))
        return tuple(found)

    def unchecked(self, model_ids: Iterable[str]) -> tuple[Problem, ...]:
        """Return the warnings about rules of these models that no request is checked against."""
        found = (model for model in map(self.find, model_ids) if model)
        return tuple(
            Problem(Position(model.file), f"model {model.id}", note, severity=Severity.WARNING)
            for model in found
            for note in model.notes
        )

    def _locate(self, model_id: str) -> tuple[Traversable, _SchemaFolder] | None:
        # The id becomes a path, so only plain names may pass.
        if not is_model_id(model_id):
            return None
        found = ((shelf.file(model_id), shelf) for shelf in self._shelves)
        return next(((file, shelf) for file, shelf in found if file), None)

    def _load(self, model_id: str) -> Model | None:
        located = self._locate(model_id)
        if located is None:
            return None
        file, shelf = located
        try:
            with file.open("rb") as stream:
                data = stream.read(MOST_BYTES + 1)
        except OSError as error:
            raise SchemaInvalid(f"{file}: cannot be read: {error.strerror}") from error
        published = parse_model_file(data, model=model_id, file=str(file), hashes_needed=shelf.bundled)
        if not shelf.bundled:
            from runner.models.published import form_of

            if form := form_of(published.input):
                # A problem of a manifest shows the message alone.
                again = command_line("models", "import", str(file), "--name", model_id, "--force")
                raise SchemaInvalid(
                    f"{file}: this is {form}, with a schema inside it; `{again}` takes that out"
                )
        return Model.from_file(published)


def schemas_root() -> Traversable:
    """Return the folder of bundled schemas: inside an installed package, else beside it in a checkout."""
    package = files("runner")
    inside = package.joinpath("_schemas")
    return inside if inside.is_dir() else Path(str(package)).parent / "schemas"


def _ids(folder: Traversable, prefix: str = "", depth: int = 0) -> Iterator[str]:
    # Without this limit, a link that leads back up would be followed forever.
    if depth > _DEEPEST or not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.name.endswith(".json") and not entry.name.startswith("."):
            yield prefix + entry.name.removesuffix(".json")
        elif not entry.name.startswith("."):
            yield from _ids(entry, f"{prefix}{entry.name}/", depth + 1)


def search_path(manifest: Path, wanted: Sequence[Path]) -> list[Path]:
    """Return the folders to search for model schemas, in their order.

    Raises:
        FileMissing: a folder that was asked for does not exist.
    """
    for folder in wanted:
        if not folder.is_dir():
            raise FileMissing(f"the schema folder {folder} is not there", advice="give another --schema-dir")
    beside = manifest.parent / SCHEMA_FOLDER
    return [*wanted, beside] if beside.is_dir() else list(wanted)
