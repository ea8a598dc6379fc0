"""Waiting for the registry before a batch is computed, when it has not the schemas of the batch.

An id that this deployment has used and the registry does not know says nothing about the records:
nothing of the batch is published or acknowledged until the registry answers. Computing asks it
nothing then, so an index that a batch changes is never left half way.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from faust.types import TP

from streams.core.errors import RegistryError
from streams.kafka.batch import Batch
from streams.metrics import WAITING

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class Schemas(Protocol):
    """What knows the schemas of framed values; `streams.avro.codec.Registry` does."""

    def has_resolved(self, values: Iterable[bytes | None]) -> bool:
        """Whether the schemas of framed values were read."""

    def resolve(self, values: Iterable[bytes | None]) -> None:
        """Read them; blocking. Raises `RegistryError`."""


class Waits:
    """The partitions that wait for something outside to be put right, and for what.

    Args:
        metric_for: Label of the metric.

    Attributes:
        reasons: Sentence for people, by partition.
    """

    def __init__(self, metric_for: str) -> None:
        self._metric_for = metric_for
        self.reasons: dict[TP, str] = {}

    def set(self, tp: TP, reason: str) -> None:
        """Say that a partition waits; once, for the same reason."""
        if self.reasons.get(tp) != reason:
            logger.error("%s/%d waits, nothing of it is acknowledged: %s", *tp, reason)
        self.reasons[tp] = reason
        WAITING.labels(tp.topic, str(tp.partition), self._metric_for).set(1)

    def end(self, tp: TP) -> None:
        """Say that it does not wait any more."""
        if self.reasons.pop(tp, None) is not None:
            WAITING.remove(tp.topic, str(tp.partition), self._metric_for)
            logger.info("%s/%d does not wait for the %s any more", *tp, self._metric_for)


async def wait_for_schemas(
    schemas: Schemas, waits: Waits, tp: TP, batch: Batch, revoked: asyncio.Event
) -> bool:
    """Wait until the registry has the schemas of a batch.

    Args:
        schemas: The registry.
        waits: Takes why the partition waits.
        tp: Partition of the batch.
        batch: What is to be computed.
        revoked: Set when the partition is revoked: the wait ends.

    Returns:
        False when the partition was revoked.
    """
    values = [record.value for record in batch.records]
    if schemas.has_resolved(values):
        return True
    try:
        while (reason := await _unresolved(schemas, values)) is not None:
            waits.set(tp, reason)
            try:
                await asyncio.wait_for(revoked.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
            return False
    finally:
        waits.end(tp)
    return True


async def _unresolved(schemas: Schemas, values: list[bytes | None]) -> str | None:
    try:
        await asyncio.to_thread(schemas.resolve, values)
    except RegistryError as error:
        return str(error)
    return None
