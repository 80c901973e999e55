"""Fits seeds that were drawn for the user to the model: the manifest draws 0 … 2^31-1 and knows no model.

In: the points of one shot, in their order, and their models. Out: the same points; a drawn seed that its model refuses
is replaced by one that it allows. A seed depends on the draws before it alone, so drawing more keeps the first ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from runner.domain.shots import DrawnSeed, Text, Variant
from runner.models.model import Model
from runner.plan.identity import fitting_seed


@dataclass(slots=True)
class DrawnSeeds:
    """The seeds of one shot that are fitted already, by model and axis: each draw with its seed, and all seeds."""

    fitted: dict[tuple[str, str], tuple[dict[str, int], set[int]]] = field(default_factory=dict)

    def fit(self, variant: Variant, model: Model) -> Variant:
        """Return `variant` with its drawn seeds as `model` allows them."""
        changed = {
            axis: seed
            for axis, node in variant.point.items()
            if isinstance(node, DrawnSeed) and (seed := self._fit(node, axis, model)) is not node
        }
        return replace(variant, inputs={**variant.inputs, **changed}) if changed else variant

    def _fit(self, node: DrawnSeed, axis: str, model: Model) -> Text:
        if (wanted := model.input(axis)) is None:
            return node
        known, taken = self.fitted.setdefault((model.id, axis), ({}, set()))
        if node.text not in known:
            known[node.text] = fitting_seed(int(node.text), wanted, taken=taken)
            taken.add(known[node.text])
        seed = str(known[node.text])
        return node if seed == node.text else Text(seed, node.at)
