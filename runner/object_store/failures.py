"""What went wrong in a store, sorted by what to do next.

In: an error of fsspec, of botocore or of the system. Out: `StoreAway` for what may pass, `StoreRefused` for what stays
so, `NotInStore` and `AlreadyInStore`. No message holds credentials, a signed link, or a text that a server wrote.
"""

from __future__ import annotations

import errno

from runner.domain.errors import NotInStore, ShotrunnerError, StoreAway, StoreRefused
from runner.system.escapes import visible

_PASSING = frozenset(
    {
        "BadDigest",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "InvalidPart",
        "NoSuchUpload",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "XAmzContentSHA256Mismatch",
    }
)
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_ENTRY = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; no manifest and no log holds them"
)
_ELSEWHERE = "set AWS_DEFAULT_REGION to the region of the bucket"
_ADVICE = {
    "NoSuchBucket": "create the bucket, or correct the address",
    "AccessDenied": "let these credentials list, read and write below that address",
    "403": "let these credentials list, read and write below that address",
    "RequestTimeTooSkewed": "set the clock of this machine right",
    "ExpiredToken": "sign in again: the credentials have expired",
    "InvalidAccessKeyId": _NO_ENTRY,
    "SignatureDoesNotMatch": _NO_ENTRY,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "PermanentRedirect": _ELSEWHERE,
    "301": _ELSEWHERE,
}
_PATIENT = "the same command continues once the store answers"
_NOT_LET_IN = frozenset(
    {
        "AuthenticationException",
        "BadHostKeyException",
        "ClientAuthenticationError",
        "DefaultCredentialsError",
        "RefreshError",
    }
)
_LASTING = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOTSUP, errno.ENOSYS}
)


class AlreadyInStore(Exception):
    """A file that was to be created is there already; its caller decides what that means."""


def sorted_failure(error: Exception, *, at: str) -> ShotrunnerError | AlreadyInStore | None:
    """Return the failure at the address `at` in our words, None for an error that is a bug of this program."""
    if isinstance(error, ShotrunnerError | AlreadyInStore):
        return error
    if isinstance(error, FileNotFoundError):
        return NotInStore(f"{at} is not in the store")
    if isinstance(error, FileExistsError):
        return AlreadyInStore(at)
    if isinstance(error, NotImplementedError):
        return StoreRefused(f"{at}: this kind of store cannot do that", advice="choose another kind of store")
    library = type(error).__module__.partition(".")[0]
    if library in {"aiobotocore", "botocore"}:
        return _of_botocore(error, at)
    if isinstance(error, OSError):
        if error.errno in _LASTING:
            return StoreRefused(f"{at}: {error.strerror}", advice="free or open that place, then run again")
        why = (
            "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
        )
        return StoreAway(f"{at} is out of reach: {why}", advice=_PATIENT)
    # Each kind of store has a library of its own, whose errors say by a status or a name what they are.
    status = next(
        (value for name in ("status", "status_code", "code") if (value := getattr(error, name, None))), None
    )
    if status in {401, 403, "401", "403"} or type(error).__name__ in _NOT_LET_IN:
        return StoreRefused(f"the store refuses {at}", advice=_ADVICE["403"])
    return None if library == "builtins" else StoreAway(f"{at}: {type(error).__name__}", advice=_PATIENT)


def _of_botocore(error: Exception, at: str) -> ShotrunnerError | AlreadyInStore:
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    if isinstance(error, boto.ClientError):
        code = visible(str(error.response.get("Error", {}).get("Code", "")))[:60]
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in {"412", "PreconditionFailed"}:
            return AlreadyInStore(at)
        if code in _ABSENT:
            return NotInStore(f"{at} is not in the store")
        if code in _PASSING or status in {408, 409, 429} or status >= 500:
            return StoreAway(f"{at}: the store answers {code}", advice=_PATIENT)
        return StoreRefused(
            f"the store refuses {at}: {code}", advice=_ADVICE.get(code, "correct the address")
        )
    if isinstance(error, boto.SSLError):
        return StoreRefused(
            f"{at}: the certificate of the store fails", advice="set AWS_CA_BUNDLE to its authority"
        )
    passing = boto.ConnectionError | boto.HTTPClientError | ResponseParserError | boto.ResponseStreamingError
    if isinstance(error, passing | boto.FlexibleChecksumError | boto.IncompleteReadError):
        return StoreAway(f"{at} is out of reach: {type(error).__name__}", advice=_PATIENT)
    advice = _ELSEWHERE if isinstance(error, boto.NoRegionError) else _NO_ENTRY
    return StoreRefused(f"{at}: no request can be signed: {type(error).__name__}", advice=advice)
