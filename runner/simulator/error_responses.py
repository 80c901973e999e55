"""Defines the API's refusals: HTTP status, error number and words, which the application raises.

The vendor documents the numbers; the settings choose the HTTP status of some of them. It knows no request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.simulator.settings import SimulatorSettings
from runner.system.canonical_json import JsonValue


class Refusal(Exception):
    """A refusal in place of the requested answer; nothing was accepted or charged."""

    def __init__(self, status: int, code: int | None, message: str, *, detail: JsonValue = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail

    def record(self) -> dict[str, JsonValue]:
        """Return the body of the answer."""
        shown: dict[str, JsonValue] = {} if self.code is None else {"error_code": self.code}
        shown["error_message"] = self.message
        if self.detail is not None:
            shown["detail"] = self.detail
        return shown


def bad_token(settings: SimulatorSettings) -> Refusal:
    """Say that the token is missing, wrong, expired or revoked."""
    return Refusal(settings.auth_status, 400004, "missing, expired or revoked token")


def no_balance(settings: SimulatorSettings) -> Refusal:
    """Say that the account has nothing left."""
    return Refusal(settings.no_balance_status, 400002, "no balance left")


def unknown_model(settings: SimulatorSettings, model: str) -> Refusal:
    """Say that there is no such model."""
    return Refusal(settings.unknown_model_status, 400001, f"unknown model {model[:200]}")


def not_json(settings: SimulatorSettings) -> Refusal:
    """Say that the body is not a JSON object."""
    return Refusal(settings.bad_input_status, None, "the body is not a JSON object")


def bad_inputs(settings: SimulatorSettings, faults: Sequence[tuple[str, str]]) -> Refusal:
    """Say that the model's schema does not take the body; every fault is in `detail`."""
    detail: list[JsonValue] = [
        {"loc": ["body", field], "msg": message, "type": "value_error"} for field, message in faults
    ]
    return Refusal(settings.bad_input_status, None, "the inputs do not fit the model", detail=detail)


def malformed_id() -> Refusal:
    """Say that no id looks like this."""
    return Refusal(400, 400001, "malformed request id")


def unknown_id() -> Refusal:
    """Say that the id was never given out, or has expired."""
    return Refusal(404, 404001, "unknown, deleted or expired request id")


def not_yours() -> Refusal:
    """Say that the id belongs to another account."""
    return Refusal(403, 403001, "the request belongs to another account")


def not_ready() -> Refusal:
    """Say that the job has not ended, and the settings say that this is an error."""
    return Refusal(400, 400005, "the result is not ready")


def unavailable() -> Refusal:
    """Say that nothing was accepted; it looks like a fault after acceptance, but nothing is charged."""
    return Refusal(503, None, "service unavailable")


_FORMS: Mapping[str, Callable[[str], dict[str, JsonValue]]] = {
    "error_message": lambda words: {"error_message": words},
    "message": lambda words: {"message": words},
    "error": lambda words: {"error": words},
    "object": lambda words: {"error": {"type": "invalid_request", "message": words}},
    "errors": lambda words: {"errors": [{"field": "seed", "message": words}]},
    "detail": lambda words: {"detail": words},
    "details": lambda words: {"detail": [{"loc": ["body", "seed"], "msg": words, "type": "value_error"}]},
    "problem": lambda words: {"type": "about:blank", "title": "Bad request", "detail": words},
}


def in_form(form: str, words: str, *, code: int | None) -> dict[str, JsonValue]:
    """Return the record of a refusal in a form that real services use; `code` is an error number beside it."""
    return {**({} if code is None else {"error_code": code}), **_FORMS[form](words)}
