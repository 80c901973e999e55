"""Which API to use and with what token: from the environment or the official client's saved file.

No error shows the token, and it cannot be printed by accident.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from runner.domain.errors import AccountRefused, UsageError
from runner.domain.network import network_in, proxy_notes
from runner.domain.token_leaks import TOKEN_VARIABLES
from runner.system.escapes import path_word, shell_word
from runner.system.hosts import host_fault, is_loopback
from runner.system.private_files import read_given
from runner.system.proxies import DIRECT, ProxyRules
from runner.system.web_links import is_on_this_machine

DEFAULT_BASE = "https://model-api.runcomfy.net"
BASE_VARIABLE = "RUNCOMFY_MODEL_API_BASE"

_SIMULATE = "try everything without one: add --simulate"
_TOKEN_LENGTH = 4096
_TOKEN_FILE_BYTES = 1 << 20
_BEARER = re.compile(r"bearer\s+", re.IGNORECASE)
_KEY_LOG = "SSLKEYLOGFILE"
_ODD_TLS = {
    "SSL_CERT_FILE": "its certificates are trusted beside the bundled ones",
    "SSL_CERT_DIR": "its certificates are trusted beside the bundled ones",
    "PYTHONHTTPSVERIFY": "certificates are still checked",
}
"""Variables that are meant to change what is trusted, and what they do here."""

_FOLDERS = (("RUNCOMFY_CONFIG_DIR", ""), ("XDG_CONFIG_HOME", "runcomfy"), ("HOME", ".config/runcomfy"))
"""Where the official client saves `token.json`: the first of these variables that is set, and a folder below it."""


class Secret:
    """Holds a value whose `repr` and `str` are a mask; only `reveal` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself: for the `Authorization` header and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


def request_headers(token: Secret) -> dict[str, str]:
    """Return the headers of every request to the API."""
    return {
        "Authorization": f"Bearer {token.reveal()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "shotrunner",
    }


@dataclass(frozen=True, slots=True)
class Account:
    """An origin such as `https://host` (paths under it begin with `/v1`) and the token for it alone.

    `notes` say what in the environment a person should know about before the account is used. `proxies` say which way
    requests go.
    """

    origin: str
    token: Secret
    source: str
    notes: tuple[str, ...] = ()
    proxies: ProxyRules = DIRECT


def find_account(
    environ: Mapping[str, str], *, base: str | None = None, otherwise: str = _SIMULATE
) -> Account:
    """Return the account to use; `otherwise` is advice for a person who has no token.

    Raises:
        UsageError: the base is not a usable URL, the keys of encrypted connections would be logged, or what names a
            proxy or certificates cannot be used.
        ExtraMissing: the proxy speaks SOCKS, and the extra is not installed.
        AccountRefused: no token is set, or it cannot be one.
    """
    origin = named_base(base, environ)
    if environ.get(_KEY_LOG):
        raise UsageError(
            f"{_KEY_LOG} is set: it lets others read encrypted connections, and the token travels in them",
            advice=f"unset {_KEY_LOG}",
        )
    proxies = network_in(environ)
    given = next(((name, environ[name]) for name in TOKEN_VARIABLES if environ.get(name, "").strip()), None)
    found = given or _saved_token(environ)
    if found is None:
        raise AccountRefused(
            "no API token is set",
            advice=f"export {TOKEN_VARIABLES[0]}=… with a key from your RunComfy profile, or {otherwise}",
        )
    source, value = found
    token = clean_token(value, source=source)
    notes = [f"{name} is set: {what}" for name, what in _ODD_TLS.items() if environ.get(name)]
    notes += proxy_notes(proxies, origin)
    if token.reveal() != value:
        notes.append(f"the token in {source} was taken without the blanks, quotes or “Bearer” around it")
    return Account(origin, token, source, tuple(notes), proxies)


def named_base(given: str | None, environ: Mapping[str, str]) -> str:
    """Return the origin that `given` names, else the environment, else the real API; raises as `parse_base`."""
    return parse_base(given or environ.get(BASE_VARIABLE) or DEFAULT_BASE)


def parse_base(text: str) -> str:
    """Return the origin of an API base given with or without `/v1`.

    Raises:
        UsageError: it is not https to a valid host (http only to this machine), or has more than the path /v1.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _no_base("its host or port cannot be one") from error
    rest = (parts.username, parts.query, parts.fragment)
    more = rest != (None, "", "") or parts.path.rstrip("/") not in {"", "/v1"}
    faults = {
        # urlsplit removes some of these silently.
        "it has a blank or a control character in it": not text.isprintable() or " " in text,
        "it must begin with https:// and a host": not host or parts.scheme not in {"http", "https"},
        # Brackets are for IPv6; RFC 3986 also allows future forms in them, which do not exist yet.
        "its host is not an IPv6 address": "[" in parts.netloc and ":" not in host,
        host_fault(host): bool(host_fault(host)),
        "there is no port 0": port == 0,
        "it must be a scheme, a host and at most the path /v1": more,
    }
    if fault := next((why for why, is_wrong in faults.items() if is_wrong), ""):
        raise _no_base(fault)
    if parts.scheme == "http" and not is_loopback(host):
        what = f"the API base {host} is plain http; the token is sent over https alone"
        raise UsageError(what, advice=f"use https://{host}")
    bracketed = f"[{host}]" if ":" in host else host.encode("idna").decode()
    return f"{parts.scheme}://{bracketed}" + (f":{port}" if port else "")


def _no_base(why: str) -> UsageError:
    """Return the error for an API base; it does not repeat the base, which may hold a password."""
    return UsageError(
        f"the API base (--api-base or {BASE_VARIABLE}) is not a usable URL: {why}",
        advice=f"for example {DEFAULT_BASE}/v1",
    )


def clean_token(value: str, *, source: str) -> Secret:
    """Return the token without the quotes, blanks or “Bearer” that people paste with it.

    Raises:
        AccountRefused: what is left cannot be sent in a header; the message never shows it.
    """
    text = value.strip().strip("\"'").strip()
    text = _BEARER.sub("", text, count=1) if _BEARER.match(text) else text
    text = text.strip().strip("\"'")
    if not text or len(text) > _TOKEN_LENGTH or not all("!" <= char <= "~" for char in text):
        raise AccountRefused(
            f"the token in {source} cannot be one: it is empty, too long, or has blanks or characters beyond ASCII",
            advice="copy the key again from your RunComfy profile",
        )
    return Secret(text)


def on_this_machine(base: str | None) -> bool:
    """Return whether `base` names a server on this machine; no base means the real API."""
    return bool(base) and is_on_this_machine(parse_base(base or ""))


def _saved_token(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the file in which the official client saved its token, and the token; or None."""
    folder = next((Path(environ[name], below) for name, below in _FOLDERS if environ.get(name)), None)
    if folder is None:
        return None
    path = folder / "token.json"
    try:
        mode, text = path.stat().st_mode, read_given(path, limit=_TOKEN_FILE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise AccountRefused(
            f"{path} cannot be read: {error.strerror}", advice="make it a file that this user can read"
        ) from error
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        raise AccountRefused(
            f"{path} can be read by others", advice=f"chmod 600 {shell_word(path_word(path))}"
        )
    try:
        saved = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AccountRefused(f"{path} is not JSON", advice="log in again with the official client") from error
    token = saved.get("access_token") if isinstance(saved, dict) else None
    return (str(path), token) if isinstance(token, str) else None
