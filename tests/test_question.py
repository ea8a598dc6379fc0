"""Whoever asks a service that hangs gets on with its work, and the service is asked once."""

import threading
import time

import pytest

from streams.core.errors import BrokerError
from streams.question import Question

SOON = 30.0


class Service:
    """Answers 1, 2, … while it is not held, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.flows = threading.Event()
        self.flows.set()

    def ask(self) -> int:
        self.asked += 1
        self.flows.wait(SOON)
        return self.asked


def test_an_answer_that_comes_is_given() -> None:
    question = Question(Service().ask, "question")
    question.begin()
    assert question.answer(SOON) == 1
    assert question.unanswered_seconds(SOON) is None
    question.begin()
    assert question.answer(SOON) == 2


def test_nobody_waits_longer_than_the_patience_and_it_is_asked_once() -> None:
    service = Service()
    question = Question(service.ask, "question")
    service.flows.clear()
    began = time.monotonic()
    for _ in range(5):
        question.begin()
        assert question.answer(0.1) is None
        seconds = question.unanswered_seconds(0.1)
        assert seconds is not None
        assert seconds >= 0.1
    assert time.monotonic() - began < 5
    assert service.asked == 1
    service.flows.set()
    assert question.answer(SOON) == 1


def test_the_last_answer_serves_while_the_next_one_is_awaited() -> None:
    service = Service()
    question = Question(service.ask, "question")
    question.begin()
    assert question.answer(SOON) == 1
    service.flows.clear()
    question.begin()
    assert question.answer(0.0) == 1
    service.flows.set()


def test_an_answer_that_is_too_old_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.question._KEPT_SECONDS", 0.0)
    service = Service()
    question = Question(service.ask, "question")
    question.begin()
    question.unanswered_seconds(SOON)
    service.flows.clear()
    question.begin()
    assert question.answer(0.0) is None
    service.flows.set()


def test_an_answer_that_took_long_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.question._KEPT_SECONDS", 0.0)
    question = Question(Service().ask, "question")
    question.begin()
    assert question.unanswered_seconds(SOON) is None
    assert question.answer(0.0) == 1


def test_a_refusal_is_raised_and_the_next_time_it_is_asked_again() -> None:
    def refuse() -> None:
        raise BrokerError("refused")

    question = Question(refuse, "question")
    for _ in range(2):
        question.begin()
        with pytest.raises(BrokerError, match="refused"):
            question.answer(SOON)
