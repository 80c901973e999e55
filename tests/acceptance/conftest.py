"""What every acceptance test begins with: an empty folder, and an environment that has only what a login gives.

The tests of a page begin with a browser, one for a module, and a tab of their own in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command import Desk, new_desk

if TYPE_CHECKING:
    # Playwright takes a third of a second to import, and most of these tests need none.
    from playwright.sync_api import Browser

    from tests.browser import Tab


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    """Return a desk in an empty folder, with a home of its own and no token.

    Where a test or its module is marked `installed`, the installed command itself is started and not a fork of it.
    Where it is marked `inspects`, its runs look into their clips.
    """
    here = replace(new_desk(tmp_path), is_installed=request.node.get_closest_marker("installed") is not None)
    looks = request.node.get_closest_marker("inspects") is not None
    return here.with_environment(SHOTRUNNER_NO_INSPECT="", SHOTRUNNER_SMALL_CLIPS="") if looks else here


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a headless Chromium; the test is skipped where there is none."""
    from tests.browser import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser, tmp_path: Path) -> Iterator[Tab]:
    """Yield an empty tab that shares nothing with those of other tests."""
    from tests.browser import new_tab

    with new_tab(browser, tmp_path) as tab:
        yield tab
