"""What can be a host at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.models.media_inputs import url_fault
from runner.system.hosts import host_fault, is_public_host, plain_host
from tests.effort import at_most


@pytest.mark.parametrize(
    "host", ["a", "a.b", "a_b.c-d", "localhost", "1.2.3.4", "::1", "bücher.example", "a.b."]
)
def test_what_a_resolver_takes_can_be_a_host(host: str) -> None:
    assert host_fault(host) == ""


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "a b", "a%20b", "1.2.3", "-a", "a" * 64, "a." * 127 + "a", "x" * 70_000]
)
def test_what_none_takes_is_refused_with_a_reason_also_in_a_media_link(host: str) -> None:
    assert host_fault(host)
    assert url_fault(f"https://{host}/a.jpg")
    assert url_fault(f"https://{host}/a.jpg", allow_private=True)


@given(st.text(max_size=40))
def test_no_text_raises(host: str) -> None:
    host_fault(host)
    is_public_host(host)


def test_a_host_without_end_costs_nothing() -> None:
    with at_most(20):
        for host in ("\u0301" * 300_000, "a." * 300_000, "９" * 300_000):
            assert host_fault(host)
            assert not is_public_host(host)
            plain_host(host)
