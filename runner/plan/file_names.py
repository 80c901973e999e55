"""The numbers of takes and the names of their files, as a run will record them; `plan` shows them beforehand.

In: takes, what is on record, and how the two compare. Out: labels and names by take id. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.domain.labels import Numbered, new_numbers, take_label
from runner.domain.name_template import FileNames, NamedTake, file_names, kept_template
from runner.domain.records import RunRecord, Standing
from runner.domain.shots import Plan, Take
from runner.plan.compare import Comparison


def take_numbers(
    plan: Plan, recorded: Iterable[Standing] = (), comparison: Comparison | None = None
) -> Mapping[str, Numbered]:
    """Return the number of every take within its shot, planned or recorded, by the id that it will have."""
    renames = comparison.renames if comparison else {}
    known = {renames.get(record.take_id, record.take_id): record for record in recorded}
    planned, wished = {take.id: take.shot_id for take in plan.takes}, plan.board_numbers()
    # A take that is new has no record, even if the one that made room for it had its id.
    gone = {take_id: record.shot_id for take_id, record in known.items() if take_id not in planned}
    every = [
        Numbered(take_id, shot, known[take_id].number if take_id in known else wished.get(take_id, 0))
        for take_id, shot in (planned | gone).items()
    ]
    changed = new_numbers(every, moved=frozenset(renames.values()) | (wished.keys() - known.keys()))
    return {take.take_id: take._replace(number=changed.get(take.take_id, take.number)) for take in every}


def labels_of(numbers: Mapping[str, Numbered]) -> Mapping[str, str]:
    """Return the short name of each take by its id."""
    return {take_id: take_label(take.shot_id, take.number, take_id) for take_id, take in numbers.items()}


def names_of_files(
    plan: Plan, record: RunRecord, comparison: Comparison, *, template: str | None
) -> FileNames:
    """Return the names of the files of the plan's takes by a template, by that of the run if it is None.

    Raises:
        UsageError: the text is not a template.
    """
    text = record.name_template if template is None else kept_template(template)
    # A shard without takes has no axis that a template could name.
    if not text or not plan.takes:
        return file_names("", (_named(take, 0) for take in plan.takes))
    numbers = take_numbers(plan, record.takes, comparison)
    return file_names(text, (_named(take, numbers[take.id].number) for take in plan.takes))


def _named(take: Take, number: int) -> NamedTake:
    return NamedTake(take.id, take.shot_id, number, take.model, take.seed, take.tags, take.point)
