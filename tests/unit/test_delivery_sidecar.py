"""Sidecars and notes say what was put in, and are never believed blindly."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.media.clips.sidecar import (
    DeliveredFile,
    PartialDownload,
    RejectedNote,
    Sidecar,
    note_bytes,
    read_note,
    read_rejected_note,
    read_sidecar,
)
from runner.media.http.response import Version

LANDED = DeliveredFile(0, "s010.mp4", "ab" * 32, 7, "https://a.example/x.mp4")
SIDECAR = Sidecar("s010", "req-1", (LANDED,), {"model": "m", "seed": 7, "inputs": {"promptText": "größer"}})


def test_a_sidecar_reads_back_equal() -> None:
    assert read_sidecar(SIDECAR.to_bytes(), take="s010") == SIDECAR


def test_a_sidecar_leads_with_the_first_file() -> None:
    content = json.loads(SIDECAR.to_bytes())
    assert (content["take"], content["file"], content["sha256"], content["bytes"]) == (
        "s010",
        "s010.mp4",
        "ab" * 32,
        7,
    )


@pytest.mark.parametrize("version", [Version(), Version('"tag"', "Mon, 30 Nov 2026 01:00:00 GMT", 90)])
def test_a_note_reads_back_equal(version: Version) -> None:
    note = PartialDownload("req-1", "https://a.example/x", 9, version, stalled=2)
    assert read_note(note_bytes(note)) == note
    assert read_rejected_note(note_bytes(note)) is None


def test_a_note_on_what_came_instead_reads_back_equal() -> None:
    note = RejectedNote("s010.rejected", "ab" * 32)
    assert read_rejected_note(note_bytes(note)) == note
    assert read_note(note_bytes(note)) is None


def test_a_remark_reads_back_equal_and_an_older_sidecar_has_none() -> None:
    marked = replace(SIDECAR, outputs=(replace(LANDED, remark="a ZIP archive"),))
    assert read_sidecar(marked.to_bytes(), take="s010") == marked
    assert b"remark" not in SIDECAR.to_bytes()


def _edited(**changes: object) -> bytes:
    return json.dumps({**json.loads(SIDECAR.to_bytes()), **changes}).encode()


def _output(**changes: object) -> bytes:
    content = json.loads(SIDECAR.to_bytes())
    content["outputs"][0].update(changes)
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": "shotrunner-clip/1"}',
        _edited(format="shotrunner-clip/2"),
        _edited(take="s020"),
        _edited(request_id=7),
        _edited(outputs=None),
        _edited(outputs=["x"]),
        _output(file="../../home/x"),
        _output(file="s020.mp4"),
        _output(file="s010.x/../../y"),
        _output(bytes=-1),
        _output(bytes=True),
        _output(index="0"),
    ],
)
def test_a_file_that_is_not_ours_is_no_sidecar(data: bytes) -> None:
    assert read_sidecar(data, take="s010") is None
    assert read_note(data) is None


@settings(max_examples=100)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda t: st.lists(t, max_size=3), max_leaves=5
    )
)
def test_any_json_gets_an_answer(value: object) -> None:
    for form in ("shotrunner-clip/1", "shotrunner-remainder/1"):
        data = json.dumps({"format": form, "take": "s010", "request_id": value, "outputs": value}).encode()
        found = read_sidecar(data, take="s010")
        assert found is None or found.take == "s010"
        assert read_note(data) is None
