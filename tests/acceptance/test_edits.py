"""Boards that are edited while their jobs are at every stage: nothing is paid for twice, and no paid clip is lost."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.boards import MODEL, charges_of, report_of, takes_of
from tests.acceptance.command import Desk, Outcome

QUICK = ("--simulate", "--speed", 50, "-j", 8, "--poll-interval", 0.05)


def write(desk: Desk, rows: Mapping[str, str]) -> Path:
    """Write a board of ids and prompts, which make up its bodies."""
    shots = "".join(
        f"  - id: {name}\n    inputs: {{promptText: {json.dumps(prompt)}}}\n" for name, prompt in rows.items()
    )
    path = desk.folder / "board.yaml"
    path.write_text(
        f"version: 1\nname: board\ndefaults:\n  model: {MODEL}\n  inputs:\n"
        "    keyFramesFirst: https://example.com/a.jpg\n    keyFramesLast: https://example.com/b.jpg\n"
        f"    duration: 5\n    seed: 7\nshots:\n{shots}"
    )
    return path


def place(desk: Desk) -> Path:
    return desk.folder / "reports" / "board-simulated"


def run(desk: Desk, path: Path, *more: object, code: int = 0) -> Outcome:
    return desk.run("run", path, *QUICK, *more, code=code)


def plan(desk: Desk, path: Path, *more: object) -> dict[str, str]:
    """Return the plan's actions by take."""
    told = json.loads(desk.run("plan", path, "--simulate", "--output", "json", *more).out)
    return {take["take"]: take["action"] for take in told["takes"]}


def charged(desk: Desk) -> int:
    """Return how many charges there were; no body may have two."""
    counts = Counter(
        str(charge["body_sha256"]) for charge in charges_of(place(desk) / "simulator" / "ledger.jsonl")
    )
    assert set(counts.values()) <= {1}
    return len(counts)


def clips(desk: Desk) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (place(desk) / "clips").glob("*.mp4")}


def killed_at(desk: Desk, point: str, path: Path, *more: object) -> None:
    """Run until a failure point kills the process with SIGKILL."""
    dying = desk.with_environment(SHOTRUNNER_FAILPOINTS=f"{point}=kill@1")
    outcome = dying.start("run", path, *QUICK, *more).end()
    assert outcome.code == -signal.SIGKILL, outcome


@pytest.mark.parametrize("point", ["recall.adopted", "recall.clip_renamed", "recall.clip_moved"])
def test_a_kill_while_an_edited_board_is_adopted_loses_and_repays_nothing(desk: Desk, point: str) -> None:
    """Two shots change places, one is renamed, one is rendered anew."""
    path = write(desk, {"a": "A", "b": "B", "c": "C", "d": "D"})
    run(desk, path)
    before = clips(desk)
    path = write(desk, {"a": "B", "b": "A", "x": "C", "d": "new"})
    killed_at(desk, point, path, "--stale")
    assert plan(desk, path, "--stale") == {"a": "skip", "b": "skip", "x": "skip", "d": "submit"}
    run(desk, path, "--stale")
    assert charged(desk) == 5
    after = clips(desk)
    assert (after["a"], after["b"], after["x"], after["d~1"]) == tuple(before[name] for name in "bacd")
    assert sorted(after) == ["a", "b", "d", "d~1", "x"]
    desk.run("verify", path, "--simulate")
    assert set(plan(desk, path, "--stale").values()) == {"skip"}


def test_a_board_that_is_renumbered_while_its_jobs_are_out_pays_for_none_again(desk: Desk) -> None:
    path = write(desk, {"a": "A", "b": "B", "c": "C"})
    going = desk.start("run", path, "--simulate", "--speed", 2, "-j", 8, "--poll-interval", 0.05)
    ledger = place(desk) / "simulator" / "ledger.jsonl"
    going.wait_until(lambda _: len(charges_of(ledger)) >= 2)
    going.kill()
    path = write(desk, {"z": "0", "b": "A", "c": "B", "d": "C"})
    shown = plan(desk, path)
    paid = len(charges_of(ledger))
    done = desk.start("run", path, *QUICK).end()
    assert done.code in {0, 4}, done
    charged(desk)
    sent = [take for take, action in shown.items() if action == "submit"]
    assert len(charges_of(ledger)) == paid + len(sent), (shown, done)


def test_saying_no_to_a_new_render_changes_no_clip(desk: Desk) -> None:
    """Nobody is there to agree to a real one; the clips and the record stay as they are."""
    path = write(desk, {"a": "A"})
    run(desk, path)
    before = clips(desk)
    path = write(desk, {"a": "B"})
    real = desk.with_environment(RUNCOMFY_TOKEN="none")
    real.run("run", path, "--stale", "--run-dir", place(desk), code=64)
    assert clips(desk) == before
    assert plan(desk, path) == {"a": "stale"}


def test_what_was_kept_is_not_offered_anew_and_an_edit_taken_back_is_complete(desk: Desk) -> None:
    path = write(desk, {"a": "A", "b": "B"})
    run(desk, path)
    path = write(desk, {"a": "new", "b": "B"})
    run(desk, path)
    desk.run("accept", path, "--simulate", "a")
    assert plan(desk, path, "--stale") == {"a": "skip", "b": "skip"}
    desk.run("plan", path, "--simulate", "--stale", "--exit-code")
    run(desk, path, "--stale")
    path = write(desk, {"a": "A", "b": "B"})
    assert plan(desk, path) == {"a": "skip", "b": "skip"}
    assert "everything is complete" in run(desk, path, "--stale").out
    assert charged(desk) == 2


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_limit_takes_what_was_never_sent_before_what_is_stale_and_the_plan_says_so(
    desk: Desk, limit: int
) -> None:
    path = write(desk, {"a": "A", "b": "B"})
    run(desk, path)
    path = write(desk, {"a": "new", "b": "newer", "c": "C"})
    shown = plan(desk, path, "--stale", "--limit", limit)
    run(desk, path, "--stale", "--limit", limit)
    made = [
        take.take_id
        for take in takes_of(place(desk))
        if take.state == "succeeded" and "~" not in take.take_id
    ]
    expected = ["c", "a", "b"][:limit]
    assert sorted(take for take, action in shown.items() if action == "submit") == sorted(expected)
    assert charged(desk) == 2 + limit
    assert "c" in made


def test_a_report_with_older_renders_is_a_manifest_with_nothing_to_do(desk: Desk) -> None:
    path = write(desk, {"a": "A", "b": "B"})
    run(desk, path)
    run(desk, write(desk, {"a": "new", "b": "B"}), "--stale")
    report = place(desk) / "report.csv"
    assert sorted(row["take"] for row in report_of(place(desk))) == ["a", "a~1", "b"]
    shown = desk.run("plan", report, "--simulate", "--run-dir", place(desk), "--exit-code")
    assert "3 takes: 3 skip" in shown.out


@pytest.mark.parametrize("verb", ["retry", "cancel", "fetch", "reconcile"])
def test_an_older_render_is_named_like_any_take(desk: Desk, verb: str) -> None:
    """Nothing of it is paid for again, and its clip comes back if it is gone."""
    path = write(desk, {"a": "A"})
    run(desk, path)
    path = write(desk, {"a": "B"})
    run(desk, path, "--stale")
    before = clips(desk)
    (place(desk) / "clips" / "a~1.mp4").unlink()
    outcome = desk.start(verb, path, "--simulate", "a~1").end()
    assert "Traceback" not in outcome.err, outcome
    assert plan(desk, path).get("a~1", "download") == "download"
    run(desk, path)
    # The simulator draws a clip that it is asked for by another process anew.
    assert clips(desk).keys() == before.keys()
    assert clips(desk)["a"] == before["a"]
    desk.run("verify", path, "--simulate")
    assert charged(desk) == 2


def test_a_board_that_shrinks_keeps_what_was_paid_for(desk: Desk) -> None:
    path = write(desk, {"a": "A", "b": "B"})
    run(desk, path)
    before = clips(desk)
    path.write_text(
        f"version: 1\nname: board\nshots:\n  - id: n\n    model: {MODEL}\n    inputs: {{promptText: N, "
        "keyFramesFirst: 'https://example.com/a.jpg', keyFramesLast: 'https://example.com/b.jpg'}\n"
    )
    assert plan(desk, path, "--exclude", "n") == {"a": "skip", "b": "skip"}
    run(desk, path, "--exclude", "n")
    assert clips(desk) == before
    assert plan(desk, write(desk, {"b": "A", "a": "B"})) == {"a": "adopt", "b": "adopt"}
    assert charged(desk) == 2
