"""What the fields of one query need, read together: one statement for all rows that ask."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from strawberry.dataloader import DataLoader
from strawberry.fastapi import BaseContext

from streams.clickhouse.asset_queries import assets_by_id, versions_of_assets
from streams.clickhouse.series_queries import SeriesDay, series_days, series_known_at
from streams.serve.data_version import DataVersion
from streams.serve.operations import Operations
from streams.serve.pool import Reader
from streams.serve.series import SeriesDirectory

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VersionsAsked:
    """Key of the versions of an asset."""

    kind: str
    record_id: str
    limit: int
    interim: bool


@dataclass(frozen=True, slots=True)
class DaysAsked:
    """Key of the gas days of a series."""

    series_id: str
    first: date
    last: date
    known_at: datetime | None


@dataclass(frozen=True, slots=True)
class Services:
    """What the API reads from."""

    reader: Reader
    version: DataVersion
    directory: SeriesDirectory
    operations: Operations


class Loaders(BaseContext):
    """Loaders of one request; each keeps what it has read until the request ends."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self.bodies: DataLoader[str, Row | None] = DataLoader(self._bodies)
        self.versions: DataLoader[VersionsAsked, list[Row]] = DataLoader(self._versions)
        self.days: DataLoader[DaysAsked, list[SeriesDay]] = DataLoader(self._days)

    async def rows(self, query: Any) -> list[Row]:
        """Rows of a query by column."""
        answer = await self.services.reader.answer(query, "JSONEachRow")
        return [orjson.loads(line) for line in answer.splitlines()]

    async def _bodies(self, record_ids: list[str]) -> list[Row | None]:
        answer = await self.services.reader.answer(assets_by_id(record_ids), "LineAsString")
        found = [orjson.loads(line) for line in answer.splitlines()]
        by_id = {row["record_id"]: row for row in found}
        return [by_id.get(record_id) for record_id in record_ids]

    async def _versions(self, keys: list[VersionsAsked]) -> list[list[Row]]:
        found: dict[VersionsAsked, list[Row]] = {key: [] for key in keys}
        together: dict[tuple[str, int, bool], list[str]] = defaultdict(list)
        for key in keys:
            together[key.kind, key.limit, key.interim].append(key.record_id)
        for (kind, limit, interim), record_ids in together.items():
            query = versions_of_assets(kind, record_ids, limit, interim=interim)
            answer = await self.services.reader.answer(query, "JSONCompactEachRow")
            for line in answer.splitlines():
                row = orjson.loads(orjson.loads(line)[-1])
                found[VersionsAsked(kind, row["record_id"], limit, interim)].append(row)
        return [found[key] for key in keys]

    async def _days(self, keys: list[DaysAsked]) -> Sequence[list[SeriesDay]]:
        found: dict[DaysAsked, list[SeriesDay]] = {key: [] for key in keys}
        together: dict[tuple[date, date, datetime | None], list[str]] = defaultdict(list)
        for key in keys:
            together[key.first, key.last, key.known_at].append(key.series_id)
        directory = self.services.directory
        for (first, last, known_at), series_ids in together.items():
            entities = [one.entity_id for one in directory.entities(series_ids)]
            query = (
                series_days(entities, first, last)
                if known_at is None
                else series_known_at(entities, first, last, known_at)
            )
            for day in await self.services.reader.rows(query):
                key = DaysAsked(day.series_id, first, last, known_at)
                if key in found:
                    found[key].append(day)
        return [found[key] for key in keys]
