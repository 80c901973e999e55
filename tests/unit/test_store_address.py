"""Addresses of stores and shards of a board: one normal form, and refusals that show no secret."""

from __future__ import annotations

from collections import Counter

import pytest

from runner.domain.errors import UsageError
from runner.domain.shards import Shard, shard_of
from runner.domain.store_address import is_store_address, store_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket", "s3://bucket"),
        ("S3://Bucket/a/b/", "s3://Bucket/a/b"),
        ("gs://bucket/with space/é", "gs://bucket/with space/é"),
        ("file:///mnt/clips/", "file:///mnt/clips"),
        ("sftp://anna@nas/clips", "sftp://anna@nas/clips"),
    ],
)
def test_an_address_has_one_form(text: str, url: str) -> None:
    assert store_address(text).url == url
    assert store_address(url).under("clips", "a.mp4").url == f"{url}/clips/a.mp4"


@pytest.mark.parametrize(
    "text",
    [
        *("bucket/prefix", "s3://", "s3:///prefix", "s3://b/../c", "s3://b?key=hidden", "s3://b/x\ny"),
        *("s3://key:hidden@bucket", "s3://key@bucket", "sftp://anna:hidden@nas/clips", "s3://[b"),
    ],
)
def test_what_is_no_address_is_refused_without_its_secret(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        store_address(text)
    assert "hidden" not in caught.value.message


def test_a_path_is_no_address() -> None:
    assert not any(map(is_store_address, ("reports/board", "/mnt/x", "C:\\clips", "s3:/x", "a b://c")))
    assert is_store_address("s3://bucket/x")


def test_each_take_is_in_one_shard_whatever_the_others_are() -> None:
    takes = [f"s{number:03}_t01" for number in range(2000)]
    shards = [Shard(number, 5) for number in range(1, 6)]
    found = Counter(str(shard) for take in takes for shard in shards if shard.holds(take))
    assert found.total() == len(takes)
    assert all(320 < share < 480 for share in found.values())
    assert Shard(3, 5).holds("s010_t01") is Shard(3, 5).holds("s010_t01")


@pytest.mark.parametrize("text", ["", "2", "0/5", "6/5", "2/0", "1/1001", "2 / 5", "a/b", "-1/5"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="2/5"):
        shard_of(text)


def test_a_shard_is_written_as_it_is_read() -> None:
    assert str(shard_of("2/5")) == "2/5"
    assert shard_of("2/5").folder == "shard-2-of-5"
