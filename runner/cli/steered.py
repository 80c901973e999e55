"""What `pause`, `resume`, `tune` and `reload` share: an order is given to a run, and its answer is printed."""

from __future__ import annotations

import argparse

from runner.cli.from_flags import user_name
from runner.cli.json_output import envelope
from runner.cli.record_json import command_as_json
from runner.cli.terminal import show_result
from runner.commands.steer import Answer, steer
from runner.domain.display import visible
from runner.domain.orders import VERBS, Order, order_as_json

NOT_DONE = 2


def give(arguments: argparse.Namespace, order: Order) -> int:
    """Give the order and print its answer; return 2 if no session has answered."""
    found = steer(
        arguments.target,
        order,
        by=user_name(),
        simulated=arguments.simulate or None,
        dry_run=arguments.dry_run,
    )
    show_result(arguments, _as_json(found), _lines(found))
    return 0 if found.answered or (found.dry_run and not found.advice) else NOT_DONE


def _as_json(found: Answer) -> dict[str, object]:
    return envelope(
        "steer",
        {
            "order": order_as_json(found.order),
            "answered": found.answered,
            "changed": found.changed,
            "says": list(found.says),
            "dry_run": found.dry_run,
            "next": command_as_json(found.advice),
        },
    )


def _lines(found: Answer) -> list[str]:
    says = [visible(text) for text in found.says]
    if found.answered:
        says = [f"{VERBS[type(found.order)]}: {'' if found.changed else 'not changed: '}{'; '.join(says)}"]
    return [*says, *([f"  → {found.advice}"] if found.advice else [])]
