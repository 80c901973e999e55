"""Addresses of the library apprise, such as `slack://…` and `mailto://…`; the extra `[notify]` installs it."""

from __future__ import annotations

import logging

from runner.domain.errors import ExtraMissing, UsageError
from runner.domain.notify_places import shown_place
from runner.notify.notice import Notice
from runner.notify.ports import NotSent


class AppriseService:
    """Sends notices to one address of apprise."""

    absence = ""

    def __init__(self, address: str) -> None:
        """Look the address up.

        Raises:
            ExtraMissing: apprise is not installed.
            UsageError: apprise knows no such service, or the address lacks a part.
        """
        self.name = shown_place(address)
        try:
            import apprise
        except ImportError as error:
            raise ExtraMissing(f"--notify {self.name}", extra="notify") from error
        # Its messages may quote an address, and would appear on the terminal in the middle of a run.
        logging.getLogger("apprise").disabled = True
        self._service = apprise.Apprise()
        if not self._service.add(address):
            raise UsageError(
                f"--notify: apprise cannot use the address {self.name}",
                advice="its scheme is not known, or a part is missing: https://appriseit.com describes each",
            )

    def send(self, notice: Notice) -> None:
        """Send it; apprise decides how often to try."""
        if not self._service.notify(title=f"Shotrunner: {notice.run}", body=notice.text):
            raise NotSent("apprise could not send it")
