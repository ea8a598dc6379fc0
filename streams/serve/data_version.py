"""Which data there are: what tells a client that nothing has changed.

The version is a digest of how far each partition of `market.infrastructure` is stored, looked up
once a second for all clients, so an unchanged answer costs no query. A sink says how far it is
after everything up to there is stored, so an answer is never older than its version.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

from streams.clickhouse.change_queries import LoadedPartition, Positions, loaded_positions
from streams.core.errors import InfrastructureError
from streams.serve.pool import Reader

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
_STALE_SECONDS: Final = 15.0


class DataVersion:
    """The version, kept up to date by `follow`. Belongs to one event loop."""

    def __init__(self, reader: Reader, look_seconds: float = LOOK_SECONDS) -> None:
        self._reader = reader
        self._look_seconds = look_seconds
        self.partitions: Sequence[LoadedPartition] = ()
        self._seen_at: float | None = None
        self._problem = "ClickHouse was not asked yet."
        self._changed = asyncio.Event()
        self._prepared: list[Callable[[], Awaitable[None]]] = []
        self.current: str | None = None

    @property
    def positions(self) -> Positions | None:
        """How far everything is stored; None: nothing is."""
        if not self.partitions:
            return None
        return Positions(
            self.partitions[0].topic_id, {one.partition: one.offset for one in self.partitions}
        )

    @property
    def published_at(self) -> datetime | None:
        """Kafka time of the newest version that is stored."""
        return max((one.published_at for one in self.partitions), default=None)

    @property
    def problem(self) -> str | None:
        """Why answers cannot be trusted to be current; None: they can."""
        if self._seen_at is None or time.monotonic() - self._seen_at > _STALE_SECONDS:
            return self._problem
        return None

    def before_change(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """Call something before a new version is current, so that it is as new as the version."""
        self._prepared.append(prepare)

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_seconds)

    async def look(self) -> None:
        """Look once; a failure leaves the version as it was."""
        try:
            found = await self._reader.rows(loaded_positions())
            version = _digest(found)
            if version != self.current:
                for prepare in self._prepared:
                    await prepare()
        except InfrastructureError as error:
            if self._problem != str(error):
                logger.warning("The version of the data is not known: %s", error)
            self._problem = str(error)
            return
        self._seen_at = time.monotonic()
        self._problem = "ClickHouse does not answer."
        if version != self.current:
            self.partitions = found
            self.current = version
            self._changed.set()
            self._changed = asyncio.Event()

    async def wait_for_change(self, seconds: float) -> None:
        """Wait until the version changes, or so long."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return


def _digest(partitions: Sequence[LoadedPartition]) -> str:
    text = "\n".join(f"{one.topic_id} {one.partition} {one.offset}" for one in partitions)
    return blake2b(text.encode(), digest_size=8).hexdigest()
