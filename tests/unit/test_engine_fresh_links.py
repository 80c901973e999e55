"""A job's outputs keep their places, whatever links its record names them by the next time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.downloader import renewed

A, B, C = (f"https://files.example/{name}.mp4" for name in "abc")
ONE, TWO = (f"https://files.example/get?file={number}" for number in "12")


@pytest.mark.parametrize(
    ("links", "fresh", "expected"),
    [
        ((A,), (f"{A}?sig=2",), (f"{A}?sig=2",)),
        ((A,), (C,), (C,)),
        ((A, B), (B, A), (A, B)),
        ((A, B), (f"{B}?sig=2", f"{A}?sig=2"), (f"{A}?sig=2", f"{B}?sig=2")),
        ((A, B), (B,), (A, B)),
        ((A, B), (f"{A}?sig=2",), (f"{A}?sig=2", B)),
        ((A, B), (C, A), (A, C)),
        ((A, B), (C,), (C, B)),
        ((A, B), (), (A, B)),
        ((A,), (C, A), (A, C)),
        ((A, B), (A, A), (A, B)),
        ((ONE, TWO), (f"{TWO}&sig=2", f"{ONE}&sig=2"), (f"{ONE}&sig=2", f"{TWO}&sig=2")),
        ((), (A, B), (A, B)),
    ],
)
def test_an_output_keeps_its_place(
    links: tuple[str, ...], fresh: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert renewed(links, fresh) == expected


@given(st.permutations([f"https://files.example/{number}.mp4" for number in range(6)]), st.integers(0, 6))
def test_no_order_and_no_gap_moves_an_output_or_takes_one_away(order: list[str], named: int) -> None:
    links = sorted(order)
    fresh = [f"{link}?signature=new" for link in order[:named]]
    merged = renewed(links, fresh)
    assert [link.partition("?")[0] for link in merged] == links
    assert set(fresh) <= set(merged)
