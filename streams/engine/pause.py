"""Pausing an input partition whose batch a stage refuses to go on with, until it is resumed.

The batch waits where it is: nothing of it is published or acknowledged, those behind it keep their
order, and the full queue of its topic stops the reading of that topic alone.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from faust.types import TP

from streams.core.errors import BrokerError
from streams.metrics import PAUSED

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0

ResumedOffset = Callable[[str, int], int]
"""(topic, partition) → last resumed offset, -1 for none. Blocking."""


class PauseRequest(Exception):  # noqa: N818  a request, not an error
    """Raised by a stage that must not go on with a batch before somebody has looked.

    Attributes:
        source_id: Source that pauses.
        reason: Why, for people, with what to do.
    """

    def __init__(self, source_id: str, reason: str) -> None:
        super().__init__(reason)
        self.source_id = source_id
        self.reason = reason


@runtime_checkable
class Pausable(Protocol):
    """Work that may ask for a pause."""

    def let_pass(self, partition: int, offset: int) -> None:
        """Ask for no pause up to this offset."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """The partitions that are paused now, and why."""

    resumed_offset: ResumedOffset
    reasons: dict[TP, str]

    async def wait(
        self, tp: TP, last_offset: int, request: PauseRequest, revoked: asyncio.Event
    ) -> int | None:
        """Wait until a batch may go on.

        Args:
            tp: Its partition.
            last_offset: Its last offset.
            request: Why it waits.
            revoked: Set when the partition is revoked: the wait ends.

        Returns:
            The resumed offset; None when the partition was revoked.
        """
        offset = await self._resumed(tp)
        if offset >= last_offset:
            return offset
        self.reasons[tp] = request.reason
        PAUSED.labels(request.source_id, str(tp.partition)).set(1)
        logger.error("Paused %s/%d: %s", tp.topic, tp.partition, request.reason)
        try:
            while not revoked.is_set():
                try:
                    await asyncio.wait_for(revoked.wait(), _LOOK_SECONDS)
                except TimeoutError:
                    offset = await self._resumed(tp)
                    if offset >= last_offset:
                        logger.info("Resumed %s/%d up to %d", tp.topic, tp.partition, offset)
                        return offset
            return None
        finally:
            del self.reasons[tp]
            PAUSED.remove(request.source_id, str(tp.partition))

    async def _resumed(self, tp: TP) -> int:
        try:
            return await asyncio.to_thread(self.resumed_offset, tp.topic, tp.partition)
        except BrokerError as error:
            logger.warning("Resumes of %s/%d could not be read: %s", *tp, error)
            return -1
