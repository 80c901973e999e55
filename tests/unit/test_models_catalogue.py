"""Models are files: where they are looked for, which goes first, and what a bad one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.domain.errors import SchemaInvalid, Severity, UsageError
from runner.models.registry import BUNDLED, Models

BARE = {"type": "object", "properties": {"prompt": {"type": "string"}}}
PIKA = Path(__file__).parents[2] / "schemas" / "models" / "pika" / "pikaframes.json"


def put(folder: Path, model_id: str, document: object = BARE) -> Path:
    file = folder / f"{model_id}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


@pytest.mark.parametrize("place", ["acme/dream", "models/acme/dream"])
def test_a_users_file_is_a_model_in_either_layout(tmp_path: Path, place: str) -> None:
    put(tmp_path, place)
    models = Models.bundled([tmp_path])
    assert "acme/dream" in models.ids()
    found = models.find("acme/dream")
    assert found is not None
    assert [i.name for i in found.inputs] == ["prompt"]


def test_other_json_files_beside_the_models_are_no_models(tmp_path: Path) -> None:
    put(tmp_path, "manifest.schema")
    put(tmp_path, "models/acme/dream")
    own = set(Models.bundled([tmp_path]).ids()) - set(Models.bundled().ids())
    assert own == {"acme/dream"}


def test_a_model_is_read_once(tmp_path: Path) -> None:
    file = put(tmp_path, "acme/dream")
    models = Models.bundled([tmp_path])
    first = models.find("acme/dream")
    file.unlink()
    assert models.find("acme/dream") is first


def test_a_broken_file_is_only_noticed_by_who_asks_for_it(tmp_path: Path) -> None:
    file = put(tmp_path, "acme/broken")
    file.write_text("{", encoding="utf-8")
    models = Models.bundled([tmp_path])
    assert models.find("pika/pikaframes") is not None
    with pytest.raises(SchemaInvalid, match=r"broken\.json: not usable JSON"):
        models.find("acme/broken")


@pytest.mark.parametrize(
    "model_id",
    [
        "",
        "nobody/nothing",
        "../secrets",
        "pika/../pika/pikaframes",
        "/etc/passwd",
        "pika//pikaframes",
        "a\\b",
        "x" * 5000,
    ],
    ids=lambda text: text[:20] or "empty",
)
def test_an_id_that_names_no_file_below_the_folder_finds_nothing(model_id: str) -> None:
    assert Models.bundled().find(model_id) is None


def test_a_missing_folder_holds_no_models(tmp_path: Path) -> None:
    assert Models.bundled([tmp_path / "none"]).ids() == Models.bundled().ids()


def test_a_folder_that_links_back_to_itself_is_listed_and_ends(tmp_path: Path) -> None:
    put(tmp_path, "acme/dream")
    (tmp_path / "acme" / "loop").symlink_to(tmp_path)
    assert "acme/dream" in Models.bundled([tmp_path]).ids()


def test_a_users_file_takes_the_place_of_a_bundled_one_and_says_so(tmp_path: Path) -> None:
    put(tmp_path, "pika/pikaframes")
    models = Models.bundled([tmp_path])
    found = models.find("pika/pikaframes")
    assert found is not None
    assert [i.name for i in found.inputs] == ["prompt"]
    (warning,) = models.overridden
    assert warning.severity is Severity.WARNING
    assert (warning.subject, warning.message) == (
        "model pika/pikaframes",
        "this file replaces the bundled schema",
    )
    assert warning.at.file.startswith(str(tmp_path))


def test_a_copy_of_a_bundled_file_overrides_nothing(tmp_path: Path) -> None:
    put(tmp_path, "pika/pikaframes").write_bytes(PIKA.read_bytes())
    assert Models.bundled([tmp_path]).overridden == ()


def test_the_first_folder_goes_first(tmp_path: Path) -> None:
    put(tmp_path / "a", "acme/dream", {"type": "object", "properties": {"first": {}}})
    put(tmp_path / "b", "acme/dream", {"type": "object", "properties": {"second": {}}})
    found = Models.bundled([tmp_path / "a", tmp_path / "b"]).find("acme/dream")
    assert found is not None
    assert [i.name for i in found.inputs] == ["first"]


def test_each_model_has_the_folder_that_it_is_read_from(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    put(first, "acme/dream")
    put(second, "acme/dream")
    put(second, "models/pika/pikaframes")
    assert Models.bundled([first, second]).where_from() == {
        "acme/dream": str(first),
        "pika/pika-2-2/image-to-video": BUNDLED,
        "pika/pikaframes": str(second),
    }


def test_who_names_an_unknown_model_of_another_maker_sees_how_to_add_it() -> None:
    with pytest.raises(UsageError, match="no schema for the model 'acme/dream'") as refused:
        Models.bundled().named("acme/dream")
    assert "shotrunner models import" in refused.value.advice


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pika/pikaframe", "pika/pikaframes"),
        ("Pika/PikaFrames", "pika/pikaframes"),
        ("pikaframes", "pika/pikaframes"),
        ("image-to-video", "pika/pika-2-2/image-to-video"),
        ("pikka/pikaframes", "pika/pikaframes"),
        ("zzz", None),
        ("acme/pikaframes", None),
        ("fal-ai/kling-video/v2/master/image-to-video", None),
    ],
)
def test_a_misspelled_model_has_a_nearest_one(written: str, meant: str | None) -> None:
    assert Models.bundled().nearest(written) == meant
