"""Buckets on a disk: each object is one file, its bytes first, then its description and how long that is.

A file is renamed into its place when it is whole, so a server that is killed at any point has whole objects only.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import json
import os
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.outside.s3_wire import PIECE, Refused, Sums, text_of

SMALLEST_PART = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Object:
    """What is known of an object or a part; `at` is in unix seconds, `sha256` and `etag` as S3 writes them."""

    key: str
    size: int
    etag: str
    at: float
    sha256: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    file: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that goes on."""

    bucket: str
    key: str
    upload_id: str
    at: float
    headers: Mapping[str, str]


class Disk:
    """Buckets below `folder`; its methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        for name in ("buckets", "uploads", "coming"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._objects = {
            bucket.name: {each.key: each for each in map(_described, bucket.iterdir())}
            for bucket in (folder / "buckets").iterdir()
        }
        self._keys = {bucket: sorted(objects) for bucket, objects in self._objects.items()}

    def create_bucket(self, bucket: str) -> None:
        with self._lock:
            (self._folder / "buckets" / bucket).mkdir(exist_ok=True)
            self._objects.setdefault(bucket, {})
            self._keys.setdefault(bucket, [])

    def delete_bucket(self, bucket: str) -> None:
        with self._lock:
            if self.objects(bucket):
                raise Refused(409, "BucketNotEmpty")
            (self._folder / "buckets" / bucket).rmdir()
            del self._objects[bucket], self._keys[bucket]

    def buckets(self) -> list[str]:
        return sorted(self._objects)

    def objects(self, bucket: str) -> dict[str, Object]:
        """Return the bucket's objects by key, not to be changed."""
        if bucket not in self._objects:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        return self._objects[bucket]

    def keys_from(self, bucket: str, prefix: str, after: str) -> Iterator[str]:
        """Yield the keys with this prefix that come after `after`, in order."""
        with self._lock:
            self.objects(bucket)
            keys = self._keys[bucket]
            first = max(bisect.bisect_left(keys, prefix), bisect.bisect_right(keys, after))
            found = keys[first:]
        for key in found:
            if not key.startswith(prefix):
                return
            yield key

    def find(self, bucket: str, key: str) -> Object:
        found = self.objects(bucket).get(key)
        if found is None:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        return found

    def coming(self) -> Path:
        """Return the path of a new file for bytes that arrive."""
        return self._folder / "coming" / uuid.uuid4().hex

    def put(self, bucket: str, new: Object, body: Path, *, only_new: bool = False) -> Object:
        """Give the bytes at `body` their key, at once."""
        placed = replace(new, file=str(self._folder / "buckets" / bucket / _file_name(new.key)))
        _describe(body, new)
        with self._lock:
            there = self.objects(bucket)
            if only_new and new.key in there:
                raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions did not hold")
            body.replace(placed.file)
            if new.key not in there:
                bisect.insort(self._keys[bucket], new.key)
            there[new.key] = placed
        return placed

    def delete(self, bucket: str, key: str) -> None:
        with self._lock:
            found = self.objects(bucket).pop(key, None)
            if found:
                self._keys[bucket].pop(bisect.bisect_left(self._keys[bucket], key))
                Path(found.file).unlink()

    def begin(self, upload: Upload) -> None:
        self.objects(upload.bucket)
        folder = self._folder / "uploads" / upload.upload_id
        folder.mkdir()
        (folder / "upload.json").write_text(json.dumps(asdict(upload)), "utf-8")

    def uploads(self, bucket: str) -> list[Upload]:
        found = (each / "upload.json" for each in (self._folder / "uploads").iterdir())
        all_of_them = [Upload(**json.loads(each.read_text("utf-8"))) for each in found if each.exists()]
        return sorted(
            (each for each in all_of_them if each.bucket == bucket), key=lambda each: (each.key, each.at)
        )

    def upload(self, upload_id: str) -> Upload:
        path = self._folder / "uploads" / upload_id / "upload.json"
        if not upload_id.isalnum() or not path.exists():
            raise Refused(404, "NoSuchUpload", "The specified multipart upload does not exist.")
        return Upload(**json.loads(path.read_text("utf-8")))

    def put_part(self, upload_id: str, number: int, part: Object, body: Path) -> None:
        self.upload(upload_id)
        _describe(body, part)
        body.replace(self._folder / "uploads" / upload_id / f"{number:05d}")

    def parts(self, upload_id: str) -> dict[int, Object]:
        self.upload(upload_id)
        found = (each for each in (self._folder / "uploads" / upload_id).iterdir() if each.name.isdigit())
        return {int(each.name): _described(each) for each in sorted(found)}

    def abort(self, upload_id: str) -> None:
        self.upload(upload_id)
        shutil.rmtree(self._folder / "uploads" / upload_id, ignore_errors=True)

    def complete(
        self, upload_id: str, named: Iterable[tuple[int, str, str]], *, at: float, only_new: bool
    ) -> Object:
        """Join parts, each named by number, ETag and checksum (empty if it has none), into the object."""
        upload, there = self.upload(upload_id), self.parts(upload_id)
        chosen = []
        for number, etag, sha256 in named:
            part = there.get(number)
            if part is None or part.etag != etag.strip('"') or sha256 not in {"", part.sha256}:
                raise Refused(400, "InvalidPart", "One or more of the specified parts could not be found.")
            chosen.append((number, part))
        if [number for number, _ in chosen] != sorted({number for number, _ in chosen}) or not chosen:
            raise Refused(400, "InvalidPartOrder")
        if any(part.size < SMALLEST_PART for _, part in chosen[:-1]):
            raise Refused(
                400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"
            )
        parts = [part for _, part in chosen]
        etag = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts)).hexdigest()
        sums = hashlib.sha256()
        for part in parts:
            sums.update(base64.b64decode(part.sha256))
        whole = Object(
            upload.key,
            sum(part.size for part in parts),
            f"{etag}-{len(parts)}",
            at,
            f"{text_of(sums.digest())}-{len(parts)}",
            upload.headers,
        )
        body = self.coming()
        receive(body, (piece for part in parts for piece in read(part, 0, part.size)))
        placed = self.put(upload.bucket, whole, body, only_new=only_new)
        shutil.rmtree(self._folder / "uploads" / upload_id, ignore_errors=True)
        return placed


def receive(path: Path, pieces: Iterable[bytes]) -> Sums:
    """Write bytes as they come, and return what they add up to."""
    sums = Sums()
    with path.open("wb", buffering=0) as file:
        for piece in pieces:
            file.write(piece)
            sums.update(piece)
    return sums


def read(found: Object, start: int, count: int) -> Iterator[bytes]:
    """Yield `count` bytes of an object from `start`."""
    with Path(found.file).open("rb", buffering=0) as file:
        file.seek(start)
        while count and (piece := file.read(min(count, PIECE))):
            count -= len(piece)
            yield piece


def _file_name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _describe(path: Path, new: Object) -> None:
    text = json.dumps(asdict(new)).encode()
    with path.open("ab") as file:
        file.write(text + len(text).to_bytes(4))


def _described(path: Path) -> Object:
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        length = int.from_bytes(file.read())
        file.seek(-4 - length, os.SEEK_END)
        return replace(Object(**json.loads(file.read(length))), file=str(path))
