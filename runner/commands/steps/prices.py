"""The prices that a run goes by: those at hand, those of today for what it sends, and none at all under a cap.

In: a plan, the record, the wishes of a run. Out: the plan with prices, or a refusal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.api.account import find_account
from runner.commands.steps.request import RunRequest
from runner.commands.steps.summary import RunEstimate
from runner.domain.api_answers import FailureKind
from runner.domain.display import iso, visible
from runner.domain.errors import AccountRefused, ServiceUnavailable, UsageError
from runner.domain.network import barred
from runner.domain.records import Standing
from runner.domain.shots import Plan, Price, PriceUnit
from runner.models.registry import Models, search_path
from runner.plan import prices
from runner.plan.blocked import uncounted

if TYPE_CHECKING:
    from runner.commands.steps.live_catalogue import LiveCatalogue

_ANSWERED = frozenset({FailureKind.MISSING, FailureKind.STRANGE, FailureKind.TOO_LARGE})
"""A catalogue that does not know a model, or answers with nonsense, has answered."""


def known_prices(request: RunRequest, plan: Plan, recorded: Sequence[Standing]) -> Plan:
    """Return the plan with the prices that can be known without asking, where the manifest gives none."""
    models = prices.unpriced_models(plan)
    if not models:
        return plan
    if not request.simulated:
        return prices.priced(plan, prices.recorded_prices(recorded))
    folders = search_path(request.manifest, request.schema_dirs)
    return prices.priced(plan, invented_prices(models, folders))


def current_prices(request: RunRequest, plan: Plan, going: Collection[str]) -> Plan:
    """Return the plan with the catalogue's prices of today for what is about to be sent, where the manifest gives none.

    A catalogue that does not answer leaves things as they are, except under a cap that needs its price.

    Raises:
        AccountRefused, ServiceUnavailable: the API gave no such price, and why.
        NoSuchHost, CertificateRefused, ProxyRefused: the API cannot be reached.
    """
    today = iso(request.clock.wall())[: len("2000-01-01")]
    models = () if request.simulated else prices.to_ask_for(plan, going, today=today)
    if not models:
        return plan
    from runner.commands.steps.live_catalogue import ask_catalogue

    account = find_account(request.environ, base=request.api_base)
    said = ask_catalogue(account, models, clock=request.clock)
    quoted = prices.priced(plan, said.prices)
    if request.options.limits.needs_prices:
        lacking = {take.model for take in quoted.takes if take.id in going and take.price is None}
        _refuse_unanswered(said, lacking)
    return quoted


def _refuse_unanswered(said: LiveCatalogue, models: Collection[str]) -> None:
    """Raise the true cause where the price of a model was asked for and the API, or the way to it, failed."""
    for model, trouble in said.troubles.items():
        if model not in models or trouble.kind in _ANSWERED:
            continue
        told = f"the price of {visible(model)} could not be asked for: {visible(trouble.reason)}; nothing was sent"
        # What is refused about one model alone says nothing about the account.
        if trouble.kind is FailureKind.ACCOUNT and not said.any_told:
            raise AccountRefused(told, advice="put the token or the balance right")
        advice = "try again later, or give the model a price in the manifest"
        raise barred(trouble, told) or ServiceUnavailable(told, advice=advice)


def refuse_unpriced(request: RunRequest, estimate: RunEstimate) -> None:
    """Refuse to begin under a cap with money that cannot be counted: the cap would not hold.

    Raises:
        UsageError: takes to submit have no price, or earlier submissions neither cost nor price.
    """
    why = uncounted(
        request.options.limits, submits=estimate.submits, unpriced=estimate.unpriced, unknown=estimate.unknown
    )
    if why:
        raise UsageError(
            f"{why}, so --max-cost cannot hold; nothing was sent",
            advice=f"give them a price in {price_source(request.manifest)}, or add --allow-unpriced",
        )


def price_source(manifest: Path) -> str:
    """Return where a manifest gives its prices: a table has a column for them."""
    is_table = manifest.suffix.lower() in {".csv", ".tsv"}
    return "the column price of the manifest" if is_table else "prices: in the manifest"


def invented_prices(models: Iterable[str], folders: Sequence[Path]) -> dict[str, Price]:
    """Return what the simulator asks for its jobs, by the schemas in `folders` and ours; it is never paid."""
    from runner.simulator.catalogue import price_of

    known = Models.bundled(folders)
    found = {name: price_of(name, model) for name in models if (model := known.find(name))}
    return {
        name: Price(price.micros / 1_000_000, PriceUnit(price.unit), prices.INVENTED)
        for name, price in found.items()
    }
