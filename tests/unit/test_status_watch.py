"""Drawing in place, on a terminal of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from runner.cli.status_watch import Frame, watch


@dataclass
class Screen:
    """A terminal that keeps the lines on it, as far as `watch` steers it."""

    lines: list[str] = field(default_factory=list)
    most: int = 0

    def draw(self, text: str) -> None:
        if text.startswith("\x1b[H\x1b[2J"):
            self.lines.clear()
        elif text.startswith("\x1b[J"):
            pass
        else:
            up = int(text[2 : text.index("F")])
            del self.lines[len(self.lines) - up :]
        self.lines += text.partition("\x1b[?7l")[2].removesuffix("\x1b[?7h").splitlines()
        self.most = max(self.most, len(self.lines))


def run(frames: list[Frame], sizes: list[tuple[int, int]]) -> tuple[Screen, list[float]]:
    screen, waits = Screen(), list[float]()
    given: Iterator[Frame] = iter(frames)
    size = iter(sizes)
    watch(lambda: next(given), screen, size=lambda: next(size), wait=waits.append, seconds=2.0)
    return screen, waits


def test_each_frame_takes_the_place_of_the_one_before_until_the_last() -> None:
    frames = [
        Frame(["a", "b", "c"], is_last=False),
        Frame(["d"], is_last=False),
        Frame(["e", "f"], is_last=True),
    ]
    screen, waits = run(frames, [(80, 24)] * 4)
    assert screen.lines == ["e", "f"]
    assert waits == [2.0, 2.0]


def test_a_frame_never_has_more_lines_than_the_screen() -> None:
    """One line is left for the cursor, and one says how many are missing."""
    screen, _ = run([Frame([str(n) for n in range(50)], is_last=True)], [(80, 10)] * 2)
    assert len(screen.lines) == 9
    assert screen.lines[-2:] == ["7", "… 42 more lines"]


def test_another_size_begins_with_an_empty_screen() -> None:
    frames = [Frame(["a"] * 9, is_last=False), Frame(["b"], is_last=True)]
    screen, _ = run(frames, [(80, 24), (80, 24), (40, 24)])
    assert screen.lines == ["b"]
