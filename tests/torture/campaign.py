"""A campaign of torture: all cases of all tests on a few workers, written down one by one, and a table at the end.

`python -m tests.torture [--seed N] [--only T1,T2] [--scale F] [--budget MINUTES] [--resume FILE]`. A campaign that
was stopped goes on with `--resume`: finished cases are in the file and are not run again. Exit code 0 means that every
case ran and nothing was wrong, 1 that something was, 3 that cases are left or a test cannot be run on this machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tests.torture.registry import Torture, Verdict, find, load

WORKERS = 2
_COLUMNS = ("test", "cases", "kills", "doubled", "lost", "mispaired", "held per kill", "failures", "seconds")
_FAILURES_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign is about; a resumed one takes it from the file."""

    seed: int
    scale: float
    only: tuple[str, ...]


@dataclass(slots=True)
class Book:
    """What is known so far: by test the verdicts added up and the seconds spent, and which cases are done."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)

    def enter(self, test: str, case: str, verdict: Verdict, seconds: float) -> None:
        """Add one case."""
        self.done.add((test, case))
        self.verdicts[test] = self.verdicts.get(test, Verdict()) + verdict
        self.seconds[test] = self.seconds.get(test, 0.0) + seconds

    @property
    def clean(self) -> bool:
        """True if nothing was wrong."""
        return all(verdict.clean for verdict in self.verdicts.values())


def main(argv: Sequence[str] | None = None, *, tests: Mapping[str, Torture] | None = None) -> int:
    """Run a campaign over `tests` by their modules, by default those asked for, and return its exit code."""
    given = _parser().parse_args(argv)
    record: Path = given.resume or Path(tempfile.gettempdir()) / f"torture-{_stamp()}.jsonl"
    book = Book()
    plan = Plan(given.seed, given.scale, tuple(filter(None, given.only.split(","))))
    if given.resume:
        plan = read_record(record, book)
    tests = find(plan.only) if tests is None else tests
    skipped = {test.name: why for test in tests.values() if (why := test.obstacle())}
    todo = [
        entry
        for entry in in_turn(
            [(module, test, test.cases(plan.seed, plan.scale)) for module, test in tests.items()]
        )
        if entry[1].name not in skipped and (entry[1].name, entry[2].name) not in book.done
    ]
    print(f"seed {plan.seed}, scale {plan.scale:g}, {len(todo)} cases; recorded in {record}", flush=True)
    with record.open("a", encoding="utf-8") as stream:
        if not given.resume:
            _write(stream, {"seed": plan.seed, "scale": plan.scale, "only": plan.only})
        deadline = time.monotonic() + given.budget * 60
        left = work_through(todo, book, stream, workers=given.workers, deadline=deadline)
    print(table(book, [test.name for test in tests.values()], skipped))
    for line in failure_lines(book):
        print(line)
    if left:
        print(f"{left} cases are left; go on with: python -m tests.torture --resume {record}")
    return 1 if not book.clean else 3 if left or skipped else 0


def in_turn(tests: Sequence[tuple[str, Torture, Iterable[Any]]]) -> list[tuple[str, Torture, Any]]:
    """Return the cases of all tests mixed, each test's spread evenly, so that a budget cuts a share of every test."""
    placed: list[tuple[float, str, Torture, Any]] = []
    for module, test, cases in tests:
        every = list(cases)
        placed += [((at + 0.5) / len(every), module, test, case) for at, case in enumerate(every)]
    return [entry[1:] for entry in sorted(placed, key=lambda entry: entry[:2])]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", default="", metavar="T1,T2")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of cases (1)")
    parser.add_argument(
        "--budget", type=float, default=45.0, metavar="MINUTES", help="begin no case after so long (45)"
    )
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with the campaign in this file")
    parser.add_argument("--workers", type=int, default=WORKERS)
    return parser


def _stamp() -> str:
    return time.strftime("%Y%m%d-%H%M%S")


def read_record(record: Path, book: Book) -> Plan:
    """Enter the finished cases of an earlier campaign and return what it was about; a last line cut short is none."""
    text = record.read_text("utf-8")
    head, *lines = text[: text.rfind("\n") + 1].splitlines()
    for line in map(json.loads, lines):
        book.enter(line["test"], line["case"], Verdict.from_json(line["verdict"]), line["seconds"])
    begun = json.loads(head)
    return Plan(begun["seed"], begun["scale"], tuple(begun["only"]))


def work_through(
    todo: Sequence[tuple[str, Torture, Any]], book: Book, stream: TextIO, *, workers: int, deadline: float
) -> int:
    """Run cases until none is left or the deadline has passed; return how many are left."""
    waiting: Iterator[tuple[str, Torture, Any]] = iter(todo)
    going: dict[Future[tuple[Verdict, float]], tuple[str, str]] = {}
    finished = 0
    with (
        tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as scratch,
        # Spawned, not forked: each worker runs servers in threads, and a fork would copy their locks.
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool,
    ):
        while True:
            while len(going) < workers and time.monotonic() < deadline and (entry := next(waiting, None)):
                module, test, case = entry
                going[pool.submit(perform, module, case, Path(scratch))] = (test.name, case.name)
            if not going:
                return len(todo) - finished
            for future in wait(going, return_when=FIRST_COMPLETED).done:
                test_name, case_name = going.pop(future)
                verdict, seconds = future.result()
                finished += 1
                book.enter(test_name, case_name, verdict, seconds)
                _write(
                    stream,
                    {"test": test_name, "case": case_name, "seconds": seconds, "verdict": verdict.to_json()},
                )
                print(
                    progress_line(f"{finished}/{len(todo)}", test_name, case_name, verdict, seconds),
                    flush=True,
                )


def perform(module: str, case: Any, scratch: Path) -> tuple[Verdict, float]:  # noqa: ANN401 - each test has its own cases
    """Run one case in a folder of its own, which stays only if something was wrong; return verdict and seconds."""
    began = time.monotonic()
    test = load(module)
    workdir = Path(tempfile.mkdtemp(prefix=f"{test.name}-", dir=scratch))
    try:
        verdict = test.run(case, workdir)
    except Exception as error:  # noqa: BLE001 - a case that breaks down is a failure like any other, and the rest goes on
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{test.name} {case.name}: broke down: {type(error).__name__}: {error} ({where.name}:{where.lineno})"
        verdict = Verdict(cases=1, failures=(words,))
    if verdict.clean:
        shutil.rmtree(workdir, ignore_errors=True)
    else:
        kept = Path(tempfile.mkdtemp(prefix=f"torture-kept-{test.name}-"))
        shutil.copytree(workdir, kept, dirs_exist_ok=True, symlinks=True)
        verdict += Verdict(failures=(f"{test.name} {case.name}: kept in {kept}",))
    return verdict, time.monotonic() - began


def _write(stream: TextIO, line: Mapping[str, Any]) -> None:
    stream.write(json.dumps(line) + "\n")
    stream.flush()


def progress_line(place: str, test: str, case: str, verdict: Verdict, seconds: float) -> str:
    """Return one line about a finished case."""
    word = "ok" if verdict.clean else "WRONG"
    return f"{place:>9} {word:5} {test} {case}: {verdict.kills} kills, {verdict.held} held, {seconds:.1f} s"


def table(book: Book, names: Sequence[str], skipped: Mapping[str, str]) -> str:
    """Return the table of a campaign, one line a test, as Markdown; `skipped` says by name why a test was not run."""
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS)]
    rows += [_row(name, book, skipped.get(name, "")) for name in names]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


def _row(name: str, book: Book, obstacle: str) -> tuple[str, ...]:
    verdict, seconds = book.verdicts.get(name), book.seconds.get(name, 0.0)
    if obstacle and verdict is None:
        return (name, f"skipped: {obstacle}", *["-"] * (len(_COLUMNS) - 2))
    # A campaign that was begun on another machine has found something all the same.
    name += f" (the rest skipped: {obstacle})" if obstacle else ""
    verdict = verdict or Verdict()
    counts = (verdict.cases, verdict.kills, verdict.doubled, verdict.lost, verdict.mispaired)
    held = f"{verdict.held / verdict.kills:.2f}" if verdict.kills else "-"
    return (name, *map(str, counts), held, str(len(verdict.failures)), f"{seconds:.0f}")


def failure_lines(book: Book) -> list[str]:
    """Return what was wrong, the first so many sentences of it."""
    failures = [failure for verdict in book.verdicts.values() for failure in verdict.failures]
    more = [f"… and {len(failures) - _FAILURES_SHOWN} more"] if len(failures) > _FAILURES_SHOWN else []
    return [f"- {failure}" for failure in failures[:_FAILURES_SHOWN]] + more


if __name__ == "__main__":
    sys.exit(main())
