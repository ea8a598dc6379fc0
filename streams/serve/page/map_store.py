"""Every asset the map shows, kept for one version of the data: a filter then costs no query."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from streams.clickhouse.map_queries import MapAsset, map_assets
from streams.serve.data_version import DataVersion
from streams.serve.page.map_selection import Selected, Wanted, select
from streams.serve.pool import Reader
from streams.serve.whole import Generation

KEEP_SECONDS: Final = 10.0
"""While data are loaded, all of them are not read again more often than this."""

_MOST_SELECTIONS: Final = 16
"""A page and its figure ask for the same one, and visitors for few others."""


class MapStore:
    """Reads all assets when they are asked for and have changed. Belongs to one event loop."""

    def __init__(self, reader: Reader, version: DataVersion, generation: Generation) -> None:
        self._reader = reader
        self._version = version
        self._generation = generation
        self._reading = asyncio.Lock()
        self._read_at = -KEEP_SECONDS
        self._of_version: str | None = None
        self._of_generation: int | None = None
        self._assets: Sequence[MapAsset] = ()
        self._by_id: Mapping[str, MapAsset] = {}
        self._selections: dict[str, Selected] = {}

    async def assets(self) -> Sequence[MapAsset]:
        """Every listed asset.

        Raises:
            ProblemError: too many are waiting.
            SinkError: refused, or no answer.
        """
        async with self._reading:
            current = self._version.current
            recent = time.monotonic() - self._read_at < KEEP_SECONDS
            # Beside what other queries of the same page find, none of an earlier one may be shown.
            switched = self._generation.last != self._of_generation
            is_old = current != self._of_version and not recent
            if self._of_version is None or is_old or switched:
                of_generation = self._generation.last
                answer = await self._reader.answer(map_assets(), "JSONCompactEachRow")
                self._assets = await asyncio.to_thread(_parsed, answer)
                self._by_id = {one.record_id: one for one in self._assets}
                self._of_version, self._read_at = current, time.monotonic()
                self._of_generation = of_generation
                self._selections = {}
        return self._assets

    async def selected(self, wanted: Wanted) -> Selected:
        """What of them is wanted, found once for a page and its figure. Errors as in `assets`."""
        assets, selections = await self.assets(), self._selections
        address = wanted.query()
        if address not in selections:
            found = await asyncio.to_thread(select, assets, wanted)
            if len(selections) >= _MOST_SELECTIONS:
                del selections[next(iter(selections))]
            selections[address] = found
        return selections[address]

    async def asset(self, record_id: str) -> MapAsset | None:
        """One of them; None: it is none of them. Errors as in `assets`."""
        await self.assets()
        return self._by_id.get(record_id)


def _parsed(answer: bytes) -> Sequence[MapAsset]:
    return [MapAsset(*orjson.loads(line)) for line in answer.splitlines()]
