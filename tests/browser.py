"""A page of ours in a headless Chromium, driven by Playwright: what it shows, what it logs and what it asks for.

In: a page's file. Out: values of expressions, pictures of the screen, the findings of axe-core. The fixtures `browser`
and `tab` are in `tests/acceptance/conftest.py`. The browser is the machine's own, and nothing is ever downloaded.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    # A headless browser has no mouse of its own: say that it has one.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
)
NOT_OUTSIDE = frozenset({"file", "about", "data", "blob"})
"""Schemes of what a page may ask for; the browser draws its own player controls with data: pictures."""
PATIENCE = 20.0
SCREENSHOTS = "SHOTRUNNER_SCREENSHOTS"
"""The variable with the folder that keeps pictures of the screen; without it they go to the test's own folder."""


@contextmanager
def launched() -> Iterator[Browser]:
    """Yield a browser, or skip the test where there is none.

    Playwright has a running event loop in this thread until the block ends, so `asyncio.run` fails inside it.
    """
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def new_tab(browser: Browser, pictures: Path) -> Iterator[Tab]:
    """Yield a page in a context of its own, so that nothing stored by another test is there."""
    with browser.new_context() as context:
        yield Tab.in_context(context, Path(os.environ.get(SCREENSHOTS) or pictures))


@dataclass(frozen=True, slots=True)
class Tab:
    """One page. `page` is Playwright's own, for clicks, keys, media and sizes.

    Expressions are evaluated by the DevTools protocol, since Playwright itself needs an `eval` that our policy forbids.
    """

    page: Page
    _session: CDPSession
    _pictures: Path
    _logged: list[str] = field(default_factory=list)
    _asked: list[str] = field(default_factory=list)

    @classmethod
    def in_context(cls, context: BrowserContext, pictures: Path) -> Tab:
        """Return a new page that notes from its beginning what it logs and asks for."""
        page = context.new_page()
        tab = cls(page, context.new_cdp_session(page), pictures)
        page.on("console", lambda message: tab._note(message))
        page.on("pageerror", lambda error: tab._logged.append(str(error)))
        context.on("request", lambda request: tab._asked.append(request.url))
        return tab

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._logged.append(message.text)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Send one command of the DevTools protocol and return its result."""
        result: dict[str, Any] = self._session.send(method, params)
        return result

    def open(self, page: Path, *, fragment: str = "") -> None:
        """Load a page from the disk and wait until it shows its takes."""
        self._logged.clear()
        self._asked.clear()
        self.page.goto(page.as_uri() + fragment)
        self.until("document.querySelector('.tools')?.hidden === false")

    def js(self, expression: str) -> Any:  # noqa: ANN401  whatever the page says
        """Return the value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, *, seconds: float = PATIENCE) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + seconds
        while not self.js(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            self.page.wait_for_timeout(20)

    def press(self, *keys: str) -> None:
        """Press keys one after another, by Playwright's names for them."""
        for key in keys:
            self.page.keyboard.press(key)

    def complaints(self) -> list[str]:
        """Return what the browser logged: refused loads, broken policies, uncaught errors."""
        self.js("0")
        return list(self._logged)

    def requested(self) -> set[str]:
        """Return the schemes of everything the page asked for."""
        self.js("0")
        return {url.partition(":")[0] for url in self._asked}

    def screenshot(self, name: str, *, is_full: bool = False) -> Path:
        """Keep a picture of the screen as `name.png` and return its path."""
        self._pictures.mkdir(parents=True, exist_ok=True)
        path = self._pictures / f"{name}.png"
        self.page.screenshot(path=path, full_page=is_full)
        return path

    def axe(self, *, within: str = "html", without: Sequence[str] = ()) -> list[str]:
        """Return the findings of axe-core: its rule, how serious it is, and where.

        `within` is a selector of what is looked at, `without` has the names of rules that are left out.
        """
        self.js(f"{_axe_script()}; 0")
        rules = ", ".join(f"{rule!r}: {{enabled: false}}" for rule in without)
        found = self.js(f"axe.run({within!r}, {{resultTypes: ['violations'], rules: {{{rules}}}}})")
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]


@cache
def _axe_script() -> str:
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
