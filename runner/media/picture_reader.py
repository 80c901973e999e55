"""Reads the pictures that went into a clip, so that small copies of them can lie beside it.

They are read without a token, in bounded time and size. A run on this machine, such as a simulated one, asks this
machine alone; every other run asks public hosts alone.
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from runner.domain.input_pictures import is_embedded
from runner.media.http.download_client import Downloads
from runner.media.http.response import DownloadError
from runner.system.web_links import HTTPS_PORTS

MOST_BYTES = 16 * 2**20
"""A larger picture gets no copy."""


class PictureReader(Downloads):
    """A client that reads small public files; threads may share one."""

    def __init__(self, *, on_this_machine: bool, deadline_s: float = 15.0) -> None:
        # Without a port that is allowed, no public host is asked or looked up, nor after a redirect.
        ports = () if on_this_machine else HTTPS_PORTS
        super().__init__(
            allow_loopback=on_this_machine, deadline_s=deadline_s, connect_s=5.0, read_s=5.0, ports=ports
        )

    def read(self, link: str) -> bytes:
        """Return the bytes of a picture; a data: URL has them itself.

        Raises:
            DownloadError: there are none, or more than 16 MiB.
        """
        if is_embedded(link):
            return _embedded(link)
        content = bytearray()
        with self.open(link) as download:
            for chunk in download.chunks:
                content += chunk
                if len(content) > MOST_BYTES:
                    raise DownloadError(f"{download.url} is too large", permanent=True)
        return bytes(content)


def _embedded(link: str) -> bytes:
    head, _, data = link.partition(",")
    try:
        is_packed = head.lower().endswith(";base64")
        return base64.b64decode(unquote_to_bytes(data)) if is_packed else unquote_to_bytes(data)
    except (binascii.Error, ValueError) as error:
        raise DownloadError("a data: URL that cannot be read", permanent=True) from error
