"""Lists the ways in which the simulator can misbehave, and decides which rule of a script strikes a request.

In: rules, and the hits on each route in their order. Out: the rule that strikes a hit, or none. The table `FAULTS` is
the whole vocabulary: the script reader, the server and the documentation read it. A new fault needs a line here, and a
few lines elsewhere: in `fault_responses` (a way to answer), `odd_records`, `odd_files` or `job_json` (a word or a
fate). It knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType

from runner.simulator.jobs import chance


class Route(StrEnum):
    """The kinds of request that a rule can strike."""

    SUBMIT = "submit"
    STATUS = "status"
    RESULT = "result"
    CANCEL = "cancel"
    FILE = "file"
    CATALOGUE = "catalogue"
    BALANCE = "balance"


class Fault(StrEnum):
    """Every misbehaviour by name."""

    CLOSE = "close"
    RESET = "reset"
    CUT = "cut"
    DELAY = "delay"
    STATUS = "status"
    EMPTY = "empty"
    HTML = "html"
    TRUNCATED = "truncated"
    WRONG_LENGTH = "wrong-length"
    DRIP = "drip"
    REDIRECT = "redirect"
    ERROR_CODE = "error-code"
    THROTTLED = "throttled"
    TOKEN_REVOKED = "token-revoked"  # noqa: S105 - the name of a fault, not a secret
    BALANCE_GONE = "balance-gone"
    NO_ID = "no-id"
    NEVER_ENDS = "never-ends"
    FAILS = "fails"
    FAILS_OBJECT = "fails-object"
    MODERATION = "moderation"
    NO_OUTPUT = "no-output"
    CANCELED = "canceled"
    EARLY_COMPLETED = "early-completed"
    BACK_TO_QUEUE = "back-to-queue"
    UNKNOWN_WORD = "unknown-word"
    LAGGING = "lagging"
    TOO_LARGE = "too-large"
    REFUSAL = "refusal"
    WORD = "word"
    LINKS_AT = "links-at"
    OUTPUTS = "outputs"
    NEVER_STARTS = "never-starts"
    ODD_ID = "odd-id"
    BULKY = "bulky"
    ECHO_TOKEN = "echo-token"  # noqa: S105 - the name of a fault, not a secret
    FOREIGN_URLS = "foreign-urls"
    PACKED = "packed"
    RANGES = "ranges"
    OTHER_FILE = "other-file"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What one fault does, where it can strike, and which settings of a rule it uses.

    `accepted` says whether a struck submit is accepted and charged before the fault shows. It is None if the fault
    itself decides that, and no rule may change it. A struck cancel is carried out unless `accepted` is False. `forms`
    are the forms that the fault can take, the usual one first; `defaults` are its own values of a rule's
    attributes.
    """

    says: str
    routes: frozenset[Route]
    options: frozenset[str] = frozenset()
    accepted: bool | None = True
    forms: tuple[str, ...] = ()
    defaults: Mapping[str, float] = field(default_factory=dict)


_ALL = frozenset(Route)
_API = _ALL - {Route.FILE}
_SUBMIT, _STATUS = frozenset({Route.SUBMIT}), frozenset({Route.STATUS})
_RESULT, _FILE = frozenset({Route.RESULT}), frozenset({Route.FILE})


_READS = _STATUS | _RESULT


def _kind(
    says: str,
    routes: frozenset[Route],
    *options: str,
    accepted: bool | None = True,
    forms: tuple[str, ...] = (),
    **defaults: float,
) -> FaultKind:
    settings = frozenset({*options, *defaults, *(("form",) if forms else ())})
    return FaultKind(says, routes, settings, accepted, forms, defaults)


def _fate(says: str, *options: str) -> FaultKind:
    return _kind(says, _SUBMIT, *options, accepted=None)


FAULTS: Mapping[Fault, FaultKind] = MappingProxyType(
    {
        Fault.CLOSE: _kind("the connection is closed without a byte of answer", _ALL),
        Fault.RESET: _kind("the connection is reset without a byte of answer", _ALL),
        Fault.CUT: _kind("headers and half of the body, then the connection is closed", _ALL),
        Fault.DELAY: _kind("the right answer, `delay_s` seconds late", _ALL, delay_s=30.0),
        Fault.STATUS: _kind("an HTML error page with the status `code`", _ALL, "code"),
        Fault.EMPTY: _kind("200 with an empty body", _ALL),
        Fault.HTML: _kind("200 with a web page", _ALL),
        Fault.TRUNCATED: _kind("200 with half of the body, honestly measured", _ALL),
        Fault.WRONG_LENGTH: _kind("the whole body, announced as longer than it is", _ALL),
        Fault.DRIP: _kind("the body in pieces of `bytes`, `pause_s` seconds apart", _ALL, "bytes", "pause_s"),
        Fault.REDIRECT: _kind("302 to `location`, on another host", _ALL, "location", accepted=False),
        Fault.ERROR_CODE: _kind("200 with a top-level `error_code`", _API, "error_code", accepted=False),
        Fault.THROTTLED: _kind(
            "429, with `retry_after` seconds in the form `seconds`, `date` or `none`",
            _ALL,
            "retry_after",
            "retry_form",
            accepted=False,
        ),
        Fault.TOKEN_REVOKED: _kind("the token is refused", _API, accepted=False),
        Fault.BALANCE_GONE: _kind(
            "no balance is left", frozenset({Route.SUBMIT, Route.BALANCE}), accepted=False
        ),
        Fault.NO_ID: _kind("200 without a request id", _SUBMIT),
        Fault.NEVER_ENDS: _fate("the job is accepted, starts and never ends"),
        Fault.FAILS: _fate("the job fails; its error is a string"),
        Fault.FAILS_OBJECT: _fate("the job fails; its error is an object"),
        Fault.MODERATION: _fate("the job fails in content moderation"),
        Fault.NO_OUTPUT: _fate("the job succeeds with an empty output"),
        Fault.CANCELED: _fate("the provider cancels the job, spelled with one l"),
        Fault.EARLY_COMPLETED: _kind("`completed` while the job still runs", _STATUS),
        Fault.BACK_TO_QUEUE: _kind("`in_queue` for a job that has started", _STATUS),
        Fault.UNKNOWN_WORD: _kind("`word`, an unknown status", _STATUS, "word"),
        Fault.LAGGING: _kind("`in_progress` for a job whose status is `completed`", _RESULT),
        Fault.TOO_LARGE: _kind("a body of `bytes` bytes", _FILE, "bytes"),
        Fault.REFUSAL: _kind(
            "the status `code` with the words `message`, and perhaps an `error_code`",
            _ALL,
            "message",
            "error_code",
            code=422,
            accepted=False,
            forms=(
                "error_message",
                "message",
                "error",
                "object",
                "errors",
                "detail",
                "details",
                "problem",
                "text",
                "html",
                "empty",
            ),
        ),
        Fault.WORD: _kind(
            "the record says `word` for its status; with `instead_of` in place of that word alone",
            _READS,
            "word",
            "instead_of",
            forms=("text", "number", "null", "list", "missing"),
        ),
        Fault.LINKS_AT: _kind("the links stand `at` another place, such as `data[].url`", _RESULT, "at"),
        Fault.OUTPUTS: _fate("the number of the job's outputs is `outputs`", "outputs"),
        Fault.NEVER_STARTS: _fate("the job is accepted and waits forever"),
        Fault.ODD_ID: _kind(
            "`id`, made of the true one (`{}`, or `{upper}` in capitals); a submit gives it out, others repeat it",
            _SUBMIT | _READS | frozenset({Route.CANCEL}),
            "id",
            accepted=None,
        ),
        Fault.BULKY: _kind(
            "a record that echoes a picture of `bytes` characters after its other fields, or before them",
            _API,
            bytes=2_000_000,
            forms=("last", "first"),
        ),
        Fault.ECHO_TOKEN: _kind(
            "the token stands in the record's words, in another spelling; `code` makes an error of the answer",
            _API,
            "code",
            code=0,
            forms=("plain", "json", "json-upper", "hex", "hex-upper", "percent", "percent-lower", "entities"),
        ),
        Fault.FOREIGN_URLS: _kind("every `*_url` is at `location`", _SUBMIT | _STATUS, "location"),
        Fault.PACKED: _kind(
            "the body is packed though the client did not ask, or only claims to be, or does not say that it is",
            _ALL,
            forms=("gzip", "deflate", "raw-deflate", "gzip-lie", "br-lie", "gzip-unsaid"),
        ),
        Fault.RANGES: _kind(
            "a part of a file is refused with `code`, or is not the one that was asked for",
            _FILE,
            code=416,
            forms=(
                "refused",
                "whole",
                "wrong-start",
                "wrong-total",
                "other-file",
                "no-range",
                "new-etag",
                "weak-etag",
                "no-etag",
            ),
        ),
        Fault.OTHER_FILE: _kind(
            "another kind of file",
            _FILE,
            forms=("ts", "gif", "tiff", "zip", "glb", "html", "json", "playlist", "bin"),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a fault script: what strikes, where, and how often.

    The first `after` hits pass, then `count` hits are struck (None: all), each with `probability`; the rule stops
    `for_s` seconds after its first strike. With `per_job` each job is counted by itself, and a submit by its body. Only
    hits of the first `jobs` jobs count (None: of all jobs). `model` is a glob. `accepted` matters for submits
    alone.
    """

    fault: Fault
    routes: frozenset[Route]
    after: int = 0
    count: int | None = None
    probability: float = 1.0
    per_job: bool = False
    jobs: int | None = None
    for_s: float | None = None
    model: str = "*"
    accepted: bool = True
    delay_s: float = 0.0
    code: int = 502
    error_code: int | None = None
    retry_after: float = 1.0
    retry_form: str = "seconds"
    location: str = ""
    bytes: int | None = None
    pause_s: float = 0.2
    word: str = "warming_up"
    instead_of: str = ""
    message: str = "the request was refused (simulated)"
    at: str = "video.uri"
    id: str = "{upper}"
    outputs: int = 2
    form: str = ""

    @property
    def manner(self) -> str:
        """The form that its fault takes: the requested one, or else the usual one."""
        return self.form or FAULTS[self.fault].forms[0]

    def concerns(self, route: Route, model: str) -> bool:
        """Return whether this rule counts a hit on `route` for `model` at all."""
        return route in self.routes and fnmatchcase(model, self.model)


@dataclass(frozen=True, slots=True)
class Script:
    """The rules of a fault script, in the order of the file; an empty script never misbehaves."""

    rules: tuple[Rule, ...] = ()


@dataclass(slots=True)
class _Tally:
    hits: int = 0
    struck: int = 0
    since: float | None = None


@dataclass(slots=True)
class FaultPlan:
    """Counts hits and says which rule strikes; with the same seed, the same hits are struck the same way.

    It is for one thread. Every rule that concerns a hit counts it; the first in the script that strikes wins.
    """

    rules: Iterable[Rule]
    seed: int
    clock: Callable[[], float]
    _tallies: dict[tuple[int, str], _Tally] = field(default_factory=dict)
    _jobs: dict[int, set[str]] = field(default_factory=dict)

    def strike(self, route: Route, *, model: str = "", key: str = "") -> Rule | None:
        """Return the rule that strikes this hit, or None; `key` names the job, body or file."""
        winner = None
        for number, rule in enumerate(self.rules):
            if not (rule.concerns(route, model) and self._is_among(rule, number, key)):
                continue
            tally = self._tallies.setdefault((number, key if rule.per_job else ""), _Tally())
            tally.hits += 1
            if winner is None and self._strikes(rule, tally, number, key):
                tally.struck += 1
                winner = rule
        return winner

    def _is_among(self, rule: Rule, number: int, key: str) -> bool:
        """Return whether a job is one of the first that a rule counted."""
        met = self._jobs.setdefault(number, set())
        if rule.jobs is not None and len(met) < rule.jobs:
            met.add(key)
        return rule.jobs is None or key in met

    def _strikes(self, rule: Rule, tally: _Tally, number: int, key: str) -> bool:
        if tally.hits <= rule.after or (rule.count is not None and tally.struck >= rule.count):
            return False
        if tally.since is not None and rule.for_s is not None and self.clock() > tally.since + rule.for_s:
            return False
        luck = chance(self.seed, "fault", number, key if rule.per_job else "", tally.hits)
        if luck >= rule.probability:
            return False
        tally.since = self.clock() if tally.since is None else tally.since
        return True
