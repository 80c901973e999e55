"""The channels on this machine: the terminal's bell, the desktop, and a program of the user."""

from __future__ import annotations

import base64
import html
import os
import shutil
from collections.abc import Callable, Mapping, Sequence

from runner.notify.notice import Notice
from runner.notify.ports import NotSent
from runner.notify.program import run_program

DESKTOP_LIMIT_S = 10.0
PROGRAM_LIMIT_S = 60.0


class Bell:
    """Rings the bell of a terminal; `terminal` is its descriptor, None if there is none."""

    name = "bell"

    def __init__(self, terminal: int | None) -> None:
        self._terminal = terminal

    @property
    def absence(self) -> str:
        """Why there is none."""
        return "" if self._terminal is not None else "standard error is not a terminal"

    def send(self, notice: Notice) -> None:  # noqa: ARG002 - a bell has one sound
        """Ring."""
        try:
            # Not through the stream: the run writes there from another thread.
            os.write(self._terminal or 0, b"\a")
        except OSError as error:
            raise NotSent(error.strerror) from error


class Desktop:
    """Shows a notice on the desktop, with the first of the known programs that is there."""

    name = "desktop"

    def __init__(
        self, environ: Mapping[str, str], *, find: Callable[[str], str | None] | None = None
    ) -> None:
        found = find or (lambda name: shutil.which(name, path=environ.get("PATH")))
        self._environ = environ
        self._program = next((name for name in _DESKTOP if found(name)), "")

    @property
    def absence(self) -> str:
        """Why there is none."""
        return "" if self._program else f"none of {', '.join(_DESKTOP)} is installed"

    def send(self, notice: Notice) -> None:
        """Show it."""
        words = _DESKTOP[self._program](f"Shotrunner: {notice.run}", notice.text)
        ended = run_program(words, given="", environ=self._environ, limit_s=DESKTOP_LIMIT_S)
        if ended.trouble:
            raise NotSent(f"{self._program} {ended.trouble}")


class Program:
    """Starts a program for each notice, which gets the notice as JSON on its standard input."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name = f"cmd:{words[0]}"
        self.absence = ""
        self._words = words
        self._environ = environ

    def send(self, notice: Notice) -> None:
        """Start it and wait for its end."""
        given = f"{notice.to_json()}\n"
        ended = run_program(self._words, given=given, environ=self._environ, limit_s=PROGRAM_LIMIT_S)
        if ended.trouble:
            raise NotSent(ended.trouble)


def _linux(title: str, text: str) -> list[str]:
    # Only the body may hold markup; a name of a shot must not become any.
    return ["notify-send", "--app-name=Shotrunner", "--", title, html.escape(text, quote=False)]


def _mac(title: str, text: str) -> list[str]:
    script = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")
    return ["osascript", *(word for line in script for word in ("-e", line)), title, text]


_TOAST = """\
function Plain($text) {{ [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($text)) }}
$null = [Windows.UI.Notifications.ToastNotificationManager,Windows.UI.Notifications,ContentType=WindowsRuntime]
$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)
$lines = $toast.GetElementsByTagName('text')
$null = $lines.Item(0).AppendChild($toast.CreateTextNode((Plain '{title}')))
$null = $lines.Item(1).AppendChild($toast.CreateTextNode((Plain '{text}')))
$app = '{{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}}\\WindowsPowerShell\\v1.0\\powershell.exe'
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($app).Show($toast)
"""


def _windows(title: str, text: str) -> list[str]:
    # In base64 no text can end its quotes.
    script = _TOAST.format(title=_base64(title.encode()), text=_base64(text.encode()))
    return ["powershell.exe", "-NoProfile", "-EncodedCommand", _base64(script.encode("utf-16-le"))]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


_DESKTOP: Mapping[str, Callable[[str, str], list[str]]] = {
    "notify-send": _linux,
    "osascript": _mac,
    "powershell.exe": _windows,
}
