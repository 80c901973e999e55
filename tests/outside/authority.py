"""A certificate authority of the tests: certificates for any name, good or bad, made by the `openssl` command.

In: a folder. Out: files of keys and certificates, and TLS contexts for a server.
"""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """One authority with its own key; `name` is that of its certificate."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        subject = ("-subj", f"/CN={name}", "-days", "2")
        self._openssl("req", "-x509", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", *subject)

    @property
    def file(self) -> Path:
        """The certificate that says whom to trust."""
        return self._folder / f"{self._name}.pem"

    def issue(self, name: str, *, names: str, days: int = 1) -> None:
        """Make a key and a certificate called `name` for `names`, such as `DNS:localhost`; -1 days are over."""
        (self._folder / f"{name}.ext").write_text(
            f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n"
        )
        request = ("-keyout", f"{name}.key", "-out", f"{name}.csr", "-new", "-subj", f"/CN={name}")
        self._openssl("req", *_KEY, *request)
        by = ("-CA", f"{self._name}.pem", "-CAkey", f"{self._name}.key", "-set_serial", "7")
        how = ("-extfile", f"{name}.ext", "-days", str(days), "-out", f"{name}.pem")
        self._openssl("x509", "-req", "-in", f"{name}.csr", *by, *how)

    def server_side(self, name: str) -> ssl.SSLContext:
        """Return the context of a server that shows the certificate called `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True, timeout=30)
