"""T18: the token is a canary, and every byte that a run wrote or printed is searched for it in all its encodings.

Every rig of every test is searched when it is done; the cases here are those in which a token is most likely to leak: a
service that repeats it in answers, errors and headers, a refused token, bugs with their tracebacks, all the readers.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.outside.faults import BASIC, Fault, Reply
from tests.outside.jobs import Settings
from tests.torture import canary, points
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally, settings
from tests.torture.weather import Weather, storm

NAME = "T18 the token"
ECHOING = settings(echo=True, failing=0.2)
STRANGER = settings(echo=True, token="another")
_PARTS = ("base64", "url-safe", "reversed", "utf-16")
_SPELLED = b" ".join(
    [
        *(form for name, form in canary.encodings().items() if not name.startswith(_PARTS)),
        *(base64.b64encode(b"x" * shift + canary.CANARY.encode()) for shift in range(3)),
    ]
)
"""The token in every spelling, whole: what the canary seeks of base64 is only its inner part."""
_LOUD = Reply(
    422,
    json.dumps(
        {
            "error_message": _SPELLED.decode(),
            "detail": [{"loc": ["header"], "msg": f"Bearer {canary.CANARY}"}],
        }
    ).encode(),
)
_HTML = Reply(502, b"<pre>Authorization: Bearer " + _SPELLED + b"</pre>", {"Content-Type": "text/html"})


@dataclass(frozen=True, slots=True)
class Leak:
    """One situation by name; `point` is a failpoint that raises, for a situation that needs one."""

    name: str
    seed: int
    point: str = ""


def cases(seed: int, scale: float) -> Iterator[Leak]:
    """Yield every situation, and a broken call at every failpoint, of which less than the full scale takes a share."""
    yield from (Leak(name, seed) for name in _SITUATIONS)
    names = points.names(REPOSITORY)
    few = random.Random(seed).sample(names, max(1, round(len(names) * min(scale, 1.0))))
    yield from (Leak(f"a traceback at {name}", seed, name) for name in few)


def run(case: Leak, workdir: Path) -> Verdict:
    """Bring the situation about and search everything."""
    tally = Tally()
    if case.point:
        _broken_call(case, workdir, tally)
    else:
        _SITUATIONS[case.name](case, workdir, tally)
    tally.failures += canary.search(workdir)
    return tally.verdict()


def _rig(workdir: Path, tally: Tally, behaviour: Settings = ECHOING, weather: Weather | None = None) -> Rig:
    return Rig(workdir / "board", tally, takes=8, settings=behaviour, weather=weather)


def _repeated(_case: Leak, workdir: Path, tally: Tally) -> None:
    """Run where the service repeats it in every answer, and ask all readers about the run."""
    with _rig(workdir, tally) as rig:
        life = rig.start(["-v", *rig.run_arguments()])
        life.wait_until(lambda: rig.weather.calls > 0)
        life.end()
        rig.check(life)
        _ask_all_readers(rig)
        rig.finish()


def _ask_all_readers(rig: Rig) -> None:
    board = str(rig.manifest)
    questions = [["check", board], ["status", board], ["report", board]]
    questions += [["status", board, "--output", "json"], ["check", board, "--output", "json"]]
    questions += [["show", board, take] for take in ("t000", "t005")]
    questions += [["show", board, "t001", "--output", "json"], ["reconcile", board], ["verify", board]]
    questions += [["reconcile", board, "--output", "json"], ["cancel", board, "--all"], ["fetch", board]]
    for question in questions:
        rig.start(["-v", *question]).end()


def _stormy(case: Leak, workdir: Path, tally: Tally) -> None:
    """Lose answers of such a service, whose evidence is kept."""
    with _rig(workdir, tally, weather=Weather(case.seed, storm(0.3))) as rig:
        for _ in range(3):
            life = rig.start()
            life.end(within=2.5)
            rig.check(life)
        _ask_all_readers(rig)
        rig.finish()


def _in_errors(case: Leak, workdir: Path, tally: Tally) -> None:
    """Let errors quote it: a refusal that fails takes, and a gateway's page that leaves one in doubt."""
    weather = Weather(
        case.seed, {"submit": [(0.4, Fault(reply=_LOUD, effect=False)), (0.2, Fault(reply=_HTML))]}
    )
    with _rig(workdir, tally, weather=weather) as rig:
        for _ in range(2):
            rig.start(["-v", *rig.run_arguments()]).end(within=2.5)
        _ask_all_readers(rig)


def _refused(_case: Leak, workdir: Path, tally: Tally) -> None:
    """Be refused by a service that does not know the token, and says so with it."""
    with _rig(workdir, tally, STRANGER) as rig:
        life = rig.start(["-v", *rig.run_arguments()])
        if life.end() != 77:
            rig.complain(f"exit code {life.code} instead of 77: {life.said()}")
        _ask_all_readers(rig)


def _gone(case: Leak, workdir: Path, tally: Tally) -> None:
    """Break every connection: the words for it come from libraries."""
    weather = Weather(case.seed, {"submit": [(1.0, BASIC["junk"])], "status": [(1.0, BASIC["junk"])]})
    with _rig(workdir, tally, weather=weather) as rig:
        life = rig.start(["-v", *rig.run_arguments()])
        life.wait_until(lambda: rig.weather.calls > 0)
        life.end(within=2.0)


def _broken_call(case: Leak, workdir: Path, tally: Tally) -> None:
    """Let a call fail in the middle of things, with -v to show the traceback."""
    with _rig(workdir, tally) as rig:
        rig.start(["-v", *rig.run_arguments()], failpoints=f"{case.point}=EPERM@2").end(within=5.0)


_SITUATIONS: Mapping[str, Callable[[Leak, Path, Tally], None]] = {
    "repeated in every answer": _repeated,
    "repeated in a storm": _stormy,
    "quoted in errors": _in_errors,
    "refused": _refused,
    "gone": _gone,
}
