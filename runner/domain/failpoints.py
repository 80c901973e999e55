"""Named points where a test may kill the process, make a call fail, or make it wait; they cost nothing unarmed.

In: a text such as `submit.answered=kill@2;store.commit=ENOSPC@3+` from the variable SHOTRUNNER_FAILPOINTS; only the
command arms it. Each rule is NAME=ACTION@N (the N-th hit) or @N+ (from the N-th hit on). Actions are `kill` (SIGKILL to
itself), an errno's name (raised as OSError), and `sleep:SECONDS`.

Source: the failpoints of etcd and FreeBSD; SQLite's test_func-style n-th call failures.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
import time
from dataclasses import dataclass

from runner.domain.errors import UsageError

VARIABLE = "SHOTRUNNER_FAILPOINTS"
_RULE = re.compile(r"(?P<name>[a-z._-]+)=(?P<action>kill|E[A-Z]+|sleep:[0-9.]+)@(?P<n>[0-9]+)(?P<on>\+?)")


@dataclass(slots=True)
class _Rule:
    action: str
    n: int
    on: bool
    hits: int = 0


_armed: dict[str, _Rule] = {}
_lock = threading.Lock()


def arm(text: str) -> None:
    """Arm the rules in `text`, in place of earlier ones.

    Raises:
        UsageError: a rule is not of the form NAME=ACTION@N.
    """
    rules = {}
    for part in filter(None, text.split(";")):
        found = _RULE.fullmatch(part.strip())
        if found is None:
            raise UsageError(
                f"{part!r} is not a failpoint rule",
                advice="write NAME=kill@1, NAME=ENOSPC@2+ or NAME=sleep:1@1",
            )
        rules[found["name"]] = _Rule(found["action"], int(found["n"]), bool(found["on"]))
    _armed.clear()
    _armed.update(rules)


def hit(name: str) -> None:
    """Do what is armed for `name`, if anything is.

    Raises:
        OSError: the rule says so.
    """
    if not _armed:
        return
    with _lock:
        rule = _armed.get(name)
        if rule is None:
            return
        rule.hits += 1
        strikes = rule.hits >= rule.n if rule.on else rule.hits == rule.n
    if not strikes:
        return
    if rule.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif rule.action.startswith("sleep:"):
        time.sleep(float(rule.action.removeprefix("sleep:")))
    else:
        code = getattr(errno, rule.action)
        raise OSError(code, os.strerror(code), name)
