"""What only Kafka has: raw records as their sources said them, and decisions by hand."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Final

from streams.avro.codec import Registry
from streams.core.errors import InfrastructureError
from streams.core.records import RawCoordinates
from streams.core.topic_record import TopicRecord
from streams.kafka.decoding import Decoding
from streams.kafka.topic_reader import read, read_all
from streams.kafka.used_schemas import open_registry
from streams.serve.seldom import Said, Seldom, in_thread
from streams.settings import Settings
from streams.topics import DECISIONS

_WAIT_SECONDS: Final = 2.0
"""A page is answered without them after so long."""


class Originals:
    """Reads Kafka when a page asks. Belongs to one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = Lock()
        self._registry: Registry | None = None
        self.decisions: Seldom[Sequence[TopicRecord]] = Seldom(
            "Kafka", self._decisions, wait_seconds=_WAIT_SECONDS
        )

    async def records(
        self, places: Collection[RawCoordinates]
    ) -> Said[Mapping[RawCoordinates, TopicRecord]]:
        """Raw records by coordinates; what no topic has is left out."""
        said = await self.decisions.get()
        if said.problem is not None:
            # Who is silent is not asked once more.
            return Said(None, said.problem)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                return Said(await in_thread(partial(self._records, places)))
        except TimeoutError:
            return Said(None, f"Kafka has not answered for {_WAIT_SECONDS:.0f} s.")
        except InfrastructureError as error:
            return Said(None, str(error))

    def _records(self, places: Collection[RawCoordinates]) -> Mapping[RawCoordinates, TopicRecord]:
        decoding = Decoding(self._open())
        found = {}
        for at in places:
            records = read(
                self._settings.kafka_bootstrap,
                at.topic,
                partition=at.partition,
                from_offset=at.offset,
            )
            first = next(records, None)
            if first is not None and first.offset == at.offset:
                found[at] = decoding.decoded(first)
        return found

    def _decisions(self) -> Sequence[TopicRecord]:
        decoding = Decoding(self._open())
        return [
            decoding.decoded(record)
            for record in read_all(self._settings.kafka_bootstrap, DECISIONS.name)
        ]

    def _open(self) -> Registry:
        with self._opening:
            if self._registry is None:
                self._registry = open_registry(
                    self._settings.kafka_bootstrap, self._settings.schema_registry_url
                )
            return self._registry
