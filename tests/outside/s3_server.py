"""A small S3 server for tests, as a thread or a process of its own: objects on disk, and faults that a test asks for.

`python -m tests.outside.s3_server FOLDER --port 0 --bucket clips` prints {"port": N} when it listens. A server that is
killed and started again with the same folder has the same objects. `POST /__faults` adds faults (a JSON list),
`GET /__stats` counts requests by operation. Key id and secret are `test-key` and `test-secret`; signatures are
checked. It was written from the protocol's description and shares no code with the program.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import re
import signal
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qsl, quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.outside.s3_disk import Disk, Object, Upload, read, receive
from tests.outside.s3_wire import Refused, check_signature, pieces_of, text_of

KEY_ID, SECRET = "test-key", "test-secret"
BUCKET = "clips"

_KEPT = ("content-type", "content-disposition", "cache-control")


class Kind(StrEnum):
    """What goes wrong with one request."""

    SLOW_DOWN = "slow-down"
    """503 SlowDown; nothing happens."""
    BROKEN = "broken"
    """500 InternalError; nothing happens."""
    REFUSED = "refused"
    """403 AccessDenied; nothing happens."""
    CUT = "cut"
    """The connection ends in the middle of a body: of the request's if it has one, else of the answer's."""
    LOST = "lost"
    """It happens, and the connection ends without an answer."""
    GARBLED = "garbled"
    """One byte of the request's body changes on its way, before the server looks at it."""
    ROTTEN = "rotten"
    """One byte of the answer's body changes on its way."""
    SLOW = "slow"
    """The answer waits for `seconds`."""


@dataclass(slots=True)
class Fault:
    """What befalls the next `times` requests of an operation (`*`: any) on a key; both are patterns as of a shell.

    The first `after` of them are let through; `struck` is set when the first is not.
    """

    kind: Kind
    operation: str = "*"
    key: str = "*"
    times: int = 1
    after: int = 0
    seconds: float = 0.0
    struck: threading.Event = field(default_factory=threading.Event)

    def strikes(self, operation: str, key: str) -> bool:
        """Count one request, and return whether it is struck."""
        if not self.times or not (
            fnmatch.fnmatchcase(operation, self.operation) and fnmatch.fnmatchcase(key, self.key)
        ):
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        self.struck.set()
        return True


class S3Server:
    """The server as a context manager; `endpoint` is its address, such as `http://127.0.0.1:4321`.

    Without `verifies` it neither checks nor names checksums, and without `creates_once` it ignores `If-None-Match`, as
    some stores with this protocol do.
    """

    def __init__(self, folder: Path, *, port: int = 0, buckets: Iterable[str] = (BUCKET,)) -> None:
        self.disk = Disk(folder)
        self.calls: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.verifies = self.creates_once = True
        for bucket in buckets:
            self.disk.create_bucket(bucket)
        self._lock = threading.Lock()
        self._http = _Threads(("127.0.0.1", port), _handler_of(self))
        self.port = self._http.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), name="s3-server", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that bring any client of S3 here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def fail(
        self,
        kind: Kind,
        operation: str = "*",
        *,
        key: str = "*",
        times: int = 1,
        after: int = 0,
        seconds: float = 0,
    ) -> Fault:
        """Add a fault, and return it, so that a test can end it."""
        fault = Fault(kind, operation, key, times, after, seconds)
        with self._lock:
            self.faults.append(fault)
        return fault

    def fault_for(self, operation: str, key: str) -> Fault | None:
        """Count a request and return what befalls it."""
        with self._lock:
            self.calls[operation] += 1
            return next((each for each in self.faults if each.strikes(operation, key)), None)

    def keys(self, bucket: str = BUCKET) -> list[str]:
        """Return the keys of all objects, in order."""
        return list(self.disk.keys_from(bucket, "", ""))

    def body(self, key: str, bucket: str = BUCKET) -> bytes:
        """Return an object's bytes."""
        found = self.disk.find(bucket, key)
        return b"".join(read(found, 0, found.size))


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that leave are what these tests are about."""

    def server_close(self) -> None:
        super().server_close()
        for each in tuple(self.connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _handler_of(server: S3Server) -> type[BaseHTTPRequestHandler]:
    verbs = {f"do_{verb}": _Handler.serve for verb in ("GET", "PUT", "HEAD", "DELETE", "POST")}
    return type("Handler", (_Handler,), {"server_of": server, **verbs})


_Answer = tuple[int, Mapping[str, str], Iterable[bytes]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "S3", ""
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server_of: S3Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Write no log."""

    def setup(self) -> None:
        super().setup()
        cast("_Threads", self.server).connections.add(self.connection)

    def finish(self) -> None:
        cast("_Threads", self.server).connections.discard(self.connection)
        super().finish()

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def serve(self) -> None:
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        self.lower = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        self.asked = dict(parse_qsl(query, keep_blank_values=True))
        bucket, _, key = unquote(path).removeprefix("/").partition("/")
        self.bucket, self.key, self.fault = bucket, key, None
        body = self.server_of.disk.coming()
        try:
            if path.startswith("/__"):
                self._answer(self._own(path))
                return
            self.operation = self._operation()
            self.fault = self.server_of.fault_for(self.operation, key)
            self.sums = receive(body, self._pieces())
            self._strike_before()
            self._answer(getattr(self, re.sub("(?=[A-Z])", "_", self.operation).lower())(body))
        except Refused as error:
            self._answer(
                _xml(
                    "Error",
                    f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>",
                    error.status,
                )
            )
        except (ConnectionError, _Ended):
            self.close_connection = True
        finally:
            body.unlink(missing_ok=True)

    def _own(self, path: str) -> _Answer:
        if path == "/__faults":
            listed = json.loads(b"".join(pieces_of(cast("Any", self.rfile), self.lower, {})))
            for each in listed:
                self.server_of.fail(Kind(each.pop("kind")), **each)
        known = {
            "calls": self.server_of.calls,
            "faults_left": sum(each.times for each in self.server_of.faults),
        }
        return 200, {"Content-Type": "application/json"}, [json.dumps(known).encode()]

    def _operation(self) -> str:
        verb, asked = self.command, self.asked
        if not self.bucket:
            return "ListBuckets"
        if not self.key:
            if verb == "GET":
                chosen = {"uploads": "ListMultipartUploads", "location": "GetBucketLocation"}
                return next((name for word, name in chosen.items() if word in asked), "ListObjectsV2")
            return {
                "PUT": "CreateBucket",
                "HEAD": "HeadBucket",
                "DELETE": "DeleteBucket",
                "POST": "DeleteObjects",
            }[verb]
        if "uploadId" in asked:
            return {
                "PUT": "UploadPart",
                "POST": "CompleteMultipartUpload",
                "DELETE": "AbortMultipartUpload",
                "GET": "ListParts",
            }[verb]
        if verb == "PUT":
            return "CopyObject" if "x-amz-copy-source" in self.lower else "PutObject"
        if verb == "POST" and "uploads" not in asked:
            raise Refused(501, "NotImplemented")
        return {
            "GET": "GetObject",
            "HEAD": "HeadObject",
            "DELETE": "DeleteObject",
            "POST": "CreateMultipartUpload",
        }[verb]

    def _pieces(self) -> Iterator[bytes]:
        """Yield the request's body as the fault lets it through; its trailers join the headers."""
        passed = 0
        for piece in pieces_of(cast("Any", self.rfile), self.lower, self.lower):
            if self._struck(Kind.CUT) and passed:
                raise _Ended
            passed += len(piece)
            garbled = self._struck(Kind.GARBLED) and passed == len(piece)
            yield bytes([piece[0] ^ 1]) + piece[1:] if garbled else piece
        if passed and self._struck(Kind.CUT):
            raise _Ended

    def _struck(self, kind: Kind) -> bool:
        return self.fault is not None and self.fault.kind is kind

    def _strike_before(self) -> None:
        if self.fault and self.fault.kind is Kind.SLOW:
            time.sleep(self.fault.seconds)
        struck = {
            Kind.SLOW_DOWN: Refused(503, "SlowDown", "Please reduce your request rate."),
            Kind.BROKEN: Refused(500, "InternalError", "We encountered an internal error. Please try again."),
            Kind.REFUSED: Refused(403, "AccessDenied", "Access Denied"),
        }
        if self.fault and self.fault.kind in struck:
            raise struck[self.fault.kind]
        check_signature(self.command, self.path, self.lower, keys={KEY_ID: SECRET}, now=datetime.now(UTC))
        if self.server_of.verifies:
            self.sums.check(self.lower)

    def _answer(self, answer: _Answer) -> None:
        status, headers, body = answer
        if self._struck(Kind.LOST):
            raise _Ended
        body = [] if self.command == "HEAD" else body
        if "Content-Length" not in headers and status != 204:
            body = [b"".join(body)]
            headers = {**headers, "Content-Length": str(len(body[0]))}
        self.send_response(status)
        for name, value in {"x-amz-request-id": uuid.uuid4().hex[:16].upper(), **headers}.items():
            if self.server_of.verifies or not name.startswith("x-amz-checksum"):
                self.send_header(name, value)
        self.end_headers()
        for number, piece in enumerate(body):
            if self._struck(Kind.CUT):
                self.wfile.write(piece[: len(piece) // 2])
                self.wfile.flush()
                raise _Ended
            rotten = self._struck(Kind.ROTTEN) and number == 0
            self.wfile.write(bytes([piece[0] ^ 1]) + piece[1:] if rotten else piece)
        self.wfile.flush()

    def _new(self) -> Object:
        headers = {
            name: self.lower[name] for name in self.lower if name in _KEPT or name.startswith("x-amz-meta-")
        }
        sums = self.sums
        return Object(
            self.key, sums.size, sums.md5.hexdigest(), time.time(), text_of(sums.sha256.digest()), headers
        )

    @property
    def _only_new(self) -> bool:
        return self.server_of.creates_once and self.lower.get("if-none-match") == "*"

    def _put_object(self, body: Path) -> _Answer:
        placed = self.server_of.disk.put(self.bucket, self._new(), body, only_new=self._only_new)
        return 200, _known(placed), []

    def _copy_object(self, body: Path) -> _Answer:
        source, _, key = unquote(self.lower["x-amz-copy-source"]).removeprefix("/").partition("/")
        found = self.server_of.disk.find(source, key)
        receive(body, read(found, 0, found.size))
        kept = (
            found.headers if self.lower.get("x-amz-metadata-directive") != "REPLACE" else self._new().headers
        )
        new = Object(self.key, found.size, found.etag, time.time(), found.sha256, kept)
        placed = self.server_of.disk.put(self.bucket, new, body, only_new=self._only_new)
        return _xml("CopyObjectResult", f"<ETag>&quot;{placed.etag}&quot;</ETag>{_time(placed.at)}")

    def _get_object(self, _: Path) -> _Answer:
        found = self.server_of.disk.find(self.bucket, self.key)
        headers = {
            **_known(found),
            "Content-Type": "binary/octet-stream",
            **found.headers,
            "Accept-Ranges": "bytes",
        }
        names = {
            "response-content-type": "Content-Type",
            "response-content-disposition": "Content-Disposition",
        }
        headers |= {names[name]: value for name, value in self.asked.items() if name in names}
        headers["Last-Modified"] = formatdate(found.at, usegmt=True)
        if self.lower.get("x-amz-checksum-mode") != "ENABLED":
            headers.pop("x-amz-checksum-sha256", None)
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.lower.get("range", ""))
        first, last = 0, found.size - 1
        if match and match[1]:
            first, last = int(match[1]), min(int(match[2] or last), last)
        elif match and match[2]:
            first = max(0, found.size - int(match[2]))
        if match and first > last:
            raise Refused(416, "InvalidRange", "The requested range is not satisfiable")
        if match:
            headers.pop("x-amz-checksum-sha256", None)
            headers["Content-Range"] = f"bytes {first}-{last}/{found.size}"
        headers["Content-Length"] = str(last - first + 1)
        return 206 if match else 200, headers, read(found, first, last - first + 1)

    _head_object = _get_object

    def _delete_object(self, _: Path) -> _Answer:
        self.server_of.disk.delete(self.bucket, self.key)
        return 204, {}, []

    def _delete_objects(self, body: Path) -> _Answer:
        names = [
            each.text or "" for each in ElementTree.parse(body).getroot().iter() if each.tag.endswith("Key")
        ]
        for name in names:
            self.server_of.disk.delete(self.bucket, name)
        return _xml(
            "DeleteResult", "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in names)
        )

    def _list_buckets(self, _: Path) -> _Answer:
        names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in self.server_of.disk.buckets())
        return _xml("ListAllMyBucketsResult", f"<Buckets>{names}</Buckets>")

    def _create_bucket(self, _: Path) -> _Answer:
        self.server_of.disk.create_bucket(self.bucket)
        return 200, {"Location": f"/{self.bucket}"}, []

    def _head_bucket(self, _: Path) -> _Answer:
        self.server_of.disk.objects(self.bucket)
        return 200, {"x-amz-bucket-region": "us-east-1"}, []

    def _get_bucket_location(self, _: Path) -> _Answer:
        self.server_of.disk.objects(self.bucket)
        return _xml("LocationConstraint", "")

    def _delete_bucket(self, _: Path) -> _Answer:
        self.server_of.disk.delete_bucket(self.bucket)
        return 204, {}, []

    def _list_objects_v2(self, _: Path) -> _Answer:
        disk, asked = self.server_of.disk, self.asked
        prefix, mark, most = (
            asked.get("prefix", ""),
            asked.get("delimiter", ""),
            int(asked.get("max-keys", 1000)),
        )
        after = asked.get("continuation-token") or asked.get("start-after") or asked.get("marker", "")
        written: Callable[[str], str] = quote if asked.get("encoding-type") == "url" else escape
        rows: dict[str, str] = {}
        last = ""
        for key in disk.keys_from(self.bucket, prefix, after):
            folder, found, _rest = key[len(prefix) :].partition(mark) if mark else ("", "", "")
            common = f"{prefix}{folder}{found}" if found else ""
            if common and (common in rows or after.startswith(common)):
                last = key
                continue
            if len(rows) == min(most, 1000):
                more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{escape(last)}</NextContinuationToken>"
                break
            last = key
            if common:
                rows[common] = f"<CommonPrefixes><Prefix>{written(common)}</Prefix></CommonPrefixes>"
            elif each := disk.objects(self.bucket).get(key):
                rows[key] = (
                    f"<Contents><Key>{written(key)}</Key>{_time(each.at)}<ETag>&quot;{each.etag}&quot;</ETag>"
                    f"<Size>{each.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
                )
        else:
            more = "<IsTruncated>false</IsTruncated>"
        how = "<EncodingType>url</EncodingType>" if written is quote else ""
        head = f"<Name>{self.bucket}</Name><Prefix>{written(prefix)}</Prefix>{how}<KeyCount>{len(rows)}</KeyCount>"
        return _xml("ListBucketResult", f"{head}<MaxKeys>{most}</MaxKeys>{more}{''.join(rows.values())}")

    def _create_multipart_upload(self, _: Path) -> _Answer:
        upload = Upload(self.bucket, self.key, uuid.uuid4().hex, time.time(), self._new().headers)
        self.server_of.disk.begin(upload)
        where = f"<Bucket>{self.bucket}</Bucket><Key>{escape(self.key)}</Key><UploadId>{upload.upload_id}</UploadId>"
        return _xml("InitiateMultipartUploadResult", where)

    def _upload_part(self, body: Path) -> _Answer:
        part = self._new()
        self.server_of.disk.put_part(self.asked["uploadId"], int(self.asked["partNumber"]), part, body)
        return 200, _known(part), []

    def _complete_multipart_upload(self, body: Path) -> _Answer:
        parts = [
            {each.tag.rpartition("}")[2]: each.text or "" for each in part}
            for part in ElementTree.parse(body).getroot()
        ]
        named = [(int(each["PartNumber"]), each["ETag"], each.get("ChecksumSHA256", "")) for each in parts]
        if not self.server_of.verifies:
            named = [(number, etag, "") for number, etag, _sha256 in named]
        disk, at = self.server_of.disk, time.time()
        placed = disk.complete(self.asked["uploadId"], named, at=at, only_new=self._only_new)
        return _xml(
            "CompleteMultipartUploadResult",
            f"<Bucket>{self.bucket}</Bucket><Key>{escape(self.key)}</Key><ETag>&quot;{placed.etag}&quot;</ETag>"
            f"<ChecksumSHA256>{placed.sha256}</ChecksumSHA256>",
        )

    def _abort_multipart_upload(self, _: Path) -> _Answer:
        self.server_of.disk.abort(self.asked["uploadId"])
        return 204, {}, []

    def _list_parts(self, _: Path) -> _Answer:
        parts = self.server_of.disk.parts(self.asked["uploadId"])
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{each.etag}&quot;</ETag><Size>{each.size}</Size></Part>"
            for number, each in parts.items()
        )
        return _xml("ListPartsResult", f"<IsTruncated>false</IsTruncated>{rows}")

    def _list_multipart_uploads(self, _: Path) -> _Answer:
        mark = (self.asked.get("key-marker", ""), self.asked.get("upload-id-marker", ""))
        prefix, most = self.asked.get("prefix", ""), int(self.asked.get("max-uploads", 1000))
        found = sorted(
            (each.key, each.upload_id, each.at) for each in self.server_of.disk.uploads(self.bucket)
        )
        found = [each for each in found if each[0].startswith(prefix) and each[:2] > mark]
        rows = "".join(
            f"<Upload><Key>{escape(key)}</Key><UploadId>{upload_id}</UploadId><Initiated>{_stamp(at)}</Initiated></Upload>"
            for key, upload_id, at in found[:most]
        )
        more = "<IsTruncated>false</IsTruncated>"
        if found[most:]:
            key, upload_id, _at = found[most - 1]
            more = f"<IsTruncated>true</IsTruncated><NextKeyMarker>{escape(key)}</NextKeyMarker>"
            more += f"<NextUploadIdMarker>{upload_id}</NextUploadIdMarker>"
        return _xml("ListMultipartUploadsResult", more + rows)


class _Ended(Exception):
    """The connection ends here."""


def _known(found: Object) -> dict[str, str]:
    return {"ETag": f'"{found.etag}"', "x-amz-checksum-sha256": found.sha256}


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _time(at: float) -> str:
    return f"<LastModified>{_stamp(at)}</LastModified>"


def _xml(name: str, inner: str, status: int = 200) -> _Answer:
    space = "" if name == "Error" else ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{space}>{inner}</{name}>'
    return status, {"Content-Type": "application/xml"}, [text.encode()]


def main() -> None:
    parser = argparse.ArgumentParser(description="A small S3 server for tests.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bucket", action="append", default=[])
    chosen = parser.parse_args()
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    with S3Server(chosen.folder, port=chosen.port, buckets=chosen.bucket or [BUCKET]) as server:
        print(json.dumps({"port": server.port}), flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
