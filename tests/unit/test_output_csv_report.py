"""The CSV report: the manifest's own cells, the results, and a manifest again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.manifest import csv_manifest
from runner.output.csv_report import RESULT_COLUMNS, frame, write_csv
from runner.system.canonical_json import JsonValue
from runner.system.csv_cells import unguard
from tests.unit.output_records import BODY, csv_text, delivered, header, pending, queued, succeeded
from tests.unit.test_cells import FORMULAS

COLUMNS = ("id", "model", "seeds", "notes", "promptText", "seed", "camera.zoom")
CELLS = {
    "id": "s010",
    "model": "pika/pikaframes",
    "seeds": "1000-1001",
    "notes": " 007 ",
    "promptText": "take {{ seed }}",
    "seed": "",
    "camera.zoom": "01.50",
}


def _read(run: RunHeader, *takes: TakeRecord) -> list[dict[str, str]]:
    text = csv_text(run, takes)
    assert text.startswith("\ufeff")
    rows = csv.DictReader(io.StringIO(text[1:], newline=""), strict=True)
    return [{name: unguard(cell) for name, cell in row.items()} for row in rows]


def _swept(seed: int) -> TakeRecord:
    body: dict[str, JsonValue] = {"camera": {"zoom": 1.5}, "promptText": f"take {seed}", "seed": seed}
    take = pending(f"s010@seed={seed}", body=body)
    return replace(take, point={"seed": seed}, cells=CELLS)


def test_a_csv_manifest_keeps_its_columns_in_their_order_and_each_is_there_once() -> None:
    columns = list(frame(header(columns=COLUMNS), [_swept(1000)]).columns)
    assert columns[: len(COLUMNS)] == list(COLUMNS)
    assert columns[len(COLUMNS) :] == [name for name in RESULT_COLUMNS if name != "seed"]


def test_a_yaml_manifest_gets_its_inputs_in_a_stable_order() -> None:
    bodies: tuple[dict[str, JsonValue], ...] = (
        {"b": 1, "seed": 7},
        {"a": {"x": True, "y": [1, "z"]}, "b": 2},
    )
    takes = [pending(f"s{number}", body=body, position=number) for number, body in enumerate(bodies)]
    assert list(frame(header(), takes).columns) == [
        "id",
        "model",
        "tags",
        "notes",
        "b",
        "a.x",
        "a.y.0",
        "a.y.1",
        *RESULT_COLUMNS,
    ]
    second = _read(header(), *takes)[1]
    assert (second["a.x"], second["a.y.0"], second["a.y.1"], second["b"]) == ("true", "1", "z", "2")


def test_cells_of_a_row_without_a_sweep_come_back_verbatim() -> None:
    row = _read(header(columns=COLUMNS), replace(pending(), cells=CELLS))[0]
    assert {name: row[name] for name in COLUMNS if name != "seed"} == {
        name: cell for name, cell in CELLS.items() if name != "seed"
    }
    assert row["seed"] == "1000"


def test_a_take_of_a_sweep_is_written_as_one_concrete_row() -> None:
    first, second = _read(header(columns=COLUMNS), _swept(1000), _swept(1001))
    assert [first["id"], second["id"]] == ["s010", "s010"]
    assert [first["take"], second["take"]] == ["s010@seed=1000", "s010@seed=1001"]
    assert [first["seed"], second["seed"]] == ["1000", "1001"]
    assert [first["seeds"], second["seeds"]] == ["", ""]
    assert (second["promptText"], second["camera.zoom"], second["notes"]) == ("take 1001", "1.5", " 007 ")


def test_braces_of_a_body_are_doubled_where_a_reader_would_take_them_for_a_template() -> None:
    body = {"promptText": "a {{ brace }} {{{"}
    assert _read(header(), pending(body=body))[0]["promptText"] == "a {{{{ brace }} {{{{{"


def test_result_columns_say_what_became_of_a_take() -> None:
    row = _read(
        header(), replace(delivered(pending("s010@seed=1000")), outputs=("https://a/1.mp4", "https://a/2 b"))
    )[0]
    assert {name: row[name] for name in RESULT_COLUMNS} == {
        "take": "s010@seed=1000",
        "label": "s010_t01",
        "point": "",
        "state": "delivered",
        "class": "",
        "flags": "",
        "pick": "",
        "stale_fields": "",
        "request_id": "req-s010@seed=1000",
        "seed": "1000",
        "outputs": "https://a/1.mp4 https://a/2%20b",
        "file": "clips/s010@seed=1000.mp4",
        "sha256": "cd" * 32,
        "bytes": "31200",
        **dict.fromkeys(("clip_seconds", "clip_width", "clip_height", "clip_fps"), ""),
        "submitted_at": "2026-05-28T20:25:00Z",
        "finished_at": "2026-05-28T20:25:40Z",
        "seconds": "40.25",
        "cost": "0.3",
        "estimate": "",
        "error": "",
        "fingerprint": "ab" * 32,
    }


@pytest.mark.parametrize(
    ("state", "delivery", "said"),
    [
        (TakeState.PENDING, DeliveryState.NONE, "pending"),
        (TakeState.HELD, DeliveryState.NONE, "held"),
        (TakeState.SUCCEEDED, DeliveryState.NONE, "succeeded"),
        (TakeState.SUCCEEDED, DeliveryState.UNDELIVERABLE, "undeliverable"),
    ],
)
def test_the_state_column_tells_render_and_clip_apart(
    state: TakeState, delivery: DeliveryState, said: str
) -> None:
    assert _read(header(), replace(pending(), state=state, delivery=delivery))[0]["state"] == said


def test_a_failure_is_told_with_class_and_safe_reason() -> None:
    failed = replace(
        queued(pending()),
        state=TakeState.FAILED,
        failure=FailureClass.MODERATION,
        reason="\x1b[2J=no\n\u202e",
    )
    row = _read(header(), failed)[0]
    assert (row["class"], row["error"]) == ("moderation", "\\x1b[2J=no\\n\\u202e")


def test_a_seed_stays_the_integer_it_is_beside_takes_without_one() -> None:
    seed = 90190857123456789
    takes = [pending("s1", body={**BODY, "seed": seed}), pending("s2", body={"promptText": "x"}, position=1)]
    rows = _read(header(), *takes)
    assert [row["seed"] for row in rows] == [str(seed), ""]
    assert [row["duration"] for row in rows] == ["5", ""]
    assert "nan" not in csv_text(header(), takes).lower()


def test_rows_are_written_while_takes_are_read() -> None:
    """So memory does not grow with the number of takes."""
    file, written = io.BytesIO(), list[int]()

    def takes() -> Iterator[TakeRecord]:
        for number in range(5):
            written.append(file.tell())
            yield pending(f"s{number}")

    write_csv(file, header(), takes)
    assert written[-1] > written[-2] > 0


def test_takes_that_left_the_manifest_are_listed_only_if_they_were_sent() -> None:
    takes = [pending("a"), succeeded(pending("gone", position=None)), pending("never-sent", position=None)]
    assert [row["take"] for row in _read(header(), *takes)] == ["a", "gone"]


def test_a_table_is_written_in_one_pass_and_in_two_if_its_takes_have_other_inputs() -> None:
    """The columns come first, so an input that only a later take has is known too late; no row is kept meanwhile."""
    passes = []
    alike = [pending(f"s{number}") for number in range(3)]
    for takes in (alike, [*alike, pending("odd", body={"prompt": "x", "zoom": 2})]):
        calls = 0

        def anew(takes: list[TakeRecord] = takes) -> list[TakeRecord]:
            nonlocal calls
            calls += 1
            return takes

        file = io.BytesIO()
        write_csv(file, header(), anew)
        passes.append(calls - 1)
        assert file.getvalue().decode() == csv_text(header(), takes)
        assert file.getvalue().count(b"\r\n") == len(takes) + 1
    assert passes == [1, 2]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_no_cell_or_header_is_a_formula_and_each_can_be_read_back(text: str) -> None:
    take = replace(
        queued(pending(body={"promptText": text})),
        cells={"id": "s010", "notes": text, text: text},
        reason=text,
        state=TakeState.FAILED,
    )
    run = header(columns=("id", "notes", text))
    written = list(csv.reader(io.StringIO(csv_text(run, [take])[1:], newline="")))
    for cell in (cell for row in written for cell in row):
        assert cell.lstrip(" \n\t\r\0\ufeff\u200b\u00a0")[:1] not in set("=+-@＝＋－＠")
    assert unguard(written[0][2]) == text
    assert unguard(written[1][1]) == unguard(written[1][2]) == text


@pytest.mark.parametrize(
    "text", ['say "hi", twice', "one\ntwo\r\nthree\rfour", "a,b;c\td", "ünï 🎬", "'=1", "''-5"], ids=ascii
)
def test_awkward_cells_survive_the_round_trip(text: str) -> None:
    take = replace(pending(), cells={"id": "s010", "notes": text})
    assert _read(header(columns=("id", "notes")), take)[0]["notes"] == text


def test_numbers_are_written_as_numbers() -> None:
    row = _read(header(), pending(body={"shift": -5, "scale": -0.5, "on": False, "text": "-5"}))[0]
    assert (row["shift"], row["scale"], row["on"], row["text"]) == ("-5", "-0.5", "false", '"-5"')
    assert "'-" not in csv_text(header(), [pending(body={"shift": -5})])


def test_a_run_without_takes_has_a_header_alone() -> None:
    assert csv_text(header(columns=("id",)), []).splitlines() == [
        "\ufeff" + ",".join(("id", *RESULT_COLUMNS))
    ]


def test_the_manifest_reader_knows_the_columns_that_the_report_adds() -> None:
    """`seed` is the one result that is an input too."""
    assert set(RESULT_COLUMNS) - {"seed"} == set(csv_manifest.RESULT_COLUMNS)


def test_the_body_itself_is_never_changed_by_the_report() -> None:
    take = _swept(1000)
    frame(header(columns=COLUMNS), [take])
    assert json.loads(take.body)["seed"] == 1000
    assert take.cells is CELLS
    assert CELLS["seeds"] == "1000-1001"
