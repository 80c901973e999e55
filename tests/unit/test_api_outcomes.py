"""The classifier: pure, total, and when in doubt about money it says so."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.classify import LONGEST_RECORD, sort_cancel, sort_look, sort_probe, sort_submit
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.result_answer import read_again, sort_result
from runner.domain.api_answers import (
    CancelAnswer,
    FailureKind,
    JobStatus,
    LookAnswer,
    NotReady,
    RequestFailure,
    ResultAnswer,
    StatusReply,
    SubmitAnswer,
)
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    Ended,
    FailureClass,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    TakeState,
)

NOW = 1_800_000_000.0


def answer(status: int, body: object = None, **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, data, {name.replace("_", "-"): value for name, value in headers.items()})


def submitted(exchange: HttpOutcome) -> SubmitAnswer:
    return sort_submit(exchange, attempt="a1", now=NOW)


GOOD_IDS = ["3f2a", "A_b-9", "x" * 256, "01:02.3", "YWJj+/==", "a/b", "a?b", "50%25", "~..~", "a&b#c"]
BAD_IDS: list[Any] = [
    7,
    None,
    ["x"],
    "",
    "x" * 257,
    "..",
    ".",
    "a/../b",
    "./a",
    "a\\..",
    "a b",
    "a\nb",
    "é",
    {"id": 1},
]


class TestASubmitThatWasAnswered:
    """Only a whole 2xx with one usable id is a receipt."""

    @pytest.mark.parametrize("request_id", GOOD_IDS)
    @pytest.mark.parametrize("status", [200, 201, 202])
    def test_with_a_usable_id_is_accepted(self, request_id: str, status: int) -> None:
        assert submitted(answer(status, {"request_id": request_id})) == Accepted("a1", request_id, status)

    @pytest.mark.parametrize("request_id", BAD_IDS, ids=repr)
    def test_with_an_id_that_cannot_be_used_is_in_doubt(self, request_id: object) -> None:
        assert isinstance(submitted(answer(200, {"request_id": request_id})), LostContact)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>ok</html>",
            b'{"request_id": "3f2a',
            b'["3f2a"]',
            b'{"request_id": "one", "request_id": "two"}',
            b"[" * 100_000,
            b'{"n": ' + b"9" * 5000 + b"}",
            b'{"status": "queued"}',
        ],
        ids=["empty", "html", "cut", "a list", "two ids", "deep", "huge number", "no id"],
    )
    def test_with_a_body_that_holds_no_id_is_in_doubt(self, body: bytes) -> None:
        assert isinstance(submitted(answer(200, body)), LostContact)

    @pytest.mark.parametrize("length", range(len(b'{"request_id": "3f2a", "x": "abc"}') + 1))
    def test_with_a_body_that_broke_off_is_accepted_once_the_id_was_read_to_its_end(
        self, length: int
    ) -> None:
        body = b'{"request_id": "3f2a", "x": "abc"}'[:length]
        sorted_ = submitted(Answer(200, body, complete=False))
        assert sorted_ == Accepted("a1", "3f2a") if b'3f2a"' in body else isinstance(sorted_, LostContact)

    def test_evidence_of_a_doubtful_answer_is_kept_and_cut(self) -> None:
        lost = submitted(answer(200, b"<html>" + b"x" * 90_000))
        assert isinstance(lost, LostContact)
        assert lost.evidence.startswith("<html>")
        assert len(lost.evidence) == 1 << 16

    @pytest.mark.parametrize(
        ("code", "failure"),
        [(400002, FailureClass.NO_BALANCE), (400004, FailureClass.AUTH), (403001, FailureClass.AUTH)],
    )
    @pytest.mark.parametrize("status", [200, 400, 401, 403])
    def test_with_a_code_about_the_account_turns_the_account_away(
        self, status: int, code: int, failure: FailureClass
    ) -> None:
        body = {"error_code": code, "error_message": "sorry"}
        turned = submitted(answer(status, body))
        assert turned == AccountTurnedAway("a1", failure, f"sorry ({code})", json.dumps(body))

    def test_a_200_with_another_error_code_is_a_refusal(self) -> None:
        body = {"error_code": 400001, "message": "no such model"}
        refused = submitted(answer(200, body))
        assert refused == Refused(
            "a1", FailureClass.INVALID_INPUT, "no such model (400001)", evidence=json.dumps(body)
        )

    @pytest.mark.parametrize("code", [500123, 1, -7, 0, "0", None, 400005])
    @pytest.mark.parametrize("status", [200, 202])
    def test_a_2xx_with_a_number_that_no_document_explains_is_in_doubt(
        self, status: int, code: object
    ) -> None:
        assert isinstance(submitted(answer(status, {"error_code": code})), LostContact)

    @pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
    @pytest.mark.parametrize("code", [400001, 400002, 400004])
    def test_a_number_does_not_outweigh_a_status_that_proves_nothing(self, status: int, code: int) -> None:
        assert isinstance(submitted(answer(status, {"error_code": code})), LostContact)

    def test_a_200_with_an_error_code_and_an_id_is_a_receipt(self) -> None:
        assert isinstance(submitted(answer(200, {"error_code": 5, "request_id": "3f2a"})), Accepted)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Refused) for status in (400, 404, 413, 414, 415, 422, 501, 505)),
        *((status, AccountTurnedAway) for status in (401, 402, 403, 405, 407, 426, 451)),
        *((status, RefusedForNow) for status in (425, 429)),
        *((status, LostContact) for status in (300, 301, 302, 303, 304, 307, 308, 399)),
        *((status, LostContact) for status in (408, 409, 423, 424, 418)),
        *((status, LostContact) for status in (500, 502, 503, 504, 506, 507, 508, 520, 522, 524, 530)),
    ],
)
def test_a_status_without_a_code_means_what_it_proves(status: int, kind: type) -> None:
    """And those that say that every other submit would end alike are hopeless, for the run to stop."""
    sorted_ = submitted(answer(status, {"message": "m"}))
    assert isinstance(sorted_, kind)
    if isinstance(sorted_, Refused | LostContact):
        assert sorted_.hopeless == (300 <= status < 400 or status in {501, 505})


@pytest.mark.parametrize("status", [301, 303, 308])
@pytest.mark.parametrize(
    "body", [b"", b"<html>moved</html>", b'{"request_id": "3f2a"}', b'{"error_code": 400002}']
)
def test_a_redirect_is_in_doubt_whatever_it_says_and_keeps_the_evidence(status: int, body: bytes) -> None:
    lost = submitted(answer(status, body, location="https://elsewhere.example/"))
    assert isinstance(lost, LostContact)
    assert (lost.milestone, lost.evidence, lost.hopeless) == ("answering", body.decode(), True)
    assert lost.reason.startswith(f"the API answered {status}, a redirect")
    assert "API base" in lost.reason


@pytest.mark.parametrize("status", [201, 204, 303, 500])
@pytest.mark.parametrize(
    ("location", "ids"),
    [
        ("/v1/requests/3f2a", ("3f2a",)),
        ("https://api.example/v1/requests/a%2Fb/status?x=1", ("a/b",)),
        ("https://login.example/", ()),
        ("/v1/requests/%2e%2e/status", ()),
        ("/v1/requests/", ()),
    ],
)
def test_an_id_in_the_address_of_a_job_is_proposed(status: int, location: str, ids: tuple[str, ...]) -> None:
    """A person decides on the take; what the answer said where the job is must not be lost."""
    lost = submitted(answer(status, b"", location=location))
    assert isinstance(lost, LostContact)
    assert lost.candidates == ids


@pytest.mark.parametrize("status", [501, 505])
def test_a_service_that_cannot_take_a_request_refuses_it_finally_in_its_own_words(status: int) -> None:
    refused = submitted(answer(status, {"message": "POST is not supported"}))
    evidence = '{"message": "POST is not supported"}'
    assert refused == Refused(
        "a1", FailureClass.REFUSED, "POST is not supported", hopeless=True, evidence=evidence
    )
    assert submitted(answer(status, b"")) == Refused(
        "a1", FailureClass.REFUSED, f"HTTP {status}", hopeless=True
    )


@pytest.mark.parametrize(
    ("wish", "wait"), [("7", 7.0), (None, 3.0), ("garbage", 3.0), ("99999999", 3600.0), ("0", 0.0)]
)
def test_a_pause_is_as_long_as_the_server_wishes_within_reason(wish: str | None, wait: float) -> None:
    headers = {} if wish is None else {"retry_after": wish}
    paused = submitted(answer(429, {}, **headers))
    assert isinstance(paused, RefusedForNow)
    assert paused.not_before == NOW + wait


@pytest.mark.parametrize("kind", SilenceKind)
@pytest.mark.parametrize("milestone", SendStage)
def test_silence_is_sorted_by_the_milestone_and_nothing_else(milestone: SendStage, kind: SilenceKind) -> None:
    sorted_ = submitted(NoResponse(milestone, kind, "why"))
    if milestone is SendStage.NOTHING_SENT:
        assert isinstance(sorted_, NotSent)
        assert sorted_.reason == "why"
    else:
        assert sorted_ == LostContact("a1", milestone.name.lower(), "why")


FIELDS = st.sampled_from(
    ["request_id", "status", "error_code", "error", "message", "detail", "output", "video", "videos", "cost"]
) | st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())
EXCHANGES = st.builds(
    Answer,
    st.integers(100, 599),
    BODIES,
    st.dictionaries(st.just("retry-after"), st.text(max_size=12)),
    complete=st.booleans(),
) | st.builds(NoResponse, st.sampled_from(SendStage), st.sampled_from(SilenceKind), st.text(max_size=10))


@given(EXCHANGES)
def test_every_exchange_has_an_answer_and_only_a_receipt_is_accepted(exchange: HttpOutcome) -> None:
    sorted_ = submitted(exchange)
    assert isinstance(sorted_, get_args(SubmitAnswer))
    if isinstance(sorted_, Accepted):
        assert isinstance(exchange, Answer)
        assert 200 <= exchange.status < 300
        assert exchange.complete
        assert json.loads(exchange.body)["request_id"] == sorted_.request_id
    if isinstance(sorted_, NotSent):
        assert isinstance(exchange, NoResponse)


@given(EXCHANGES)
def test_every_exchange_is_an_answer_to_every_read(exchange: HttpOutcome) -> None:
    assert isinstance(sort_look(exchange, now=NOW), get_args(LookAnswer))
    assert isinstance(sort_result(exchange, now=NOW), get_args(ResultAnswer))
    assert isinstance(sort_cancel(exchange, now=NOW), CancelAnswer | RequestFailure)
    assert sort_probe(exchange, now=NOW) is None or isinstance(sort_probe(exchange, now=NOW), RequestFailure)


class TestALook:
    """A look may be wrong about many things; it never ends a job by mistake."""

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("in_queue", JobStatus.QUEUED),
            ("queued", JobStatus.QUEUED),
            ("IN_PROGRESS", JobStatus.RUNNING),
            ("processing", JobStatus.RUNNING),
            *((word, JobStatus.ENDED) for word in ("completed", "succeeded", "failed", "error")),
            *((word, JobStatus.ENDED) for word in ("cancelled", "canceled")),
            ("warming_up", JobStatus.UNKNOWN),
        ],
    )
    def test_knows_the_words_and_admits_the_rest(self, word: str, status: JobStatus) -> None:
        assert sort_look(answer(200, {"status": word, "queue_position": 3}), now=NOW) == StatusReply(
            status, word, 3
        )

    @pytest.mark.parametrize("status", [None, "", {}, []])
    def test_without_a_word_is_trouble(self, status: object) -> None:
        look = sort_look(answer(200, {"status": status}), now=NOW)
        assert isinstance(look, RequestFailure)
        assert look.kind is FailureKind.TRANSIENT

    @pytest.mark.parametrize(
        ("exchange", "kind"),
        [
            (answer(404, {"error_code": 404001}), FailureKind.MISSING),
            (answer(400, {"error_code": 400001}), FailureKind.MISSING),
            (answer(410, {}), FailureKind.TRANSIENT),
            (answer(404, {"message": "no Route matched with those values"}), FailureKind.TRANSIENT),
            (answer(404, {"error_code": 7, "message": "a gateway's own"}), FailureKind.TRANSIENT),
            (answer(410, {"error_code": "404001"}), FailureKind.MISSING),
            (answer(405, {}), FailureKind.ACCOUNT),
            (Answer(200, b"{", complete=False, passed=1 << 20), FailureKind.TOO_LARGE),
            (answer(404, b"<html>no such page</html>"), FailureKind.TRANSIENT),
            (answer(404, b""), FailureKind.TRANSIENT),
            (answer(401, {}), FailureKind.ACCOUNT),
            (answer(400, {"error_code": 400004}), FailureKind.ACCOUNT),
            (answer(200, {"error_code": "400004"}), FailureKind.ACCOUNT),
            (answer(429, {}), FailureKind.THROTTLED),
            (answer(502, b"<html>"), FailureKind.TRANSIENT),
            (answer(200, b"<html>"), FailureKind.TRANSIENT),
            (Answer(200, b'{"status": "completed"}', complete=False), FailureKind.TRANSIENT),
            (NoResponse(SendStage.SENT, SilenceKind.TIMEOUT, "ReadTimeout"), FailureKind.TRANSIENT),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_that_is_not_answered_says_why(self, exchange: HttpOutcome, kind: FailureKind) -> None:
        look = sort_look(exchange, now=NOW)
        assert isinstance(look, RequestFailure)
        assert look.kind is kind


def test_a_record_of_another_job_is_no_answer_to_a_look_or_for_a_result() -> None:
    told = {"request_id": "r2", "status": "succeeded", "output": {"video": "https://files.example/a.mp4"}}
    for trouble in (
        sort_look(answer(200, told), now=NOW, request_id="r1"),
        sort_result(answer(200, told), now=NOW, request_id="r1", model="m"),
        sort_result(answer(200, {**told, "status": "in_queue"}), now=NOW, request_id="r1"),
    ):
        assert trouble == RequestFailure(
            FailureKind.STRANGE, "asked about r1, the API reported another job: r2"
        )
    assert isinstance(sort_look(answer(200, told), now=NOW, request_id="r2"), StatusReply)
    assert isinstance(sort_result(answer(200, told), now=NOW, request_id="r2"), Ended)
    other = {"status": "succeeded", "model_id": "another/model"}
    assert isinstance(sort_result(answer(200, other), now=NOW, request_id="r1", model="m"), RequestFailure)
    assert isinstance(sort_result(answer(200, other), now=NOW), Ended)


@pytest.mark.parametrize(("status", "kind"), [(429, RefusedForNow), (402, AccountTurnedAway), (422, Refused)])
def test_an_id_in_a_refusal_is_a_number_in_somebodys_log(status: int, kind: type[object]) -> None:
    code = {402: 400002}.get(status, 0)
    assert isinstance(submitted(answer(status, {"request_id": "3f2a", "error_code": code})), kind)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (405, "API base is probably wrong"),
        (407, "a proxy in between"),
        (426, "API base is probably wrong"),
        (451, "blocks this address"),
    ],
)
def test_what_the_account_is_not_to_blame_for_is_not_called_its_refusal(status: int, words: str) -> None:
    turned = submitted(answer(status, b"<html>"))
    assert isinstance(turned, AccountTurnedAway)
    assert turned.failure is FailureClass.REFUSED
    assert turned.reason.startswith(f"HTTP {status}: ")
    assert words in turned.reason
    told = submitted(answer(status, {"error_code": 400004, "message": "expired"}))
    assert isinstance(told, AccountTurnedAway)
    assert (told.failure, told.reason) == (FailureClass.AUTH, "expired (400004)")


VIDEO = "https://files.example/a.mp4"


class TestAResult:
    """The result record alone decides how a job ended."""

    @pytest.mark.parametrize("word", ["succeeded", "completed"])
    def test_with_output_is_a_success(self, word: str) -> None:
        record = {
            "status": word,
            "output": {"video": VIDEO, "videos": [VIDEO, "https://files.example/b.mp4", 7, "data:x"]},
            "input": {"image": "https://example.com/not-an-output.jpg"},
            "cost": 0.45,
            "created_at": "2026-11-20T10:00:00Z",
            "finished_at": "2026-11-20T10:01:30.5Z",
        }
        ended = sort_result(answer(200, record), now=NOW)
        assert isinstance(ended, Ended)
        assert ended.outcome is TakeState.SUCCEEDED
        assert ended.outputs == (VIDEO, "https://files.example/b.mp4")
        assert (ended.cost, ended.seconds) == (0.45, 90.5)
        assert json.loads(ended.result) == record

    @pytest.mark.parametrize(
        "record",
        [
            {"status": "succeeded", "output": {}},
            {"status": "succeeded", "output": {"video": "file:///etc/passwd"}},
            {"status": "completed", "output": None},
        ],
    )
    def test_that_claims_success_without_a_clip_is_a_failure(self, record: object) -> None:
        ended = sort_result(answer(200, record), now=NOW)
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.failure) == (TakeState.FAILED, FailureClass.NO_OUTPUT)

    @pytest.mark.parametrize(
        ("output", "reason"),
        [
            ({}, "the API says it succeeded but names no output"),
            (
                {"video": "/file/a.mp4"},
                (
                    "the API says it succeeded but names an output this program cannot read;"
                    " /file/a.mp4 at output.video, a name without a host"
                ),
            ),
        ],
    )
    def test_that_names_what_cannot_be_read_says_so(self, output: object, reason: str) -> None:
        ended = sort_result(answer(200, {"status": "succeeded", "output": output}), now=NOW)
        assert isinstance(ended, Ended)
        assert (ended.reason, ended.remarks) == (reason, ())

    @pytest.mark.parametrize(
        ("record", "remarks"),
        [
            ({}, ()),
            ({"cost": 0.3}, ()),
            ({"cost": -1}, ("its result says a cost of -1, which cannot be; the cost counts as unknown",)),
            (
                {"output": {"videos": [f"{VIDEO}?{n}" for n in range(300)]}},
                ("its result names 300 outputs, of which the first 64 are fetched",),
            ),
            (
                {"output": {"videos": [VIDEO, "ftp://x"]}},
                (
                    (
                        "its result names 1 more that cannot be fetched: ftp://x at output.videos[1], not a web"
                        " link but ftp"
                    ),
                ),
            ),
            (
                {"output": {"videos": [VIDEO, "ftp://x", "s3://b/c", 5]}},
                (
                    (
                        "its result names 2 more that cannot be fetched: ftp://x at output.videos[1], not a web link"
                        " but ftp; s3://b/c at output.videos[2], not a web link but s3"
                    ),
                ),
            ),
        ],
        ids=["none", "a cost", "negative", "many", "one odd", "two odd"],
    )
    def test_says_what_of_it_is_left_out(self, record: dict[str, Any], remarks: tuple[str, ...]) -> None:
        whole = {"status": "succeeded", "output": {"video": VIDEO}, **record}
        ended = sort_result(answer(200, whole), now=NOW)
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.remarks) == (TakeState.SUCCEEDED, remarks)

    def test_larger_than_any_has_to_be_is_kept_without_its_ballast(self) -> None:
        record = {"request_id": "r1", "status": "succeeded", "output": {"video": VIDEO}}
        ended = sort_result(answer(200, {**record, "debug": "x" * LONGEST_RECORD}), now=NOW)
        assert isinstance(ended, Ended)
        assert ended.outputs == (VIDEO,)
        assert json.loads(ended.result) == record
        huge = sort_result(answer(200, {**record, "error": "x" * LONGEST_RECORD}), now=NOW)
        assert isinstance(huge, Ended)
        assert len(huge.result) == LONGEST_RECORD

    def test_beyond_what_is_read_says_how_large(self) -> None:
        trouble = sort_result(Answer(200, b"{", complete=False, passed=16 << 20), now=NOW)
        assert trouble == RequestFailure(FailureKind.TOO_LARGE, "the API's answer is larger than 16 MiB")

    def test_larger_than_is_kept_still_tells_whose_job_it_is(self) -> None:
        """Of what it echoes, whole fields are kept up to a bound, and nothing that is cut or no plain value."""
        long = "x" * (1 << 17)
        told = {"prompt": "a cat", "first": long, "second": long, "images": [long], "seed": 1}
        record = {"status": "succeeded", "output": {"video": VIDEO}, "input": told}
        ended = sort_result(answer(200, {**record, "debug": "x" * LONGEST_RECORD}), now=NOW)
        assert isinstance(ended, Ended)
        assert json.loads(ended.result)["input"] == {"prompt": "a cat", "first": long, "seed": 1}
        odd = sort_result(answer(200, {**record, "input": long, "debug": "x" * LONGEST_RECORD}), now=NOW)
        assert isinstance(odd, Ended)
        assert "input" not in json.loads(odd.result)

    @pytest.mark.parametrize("error", [None, {}, {"code": 0}, "", "a warning", []])
    def test_with_a_link_is_a_clip_that_was_paid_for_whatever_else_it_says(self, error: object) -> None:
        record = {"status": "succeeded", "output": {"video": VIDEO}, "error": error, "error_code": 0}
        ended = sort_result(answer(200, record), now=NOW)
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.outputs) == (TakeState.SUCCEEDED, (VIDEO,))

    @pytest.mark.parametrize(
        ("error", "failure", "reason"),
        [
            ("worker died", FailureClass.PROVIDER_FAILED, "worker died"),
            ({"message": "worker died", "code": 7}, FailureClass.PROVIDER_FAILED, "worker died"),
            (
                "Content flagged by our safety system",
                FailureClass.MODERATION,
                "Content flagged by our safety system",
            ),
            (None, FailureClass.PROVIDER_FAILED, "the API gives no reason"),
        ],
    )
    def test_of_a_failed_job_carries_class_and_reason(
        self, error: object, failure: FailureClass, reason: str
    ) -> None:
        ended = sort_result(answer(200, {"status": "failed", "error": error}), now=NOW)
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.failure, ended.reason) == (TakeState.FAILED, failure, reason)

    @pytest.mark.parametrize("word", ["cancelled", "canceled"])
    def test_of_a_cancelled_job_is_cancelled(self, word: str) -> None:
        ended = sort_result(answer(200, {"status": word}), now=NOW)
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.failure) == (TakeState.CANCELLED, None)

    @pytest.mark.parametrize(
        "exchange",
        [
            answer(200, {"status": "in_queue"}),
            answer(200, {"status": "in_progress"}),
            answer(200, {"status": "something_new"}),
            answer(200, {}),
            answer(400, {"error_code": 400005}),
        ],
    )
    def test_before_the_end_is_not_yet(self, exchange: HttpOutcome) -> None:
        assert isinstance(sort_result(exchange, now=NOW), NotReady)

    @pytest.mark.parametrize("cost", ["0.5", 0.5])
    def test_cost_may_come_as_text(self, cost: object) -> None:
        ended = sort_result(answer(200, {"status": "cancelled", "cost": cost}), now=NOW)
        assert isinstance(ended, Ended)
        assert ended.cost == 0.5

    @pytest.mark.parametrize("cost", ["free", True, None, [], "nan", 1e999])
    def test_a_cost_that_is_none_is_unknown_not_zero(self, cost: object) -> None:
        ended = sort_result(answer(200, {"status": "cancelled", "cost": cost}), now=NOW)
        assert isinstance(ended, Ended)
        assert ended.cost is None


def test_errors_of_fields_are_said_with_their_place() -> None:
    detail = [{"loc": ["body", "duration"], "msg": "11 is too many"}, {"loc": ["body", "seed"], "msg": "no"}]
    refused = submitted(answer(422, {"detail": detail}))
    assert isinstance(refused, Refused)
    assert refused.reason == "body.duration: 11 is too many; body.seed: no"


HUGE = int("9" * 401)


@pytest.mark.parametrize(
    "record",
    [
        {"cost": HUGE},
        {"cost": "1e999"},
        {"created_at": HUGE, "finished_at": HUGE},
        {"created_at": 0, "finished_at": 1e999},
        {"created_at": "9999-12-31T23:59:59-23:59", "finished_at": "x"},
    ],
    ids=["cost", "endless cost", "times", "endless time", "a far year"],
)
def test_numbers_beyond_reason_are_unknown(record: dict[str, object]) -> None:
    ended = sort_result(answer(200, {"status": "failed", **record}), now=NOW)
    assert isinstance(ended, Ended)
    assert (ended.cost, ended.seconds) == (None, None)


def test_times_in_milliseconds_are_seconds_too() -> None:
    record = {"status": "failed", "created_at": 1_800_000_000_000, "finished_at": 1_800_000_060_000}
    ended = sort_result(answer(200, record), now=NOW)
    assert isinstance(ended, Ended)
    assert ended.seconds == 60.0


def test_a_reason_nested_beyond_reason_is_no_reason_to_fall_over() -> None:
    detail: object = "deep"
    for _ in range(400):
        detail = {"detail": detail}
    refused = submitted(answer(422, {"detail": detail}))
    assert isinstance(refused, Refused)


def test_a_date_beyond_reason_is_no_wish() -> None:
    paused = submitted(answer(429, {}, retry_after="Fri, 20 Nov 99999999999999999999 10:00:00 GMT"))
    assert isinstance(paused, RefusedForNow)
    assert paused.not_before == NOW + 3.0


def test_a_failed_jobs_own_error_number_is_its_end_and_no_trouble() -> None:
    record = {"status": "failed", "error_code": 400002, "error": "the worker had no balance"}
    assert isinstance(sort_result(answer(200, record), now=NOW), Ended)


@pytest.mark.parametrize("status", [200, 400, 403, 404, 405, 410, 422])
def test_a_service_that_answers_a_free_question_is_back_whatever_it_says(status: int) -> None:
    body: object = {"error_code": 400001} if status >= 400 else {}
    if status != 403:
        assert sort_probe(answer(status, body), now=NOW) is None


@pytest.mark.parametrize(
    ("exchange", "kind"),
    [
        (answer(400, {"error_code": 400004}), FailureKind.ACCOUNT),
        (answer(401, {}), FailureKind.ACCOUNT),
        (answer(429, {}, retry_after="60"), FailureKind.THROTTLED),
        (answer(503, b"<html>"), FailureKind.TRANSIENT),
        (
            NoResponse(SendStage.NOTHING_SENT, SilenceKind.UNREACHABLE, "refused"),
            FailureKind.TRANSIENT,
        ),
    ],
)
def test_a_free_question_that_is_not_answered_says_why(exchange: HttpOutcome, kind: FailureKind) -> None:
    trouble = sort_probe(exchange, now=NOW)
    assert trouble is not None
    assert trouble.kind is kind


@pytest.mark.parametrize("kind", SilenceKind)
def test_only_what_no_other_try_can_cure_is_hopeless(kind: SilenceKind) -> None:
    unsent = submitted(NoResponse(SendStage.NOTHING_SENT, kind, "why"))
    assert isinstance(unsent, NotSent)
    lasting = {SilenceKind.CERTIFICATE, SilenceKind.PROXY, SilenceKind.MISUSE}
    assert unsent.hopeless == (kind in lasting)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *(
            (word, JobStatus.ENDED)
            for word in ("Success", "DONE", "finished", "ok", "ready", "partial", "expired")
        ),
        *(
            (word, JobStatus.ENDED)
            for word in ("timed-out", "TimedOut", "TIMEOUT", "rejected", "aborted", "Failure")
        ),
        *((word, JobStatus.QUEUED) for word in ("Submitted", "created", "QUEUEING", "in queue", "In-Queue")),
        *(
            (word, JobStatus.RUNNING)
            for word in ("starting", "inProgress", "generating", "rendering…", "Cancelling")
        ),
        (" Completed. ", JobStatus.ENDED),
        ("JOB_STATE_SUCCEEDED", JobStatus.ENDED),
        ({"state": "completed"}, JobStatus.ENDED),
        (["completed"], JobStatus.ENDED),
        ({"phase": {"name": "running"}}, JobStatus.RUNNING),
        (5, JobStatus.UNKNOWN),
        (True, JobStatus.UNKNOWN),
        (None, JobStatus.UNKNOWN),
        ("", JobStatus.UNKNOWN),
        ({"a": 1}, JobStatus.UNKNOWN),
        ("dreaming", JobStatus.UNKNOWN),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_status_word_is_known_however_it_is_written(word: object, status: JobStatus) -> None:
    seen = sort_look(answer(200, {"request_id": "r1", "status": word}), now=NOW, request_id="r1")
    assert isinstance(seen, StatusReply)
    assert seen.status is status
    assert seen.word


@pytest.mark.parametrize("told", ["R-1A", " r-1a ", "r-1A"])
def test_an_id_in_other_letters_is_the_same_job(told: str) -> None:
    assert isinstance(
        sort_look(answer(200, {"request_id": told, "status": "done"}), now=NOW, request_id="r-1a"),
        StatusReply,
    )


def test_a_word_that_only_says_that_the_question_was_answered_gives_way() -> None:
    told = {"status": "ok", "data": {"status": "processing"}}
    seen = sort_look(answer(200, told), now=NOW)
    assert isinstance(seen, StatusReply)
    assert (seen.status, seen.word) == (JobStatus.RUNNING, "processing")
    assert sort_result(answer(200, told), now=NOW) == NotReady("processing")


@pytest.mark.parametrize(
    ("record", "remark"),
    [
        ({"status": "success"}, ""),
        ({"status": "Done."}, ""),
        ({"status": "partial"}, "the API calls it 'partial'; its record names an output, which is fetched"),
        (
            {"status": "failed", "error": "out of memory"},
            "the API calls it 'failed' (out of memory); its record names an output, which is fetched",
        ),
        (
            {"status": "failed", "error": "flagged by moderation"},
            "the API calls it 'failed' (flagged by moderation); its record names an output, which is fetched",
        ),
        (
            {"status": "cancelled"},
            "the API calls it 'cancelled'; its record names an output, which is fetched",
        ),
        ({"status": "dreamt"}, "the API calls it 'dreamt'; its record names an output, which is fetched"),
        ({}, "the API has no word for its end; its record names an output, which is fetched"),
        ({"status": None}, "the API has no word for its end; its record names an output, which is fetched"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize(
    "shape", [{"output": {"video": VIDEO}}, {"video": {"uri": VIDEO}}, {"data": [VIDEO]}]
)
def test_a_record_with_an_output_is_a_success_whatever_it_calls_itself(
    record: dict[str, object], remark: str, shape: dict[str, object]
) -> None:
    ended = sort_result(answer(200, {**record, **shape}), now=NOW)
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.failure, ended.outputs) == (TakeState.SUCCEEDED, None, (VIDEO,))
    assert ended.remarks == ((remark,) if remark else ())


@pytest.mark.parametrize("word", ["in_progress", "queued", "PROCESSING", "starting", "cancelling"])
def test_a_record_that_says_that_the_job_goes_on_has_not_ended_whatever_it_names(word: str) -> None:
    told = {"status": word, "output": {"video": VIDEO}, "error": "a worker was replaced"}
    assert sort_result(answer(200, told), now=NOW) == NotReady(word)


@pytest.mark.parametrize(
    ("record", "failure", "reason"),
    [
        (
            {"status": "expired"},
            FailureClass.PROVIDER_FAILED,
            "the API calls it 'expired' and gives no reason",
        ),
        ({"status": "Rejected", "error": "too long"}, FailureClass.PROVIDER_FAILED, "too long"),
        (
            {"status": "Request Moderated"},
            FailureClass.MODERATION,
            "the API calls it 'Request Moderated' and gives no reason",
        ),
        ({"status": "exploded", "error": "no worker"}, FailureClass.PROVIDER_FAILED, "no worker"),
        ({"request_id": "r1", "error": {"message": "no worker"}}, FailureClass.PROVIDER_FAILED, "no worker"),
        (
            {"status": "partial", "output": []},
            FailureClass.NO_OUTPUT,
            "the API says it succeeded but names no output",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_record_without_an_output_fails_by_its_word_or_its_error(
    record: dict[str, object], failure: FailureClass, reason: str
) -> None:
    ended = sort_result(answer(200, record), now=NOW)
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.failure, ended.reason) == (TakeState.FAILED, failure, reason)


@pytest.mark.parametrize(
    "record", [{"error": "try again"}, {"status": "exploded"}, {"status": 7}, {"request_id": "r1"}]
)
def test_a_record_that_says_nothing_certain_ends_nothing(record: dict[str, object]) -> None:
    assert isinstance(sort_result(answer(200, record), now=NOW), NotReady)


def test_a_failure_says_what_its_record_names_all_the_same() -> None:
    """Before a policy of the run pays for another attempt."""
    told = {"status": "failed", "error": "upload failed", "output": {"video": "s3://bucket/a.mp4"}}
    ended = sort_result(answer(200, told), now=NOW)
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.reason) == (TakeState.FAILED, "upload failed")
    said = (
        "its result names 1 that cannot be fetched: s3://bucket/a.mp4 at output.video, not a web link but s3"
    )
    assert ended.remarks == (said,)


@pytest.mark.parametrize("whole", [[VIDEO], [{"url": VIDEO}], VIDEO])
def test_a_record_that_is_but_its_output_is_a_clip(whole: object) -> None:
    ended = sort_result(answer(200, whole), now=NOW)
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.outputs) == (TakeState.SUCCEEDED, (VIDEO,))
    assert isinstance(sort_result(answer(200, ["nothing", 7]), now=NOW), RequestFailure)


def test_a_record_is_read_again_as_it_was_kept() -> None:
    kept = json.dumps({"status": "failed", "error": "oom", "video": {"uri": VIDEO}})
    ended = read_again(kept, sent="{}", origin="")
    assert ended is not None
    assert (ended.outcome, ended.outputs) == (TakeState.SUCCEEDED, (VIDEO,))
    assert read_again(kept, sent=json.dumps({"image": VIDEO}), origin="").outcome is TakeState.FAILED  # type: ignore[union-attr]
    assert read_again(None, sent="{}", origin="") is None
