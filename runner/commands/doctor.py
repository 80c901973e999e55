"""Looks whether a paid run can work on this machine: one check for each thing that it needs.

In: a folder, an environment, and how to look at each thing. Out: checks. It changes nothing, submits nothing, and shows
no token. Each probe is a function without arguments, so that a test hands in others.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from runner.api.account import DEFAULT_BASE, Account, find_account, named_base
from runner.api.exchange import SilenceKind
from runner.api.probe import Seen
from runner.domain.api_answers import FailureKind
from runner.domain.display import duration
from runner.domain.errors import AccountRefused, ShotrunnerError, install_line
from runner.domain.network import SOCKS_MODULES, proxies_in
from runner.system.clock import Clock
from runner.system.daemon_executor import DaemonExecutor
from runner.system.escapes import shell_word
from runner.system.proxies import VARIABLES
from runner.system.tls import CERT_DIR, CERT_FILE, certificate_faults, unhashed
from runner.system.version import __version__

PATIENCE_S = 8.0
"""How long all probes may take together."""

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "video": ("av", "PIL"),
    "timeline": ("opentimelineio",),
    "excel": ("openpyxl",),
    "speed": ("uvloop",),
    "notify": ("apprise",),
    "cloud": ("fsspec", "s3fs"),
    "dask": ("cryptography", "distributed"),
    "socks": SOCKS_MODULES,
}
"""The optional parts, and the modules that each needs."""

_SILENT: Mapping[SilenceKind, str] = {
    SilenceKind.NO_SUCH_NAME: "its name is not known; this machine is offline, or the address is wrong",
    SilenceKind.TIMEOUT: "it took too long",
}
_LEAST_FREE = 2 * 2**30
_MOST_SKEW_S = 60.0


class State(StrEnum):
    """What a check found: a paid run works as it should, works with less, or does not work."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what there is to say about it, and what to do."""

    name: str
    state: State
    says: str
    advice: str = ""


Probe: TypeAlias = Callable[[], Check]


def probes_of(
    folder: Path, environ: Mapping[str, str], *, api_base: str | None = None, clock: Clock
) -> dict[str, Probe]:
    """Return how to look at each thing that a paid run in `folder` needs, by its name."""
    from runner.commands.steps.api_session import run_alone

    def ask(account: Account) -> Seen:
        from runner.api.probe import probe

        return run_alone(probe(account, clock=clock))

    return {
        "version": version,
        "token": partial(token, environ),
        "proxy": partial(proxy, environ, api_base),
        "trust": partial(trust, environ),
        "api": partial(api, environ, api_base, ask=ask),
        "folder": partial(fitness, folder),
        "space": lambda: space(shutil.disk_usage(folder).free),
        "extras": lambda: extras(lambda module: find_spec(module) is not None),
        "browser": browser,
    }


def examine(probes: Mapping[str, Probe], *, patience_s: float = PATIENCE_S) -> tuple[Check, ...]:
    """Return the checks of all probes in their order; they work side by side for at most `patience_s` seconds.

    A probe that raises is a fault, in the words of the error, and so is one that takes too long.
    """
    pool = DaemonExecutor(len(probes), name="doctor")
    futures = {name: pool.submit(probe) for name, probe in probes.items()}
    wait(futures.values(), timeout=patience_s)
    return tuple(_check(name, future, patience_s) for name, future in futures.items())


def _check(name: str, future: Future[Check], patience_s: float) -> Check:
    if not future.done():
        return Check(name, State.FAULT, f"no result within {patience_s:g} s")
    match future.exception():
        case None:
            return future.result()
        case ShotrunnerError() as error:
            return Check(name, State.FAULT, error.message, error.advice)
        case OSError() as error:
            return Check(name, State.FAULT, (error.strerror or str(error)).lower())
        case error:
            raise error


def version() -> Check:
    """Return which versions work here."""
    return Check("version", State.OK, f"Shotrunner {__version__}, Python {platform.python_version()}")


def token(environ: Mapping[str, str]) -> Check:
    """Return where the token is; raises `AccountRefused` if there is none that can be used."""
    # The way to the address is not in question here.
    away = {name: value for name, value in environ.items() if name not in {*VARIABLES, CERT_FILE, CERT_DIR}}
    account = find_account(away, base=DEFAULT_BASE)
    return Check("token", State.OK, "; ".join((f"found in {account.source}", *account.notes)))


def proxy(environ: Mapping[str, str], base: str | None) -> Check:
    """Return which requests go through which proxy, without its login.

    Raises:
        UsageError: a variable names no usable proxy, or the address of the API cannot be used.
        ExtraMissing: the proxy speaks SOCKS, and the extra is not installed.
    """
    rules, origin = proxies_in(environ), named_base(base, environ)
    if rules.proxy is None:
        if not any(environ.get(name) for name in ("http_proxy", "HTTP_PROXY")):
            return Check("proxy", State.OK, "none is set; requests go direct")
        said = "none is used: HTTP_PROXY is for plain http, and every request goes to https"
        return Check("proxy", State.WARNING, said, "set HTTPS_PROXY if requests must go through a proxy")
    login = ", with a login" if rules.proxy.user else ""
    exempt = ", ".join(each.text for each in rules.exempt)
    said = f"{rules.proxy}, from {rules.proxy.variable}{login}, for downloads, looks at links and webhooks"
    said += ", and for submissions and reads" if rules.of(origin) else f", but not for {origin}"
    return Check("proxy", State.OK, f"{said}; not for this machine{f', {exempt}' if exempt else ''}")


def trust(environ: Mapping[str, str]) -> Check:
    """Return whose certificates are accepted."""
    if faults := "; ".join(certificate_faults(environ)):
        return Check("trust", State.FAULT, faults, "name readable certificates in PEM form")
    named = [f"{name}={environ[name]}" for name in (CERT_FILE, CERT_DIR) if environ.get(name)]
    said = ", ".join(("bundled certificates", "those of the system", *named))
    if folders := unhashed(environ):
        advice = f"openssl rehash {shell_word(folders[0])}"
        return Check(
            "trust", State.WARNING, f"{said}; no file in {folders[0]} has a name by its hash", advice
        )
    return Check("trust", State.OK, said)


def api(environ: Mapping[str, str], base: str | None, *, ask: Callable[[Account], Seen]) -> Check:
    """Return whether the API answers a free question, takes the token, and has the same time as this machine.

    Raises:
        UsageError: its address cannot be used.
    """
    origin = named_base(base, environ)
    try:
        account = find_account(environ, base=base)
    except AccountRefused:
        return Check("api", State.WARNING, f"{origin} was not asked, since there is no usable token")
    seen = ask(account)
    if seen.trouble is not None:
        if seen.trouble.kind is FailureKind.ACCOUNT:
            said = f"{origin} refuses the token: {seen.trouble.reason}"
            return Check("api", State.FAULT, said, "copy the key again from your RunComfy profile")
        why = _SILENT.get(seen.silence, seen.trouble.reason) if seen.silence else seen.trouble.reason
        advice = seen.trouble.advice or "look at your network, or try later"
        return Check("api", State.FAULT, f"{origin} does not answer: {why}", advice)
    if seen.ahead_s is not None and abs(seen.ahead_s) > _MOST_SKEW_S:
        side = "ahead of" if seen.ahead_s > 0 else "behind"
        said = f"{origin} answers, but this clock is {duration(abs(seen.ahead_s))} {side} its clock"
        return Check("api", State.WARNING, said, "set the clock: --until and signed links go by it")
    return Check("api", State.OK, f"{origin} answers, and takes the token")


def fitness(folder: Path) -> Check:
    """Return whether a run may live in a folder; raises `FlagRequired` and `CannotCreate` as `try_folder`."""
    from runner.store.folder_check import try_folder

    try:
        sqlite = try_folder(folder)
    except OSError as error:
        said = f"{folder.absolute()} cannot be written to: {(error.strerror or str(error)).lower()}"
        return Check("folder", State.FAULT, said, "make it writable, or choose another folder")
    return Check(
        "folder", State.OK, f"{folder.absolute()} is on a local disk, and SQLite {sqlite} works there"
    )


def space(free: int) -> Check:
    """Return whether `free` bytes are enough for the clips of a night."""
    said = f"{free / 2**30:,.1f} GiB free"
    if free < _LEAST_FREE:
        return Check("space", State.WARNING, said, "make room, or choose another disk with --run-dir")
    return Check("space", State.OK, said)


def extras(is_installed: Callable[[str], bool]) -> Check:
    """Return which optional parts are installed; none of them is needed to run."""
    here = [name for name, modules in EXTRAS.items() if all(map(is_installed, modules))]
    absent = [name for name in EXTRAS if name not in here]
    said = f"installed: {', '.join(here) or 'none'}"
    if not absent:
        return Check("extras", State.OK, said)
    return Check("extras", State.OK, f"{said}; not installed: {', '.join(absent)}", install_line(*absent))


def browser() -> Check:
    """Return whether a browser for the page is here."""
    import webbrowser

    try:
        webbrowser.get()
    except webbrowser.Error:
        advice = "copy the folder of the run to a machine with one, or use report --share"
        return Check("browser", State.WARNING, "none found to open report.html", advice)
    return Check("browser", State.OK, "found, for report.html")
