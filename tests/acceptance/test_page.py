"""The sheet in a real browser: it plays, it runs nothing but its own script, and it asks nobody for anything."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.domain.money import NOTHING_SPENT
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import FailureClass, TakeState
from runner.output.write_reports import write_report
from tests.unit.output_records import BODY, NOW, delivered, header, pending, queued

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
    # A headless browser has no mouse of its own: say that it has one.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
)
# The browser draws its own player controls with data: pictures.
NOT_OUTSIDE = {"file", "about", "data"}
STEAL = "document.title='stolen'"
PAYLOADS = (
    f"<script>{STEAL}</script>",
    f"</script><script>{STEAL}</script>",
    f"</style><script>{STEAL}</script>",
    f"</title><script>{STEAL}</script>",
    f"<img src=x onerror={STEAL}>",
    f"<svg/onload={STEAL}>",
    f'" onmouseover="{STEAL}" autofocus onfocus="{STEAL}',
    f"' onload='{STEAL}",
    f'<iframe srcdoc="<script>top.{STEAL}</script>">',
    f"<meta http-equiv=refresh content='0;url=javascript:{STEAL}'>",
    f"javascript:{STEAL}",
    f"data:text/html,<script>{STEAL}</script>",
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/a.css>",
    "<video src=https://evil.example/a.mp4 autoplay>",
    "{{ 7 * 7 }}{% for x in y %}",
    "--><!--<script>",
    f"\u202e<details open ontoggle={STEAL}>\x1b]0;stolen\x07",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={STEAL}>",
    f'&lt;script&gt;{STEAL}&lt;/script&gt;<noscript><p title="</noscript><img src=x onerror={STEAL}>">',
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


class Tab:
    """One page of a headless browser, steered over a pair of pipes by the DevTools protocol."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._pending = b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Send one command and return its result; what else arrives is kept in `events`."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            chunk = os.read(self._read, 65536)
            assert chunk, "the browser went away"
            self._pending += chunk
        head, self._pending = self._pending.split(b"\0", 1)
        message: dict[str, Any] = json.loads(head)
        return message

    def open(self, page: Path) -> None:
        """Load a page from the disk and wait until it is complete."""
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    def js(self, expression: str) -> Any:  # noqa: ANN401  whatever the page says
        """Return the value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, *, seconds: float = 20.0) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + seconds
        while not self.js(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """Return what the browser logged: refused loads, broken policies, uncaught errors."""
        self.js("0")
        logged = [e["params"]["entry"]["text"] for e in self.events if e.get("method") == "Log.entryAdded"]
        thrown = [
            json.dumps(e["params"]) for e in self.events if e.get("method") == "Runtime.exceptionThrown"
        ]
        return logged + thrown

    def requested(self) -> set[str]:
        """Return the schemes of everything the page asked for."""
        self.js("0")
        sent = [
            e["params"]["request"]["url"]
            for e in self.events
            if e.get("method") == "Network.requestWillBeSent"
        ]
        return {url.partition(":")[0] for url in sent}


@contextmanager
def _browser(profile: Path) -> Iterator[Tab]:
    with ExitStack() as closing:
        to_browser, write = _pipe(closing)
        read, from_browser = _pipe(closing)
        # The protocol is spoken on descriptors 3 and 4, and only a spawn gives a child descriptors by number.
        process = os.posix_spawn(
            str(CHROMIUM),
            [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, to_browser, 3),
                (os.POSIX_SPAWN_DUP2, from_browser, 4),
            ],
        )
        closing.callback(os.waitpid, process, 0)
        closing.callback(os.kill, process, signal.SIGKILL)
        yield Tab(read, write)


def _pipe(closing: ExitStack) -> tuple[int, int]:
    """Return both ends of a pipe, above the descriptors the browser speaks on."""
    ends = []
    for low in os.pipe():
        ends.append(fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(low)
        closing.callback(os.close, ends[-1])
    return ends[0], ends[1]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with _browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def _clip(path: Path, *, width: int = 160, height: int = 90) -> None:
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame(width, height, "rgb24")
            frame.planes[0].update(bytes([40 + number * 10, 90, 160]) * (frame.planes[0].buffer_size // 3))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _page(folder: Path, takes: list[TakeRecord], run: RunHeader | None = None) -> Path:
    return write_report(folder, header=run or header(), takes=takes, spending=NOTHING_SPENT, now=NOW).html


def _board() -> list[TakeRecord]:
    first = delivered(pending("s010@resolution=720p,seed=1000"))
    return [
        replace(first, point={"resolution": "720p", "seed": 1000}),
        delivered(pending("s020 100%#?", position=1)),
        queued(pending("s030", position=2)),
        replace(queued(pending("s040", position=3)), state=TakeState.FAILED, failure=FailureClass.MODERATION),
        replace(pending("s050", position=4), state=TakeState.HELD, attempts=1, reason="connection reset"),
    ]


def test_clips_play_from_the_disk_under_the_policy(tab: Tab, tmp_path: Path) -> None:
    takes = _board()
    for take in takes[:2]:
        _clip(tmp_path / str(take.file))
    tab.open(_page(tmp_path, takes))
    tab.until("[...document.querySelectorAll('video')].every((video) => video.readyState >= 2)")
    tab.js("document.querySelector('video').play()")
    tab.until("document.querySelector('video').currentTime > 0.3")
    assert tab.js("document.querySelectorAll('video').length") == 2
    assert tab.js("document.querySelector('video').videoWidth") == 160
    assert tab.complaints() == []
    assert tab.requested() <= NOT_OUTSIDE


def test_style_and_script_are_let_in_by_their_hash(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _board()))
    assert tab.js("getComputedStyle(document.querySelector('main')).display") == "grid"
    assert tab.js("document.querySelector('.search').hidden") is False
    assert tab.js("document.querySelector('.chip').disabled") is False


def test_controls_leave_the_still_frame_alone_until_it_is_pointed_at(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _board()))
    assert tab.js("document.querySelector('video').controls") is False
    tab.js("document.querySelector('video').focus()")
    assert tab.js("document.querySelector('video').controls") is True
    tab.js("document.querySelector('video').blur()")
    assert tab.js("document.querySelector('video').controls") is False


def test_takes_are_filtered_by_state_and_by_words(tab: Tab, tmp_path: Path) -> None:
    shown = "[...document.querySelectorAll('.take')].filter((take) => !take.hidden).map((take) => take.dataset.state)"
    tab.open(_page(tmp_path, _board()))
    tab.js("document.querySelector('[data-state=held].chip').click()")
    assert tab.js(shown) == ["held"]
    tab.js("document.querySelector('[data-state=queued].chip').click()")
    assert tab.js(shown) == ["queued", "held"]
    _search(tab, "S030 glasses")
    assert tab.js(shown) == ["queued"]
    assert tab.js("document.querySelector('.shown').textContent") == "1 of 5"
    _search(tab, "no such words")
    assert tab.js(shown) == []


def _search(tab: Tab, words: str) -> None:
    tab.js(f"document.querySelector('input').value = {json.dumps(words)}")
    tab.js("document.querySelector('input').dispatchEvent(new Event('input'))")


def _hostile(number: int, payload: str) -> TakeRecord:
    body = {**BODY, "promptText": payload, "image": payload, payload: payload}
    take = replace(
        delivered(pending(f"x{number}", body=body, position=number)),
        shot_id=payload,
        model=payload,
        point={payload: payload},
        tags=(payload,),
        notes=payload,
        reason=payload,
        request_id=payload,
        sha256=payload,
        fingerprint=payload,
        outputs=(payload, f"https://evil.example/{payload}", f"http://127.0.0.1:1/{payload}"),
        file=payload,
    )
    failed = replace(take, take_id=payload, state=TakeState.FAILED, failure=FailureClass.REFUSED)
    return take if number % 2 else failed


@pytest.mark.parametrize("simulated", [False, True], ids=["paid", "simulated"])
def test_hostile_text_runs_nothing_and_asks_for_nothing(tab: Tab, tmp_path: Path, *, simulated: bool) -> None:
    takes = [_hostile(number, payload) for number, payload in enumerate(PAYLOADS * 2)]
    run = replace(
        header(simulated=simulated, name=PAYLOADS[3]), manifest=f"/x/{PAYLOADS[0]}", version=PAYLOADS[1]
    )
    tab.open(_page(tmp_path, takes, run))
    tab.js("for (const each of document.querySelectorAll('details')) each.open = true")
    for act in ("a, summary, .chip, video", "article *"):
        tab.js(
            f"for (const each of document.querySelectorAll('{act}')) each.dispatchEvent(new Event('mouseover'))"
        )
    assert tab.js("document.title") == f"{PAYLOADS[3]} · contact sheet"
    assert (
        tab.js("document.querySelectorAll('script, style, iframe, img, svg, base, link, form, math').length")
        == 2
    )
    assert tab.js("document.querySelectorAll('article').length") == len(takes)
    hrefs = tab.js("[...document.querySelectorAll('a')].map((link) => link.protocol)")
    assert set(hrefs) <= {"https:", "file:"} | ({"http:"} if simulated else set())
    names = "[...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames())"
    assert tab.js(f"{names}.filter((name) => /^on|^style$|srcdoc/.test(name))") == []
    assert tab.requested() <= NOT_OUTSIDE
    assert [text for text in tab.complaints() if "ERR_FILE_NOT_FOUND" not in text] == []


def test_of_a_thousand_takes_only_those_on_the_screen_are_laid_out(tab: Tab, tmp_path: Path) -> None:
    takes = [delivered(pending(f"s{number:04d}", position=number)) for number in range(1000)]
    page = _page(tmp_path, takes)
    tab.open(page)
    styles = (
        "[...document.querySelectorAll('article')].map((each) => getComputedStyle(each).contentVisibility)"
    )
    assert tab.js(styles) == ["auto"] * 1000
    assert tab.js("document.querySelectorAll('video[preload=none]').length") > 900
