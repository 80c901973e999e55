"""What a request to S3 carries beside its route: a signature (version 4), chunks with trailers, and checksums.

In: parts of an HTTP request. Out: whether they are true. It knows no bucket. It was written from the descriptions of
the protocol and shares no code with the program or its libraries.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import BinaryIO
from urllib.parse import parse_qsl, quote

PIECE = 256 * 1024


class Refused(Exception):
    """An error answer of S3: its HTTP status, its code, and a sentence."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status, self.code, self.message = status, code, message or code


def check_signature(
    method: str, target: str, headers: Mapping[str, str], *, keys: Mapping[str, str], now: datetime
) -> None:
    """Raise `Refused` unless the headers or the query hold a right signature by one of `keys` (id to secret).

    Header names are in lower case; `target` is path and query as they were sent.
    """
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    asked = dict(pairs)
    if "X-Amz-Signature" in asked:
        credential, signed, given = (
            asked[f"X-Amz-{name}"] for name in ("Credential", "SignedHeaders", "Signature")
        )
        stamp, payload = asked["X-Amz-Date"], "UNSIGNED-PAYLOAD"
        begun = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if now > begun + timedelta(seconds=int(asked["X-Amz-Expires"])):
            raise Refused(403, "AccessDenied", "Request has expired")
        pairs = [(name, value) for name, value in pairs if name != "X-Amz-Signature"]
    else:
        kind, _, rest = headers.get("authorization", "").partition(" ")
        if kind != "AWS4-HMAC-SHA256":
            raise Refused(403, "AccessDenied", "Access Denied")
        fields = dict(part.strip().split("=", 1) for part in rest.split(","))
        credential, signed, given = (fields[name] for name in ("Credential", "SignedHeaders", "Signature"))
        stamp, payload = headers["x-amz-date"], headers["x-amz-content-sha256"]
    key_id, *scope = credential.split("/")
    if key_id not in keys:
        raise Refused(403, "InvalidAccessKeyId", "The key id you provided does not exist in our records.")
    texts = sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    named = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signed.split(";"))
    canonical = "\n".join((method, path, "&".join(texts), named, signed, payload))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    secret = f"AWS4{keys[key_id]}".encode()
    for part in scope:
        secret = hmac.digest(secret, part.encode(), "sha256")
    right = hmac.digest(
        secret, "\n".join(("AWS4-HMAC-SHA256", stamp, "/".join(scope), digest)).encode(), "sha256"
    )
    if not hmac.compare_digest(right.hex(), given):
        raise Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")


def pieces_of(file: BinaryIO, headers: Mapping[str, str], trailers: dict[str, str]) -> Iterator[bytes]:
    """Yield a request's body, without the marks of its chunks; what follows the last chunk goes into `trailers`."""
    if "aws-chunked" not in headers.get("content-encoding", ""):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            yield from _chunks(file, {})
        else:
            yield from _exactly(file, int(headers.get("content-length", 0)))
    elif headers.get("transfer-encoding", "").lower() == "chunked":
        yield from _chunks(_Joined(_chunks(file, {})), trailers)
    else:
        yield from _chunks(file, trailers)


def _exactly(file: BinaryIO | _Joined, count: int) -> Iterator[bytes]:
    while count:
        piece = file.read(min(count, PIECE))
        if not piece:
            raise ConnectionResetError("the request ended early")
        count -= len(piece)
        yield piece


def _chunks(file: BinaryIO | _Joined, trailers: dict[str, str]) -> Iterator[bytes]:
    while size := int(_line(file).partition(b";")[0], 16):
        yield from _exactly(file, size)
        file.readline()
    while line := _line(file):
        name, _, value = line.decode().partition(":")
        trailers[name.strip().lower()] = value.strip()


def _line(file: BinaryIO | _Joined) -> bytes:
    line = file.readline()
    if not line:
        raise ConnectionResetError("the request ended early")
    return line.strip()


class _Joined:
    """Pieces, read as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def read(self, count: int) -> bytes:
        self._left = self._left or next(self._pieces, b"")
        found, self._left = self._left[:count], self._left[count:]
        return found

    def readline(self) -> bytes:
        while b"\n" not in self._left and (more := next(self._pieces, b"")):
            self._left += more
        line, end, self._left = self._left.partition(b"\n")
        return line + end


class Sums:
    """The checksums of bytes that pass."""

    def __init__(self) -> None:
        self.md5, self.sha256 = hashlib.md5(), hashlib.sha256()
        self.crc32 = self.size = 0

    def update(self, piece: bytes) -> None:
        for each in (self.md5, self.sha256):
            each.update(piece)
        self.size += len(piece)
        self.crc32 = zlib.crc32(piece, self.crc32)

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise `Refused` if a checksum among the headers or trailers is of other bytes."""
        plain = {
            "content-md5": self.md5.digest(),
            "x-amz-checksum-sha256": self.sha256.digest(),
            "x-amz-checksum-crc32": self.crc32.to_bytes(4),
        }
        for name, digest in plain.items():
            if name in headers and headers[name] != text_of(digest):
                raise Refused(
                    400, "BadDigest", f"The {name} you specified did not match the calculated checksum."
                )
        whole = headers.get("x-amz-content-sha256", "")
        if len(whole) == 64 and whole != self.sha256.hexdigest():
            raise Refused(
                400, "XAmzContentSHA256Mismatch", "The provided x-amz-content-sha256 does not match."
            )


def text_of(digest: bytes) -> str:
    """Return a digest as headers have it."""
    return base64.b64encode(digest).decode()
