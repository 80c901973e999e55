"""A run from Python: in a script, in a notebook's cell with its running loop, and awaited."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import runner
from runner.domain.preview_names import preview_names
from runner.domain.states import Accepted
from runner.simulator.settings import SimulatorSettings

BOARD = """\
version: 1
name: board
prices: {pika/pika-2-2/image-to-video: 0.125}
defaults:
  model: pika/pika-2-2/image-to-video
  inputs: {image: "https://example.com/a.jpg", duration: 5}
shots:
  - {id: s010, inputs: {promptText: a cat}}
  - {id: s020, inputs: {promptText: a dog}}
"""
QUICK = SimulatorSettings(speed=50, render=False)
Event = runner.RunStarted | runner.FactRecorded | runner.Message | runner.Steered | runner.RunEnded


@pytest.fixture
def render(tmp_path: Path) -> Callable[..., runner.RunSummary]:
    board = tmp_path / "board.yaml"
    board.write_text(BOARD, "utf-8")
    return partial(runner.run_manifest, board, simulate=QUICK, inspect=False, look=False, environ={})


def test_a_function_follows_a_run_from_its_beginning_to_its_end(
    render: Callable[..., runner.RunSummary],
) -> None:
    heard = list[Event]()
    summary = render(progress=heard.append)
    assert isinstance(heard[0], runner.RunStarted)
    assert isinstance(heard[-1], runner.RunEnded)
    assert heard[-1].exit_code == summary.exit_code == 0
    assert summary.spending.billed == summary.spending.estimated == 0.25


def test_an_interrupted_cell_drains_and_returns_its_summary(render: Callable[..., runner.RunSummary]) -> None:
    """A notebook runs its cells in the main thread, inside a loop of its own."""
    said = list[str]()

    def interrupt(event: Event) -> None:
        if isinstance(event, runner.FactRecorded) and isinstance(event.fact, Accepted):
            os.kill(os.getpid(), signal.SIGINT)
        if isinstance(event, runner.Message):
            said.append(event.text)

    async def cell() -> runner.RunSummary:
        return render(progress=interrupt, options=runner.EngineOptions(jobs=1))

    before = signal.getsignal(signal.SIGINT)
    summary = asyncio.run(cell())
    assert signal.getsignal(signal.SIGINT) is before
    assert summary.signal == signal.SIGINT
    assert (len(summary.clips), len(summary.left)) == (1, 1)
    assert any(text.startswith("submitting no more") for text in said)


def test_a_cancelled_task_drains_and_the_next_one_continues(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(BOARD, "utf-8")
    ended = list[runner.RunEnded]()

    async def main() -> runner.RunSummary:
        loop = asyncio.get_running_loop()
        run = partial(
            runner.run_manifest_async, board, simulate=QUICK, options=runner.EngineOptions(jobs=1),
            inspect=False, look=False, environ={},
        )  # fmt: skip
        first: asyncio.Task[runner.RunSummary]

        def follow(event: Event) -> None:
            if isinstance(event, runner.FactRecorded) and isinstance(event.fact, Accepted):
                loop.call_soon_threadsafe(first.cancel)
            if isinstance(event, runner.RunEnded):
                ended.append(event)

        first = asyncio.create_task(run(progress=follow))
        with pytest.raises(asyncio.CancelledError):
            await first
        return await run()

    summary = asyncio.run(main())
    assert [event.exit_code for event in ended] == [128 + signal.SIGINT]
    assert (len(summary.clips), summary.submitted) == (2, 1)


def test_a_summary_shows_posters_and_gives_the_table(render: Callable[..., runner.RunSummary]) -> None:
    summary = render()
    names = [preview_names(hashlib.sha256(clip.read_bytes()).hexdigest()).small for clip in summary.clips]
    for name in names:
        poster = summary.run_dir / name
        poster.parent.mkdir(exist_ok=True)
        poster.write_bytes(b"a poster")
    assert summary._repr_html_().count("<figure") == 2
    assert list(summary.to_frame()["take"]) == ["s010", "s020"]
