"""Errors of the libraries of stores, sorted by what a person does next; no text of theirs reaches a message."""

from __future__ import annotations

import errno

import pytest
from botocore import exceptions as boto

from runner.domain.errors import NotInStore, StoreAway, StoreRefused
from runner.object_store.failures import AlreadyInStore, sorted_failure

AT = "s3://clips/night/a.mp4"
SECRET = "AKIA-a-secret"


def answer(code: str, status: int) -> boto.ClientError:
    """Return what botocore raises for an answer of the store."""
    response = {"Error": {"Code": code, "Message": SECRET}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(response, "PutObject")


class OfSomeLibrary(Exception):
    """An error of a library that this program does not know, with the status that many of them have."""

    __module__ = "some_store.errors"

    def __init__(self, status: int | str | None = None) -> None:
        super().__init__(SECRET)
        self.status_code = status


AuthenticationException = type(
    "AuthenticationException", (OfSomeLibrary,), {"__module__": "paramiko.ssh_exception"}
)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer("SlowDown", 503), StoreAway),
        (answer("", 500), StoreAway),
        (answer("Odd", 429), StoreAway),
        (answer("BadDigest", 400), StoreAway),
        (answer("404", 404), NotInStore),
        (answer("NoSuchKey", 404), NotInStore),
        (answer("NoSuchBucket", 404), StoreRefused),
        (answer("AccessDenied", 403), StoreRefused),
        (answer("PermanentRedirect", 301), StoreRefused),
        (answer("PreconditionFailed", 412), AlreadyInStore),
        (boto.EndpointConnectionError(endpoint_url=SECRET), StoreAway),
        (boto.ConnectTimeoutError(endpoint_url=SECRET), StoreAway),
        (boto.ReadTimeoutError(endpoint_url=SECRET), StoreAway),
        (boto.ConnectionClosedError(endpoint_url=SECRET), StoreAway),
        (boto.FlexibleChecksumError(error_msg=SECRET), StoreAway),
        (boto.SSLError(endpoint_url=SECRET, error=SECRET), StoreRefused),
        (boto.NoCredentialsError(), StoreRefused),
        (boto.NoRegionError(), StoreRefused),
        (boto.ProfileNotFound(profile=SECRET), StoreRefused),
        (TimeoutError(), StoreAway),
        (ConnectionResetError(errno.ECONNRESET, "reset"), StoreAway),
        (OSError(errno.ENOSPC, "no space"), StoreRefused),
        (PermissionError(errno.EACCES, "denied"), StoreRefused),
        (FileNotFoundError(), NotInStore),
        (FileExistsError(), AlreadyInStore),
        (NotImplementedError(), StoreRefused),
        (OfSomeLibrary(403), StoreRefused),
        (OfSomeLibrary("401"), StoreRefused),
        (OfSomeLibrary(503), StoreAway),
        (OfSomeLibrary(), StoreAway),
        (AuthenticationException(), StoreRefused),
        (StoreAway("as it was"), StoreAway),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else repr(each)[:50],
)
def test_an_error_is_sorted_without_its_own_words(error: Exception, kind: type[Exception]) -> None:
    found = sorted_failure(error, at=AT)
    assert type(found) is kind
    if isinstance(found, StoreAway | StoreRefused | NotInStore) and found is not error:
        assert AT in found.message
        assert SECRET not in found.message + found.advice
        assert found.advice or kind is NotInStore


@pytest.mark.parametrize("error", [TypeError(), AttributeError(), AssertionError()])
def test_a_bug_of_this_program_is_not_a_failure_of_the_store(error: Exception) -> None:
    assert sorted_failure(error, at=AT) is None


def test_a_code_of_the_store_cannot_paint_the_terminal() -> None:
    found = sorted_failure(answer("\x1b[31m" + "x" * 1000, 400), at=AT)
    assert isinstance(found, StoreRefused)
    assert "\x1b" not in found.message
    assert len(found.message) < 200
