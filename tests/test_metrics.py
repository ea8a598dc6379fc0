"""A scrape waits for no service, says which one did not answer, and keeps all else."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from streams.core.errors import BrokerError
from streams.metrics import AskingCollector, exposition

SCRAPE_SECONDS = 2.0


class Asked(AskingCollector):
    """A service that answers as it is told, while it is registered."""

    def __init__(self, service: str, ask: Callable[[], float]) -> None:
        self.is_registered = True
        super().__init__(service, lambda: self.is_registered)
        self._answer = ask

    def ask(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(f"answer_of_{self.service}", "Its answer.", value=self._answer())

    def unanswered(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(f"{self.service}_is_up", "Whether it answers.", value=0)


@contextmanager
def registered(*collectors: Asked) -> Iterator[None]:
    for collector in collectors:
        REGISTRY.register(collector)
    try:
        yield
    finally:
        for collector in collectors:
            REGISTRY.unregister(collector)
            collector.is_registered = False


def scrape() -> dict[tuple[str, str], float]:
    """Value by metric and service, of a page that came in time."""
    began = time.monotonic()
    text = exposition().decode()
    assert time.monotonic() - began < SCRAPE_SECONDS
    return {
        (sample.name, sample.labels.get("service", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_two_services_that_hang_and_one_that_refuses_cost_less_than_two_seconds() -> None:
    flows = threading.Event()

    def hang() -> float:
        flows.wait(30)
        return 1.0

    def refuse() -> float:
        raise BrokerError("refused")

    services = (
        Asked("one_that_hangs", hang),
        Asked("other_that_hangs", hang),
        Asked("one_that_refuses", refuse),
        Asked("one_that_answers", lambda: 7.0),
    )
    with registered(*services):
        found = scrape()
        flows.set()
    errors = {
        "one_that_hangs": 1,
        "other_that_hangs": 1,
        "one_that_refuses": 1,
        "one_that_answers": 0,
    }
    assert {name: found["connector_scrape_error", name] for name in errors} == errors
    assert found["answer_of_one_that_answers", ""] == 7
    assert found["one_that_refuses_is_up", ""] == found["one_that_hangs_is_up", ""] == 0
    assert ("one_that_answers_is_up", "") not in found


def test_the_last_answer_serves_while_a_service_hangs_and_the_error_shows_at_once() -> None:
    flows = threading.Event()
    flows.set()

    def answer() -> float:
        flows.wait(30)
        return 7.0

    with registered(Asked("one_that_stops", answer)):
        before = scrape()
        flows.clear()
        after = scrape()
        flows.set()
    assert before["connector_scrape_error", "one_that_stops"] == 0
    assert after["connector_scrape_error", "one_that_stops"] == 1
    assert after["answer_of_one_that_stops", ""] == 7


def test_a_service_that_this_process_does_not_ask_is_not_said_to_answer() -> None:
    other = Asked("one_of_another_process", lambda: 7.0)
    other.is_registered = False
    REGISTRY.register(other)
    try:
        assert not any("one_of_another_process" in name for key in scrape() for name in key)
    finally:
        REGISTRY.unregister(other)
