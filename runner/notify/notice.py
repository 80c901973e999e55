"""A notice: what a person or a program is sent about a run, once, while it goes on or when it has ended.

`schemas/notice.schema.json` describes its JSON. It knows no channel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from runner.domain.display import iso

FORMAT: Final = "shotrunner-notice/1"


class NoticeKind(StrEnum):
    """What a notice is about."""

    ENDED = "ended"
    FAILED = "failed"
    HELD = "held"
    COST = "cost"
    OUTAGE = "outage"
    OUTAGE_OVER = "outage-over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice of the run called `run`; `at` is in unix seconds, and `text` is one sentence that is safe to show.

    `counts` says how many takes of the run stand where, by the words that `status` shows. `spent_usd` is None where it
    is not known. `page` and `exit_code` are those of an ended run.
    """

    event: NoticeKind
    at: float
    run: str
    run_dir: Path
    text: str
    simulated: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    spent_usd: float | None = None
    page: Path | None = None
    exit_code: int | None = None

    def to_json(self) -> str:
        """Return the notice for programs, on one line of ASCII."""
        return json.dumps(
            {
                "format": FORMAT,
                "event": self.event,
                "at": iso(self.at),
                "run": self.run,
                "run_dir": str(self.run_dir.absolute()),
                "simulated": self.simulated,
                "text": self.text,
                "counts": dict(self.counts),
                "spent_usd": self.spent_usd,
                "page": None if self.page is None else str(self.page.absolute()),
                "exit": self.exit_code,
            }
        )
