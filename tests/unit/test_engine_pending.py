"""The queue of pending takes: one order over all lanes, and what waits in one lane blocks no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.pending import Lane, PendingQueue
from tests.effort import calls

LANES = [Lane(is_rest, model) for is_rest in (False, True) for model in "abc"]
MOVES = st.lists(
    st.tuples(st.sampled_from(["first", "last", "pop", "take out"]), st.sampled_from(LANES)), max_size=40
)


@given(MOVES, st.sets(st.sampled_from(LANES)))
def test_it_is_a_list_with_the_scouts_in_front_from_which_the_first_of_some_lanes_is_taken(
    moves: list[tuple[str, Lane]], may_go: set[Lane]
) -> None:
    queue: PendingQueue[int] = PendingQueue()
    plain: list[tuple[Lane, int]] = []
    for number, (move, lane) in enumerate(moves):
        if move == "first":
            queue.add(number, lane, first=True)
            plain.insert(0, (lane, number))
        elif move == "last":
            queue.add(number, lane)
            plain.append((lane, number))
        elif move == "take out":
            odd = [item for _, item in sorted(plain, key=lambda entry: entry[0].is_rest) if item % 2]
            assert queue.take_out(lambda item: item % 2 == 1) == odd
            plain = [entry for entry in plain if not entry[1] % 2]
        elif lanes := may_go & set(queue.lanes):
            goes = queue.first(lanes)
            expected = next(
                entry for entry in sorted(plain, key=lambda each: each[0].is_rest) if entry[0] in lanes
            )
            assert (goes, queue.head(goes), queue.pop(goes)) == (expected[0], expected[1], expected[1])
            plain.remove(expected)
        in_order = sorted(plain, key=lambda entry: entry[0].is_rest)
        assert [*queue] == [item for _, item in in_order]
        assert len(queue) == len(plain)
        assert set(queue.lanes) == {lane for lane, _ in plain}
        assert queue.by_model() == {
            model: n for model in "abc" if (n := sum(e[0].model == model for e in plain))
        }


def test_the_choice_costs_as_much_among_many_takes_as_among_few() -> None:
    def choose(number: int) -> int:
        queue: PendingQueue[int] = PendingQueue()
        for item in range(number):
            queue.add(item, LANES[3 + item % 3])
        return calls(lambda: queue.pop(queue.first(queue.lanes)))

    assert choose(3000) == choose(30)
