"""What a plan says is what a run then does, for any board, any edits and any standing of its takes; and nothing paid
for is ever asked for again without a wish.

The state files are real; nothing is sent: a pending take that a run would be about counts as a submit.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.choosing import Choice
from runner.pacing import SystemClock
from runner.plan.actions import Action, Step
from runner.planning import Asked, outlook_of
from runner.recalling import PAID, recall, replace_stale
from runner.run import chosen_takes, stale_takes
from runner.rundir import RunDir
from runner.shots import Plan, Take
from runner.states import OUT_THERE, KeptAsIs, TakeState
from runner.store.read import open_reader
from runner.store.records import TakeRecord
from runner.store.state_file import StateFile
from tests.integration.store_samples import make_plan, make_take, new_state_file, road
