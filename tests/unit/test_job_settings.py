"""Which jobs count as alike: by their settings, whatever their words, pictures and seeds are."""

from __future__ import annotations

import json

import pytest

from runner.domain.job_settings import settings_of


def settings(**inputs: object) -> str:
    return settings_of(json.dumps({"duration": 5, "resolution": "720p", **inputs}))


@pytest.mark.parametrize(
    "inputs",
    [
        {"seed": 7},
        {"promptText": "a fox in the snow"},
        {"image": "https://example.com/a.png"},
        {"image": "data:image/png;base64," + "A" * 4000},
        {"frames": ["a", "b"]},
        {"resolution": "720p", "duration": 5},
    ],
)
def test_seeds_words_pictures_and_order_make_no_difference(inputs: dict[str, object]) -> None:
    assert settings(**inputs) == settings()


@pytest.mark.parametrize(
    "inputs", [{"duration": 10}, {"resolution": "1080p"}, {"audio": True}, {"strength": 0.5}]
)
def test_numbers_switches_and_words_of_a_list_do(inputs: dict[str, object]) -> None:
    assert settings(**inputs) != settings()
