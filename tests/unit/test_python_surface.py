"""Every name that the package promises to Python programs can be had, in the order of the alphabet."""

from __future__ import annotations

import pytest

import runner


@pytest.mark.parametrize("name", runner.__all__)
def test_every_promised_name_can_be_had(name: str) -> None:
    assert getattr(runner, name) is not None


def test_the_names_are_sorted_and_all_that_a_listing_shows() -> None:
    assert dir(runner) == sorted(runner.__all__)
