"""The one TLS context of the process: building one reads every root certificate, which takes tens of milliseconds.

It trusts the bundled roots, those of the system, and those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
"""

from __future__ import annotations

import functools
import os
import re
import ssl
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import certifi

CERT_FILE = "SSL_CERT_FILE"
CERT_DIR = "SSL_CERT_DIR"
_HASHED = re.compile(r"[0-9a-f]{8}\.\d{1,3}")


_building = threading.Lock()


def tls_context() -> ssl.SSLContext:
    """Return the context that all clients share: names and certificates are always checked, and HTTP/1.1 is spoken.

    It does not use `ssl.create_default_context`, which would write the session secrets to the file that
    `SSLKEYLOGFILE` names.
    """
    # The first downloads begin at once: each of them would read all roots.
    with _building:
        return _tls_context()


@functools.cache
def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=certifi.where())
    context.load_default_certs()
    # With the variables set, OpenSSL reads what they name in place of the system's own roots.
    usual = ssl.get_default_verify_paths()
    if os.environ.get(CERT_FILE) and Path(usual.openssl_cafile).is_file():
        context.load_verify_locations(cafile=usual.openssl_cafile)
    if os.environ.get(CERT_DIR) and Path(usual.openssl_capath).is_dir():
        context.load_verify_locations(capath=usual.openssl_capath)
    context.set_alpn_protocols(["http/1.1"])
    return context


def certificate_faults(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield why the variables name certificates that cannot be read; OpenSSL would pass over them silently."""
    if file := environ.get(CERT_FILE):
        try:
            _read(file)
        except ssl.SSLError:
            yield f"{CERT_FILE}: {file} holds no certificate in PEM form"
        except OSError as error:
            yield f"{CERT_FILE}: {file} cannot be read: {(error.strerror or str(error)).lower()}"
    for folder in _folders(environ):
        try:
            _has_hashed(folder)
        except OSError as error:
            yield f"{CERT_DIR}: {folder} cannot be read: {(error.strerror or str(error)).lower()}"


def _read(file: str) -> None:
    # A device or a pipe could be read for ever.
    if not stat.S_ISREG(Path(file).stat().st_mode):
        raise OSError("it is not a file")
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)


def unhashed(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders of `SSL_CERT_DIR` without a name that OpenSSL looks for: such a folder changes nothing."""
    return tuple(folder for folder in _folders(environ) if not _has_hashed(folder))


def _folders(environ: Mapping[str, str]) -> list[str]:
    return [folder for folder in environ.get(CERT_DIR, "").split(os.pathsep) if folder]


def _has_hashed(folder: str) -> bool:
    return any(_HASHED.fullmatch(file.name) for file in Path(folder).iterdir())


def context_for(origin: str) -> ssl.SSLContext:
    """Return the context for requests to `origin`: plain http, which is loopback only, needs no root certificates.

    The context for http trusts no certificate, so an unexpected https hop would fail.
    """
    return tls_context() if origin.startswith("https:") else _bare_context()


@functools.cache
def _bare_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
