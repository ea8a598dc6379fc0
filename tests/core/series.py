"""A series of gas days on its way through validation and observation, without any service."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from producers.sources.alsi_lng.connector import AlsiLngConnector
from streams.avro.codec import AvroRecord
from streams.core import contract_types as avro
from streams.core.normalize import Location, normalize
from streams.core.observe import Observed, Point, observe
from streams.core.records import Mapped, OrderKey, Outcome, RawCoordinates, RawRecord
from streams.core.validate import validate
from streams.tolerance_file import load_tolerances

TOLERANCES = load_tolerances()
KIND = "lng_inventory"


def raw_day(
    day: date,
    *,
    fetched: datetime | None = None,
    scope: Mapping[str, str | None] | None = None,
    **texts: str | None,
) -> RawRecord:
    """A raw ALSI row; figures that are not given are steady and plausible."""
    row = {"lng": "1000", "gwh": "6700", "sendOut": "600", "dtrs": "2000", "status": "C", **texts}
    entity = {"scope": "country", "country": "ES", "company_eic": None, "facility_eic": None}
    entity |= scope or {}
    item: dict[str, Any] = {
        "terminal_id": None,
        **entity,
        "name": "Spain",
        "code": "ES",
        "url": None,
        "updatedAt": None,
        "gasDayStart": day.isoformat(),
        "gasDayEnd": (day + timedelta(days=1)).isoformat(),
        "inventory": {"lng": row["lng"], "gwh": row["gwh"]},
        "dtmi": {"lng": row.get("dtmi_lng"), "gwh": row.get("dtmi_gwh")},
        "sendOut": row["sendOut"],
        "dtrs": row["dtrs"],
        "contractedCapacity": None,
        "availableCapacity": None,
        "coveredCapacity": None,
        "status": row["status"],
        "extra": {},
    }
    name = entity["country"] or "eu"
    if entity["facility_eic"]:
        name = f"{entity['facility_eic']}/{entity['company_eic']}"
    return RawRecord(
        source_id="alsi_lng_inventory",
        stream=entity["scope"] or "",
        record_id=f"{name}/{day.isoformat()}",
        event="observed",
        # The evening of the day after, when the source publishes.
        fetched_at=fetched
        or datetime(day.year, day.month, day.day, 19, tzinfo=UTC) + timedelta(days=1),
        source_updated_at=None,
        release=None,
        run_id="run",
        origin="test",
        licence="free",
        attribution="GIE",
        item=item,
    )


def real_eu_days(real_data: Path) -> list[RawRecord]:
    """The real EU rows since 2012, as if the last poll had just fetched all of them."""
    with (real_data / "alsi/eu_daily_2012_2026.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    fetched = datetime(2026, 5, 20, 20, tzinfo=UTC)
    eu = {"scope": "eu", "country": None}
    return [
        raw_day(
            date.fromisoformat(row["gasDayStart"]),
            fetched=fetched,
            scope=eu,
            lng=row["inventory_lng"],
            gwh=row["inventory_gwh"],
            sendOut=row["sendOut"],
            dtrs=row["dtrs"],
            status=row["status"],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A raw row at its place in the raw topic."""

    raw: RawRecord
    offset: int


def arrivals(raws: Iterable[RawRecord], first: int = 0) -> list[Arrival]:
    """Rows as they would be in the raw topic, from an offset on."""
    return [Arrival(raw, offset) for offset, raw in enumerate(raws, first)]


@dataclass(slots=True)
class Series:
    """State of both stages, and what readers of the canonical topic see.

    Attributes:
        outcomes: Last outcome and flags of every raw record.
    """

    locations: dict[str, Location] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)
    published: dict[str, AvroRecord] = field(default_factory=dict)
    observed: list[Observed] = field(default_factory=list)
    outcomes: dict[RawCoordinates, tuple[Outcome, tuple[str, ...]]] = field(default_factory=dict)
    _framed: dict[bytes, avro.NormalizedObservation] = field(default_factory=dict)

    def arrive(self, arrival: Arrival) -> None:
        """One raw row on its way through both stages."""
        for record in self.normalize(arrival):
            self.observe(record)

    def normalize(self, arrival: Arrival) -> tuple[avro.NormalizedObservation, ...]:
        """What the normalize stage sends on."""
        raw = arrival.raw
        mapped = AlsiLngConnector.map_to_schema(raw) if raw.item is not None else None
        if isinstance(mapped, Mapped):
            mapped = validate(mapped, raw, TOLERANCES)
        order = OrderKey(None, raw.fetched_at, sha256(repr(raw.item).encode()).hexdigest())
        at = RawCoordinates("raw.alsi_lng", 0, arrival.offset)
        outcome = normalize(raw, mapped, KIND, order, at, self.locations.get(raw.record_id))
        if outcome.location is not None:
            self.locations[raw.record_id] = outcome.location
        if outcome.outcome is not None:
            self.outcomes[at] = (outcome.outcome, ())
        return tuple(one for one in outcome.normalized if "region" not in one)

    def observe(self, record: avro.NormalizedObservation) -> Observed:
        """One normalized record, as the observe stage does it."""
        framed = repr(record).encode()
        self._framed[framed] = record
        found = observe(record, framed, self.points.get, 1, TOLERANCES)
        for change in found.changes:
            assert change.stored is not None
            brought = self._framed[change.stored.record]
            self.points[change.record_id] = Point.of(
                change.stored,
                brought,
                change.aggregate_flags,
                change.aggregate_known_at,
                TOLERANCES,
            )
            if change.published is not None:
                self.published[change.record_id] = {
                    **change.published,
                    "status": change.stored.status,
                }
            if change.reevaluated is not None:
                raw = RawCoordinates.from_avro(change.reevaluated.brought["lineage"])
                self.outcomes[raw] = ("changed", change.reevaluated.flags)
        if found.outcome is not None:
            raw = RawCoordinates.from_avro(record["lineage"])
            self.outcomes[raw] = (found.outcome, found.flags)
        self.observed.append(found)
        return found

    def flags(self, day: str) -> set[str]:
        """Flags readers see on a gas day of the only entity."""
        (record_id,) = (one for one in self.published if one.endswith(day))
        return set(self.published[record_id]["flags"])


def series_of(raws: Iterable[RawRecord]) -> Series:
    """The state after raw rows in this order."""
    series = Series()
    for arrival in arrivals(raws):
        series.arrive(arrival)
    return series
