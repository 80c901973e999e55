"""Orders on their way: whole, private, taken or withdrawn once, and nothing else in their folder is ever obeyed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.errors import CannotCreate, UsageError
from runner.domain.orders import CancelTakes, GivenOrder, Pause
from runner.store.order_box import MOST_AGE, MOST_BYTES, OrderBox

NOW = 1000.0
GIVEN = GivenOrder("a" * 32, "ada", NOW, 3, Pause())


@pytest.fixture
def box(tmp_path: Path) -> OrderBox:
    """Give the box of a run that no order was given to yet."""
    return OrderBox(tmp_path)


def waiting(box: OrderBox) -> list[GivenOrder]:
    return box.waiting(epoch=3, now=NOW)


def test_an_order_arrives_as_it_was_given_and_is_private(box: OrderBox) -> None:
    assert waiting(box) == []
    box.put(GIVEN)
    assert waiting(box) == [GIVEN]
    (file,) = box.path.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (box.path, file)] == [0o700, 0o600]


def test_orders_come_in_the_order_in_which_they_were_given(box: OrderBox) -> None:
    orders = [replace(GIVEN, id=letter * 32, at=NOW - at) for letter, at in (("f", 3), ("b", 2), ("c", 1))]
    for order in reversed(orders):
        box.put(order)
    assert waiting(box) == orders


def test_an_order_is_taken_or_withdrawn_and_never_both(box: OrderBox) -> None:
    box.put(GIVEN)
    assert box.withdraw(GIVEN.id)
    assert not box.take(GIVEN.id)
    assert not box.holds(GIVEN.id)
    box.put(GIVEN)
    assert box.take(GIVEN.id)
    assert not box.withdraw(GIVEN.id)
    assert box.holds(GIVEN.id)
    assert waiting(box) == []
    box.forget(GIVEN.id)
    assert not box.holds(GIVEN.id)


def test_what_an_earlier_session_took_is_not_obeyed_again(box: OrderBox) -> None:
    box.forget_taken()
    box.put(GIVEN)
    box.take(GIVEN.id)
    box.forget_taken()
    assert list(box.path.iterdir()) == []


def rewritten(**changes: object) -> Callable[[Path], None]:
    def rewrite(file: Path) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return rewrite


def a_link(file: Path) -> None:
    file.rename(file.parent.parent / "elsewhere.json")
    file.symlink_to(file.parent.parent / "elsewhere.json")


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_huge_file(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(MOST_BYTES + 1)


def another_name(file: Path) -> None:
    file.rename(file.with_name(f"{'b' * 32}.json"))


@pytest.mark.parametrize(
    "spoil",
    [
        rewritten(epoch=2),
        rewritten(at=NOW - MOST_AGE - 1),
        rewritten(at=NOW + MOST_AGE + 1),
        rewritten(at=float("nan")),
        rewritten(order={"order": "pay"}),
        rewritten(order={"order": "tune", "rates": {}, "model_jobs": {}, "jobs": "4"}),
        rewritten(order=None),
        rewritten(by=7),
        rewritten(extra=1),
        rewritten(format="shotrunner-order/2"),
        rewritten(id="../../state.db"),
        a_link,
        a_pipe,
        a_huge_file,
        another_name,
        lambda file: file.write_bytes(b"\xff{"),
        lambda file: file.write_text("[" * 100_000),
    ],
)
def test_what_is_not_an_order_to_this_session_is_removed_and_never_obeyed(
    box: OrderBox, spoil: Callable[[Path], None]
) -> None:
    box.put(GIVEN)
    spoil(box.path / f"{GIVEN.id}.json")
    assert waiting(box) == []
    assert list(box.path.iterdir()) == []


def test_other_files_are_left_alone(box: OrderBox) -> None:
    box.put(GIVEN)
    for name in ("notes.json", f".{GIVEN.id}.json.1a2b.part"):
        (box.path / name).touch()
    assert waiting(box) == [GIVEN]
    assert len(list(box.path.iterdir())) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", ["folder", "file"])
def test_what_another_user_owns_is_never_obeyed(box: OrderBox, which: str) -> None:
    box.put(GIVEN)
    os.chown(box.path if which == "folder" else box.path / f"{GIVEN.id}.json", 12345, -1)
    assert waiting(box) == []
    assert box.holds(GIVEN.id) is (which == "folder")


def test_a_folder_in_which_others_could_put_orders_takes_none(box: OrderBox) -> None:
    box.put(GIVEN)
    box.path.chmod(0o770)
    assert waiting(box) == []
    with pytest.raises(CannotCreate, match="takes no order"):
        box.put(replace(GIVEN, id="b" * 32))


def test_a_link_to_a_folder_takes_no_orders(box: OrderBox, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    box.path.symlink_to(tmp_path / "mine")
    with pytest.raises(CannotCreate):
        box.put(GIVEN)
    assert list((tmp_path / "mine").iterdir()) == []


def test_an_order_that_no_session_would_read_is_refused(box: OrderBox) -> None:
    many = CancelTakes(tuple("t" * 100 + str(number) for number in range(50_000)))
    with pytest.raises(UsageError, match="too many"):
        box.put(replace(GIVEN, order=many))
    assert not box.path.exists()
