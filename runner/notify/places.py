"""From the text of `--notify` to the channel that it names. It sends nothing."""

from __future__ import annotations

from collections.abc import Mapping

from runner.domain.errors import UsageError
from runner.domain.network import network_in
from runner.domain.notify_places import FLAG, LEFT_OUT, PROGRAM, shown_place
from runner.notify.channels import Bell, Desktop, Program
from runner.notify.ports import Channel
from runner.notify.program import words_of


def channel_of(where: str, *, environ: Mapping[str, str], terminal: int | None) -> Channel:
    """Return the channel that `where` names; `terminal` is the descriptor of the person's terminal, None without one.

    Raises:
        UsageError: it names none, or one that cannot work.
        ExtraMissing: it needs apprise, or the proxy speaks SOCKS.
    """
    if LEFT_OUT in where:
        raise UsageError(
            f"{FLAG}: {shown_place(where)} is an address that a message shortened, since it may hold a secret",
            advice="give the whole address",
        )
    if where == Bell.name:
        return Bell(terminal)
    if where == Desktop.name:
        return Desktop(environ)
    if where.startswith(PROGRAM):
        command = where.removeprefix(PROGRAM)
        return Program(words_of(command, flag=FLAG, environ=environ), environ)
    scheme, is_address, _ = where.partition("://")
    if scheme.lower() in {"http", "https"}:
        from runner.notify.webhook import Webhook

        return Webhook(where, proxies=network_in(environ))
    if is_address:
        from runner.notify.apprise_service import AppriseService

        return AppriseService(where)
    raise UsageError(
        f"{FLAG}: {shown_place(where)} names no channel",
        advice=f"give bell, desktop, '{PROGRAM}PROGRAM ARGUMENT …', https://… or an address of apprise",
    )
