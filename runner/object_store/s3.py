"""A folder in S3, or in a store with the same protocol.

A file up to 32 MiB is one PUT with its SHA-256, which the server verifies before the name exists. It is read as it is
sent, so it needs no memory. A larger one is a multipart upload whose parts of 8 MiB are verified so, and the name
exists when the last step succeeds. An upload that was interrupted has no name.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from runner.domain.errors import ExtraMissing, StoreAway
from runner.domain.store_address import StoreAddress
from runner.object_store.ports import FOLDERS

ONE_PUT = 32 * 1024 * 1024
PART = 8 * 1024 * 1024
_PIECE = 1024 * 1024
_SLOWEST = 50_000.0
_WAIT = 30.0
_CONFIG = {
    "connect_timeout": 5,
    "read_timeout": _WAIT,
    "max_pool_connections": 32,
    "retries": {"total_max_attempts": 1},
    "signature_version": "s3v4",
    # The signature covers the SHA-256 that each write names, so hashing the body for it would be a second pass.
    "s3": {"payload_signing_enabled": False},
    # Each write names its SHA-256 itself; more than that not every store of this protocol understands.
    "request_checksum_calculation": "when_required",
}

T = TypeVar("T")
_made: dict[tuple[object, ...], Any] = {}
_making = threading.Lock()


class S3Folder:
    """Calls go to the event loop of fsspec, which is a thread of its own."""

    def __init__(self, address: StoreAddress) -> None:
        self._bucket, _, prefix = address.path.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._files = _files()

    def size_of(self, name: str) -> int:
        """Return bytes; raises if the file is not there."""
        return int(self._run(lambda s3: s3.head_object(**self._at(name)))["ContentLength"])

    def sizes(self, under: str) -> Mapping[str, int]:
        """Return the bytes of each file whose name begins with the folder `under`, in the order of names."""
        found: dict[str, int] = {}

        def take(page: Mapping[str, Any]) -> None:
            for each in page.get("Contents", ()):
                found[each["Key"].removeprefix(self._prefix)] = int(each["Size"])

        self._list("list_objects_v2", self._prefix + under, take)
        return found

    def read(self, name: str) -> bytes:
        """Return all bytes of a file; the checksum of the store is verified."""
        found = bytearray()
        self.get(name, found.extend)
        return bytes(found)

    def get(self, name: str, take: Callable[[bytes], object]) -> None:
        """Pass a file's bytes on, in pieces; raises `StoreAway` if they are fewer than the store said."""

        async def get(s3: Any) -> None:  # noqa: ANN401 - botocore makes its clients at run time
            answer = await asyncio.wait_for(s3.get_object(**self._at(name)), _WAIT)
            left = int(answer["ContentLength"])
            async with answer["Body"] as body:
                # The time-out is of each read, so a long file may take as long as it needs.
                while piece := await asyncio.wait_for(body.read(_PIECE), _WAIT):
                    take(piece)
                    left -= len(piece)
            if left:
                raise StoreAway("it ended early")

        self._run(get, seconds=None)

    def put_file(self, source: Path, name: str, *, sha256: str) -> None:
        """Write a local file, whole and verified or not at all; raises `StoreAway` if its bytes are not `sha256`."""
        size = source.stat().st_size
        if size <= ONE_PUT:
            with source.open("rb") as file:
                self._put(name, file, size=size, sha256=bytes.fromhex(sha256))
        else:
            self._put_parts(source, name, size=size, sha256=sha256)

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write bytes, whole and verified or not at all."""
        self._put(name, data, size=len(data), sha256=hashlib.sha256(data).digest())

    def create(self, name: str, data: bytes) -> None:
        """Write bytes if no file has the name."""
        self._put(name, data, size=len(data), sha256=hashlib.sha256(data).digest(), IfNoneMatch="*")

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._run(lambda s3: s3.delete_object(**self._at(name)))

    def sign(self, name: str, *, seconds: int) -> str:
        """Return a link that opens the file for anybody for a time; it asks no server."""
        link = self._run(
            lambda s3: s3.generate_presigned_url("get_object", Params=self._at(name), ExpiresIn=seconds)
        )
        return str(link)

    def sweep(self, *, older_than: float) -> int:
        """Abort the multipart uploads to `FOLDERS` that began that many seconds ago, by the clock of the store."""
        folders = tuple(self._prefix + folder for folder in FOLDERS)
        old: list[Mapping[str, Any]] = []

        def take(page: Mapping[str, Any]) -> None:
            began_by = (
                parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
                - older_than
            )
            ours = (each for each in page.get("Uploads", ()) if each["Key"].startswith(folders))
            old.extend(each for each in ours if each["Initiated"].timestamp() <= began_by)

        self._list("list_multipart_uploads", self._prefix, take)
        for each in old:
            self._abort(each["Key"], each["UploadId"])
        return len(old)

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    def _list(self, listing: str, prefix: str, take: Callable[[Mapping[str, Any]], None]) -> None:
        """Pass on each page of a listing; a page holds up to 1,000 names."""

        async def pages(s3: Any) -> None:  # noqa: ANN401 - botocore makes its clients at run time
            async for page in s3.get_paginator(listing).paginate(Bucket=self._bucket, Prefix=prefix):
                take(page)

        self._run(pages, seconds=None)

    def _run(self, call: Callable[[Any], Awaitable[T]], *, seconds: float | None = _WAIT) -> T:
        async def run() -> T:
            client = await self._files.set_session()
            return await asyncio.wait_for(call(client), seconds)

        from fsspec.asyn import sync

        result: T = sync(self._files.loop, run)
        return result

    def _put(self, name: str, body: bytes | BinaryIO, *, size: int, sha256: bytes, **more: str) -> None:
        described = {"Metadata": {"sha256": sha256.hex()}, "ContentType": _content_type(name), **more}
        answer = self._run(
            lambda s3: s3.put_object(**self._at(name), Body=body, ChecksumSHA256=_text(sha256), **described),
            seconds=_WAIT + size / _SLOWEST,
        )
        if answer.get("ChecksumSHA256") != _text(sha256):
            self._verify(name, sha256=sha256.hex())

    def _put_parts(self, source: Path, name: str, *, size: int, sha256: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        described = {"Metadata": {"sha256": sha256}, "ContentType": _content_type(name)}
        begun = self._run(
            lambda s3: s3.create_multipart_upload(**self._at(name), ChecksumAlgorithm="SHA256", **described)
        )
        upload = {**self._at(name), "UploadId": begun["UploadId"]}
        try:
            verified = self._send_parts(source, upload, sha256=sha256)
        except BaseException:
            # The name does not exist yet, and what cannot be aborted now is swept later.
            with suppress(OSError, BotoCoreError, ClientError):
                self._abort(upload["Key"], upload["UploadId"])
            raise
        if not verified or self.size_of(name) != size:
            self._verify(name, sha256=sha256)

    def _send_parts(self, source: Path, upload: Mapping[str, str], *, sha256: str) -> bool:
        """Send all parts, give the file its name, and return whether the store says that it verified each part."""
        whole, verified = hashlib.sha256(), True
        parts: list[Mapping[str, object]] = []
        with source.open("rb") as file:
            while data := file.read(PART):
                whole.update(data)
                part = self._send_part(data, {**upload, "PartNumber": len(parts) + 1})
                verified = part.pop("verified") and verified
                parts.append(part)
        if whole.hexdigest() != sha256:
            raise StoreAway("the file on this disk is not the one that was received: its SHA-256 differs")
        self._run(lambda s3: s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}))
        return verified

    def _send_part(self, data: bytes, where: Mapping[str, object]) -> dict[str, Any]:
        checksum = _text(hashlib.sha256(data).digest())
        answer = self._run(
            lambda s3: s3.upload_part(**where, Body=data, ChecksumSHA256=checksum),
            seconds=_WAIT + len(data) / _SLOWEST,
        )
        described = {"PartNumber": where["PartNumber"], "ETag": answer["ETag"], "ChecksumSHA256": checksum}
        return {**described, "verified": answer.get("ChecksumSHA256") == checksum}

    def _abort(self, key: str, upload_id: str) -> None:
        self._run(lambda s3: s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id))

    def _verify(self, name: str, *, sha256: str) -> None:
        """Read back what a store wrote without saying that it verified it, and remove it if it is wrong."""
        found = hashlib.sha256()
        self.get(name, found.update)
        if found.hexdigest() != sha256:
            self.remove(name)
            raise StoreAway("it was stored with wrong bytes")


def _files() -> Any:  # noqa: ANN401 - s3fs has no types
    """Return the process's one pool of connections; another environment, or a process that was forked, has its own."""
    key = (os.getpid(), *sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    with _making:
        if key not in _made:
            try:
                from s3fs import S3FileSystem
            except ImportError as error:
                raise ExtraMissing("a store", extra="cloud") from error
            _made[key] = S3FileSystem(
                config_kwargs=_CONFIG, skip_instance_cache=True, use_listings_cache=False
            )
        return _made[key]


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _content_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
