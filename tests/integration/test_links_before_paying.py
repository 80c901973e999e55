"""A paid run refuses links that certainly fail before it asks and sends; doubts are warnings, and stop nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cli.main import main
from runner.commands.check import check, check_board
from runner.commands.plan import preview
from runner.commands.retry import propose
from runner.commands.run import run
from runner.commands.steps.find_run import read_takes
from runner.commands.steps.media_check import look_before_paying, sorted_out
from runner.commands.steps.open_for_decision import open_for_decision
from runner.commands.steps.request import RunRequest, Warn, no_warnings
from runner.commands.steps.summary import RunEstimate
from runner.domain.errors import ManifestInvalid, Position, Problem, Severity
from runner.domain.run_ending import EndingKind
from runner.domain.states import Accepted, Ended, FailureClass, SubmissionStarted, TakeState
from runner.manifest.size_limits import LIMITS
from runner.media.preflight.preflight import Finding
from runner.store.run_dir import RunDir
from runner.system.clock import SystemClock
from tests.integration.store_samples import tell
from tests.integration.test_delivery_server import body, raw_server, status
from tests.unit.test_preflight_pixels import png

AWAY = "https://api.example.com"
OVER = "https://cdn.example.com/a.jpg?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=SECRET"


def board(folder: Path, *links: str) -> Path:
    path = folder / "board.yaml"
    shots = "".join(
        f'  - {{id: s{number:03}, inputs: {{image: "{link}", promptText: A boat}}}}\n'
        for number, link in enumerate(links)
    )
    path.write_text(
        "version: 1\ndefaults: {model: pika/pika-2-2/image-to-video}\n"
        f"prices: {{pika/pika-2-2/image-to-video: 0.2}}\nshots:\n{shots}"
    )
    return path


def request(
    manifest: Path, asked: list[RunEstimate], *, warn: Warn = no_warnings, look: bool = False
) -> RunRequest:
    """Return a request of a run at an API that is not on this machine, to which nobody agrees."""

    def decline(estimate: RunEstimate) -> bool:
        asked.append(estimate)
        return False

    environ = {"RUNCOMFY_TOKEN": "t" * 20, "HOME": str(manifest.parent)}
    return RunRequest(manifest, api_base=AWAY, environ=environ, confirm=decline, look=look, warn=warn)


def test_an_expired_link_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    asked: list[RunEstimate] = []
    with pytest.raises(ManifestInvalid) as caught:
        run(request(board(tmp_path, OVER), asked))
    (problem,) = caught.value.problems
    assert "expired at 2020-01-01 00:01:00 UTC" in problem.message
    assert "SECRET" not in str(problem)
    assert asked == []


def test_a_link_that_ends_soon_is_a_warning_before_the_question(tmp_path: Path) -> None:
    said: list[Problem] = []
    asked: list[RunEstimate] = []

    def warn(problems: Sequence[Problem], _known: bool) -> None:
        assert asked == []
        said.extend(problem for problem in problems if "expires at" in problem.message)

    manifest = board(tmp_path, f"https://cdn.example.com/a.jpg?expires={int(time.time()) + 1800}&sig=SECRET")
    ending = run(request(manifest, asked, warn=warn)).ending
    assert ending.kind is EndingKind.DECLINED
    (warning,) = said
    assert warning.severity is Severity.WARNING


def test_links_that_nobody_answers_for_stop_no_run(tmp_path: Path) -> None:
    """The names end in .invalid, which no resolver knows (RFC 2606)."""
    said: list[Problem] = []
    asked: list[RunEstimate] = []

    def warn(problems: Sequence[Problem], _known: bool) -> None:
        assert asked == []
        said.extend(problem for problem in problems if problem.subject == "media")

    manifest = board(tmp_path, "https://a.invalid/1.png", "https://b.invalid/2.png")
    assert run(request(manifest, asked, warn=warn, look=True)).ending.kind is EndingKind.DECLINED
    assert len(asked) == 1
    (warning,) = said
    assert warning.message.startswith("this machine reached none of 2 links: ")


def test_a_link_to_this_machine_is_refused_without_a_request(tmp_path: Path) -> None:
    with raw_server() as server:
        link = server.serve(body(png(1280, 1080)), path="/a.png")
        manifest = board(tmp_path, link)
        plan = check(manifest, allow_private_media=True)
        wanted = request(manifest, [], look=True)
        with pytest.raises(ManifestInvalid) as caught:
            look_before_paying(wanted, plan, {"s000"}, RunDir(tmp_path / "run"))
        first, advice = caught.value.problems
        assert "where the API does not go" in first.message
        assert "--no-look" in advice.message
        # Only what is about to be sent is looked at.
        look_before_paying(wanted, plan, {"another"}, RunDir(tmp_path / "run"))
        assert server.asked == []


def test_an_api_on_this_machine_looks_at_nothing(tmp_path: Path) -> None:
    with raw_server() as server:
        manifest = board(tmp_path, server.serve(status(404), path="/a.png"))
        plan = check(manifest, allow_private_media=True)
        wanted = replace(request(manifest, [], look=True), api_base="http://127.0.0.1:9")
        look_before_paying(wanted, plan, {"s000"}, RunDir(tmp_path / "run"))
        assert server.asked == []


class EarlierClock(SystemClock):
    """A clock whose wall is years behind."""

    def wall(self) -> float:
        return 1_700_000_000.0


def test_a_retry_with_a_link_that_fails_now_is_not_proposed(tmp_path: Path) -> None:
    manifest = board(tmp_path, "https://cdn.example.com/a.jpg?expires=1750000000&sig=SECRET")
    asked = request(manifest, [])
    run(replace(asked, clock=EarlierClock()))
    place = RunDir(tmp_path / "reports" / "board")
    with open_for_decision(place, asked.opening, asked.clock) as record:
        (take,) = record.reader.takes()
        sent = SubmissionStarted("try", take.fingerprint, record.state.epoch)
        broken = Ended(TakeState.FAILED, "{}", failure=FailureClass.REFUSED, reason="broke")
        tell(record.state, sent, Accepted("try", "request-1"), broken, take_id="s000")
    for target in (manifest, place.path):
        with pytest.raises(ManifestInvalid):
            propose(target, request=replace(asked, manifest=target), names=["s000"])
    assert [each.state for each in read_takes(place)] == [TakeState.FAILED]


def test_a_plan_warns_of_what_a_run_refuses(tmp_path: Path) -> None:
    found = preview(request(board(tmp_path, OVER), []))
    assert any("expired at" in warning.message for warning in found.warnings)


def test_check_refuses_an_expired_link_without_a_connection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(board(tmp_path, OVER))]) == 65
    assert "expired at 2020-01-01" in capsys.readouterr().err


def test_an_expired_link_is_shown_at_its_cell_beside_other_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = f"a,pika/pika-2-2/image-to-video,{OVER},5\nb,pika/pika-2-2/image-to-video,{AWAY}/a.jpg,7\n"
    sheet = tmp_path / "board.csv"
    sheet.write_text(f"id,model,image,duration\n{rows}")
    assert main(["check", str(sheet)]) == 65
    shown = capsys.readouterr().err
    assert "(cell C2)" in shown
    assert "expired at 2020-01-01" in shown
    assert "7 is not an allowed value" in shown


def test_a_simulated_board_may_have_expired_links(tmp_path: Path) -> None:
    found = check_board(
        board(tmp_path, OVER),
        simulated=True,
        schema_dirs=(),
        limits=LIMITS,
        given=None,
        run_dir=None,
        online=False,
        wait=0.0,
        refresh=False,
        on_link=lambda _done, _of: None,
    )
    assert (found.errors, found.warnings) == ((), ())


def finding(*, certain: bool = False, silent: bool = False, url: str = "https://a.example/1.png") -> Finding:
    at = Position("board.yaml", 4)
    return Finding(Severity.ERROR, ("s000",), "image", url, "is odd", "mend it", at, certain, silent)


def test_only_what_certainly_fails_is_an_error() -> None:
    errors, doubts = sorted_out([finding(certain=True), finding()], unreached="", file="board.yaml")
    assert [problem.severity for problem in (*errors, *doubts)] == [Severity.ERROR, Severity.WARNING]


def test_links_without_an_answer_are_one_warning() -> None:
    silent = [finding(silent=True, url=f"https://a.example/{number}.png") for number in range(80)]
    errors, (doubt,) = sorted_out(silent, unreached="", file="board.yaml")
    assert errors == ()
    assert doubt.message.startswith("80 links gave this machine no answer, such as https://a.example/0.png")


def test_a_machine_without_a_network_stops_nothing() -> None:
    errors, (doubt,) = sorted_out([], unreached="this machine reached none of 80 links: x", file="board.yaml")
    assert (errors, doubt.severity) == ((), Severity.WARNING)
