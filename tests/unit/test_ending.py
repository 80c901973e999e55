"""The last lines of a run: few enough for one screen, and each failure with its command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cli import ending
from runner.cli.parser import build_parser
from runner.cli.run import show_end
from runner.commands.steps.summary import RunSummary
from runner.domain.limits import Limits
from runner.domain.money import Charge, Spending
from runner.domain.records import TakeRecord
from runner.domain.run_ending import Ending, EndingKind
from runner.domain.states import DeliveryState, FailureClass, TakeState
from tests.unit.output_records import pending

WORDS = ["run", "overnight.yaml", "-j", "8", "--max-cost", "60"]


def failed(count: int, failure: FailureClass, reason: str = "it broke") -> list[TakeRecord]:
    return [
        replace(pending(f"{failure}-{number}"), state=TakeState.FAILED, failure=failure, reason=reason)
        for number in range(count)
    ]


def undeliverable(count: int) -> list[TakeRecord]:
    state, delivery = TakeState.SUCCEEDED, DeliveryState.UNDELIVERABLE
    return [
        replace(pending(f"u{number}"), state=state, delivery=delivery, reason="HTTP 403")
        for number in range(count)
    ]


def held(count: int) -> list[TakeRecord]:
    reason = "the connection was closed before an answer came"
    return [
        replace(pending(f"sq01_sh0010@seed={number}"), state=TakeState.HELD, reason=reason)
        for number in range(count)
    ]


def summary(
    failures: Sequence[TakeRecord] = (),
    in_doubt: Sequence[TakeRecord] = (),
    *,
    clips: int = 0,
    stop: Ending | None = None,
) -> RunSummary:
    return RunSummary(
        run_dir=Path("reports/overnight"),
        simulated=False,
        ending=stop or Ending(EndingKind.FINISHED),
        submitted=600,
        counts={
            TakeState.SUCCEEDED: clips,
            TakeState.FAILED: len(failures),
            TakeState.HELD: len(in_doubt),
        },
        deliveries={DeliveryState.DELIVERED: clips},
        clips=tuple(Path(f"reports/overnight/clips/s{number}.mp4") for number in range(clips)),
        held=tuple(in_doubt),
        reports=None,
        failed=tuple(failures),
        spending=Spending((Charge("s1", 0.18, 0.18, times=clips or 1),)),
    )


def test_each_class_of_failure_has_its_takes_and_its_command() -> None:
    found = summary(
        [*failed(5, FailureClass.PROVIDER_FAILED), *failed(1, FailureClass.MODERATION), *undeliverable(2)],
        held(1),
    )
    said = """\
5 failed, provider-failed: it broke (provider-failed-0, provider-failed-1, provider-failed-2 and 2 more). \
They can be paid for and sent again.
  → shotrunner retry overnight.yaml -j 8 --max-cost 60 --status failed
2 undeliverable, HTTP 403 (u0, u1). They are rendered; the downloads are free.
  → shotrunner fetch reports/overnight
1 failed, moderation: it broke (moderation-0). The same prompt is refused again. Change it, then run again.
  → shotrunner run overnight.yaml -j 8 --max-cost 60
1 held, the connection was closed before an answer came (sq01_sh0010@seed=0). \
It may have been charged. Look on the provider's site for its job, then decide.
  → shotrunner reconcile reports/overnight"""
    assert "\n".join(ending.trouble_lines(found, WORDS)) == said


def test_classes_with_the_same_command_share_it() -> None:
    found = summary([*failed(2, FailureClass.PROVIDER_FAILED), *failed(1, FailureClass.TRANSIENT)])
    (*_, last) = lines = ending.trouble_lines(found, WORDS)
    assert len(lines) == 3
    assert last == "  → shotrunner retry overnight.yaml -j 8 --max-cost 60 --status failed"


def test_the_end_of_a_bad_night_fits_one_screen_of_80_by_24() -> None:
    """600 takes, three classes of failure, held takes, and a limit; a long line takes several rows."""
    found = summary(
        [
            *failed(7, FailureClass.PROVIDER_FAILED, "the provider could not render this clip"),
            *failed(2, FailureClass.MODERATION, "the input was flagged by content moderation"),
            *undeliverable(2),
        ],
        held(3),
        clips=586,
        stop=Ending(
            EndingKind.LIMIT, "--max-cost $60.00: $59.94 is spent or reserved, and s1 would exceed it"
        ),
    )
    words = [*WORDS, "--script", "night.yaml", "--on-unknown", "stop"]
    lines = [
        *ending.folder_lines(found),
        *ending.count_lines(found),
        *ending.need_lines(found, words, Limits(), now=0.0),
        *ending.next_lines(found, words, Limits(), now=0.0),
    ]
    assert lines[0] == "clips   reports/overnight/clips (586 files)"
    page_and_prompt = 2
    assert sum(-(-len(line) // 80) for line in lines) + page_and_prompt <= 24


@pytest.mark.parametrize(
    ("clips", "lines"),
    [
        (0, []),
        (1, ["clip    reports/overnight/clips/s0.mp4"]),
        (2, ["clips   reports/overnight/clips (2 files)"]),
    ],
)
def test_a_terminal_gets_one_line_for_all_clips(clips: int, lines: list[str]) -> None:
    assert ending.folder_lines(summary(clips=clips)) == lines


def test_a_pipe_gets_every_clip_under_one_heading() -> None:
    lines = ending.headed(ending.clip_lines(summary(clips=20)))
    assert lines[0] == "clips   reports/overnight/clips/s0.mp4"
    assert lines[19] == "        reports/overnight/clips/s19.mp4"


QUIET = build_parser().parse_args(["run", "overnight.yaml", "-q"])


def test_a_quiet_run_that_is_complete_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = replace(summary(clips=3), remarks=("a remark",))
    assert show_end(found, QUIET, WORDS) == 0
    assert capsys.readouterr() == ("", "")


def test_a_quiet_run_prints_what_needs_a_person_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    found = replace(summary(failed(1, FailureClass.TRANSIENT), clips=3), remarks=("a remark",))
    assert show_end(found, QUIET, WORDS) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", ending.trouble_lines(found, WORDS))
