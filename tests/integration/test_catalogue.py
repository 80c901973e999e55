"""The catalogue over real sockets: what is believed of it, what is compared, what is written, and what never leaks."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runner.api.account import Account, Secret
from runner.api.catalogue import Balance, BalanceAnswer, Catalogue, Entry, EntryAnswer
from runner.commands.models import add_from_catalogue, compare_with_catalogue
from runner.domain.api_answers import RequestFailure
from runner.domain.errors import AccountRefused, CannotCreate, SchemaInvalid, UsageError
from runner.models.registry import Models
from runner.system.clock import SystemClock

TOKEN = "secret-token-1234567890"
MODEL = "pika/pikaframes"
OTHER = next(model for model in Models.bundled().ids() if model != MODEL)


class Stub(ThreadingHTTPServer):
    """Answers each path with a status and bytes, and keeps what it was asked."""

    def __init__(self, answers: Mapping[str, tuple[int, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: list[tuple[str, str | None]] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        stub = self.server
        assert isinstance(stub, Stub)
        stub.asked.append((self.path, self.headers.get("Authorization")))
        status, body = stub.answers.get(self.path, (404, b'{"error_code": 404001}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


@contextmanager
def serving(**answers: Any) -> Iterator[Stub]:  # noqa: ANN401 - any JSON, or a status and bytes
    paths = {"entry": f"/v1/models/{MODEL}", "other": f"/v1/models/{OTHER}", "balance": "/prod/v2/balance"}
    given = {
        paths[name]: value if isinstance(value, tuple) else (200, json.dumps(value).encode())
        for name, value in answers.items()
    }
    stub = Stub(given)
    thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        thread.join()
        stub.server_close()


def environ(stub: Stub) -> dict[str, str]:
    return {"RUNCOMFY_MODEL_API_BASE": stub.origin, "RUNCOMFY_TOKEN": TOKEN}


def ask(stub: Stub) -> tuple[EntryAnswer, BalanceAnswer]:
    async def both() -> tuple[EntryAnswer, BalanceAnswer]:
        catalogue = Catalogue(Account(stub.origin, Secret(TOKEN), "a test"), clock=SystemClock())
        try:
            return await catalogue.entry(MODEL), await catalogue.balance()
        finally:
            await catalogue.aclose()

    return asyncio.run(both())


def live(**changed: object) -> dict[str, Any]:
    model = Models.bundled().find(MODEL)
    assert model is not None
    entry = {
        "model_id": MODEL,
        "input_schema": model.input_schema,
        "base_price_usd": 0.09,
        "price_unit": "second",
    }
    return json.loads(json.dumps({**entry, **changed}))  # type: ignore[no-any-return]


def test_an_entry_and_a_balance_are_read_into_values_of_our_own() -> None:
    with serving(entry=live(), balance={"balance_usd": -1.5, "currency": "USD"}) as stub:
        entry, balance = ask(stub)
    assert isinstance(entry, Entry)
    assert (entry.model, entry.base_price_usd, entry.price_unit) == (MODEL, 0.09, "second")
    assert balance == Balance(-1.5)
    assert {token for _, token in stub.asked} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("price", [-1, "much", True, None, [1], 1e9, "1e999"])
def test_what_is_no_price_is_none(price: object) -> None:
    with serving(entry=live(base_price_usd=price, price_unit="x" * 99)) as stub:
        entry, _ = ask(stub)
    assert isinstance(entry, Entry)
    assert (entry.base_price_usd, entry.price_unit) == (None, None)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>"),
        (200, b"[]"),
        (500, b""),
        (200, b'{"model_id": "other/model"}'),
        (200, b"[" * 100_000),
    ],
    ids=["html", "list", "500", "another model", "deep"],
)
def test_what_cannot_be_read_is_trouble_and_no_entry(answer: tuple[int, bytes]) -> None:
    with serving(entry=answer, balance=answer) as stub:
        assert all(isinstance(each, RequestFailure) for each in ask(stub))


def test_a_schema_that_is_no_json_is_left_out() -> None:
    with serving(entry=(200, b'{"input_schema": {"properties": {"a": {"maximum": NaN}}}}')) as stub:
        entry, _ = ask(stub)
    assert isinstance(entry, Entry)
    assert entry.input_schema is None


def test_a_catalogue_that_says_the_same_has_not_changed() -> None:
    with serving(entry=live()) as stub:
        (found,) = compare_with_catalogue([MODEL], environ=environ(stub))
    assert (found.has_changed, found.price) == (False, "$0.09 a second")


def test_what_the_catalogue_says_otherwise_is_told() -> None:
    entry = live()
    entry["input_schema"]["properties"]["duration"]["enum"] = [5, 10]
    del entry["input_schema"]["properties"]["negativePrompt"]
    with serving(entry=entry) as stub:
        (found,) = compare_with_catalogue([MODEL], environ=environ(stub))
    assert found.has_changed
    told = [str(change) for change in found.changes]
    assert "negativePrompt: input removed" in told
    assert any(line.startswith("duration: allowed values") for line in told)


def test_a_model_that_left_the_catalogue_is_a_change() -> None:
    with serving() as stub:
        (found,) = compare_with_catalogue([MODEL], environ=environ(stub))
    assert found.fault.startswith("not in the catalogue")


def test_a_catalogue_that_refuses_the_token_or_is_away_is_no_comparison() -> None:
    with serving(entry=(401, b'{"error_code": 400004}')) as stub, pytest.raises(AccountRefused):
        compare_with_catalogue([MODEL], environ=environ(stub))
    with pytest.raises(AccountRefused):
        compare_with_catalogue([MODEL], environ={})


def test_a_model_whose_entry_is_refused_alone_does_not_end_the_comparison_of_the_others() -> None:
    with serving(entry=live(), other=(403, b"<html>access denied</html>")) as stub:
        first, second = compare_with_catalogue([OTHER, MODEL], environ=environ(stub))
    assert first.fault.startswith("the catalogue did not say")
    assert not second.has_changed


def test_a_model_is_added_with_its_price_and_then_compared_by_it(tmp_path: Path) -> None:
    with serving(entry=live()) as stub:
        path = add_from_catalogue(MODEL, tmp_path, environ=environ(stub))
        with pytest.raises(CannotCreate):
            add_from_catalogue(MODEL, tmp_path, environ=environ(stub))
    assert path == tmp_path / f"{MODEL}.json"
    assert TOKEN not in path.read_text("utf-8")
    with serving(entry=live(base_price_usd=0.12)) as stub:
        (found,) = compare_with_catalogue([MODEL], schema_dirs=[tmp_path], environ=environ(stub))
    assert [str(change) for change in found.changes] == ["price: $0.09 a second → $0.12 a second"]


def test_nothing_is_written_of_what_cannot_be_used(tmp_path: Path) -> None:
    with serving(entry=live(input_schema={"type": "string"})) as stub:
        with pytest.raises(SchemaInvalid):
            add_from_catalogue(MODEL, tmp_path, environ=environ(stub))
        with pytest.raises(UsageError, match="does not know"):
            add_from_catalogue("pika/other", tmp_path, environ=environ(stub))
        asked = len(stub.asked)
        with pytest.raises(UsageError, match="not a model id"):
            add_from_catalogue("../../x", tmp_path, environ=environ(stub))
    assert list(tmp_path.iterdir()) == []
    assert len(stub.asked) == asked
