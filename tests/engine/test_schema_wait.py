"""A batch waits for the registry; it is never judged by what the registry does not say."""

import asyncio
from collections.abc import Iterable

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from streams.core.errors import RegistryError, UnknownSchemaError
from streams.engine import schema_wait
from streams.engine.schema_wait import Waits, wait_for_schemas
from streams.kafka.batch import Batch
from tests.stages.chain import Record

PLACE = TP("raw.x", 1)
BATCH = Batch("raw.x", 1, [Record("raw.x", 5, b"key", b"\0\0\0\0\7body", 1)])


class Answers:
    """A registry that answers a question with one after the other."""

    def __init__(self, *answers: RegistryError | None) -> None:
        self.answers = list(answers)

    def has_resolved(self, values: Iterable[bytes | None]) -> bool:
        return not self.answers

    def resolve(self, values: Iterable[bytes | None]) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer


def wait(registry: Answers, waits: Waits, *, revoked: bool = False) -> bool:
    async def waited() -> bool:
        event = asyncio.Event()
        if revoked:
            event.set()
        return await wait_for_schemas(registry, waits, PLACE, BATCH, event)

    return asyncio.run(waited())


def waiting() -> float | None:
    labels = {"topic": "raw.x", "partition": "1", "for": "registry"}
    return REGISTRY.get_sample_value("partition_waiting", labels)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_wait, "LOOK_SECONDS", 0.01)


def test_a_batch_whose_schemas_are_known_asks_nothing() -> None:
    assert wait(Answers(), Waits("registry"))


def test_a_batch_waits_and_says_so_until_the_registry_has_its_schemas() -> None:
    lost, silent = UnknownSchemaError("Schema 7 is lost."), RegistryError("No answer.")
    waits, seen = Waits("registry"), []

    class Watched(Answers):
        def resolve(self, values: Iterable[bytes | None]) -> None:
            seen.append((dict(waits.reasons), waiting()))
            super().resolve(values)

    registry = Watched(lost, silent, None)
    assert wait(registry, waits)
    assert seen == [({}, None), ({PLACE: str(lost)}, 1.0), ({PLACE: str(silent)}, 1.0)]
    assert (waits.reasons, waiting()) == ({}, None)


def test_a_revoked_partition_waits_no_longer() -> None:
    registry = Answers(*[RegistryError("No answer.")] * 9)
    waits = Waits("registry")
    assert not wait(registry, waits, revoked=True)
    assert waits.reasons == {}
