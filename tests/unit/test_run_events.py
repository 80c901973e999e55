"""Nothing that only watches a run can end it."""

from __future__ import annotations

from runner.domain.run_events import Event, Listeners, Message


class _Heard:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)


class _Broken:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        raise ValueError("my bar broke")


def test_a_listener_that_raises_is_reported_once_and_the_others_go_on() -> None:
    broken, heard, failures = _Broken(), _Heard(), list[Exception]()
    listeners = Listeners((broken, heard), on_failure=failures.append)
    for text in ("one", "two"):
        listeners.on_event(Message(text))
    assert heard.events == [Message("one"), Message("two")]
    assert broken.events == [Message("one")]
    assert [str(error) for error in failures] == ["my bar broke"]
