"""Which hosts SFTP may talk to: those of the user's `known_hosts`, since fsspec alone would accept any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.domain.errors import StoreRefused


def known_hosts_only() -> Any:  # noqa: ANN401 - paramiko has no types
    """Return a policy for host keys; raises ImportError without paramiko."""
    import paramiko

    class KnownHosts(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        """Accepts a key that is in `~/.ssh/known_hosts`."""

        def missing_host_key(self, client: object, hostname: str, key: object) -> None:  # noqa: ARG002
            known, path = paramiko.HostKeys(), Path.home() / ".ssh" / "known_hosts"
            if path.is_file():
                known.load(str(path))
            if not known.check(hostname, key):
                advice = "connect to it once with `ssh`, and compare its key with the one that you were given"
                raise StoreRefused(
                    f"{hostname} has no key, or another one, in ~/.ssh/known_hosts", advice=advice
                )

    return KnownHosts()
