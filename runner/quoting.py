"""The prices that a run goes by: those at hand, those of today for what it sends, and none at all under a cap.

In: a plan, the record, the wishes of a run. Out: the plan with prices, or a refusal. What a price is and whose word
counts is `pricing`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from runner import pricing
from runner.errors import UsageError
from runner.session import Wishes
from runner.shots import Plan
from runner.store.records import TakeRecord
from runner.summary import Prospect
from runner.wording import counted, iso


def at_hand(wishes: Wishes, plan: Plan, recorded: Sequence[TakeRecord]) -> Plan:
    """Return the plan with the prices that can be known without asking, where the manifest gives none."""
    folders = wishes.schema_dirs
    simulated = wishes.simulate is not None
    quotes = pricing.quotes(
        plan, recorded, manifest=wishes.manifest, schema_dirs=folders, simulated=simulated
    )
    return pricing.priced(plan, quotes) if quotes else plan


def of_today(wishes: Wishes, plan: Plan, going: Collection[str]) -> Plan:
    """Return the plan with the catalogue's prices of today for what is about to be sent, where the manifest gives none.

    A run goes online anyway; a catalogue that does not answer leaves things as they are.
    """
    today = iso(wishes.clock.wall())[: len("2000-01-01")]
    models = () if wishes.simulate is not None else pricing.to_ask_for(plan, going, today=today)
    if not models:
        return plan
    from runner.api.account import find_account
    from runner.live import ask_catalogue

    account = find_account(wishes.environ, base=wishes.api_base)
    return pricing.priced(plan, ask_catalogue(account, models, clock=wishes.clock).prices)


def refuse_unpriced(wishes: Wishes, prospect: Prospect) -> None:
    """Refuse to begin under a cap with money that nobody can count: the cap would not hold.

    Raises:
        UsageError: takes to submit have no price, or earlier submissions neither cost nor price.
    """
    if not wishes.options.limits.needs_prices or not prospect.submits:
        return
    why = []
    if prospect.unpriced:
        why.append(f"{prospect.unpriced} of the {prospect.submits} takes to submit have no price")
    if prospect.unknown:
        why.append(f"of {counted(prospect.unknown, 'earlier submission')} neither cost nor price is known")
    if why:
        raise UsageError(
            f"{' and '.join(why)}, so --max-cost cannot hold; nothing was sent",
            advice="give their models a price under prices: in the manifest, or add --allow-unpriced",
        )
