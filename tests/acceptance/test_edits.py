"""Boards that are edited while their jobs are at every stage: nothing is paid for twice, and no paid clip is lost."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.domain.states import TakeState
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


def test_a_run_opens_its_record_once_and_adopts_the_plan_once(desk: Desk) -> None:
    """A second opening or adoption would fail here, also where takes are renamed, renewed and rendered again."""
    run(desk, write(desk, {"a": "one", "b": "two"}))
    board = write(desk, {"x": "one", "b": "another", "c": "three"})
    strict = desk.with_environment(SHOTRUNNER_FAILPOINTS="store.open=EIO@2+;recall.adopted=EIO@2+")
    run(strict, board, "--stale")
    assert charged(desk) == 4


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
    desk.run("accept", path, "--simulate", "a", "--output", "json")
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


def held(desk: Desk, rows: Mapping[str, str]) -> Path:
    """Render a board of whose second submit the answer is lost: its job was made and paid for all the same."""
    script = desk.folder / "lost.yaml"
    script.write_text(
        "version: 1\nfaults: [{route: submit, fault: close, after: 1, count: 1, accepted: true}]\n"
    )
    path = write(desk, rows)
    run(desk, path, "--script", script, code=4)
    return path


def paid(desk: Desk) -> int:
    """Return how many charges there were, also where a person asked to pay for a body once more."""
    return len(charges_of(place(desk) / "simulator" / "ledger.jsonl"))


@pytest.mark.parametrize("rows", [{"a": "A", "x": "B"}, {"a": "A"}], ids=["renamed", "deleted"])
def test_a_report_read_as_a_manifest_brings_no_row_back_that_left(desk: Desk, rows: dict[str, str]) -> None:
    path = held(desk, {"a": "A", "b": "B"})
    desk.run("reconcile", path, "--simulate", "not-sent", "b")
    run(desk, write(desk, rows))
    before = paid(desk)
    report = place(desk) / "report.csv"
    assert {row["take"]: row["state"] for row in report_of(place(desk))}["b"] == "removed"
    desk.run("plan", report, "--simulate", "--run-dir", place(desk), "--exit-code")
    desk.run("run", report, *QUICK, "--run-dir", place(desk), "-y")
    assert paid(desk) == before


def test_what_was_given_up_is_not_paid_for_again_after_an_edit_and_back_and_a_rename(desk: Desk) -> None:
    path = held(desk, {"a": "A", "b": "B"})
    desk.run("reconcile", path, "--simulate", "drop", "b")
    told = run(desk, path).out
    assert "everything is complete" not in told
    assert "1 dropped" in told
    run(desk, write(desk, {"a": "A", "b": "new"}))
    path = write(desk, {"a": "A", "b": "B"})
    assert "the same request was dropped before, as b~1" in desk.run("plan", path, "--simulate").out
    path = write(desk, {"a": "A", "c": "B"})
    assert plan(desk, path) == {"a": "skip", "c": "adopt", "b": "skip"}
    run(desk, path)
    assert charged(desk) == 3


@pytest.mark.parametrize("accepts", [True, False], ids=["kept", "stale"])
def test_a_kept_or_stale_clip_is_not_paid_for_when_its_row_is_renumbered(
    desk: Desk,
    accepts: bool,
) -> None:
    run(desk, write(desk, {"a": "A", "b": "B", "c": "C"}))
    path = write(desk, {"a": "A", "b": "new", "c": "C"})
    run(desk, path)
    if accepts:
        desk.run("accept", path, "--simulate", "b")
    before = clips(desk)
    path = write(desk, {"a": "A", "b": "inserted", "c": "new", "d": "C"})
    said = {"a": "skip", "b": "submit", "c": "adopt" if accepts else "stale", "d": "adopt"}
    assert plan(desk, path) == said
    run(desk, path)
    assert charged(desk) == 4
    after = clips(desk)
    assert (after["c"], after["d"]) == (before["b"], before["c"])
    anew = plan(desk, path, "--stale")
    assert anew == {"a": "skip", "b": "skip", "c": "skip" if accepts else "submit", "d": "skip"}


def test_a_renamed_take_is_tried_again_under_its_new_id(desk: Desk) -> None:
    script = desk.folder / "fail.yaml"
    script.write_text("version: 1\nfaults: [{route: submit, fault: fails, after: 1, count: 1}]\n")
    run(desk, write(desk, {"a": "A", "b": "B"}), "--script", script, code=2)
    path = write(desk, {"a": "A", "x": "B"})
    assert plan(desk, path) == {"a": "skip", "x": "adopt"}
    desk.run("retry", path, *QUICK, "-y", "x")
    assert sorted(clips(desk)) == ["a", "x"]
    assert (paid(desk), plan(desk, path)) == (3, {"a": "skip", "x": "skip"})


@pytest.mark.parametrize("verb", ["not-sent", "drop"])
def test_a_held_take_is_decided_on_under_its_new_id(desk: Desk, verb: str) -> None:
    held(desk, {"a": "A", "b": "B"})
    path = write(desk, {"a": "A", "x": "B"})
    assert "x: " in desk.run("reconcile", path, "--simulate", verb, "x").out
    assert plan(desk, path) == {"a": "skip", "x": "submit" if verb == "not-sent" else "skip"}


def test_a_job_that_is_out_is_cancelled_under_its_new_id_and_watched_though_its_row_was_kept(
    desk: Desk,
) -> None:
    path = write(desk, {"a": "A"})
    going = desk.start("run", path, "--simulate", "--speed", 0.2, "--poll-interval", 0.05)
    going.wait_until(lambda _: bool(charges_of(place(desk) / "simulator" / "ledger.jsonl")))
    going.wait_until(lambda _: any(take.state in {"queued", "running"} for take in takes_of(place(desk))))
    going.kill()
    path = write(desk, {"a": "new"})
    desk.run("accept", path, "--simulate", "a")
    assert plan(desk, path) == {"a": "watch"}
    path = write(desk, {"x": "new"})
    told = desk.start("cancel", path, "--simulate", "x").end()
    assert "x: " in told.out, told
    assert [take.take_id for take in takes_of(place(desk))] == ["x"]
    assert charged(desk) == 1


def test_a_clip_that_was_not_fetched_yet_comes_home_as_it_makes_room(desk: Desk) -> None:
    run(desk, write(desk, {"a": "A", "b": "B"}), "--no-download")
    path = write(desk, {"a": "new", "b": "B"})
    flags = ("--stale", "--only", "a")
    assert plan(desk, path, *flags) == {"a": "submit", "a~1": "download"}
    told = run(desk, path, *flags)
    assert "2 takes: 2 delivered" in told.out
    assert sorted(clips(desk)) == ["a", "a~1"]
    assert charged(desk) == 3


def test_a_retry_of_an_edited_row_keeps_what_failed_beside_it(desk: Desk) -> None:
    """As a plain run does."""
    script = desk.folder / "fail.yaml"
    script.write_text("version: 1\nfaults: [{route: submit, fault: fails, count: 1}]\n")
    run(desk, write(desk, {"a": "A", "b": "B"}), "--script", script, code=2)
    failed = next(take for take in takes_of(place(desk)) if take.state is TakeState.FAILED)
    path = write(desk, {"a": "A", "b": "B", failed.take_id: "new"})
    desk.run("retry", path, *QUICK, failed.take_id)
    takes = {take.take_id: take for take in takes_of(place(desk))}
    kept = takes[f"{failed.take_id}~1"]
    assert (kept.state, kept.body, kept.request_id) == (TakeState.FAILED, failed.body, failed.request_id)
    assert takes[failed.take_id].state is TakeState.SUCCEEDED
    assert charged(desk) == 3


def test_a_name_that_a_manifest_with_problems_cannot_tell_is_refused_with_the_problem(desk: Desk) -> None:
    held(desk, {"a": "A", "b": "B"})
    path = write(desk, {"a": "A", "x": "B"})
    path.write_text(path.read_text().replace(MODEL, "acme/dream"))
    refused = desk.run("reconcile", path, "--simulate", "drop", "x", code=64)
    assert "there is no take 'x', and no new name can be followed" in refused.err
    assert "acme/dream" in refused.err
