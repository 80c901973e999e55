"""One call in a process of its own, so that a call which ends its process is known for certain."""

from __future__ import annotations

import os
import pickle
import threading
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection

from runner.delivery.ports import TaskKilled
from runner.delivery.worker_setup import dask_setup
from runner.domain.token_leaks import TOKEN_VARIABLES


def run_pickled(call: bytes) -> object:
    """Call what was pickled: a function of a module and its arguments."""
    fn, args = pickle.loads(call)  # noqa: S301 - it comes from this program, or from the scheduler of its cluster
    return fn(*args)


def run_alone(call: bytes) -> object:
    """Return what a pickled call returns in a new process, or raise what it raises there.

    Raises:
        TaskKilled: the process ended before the call did.
    """
    context = get_context("spawn")
    answer, said = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(call, said), daemon=True)
    process.start()
    said.close()
    try:
        result, error = pickle.loads(answer.recv_bytes())  # noqa: S301 - it comes from this program
    except EOFError:
        raise TaskKilled("each process that worked on this clip died of it") from None
    finally:
        answer.close()
        process.join()
    if error is not None:
        raise error
    return result


def _run(call: bytes, said: Connection) -> None:
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    dask_setup(None)
    for name in TOKEN_VARIABLES:
        os.environ.pop(name, None)
    try:
        outcome: tuple[object, BaseException | None] = run_pickled(call), None
    except Exception as error:  # noqa: BLE001 - it is passed on to the caller
        outcome = None, error
    said.send_bytes(pickle.dumps(outcome))


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
