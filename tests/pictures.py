"""Make the two pictures of the README: `docs/report.png`, the page of a run, and `docs/terminal.png`, the terminal.

In: the example storyboard, rendered by the simulator in a temporary folder. Out: two small PNG files. It needs a
Chromium and the `[video]` extra. `make pictures` calls it; no test and no other module does.
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BOARD = ROOT / "manifests" / "storyboard.yaml"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTH = 1200
PAGE_HEIGHT = 726
LINE_HEIGHT = 22
MOST_BYTES = 150_000
HOME = "~/film"
"""What the terminal's picture shows in place of the temporary folder's name."""
COMMANDS = ("check storyboard.yaml", "run storyboard.yaml --simulate --only s010")
TERMINAL = """\
<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #171614; color: #ece7dd; }}
pre {{ margin: 0; padding: 18px 24px; font: 15px/{line}px "DejaVu Sans Mono", monospace; white-space: pre; }}
b {{ color: #e6b45c; font-weight: 600; }}
</style><pre>{text}</pre>
"""


def main() -> int:
    """Make both pictures and return an exit code."""
    if CHROMIUM is None:
        print("pictures: no Chromium on this machine", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        folder = Path(name)
        shutil.copy(BOARD, folder)
        lines = [line for command in COMMANDS for line in session(command, folder)]
        page = folder / "terminal.html"
        page.write_text(TERMINAL.format(line=LINE_HEIGHT, text="\n".join(lines)), "utf-8")
        photograph(page, ROOT / "docs" / "terminal.png", height=LINE_HEIGHT * len(lines) + 36)
        shotrunner("run storyboard.yaml --simulate", folder)
        (report,) = folder.glob("reports/*/report.html")
        photograph(report, ROOT / "docs" / "report.png", height=PAGE_HEIGHT)
    return 0


def session(command: str, folder: Path) -> list[str]:
    """Return a command and what it prints, as lines of HTML."""
    printed = shotrunner(command, folder).replace(str(folder), HOME)
    return [f"<b>$ shotrunner {command}</b>", *html.escape(printed).splitlines(), ""]


def shotrunner(command: str, folder: Path) -> str:
    """Run one command in `folder`, without the caller's account, and return all that it prints."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("RUNCOMFY_", "SSL_"))
    }
    environ["PYTHONPATH"] = str(ROOT)
    words = [sys.executable, "-m", "runner", *command.split()]
    return subprocess.run(
        words,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    ).stdout


def photograph(page: Path, picture: Path, *, height: int) -> None:
    """Take a picture of a page's first screen, in few colours so that it stays small."""
    from PIL import Image

    raw = page.with_suffix(".png")
    flags = (
        *(
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
            "--mute-audio",
        ),
        *(f"--user-data-dir={page.parent / 'profile'}", f"--window-size={WIDTH},{height}"),
        *("--virtual-time-budget=8000", f"--screenshot={raw}"),
        # With a mouse, the page hides the players' controls until they are pointed at.
        "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
    )
    subprocess.run([str(CHROMIUM), *flags, page.as_uri()], capture_output=True, timeout=120, check=True)
    with Image.open(raw) as image:
        image.convert("RGB").quantize(256).save(picture, optimize=True)
    size = picture.stat().st_size
    print(f"wrote {picture.relative_to(ROOT)}, {size:,} bytes")
    assert size < MOST_BYTES, f"{picture.name} is larger than {MOST_BYTES:,} bytes"


if __name__ == "__main__":
    raise SystemExit(main())
