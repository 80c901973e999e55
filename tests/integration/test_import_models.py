"""Models taken from files and addresses: what is written, what is refused, and what no request carries."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.commands.check import check
from runner.commands.import_models import Import, import_models
from runner.commands.steps.editor_schema import EDITOR_SCHEMA
from runner.domain.errors import (
    CannotCreate,
    FileMissing,
    ManifestInvalid,
    SchemaInvalid,
    ServiceUnavailable,
    ShotrunnerError,
    UsageError,
)
from runner.models.document_text import MOST_BYTES
from runner.models.registry import Models
from tests.integration.test_catalogue import Stub

INPUT: dict[str, Any] = {"type": "object", "properties": {"prompt": {"type": "string"}}}
BAD: dict[str, Any] = {"type": "object", "properties": {"prompt": {"$ref": "https://example.com/a.json"}}}
PAGE = {
    "models": [
        {"model_id": "acme/one", "input_schema": INPUT, "base_price_usd": 0.1, "price_unit": "second"},
        {"model_id": "acme/bad", "input_schema": BAD},
        {"model_id": "acme/two", "input_schema": INPUT},
    ]
}
PATHS = {
    f"/v1/{name}": {
        "post": {"requestBody": {"content": {"application/json": {"schema": INPUT | {"title": name}}}}}
    }
    for name in ("film", "still")
}


def no_one(title: str) -> str:
    raise UsageError(f"the id of {title} is asked for")


def imported(
    folder: Path,
    document: object,
    *,
    part: str = "",
    name: str | None = None,
    replace: bool = False,
    dry_run: bool = False,
) -> Import:
    """Import a document from a file into the folder `schemas`."""
    path = folder / "page.json"
    path.write_text(json.dumps(document), "utf-8")
    into = folder / "schemas"
    return import_models(f"{path}{part}", into, name=name, ask=no_one, replace=replace, dry_run=dry_run)


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in (folder / "schemas").rglob("*.json")}


def test_an_imported_model_can_be_used_by_a_manifest_beside_it(tmp_path: Path) -> None:
    imported(tmp_path, INPUT, name="acme/dream")
    board = tmp_path / "board.yaml"
    board.write_text("version: 1\nshots: [{id: a, model: acme/dream, inputs: {prompt: hi}}]\n", "utf-8")
    assert [take.body for take in check(board).takes] == ['{"prompt":"hi"}']
    assert "acme/dream" in (tmp_path / EDITOR_SCHEMA).read_text("utf-8")


def test_the_file_is_shaped_as_the_bundled_ones_and_says_where_it_comes_from(tmp_path: Path) -> None:
    found = imported(tmp_path, PAGE["models"][0])
    path = tmp_path / "schemas" / "acme" / "one.json"
    assert found.written == (path, tmp_path / EDITOR_SCHEMA)
    document = json.loads(path.read_text("utf-8"))
    assert list(document) == ["model", "source", "sha256", "input", "output"]
    assert document["input"] == INPUT
    assert document["source"].pop("retrieved")
    assert document["source"] == {"file": "page.json", "base_price_usd": 0.1, "price_unit": "second"}


def test_of_a_page_all_that_can_be_used_is_imported_and_the_rest_named(tmp_path: Path) -> None:
    found = imported(tmp_path, PAGE)
    assert [each.model.id for each in found.models] == ["acme/one", "acme/two"]
    (refused,) = found.refused
    assert refused.startswith("acme/bad: ")
    assert written(tmp_path) == {"schemas/acme/one.json", "schemas/acme/two.json"}


def test_one_model_of_several_is_chosen_by_its_id_or_by_the_name_of_its_schema(tmp_path: Path) -> None:
    assert [each.model.id for each in imported(tmp_path, PAGE, name="acme/two").models] == ["acme/two"]
    document = {"openapi": "3.1.0", "paths": PATHS}
    found = imported(tmp_path, document, part="#still", name="acme/still")
    assert [(each.model.id, each.found.name) for each in found.models] == [("acme/still", "still")]
    with pytest.raises(UsageError, match="none of them") as refused:
        imported(tmp_path, PAGE, name="acme/three")
    assert "acme/one, acme/bad, acme/two" in refused.value.advice
    # The path of a request is not the id of a model's page.
    with pytest.raises(
        SchemaInvalid, match=r"does not give the id of this model; import .*#film --name VENDOR/NAME"
    ):
        imported(tmp_path, document)


def test_who_imports_is_asked_for_an_id_that_the_document_does_not_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the id of Dream is asked for"):
        imported(tmp_path, {**INPUT, "title": "Dream"})
    with pytest.raises(UsageError, match="is asked for"):
        imported(tmp_path, {"id": "0a1b2c", "name": "The Dream", "input_schema": INPUT})
    path = tmp_path / "page.json"
    found = import_models(str(path), tmp_path / "schemas", ask=lambda _: "acme/asked")
    assert found.models[0].model.id == "acme/asked"
    with pytest.raises(UsageError, match="is not a model id"):
        import_models(str(path), tmp_path / "schemas", ask=lambda _: "../../x")


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    imported(tmp_path, INPUT, name="acme/two")
    with pytest.raises(CannotCreate, match="is there already"):
        imported(tmp_path, PAGE)
    assert written(tmp_path) == {"schemas/acme/two.json"}
    imported(tmp_path, PAGE, replace=True)
    assert written(tmp_path) == {"schemas/acme/one.json", "schemas/acme/two.json"}


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    assert len(imported(tmp_path, PAGE, dry_run=True).written) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["page.json"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (BAD, "may only point into the schema itself"),
        ({"openapi": "3.0.0", "paths": {}}, "it has no input schema"),
        ({"detail": "not found"}, "it has no input schema"),
        ({"allOf": [{"type": "object"}]}, "not an object with properties"),
        ({**INPUT, "title": "\ud800"}, "half a character"),
        ({**INPUT, "minimum": float("nan")}, "a number or"),
    ],
    ids=str,
)
def test_what_a_run_could_not_use_is_refused_and_nothing_written(
    document: object, why: str, tmp_path: Path
) -> None:
    with pytest.raises(SchemaInvalid, match=why) as refused:
        imported(tmp_path, document, name="acme/dream")
    assert refused.value.advice
    assert [path.name for path in tmp_path.iterdir()] == ["page.json"]


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        import_models(str(tmp_path / "none.json"), tmp_path, ask=no_one)


def test_a_document_in_the_folder_of_schemas_is_refused_with_the_command_that_imports_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "schemas" / "acme" / "page.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"openapi": "3.1.0", "paths": {"/film": PATHS["/v1/film"]}}), "utf-8")
    board = tmp_path / "board.yaml"
    board.write_text("version: 1\nshots: [{id: a, model: acme/page, inputs: {prompt: hi}}]\n", "utf-8")
    with pytest.raises(ManifestInvalid) as refused:
        check(board)
    (problem,) = refused.value.problems
    assert f"`shotrunner models import {path} --name acme/page --force`" in problem.message
    import_models(str(path), tmp_path / "schemas", name="acme/page", ask=no_one, replace=True)
    assert len(check(board).takes) == 1


@contextmanager
def serving(**answers: tuple[int, bytes]) -> Iterator[Stub]:
    stub = Stub({f"/{name}": answer for name, answer in answers.items()})
    thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        thread.join()
        stub.server_close()


def from_address(url: str, folder: Path) -> Import:
    return import_models(url, folder / "schemas", name="acme/dream", ask=no_one, allow_loopback=True)


def test_an_address_is_read_without_a_token_and_noted_without_its_query(tmp_path: Path) -> None:
    with serving(**{"a.json?sig=1": (200, json.dumps(INPUT).encode())}) as stub:
        from_address(f"{stub.origin}/a.json?sig=1", tmp_path)
    assert stub.asked == [("/a.json?sig=1", None)]
    found = Models.bundled([tmp_path / "schemas"]).named("acme/dream")
    assert found.source["url"] == f"{stub.origin}/a.json"


def test_an_answer_that_comes_packed_is_unpacked(tmp_path: Path) -> None:
    with serving(a=(200, gzip.compress(json.dumps(INPUT).encode()))) as stub:
        assert len(from_address(f"{stub.origin}/a", tmp_path).models) == 1


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        ((404, b"{}"), FileMissing, "HTTP 404"),
        ((503, b"{}"), ServiceUnavailable, "HTTP 503"),
        ((200, b"<html>log in</html>"), SchemaInvalid, "a web page"),
        ((200, b" " * (MOST_BYTES + 1)), SchemaInvalid, "larger than"),
    ],
    ids=["missing", "down", "page", "large"],
)
def test_an_address_without_a_document_is_refused(
    answer: tuple[int, bytes], error: type[ShotrunnerError], why: str, tmp_path: Path
) -> None:
    with serving(a=answer) as stub, pytest.raises(error, match=why):
        from_address(f"{stub.origin}/a", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["http://example.com/a.json", "ftp://example.com/a", "file:///etc/passwd", "https://127.0.0.1/a"]
)
def test_only_https_to_a_public_host_is_asked(url: str, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        import_models(url, tmp_path, ask=no_one)
