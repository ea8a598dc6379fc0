"""What the API of these tests answers from: made-up records, loaded the way of the sink."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from streams.clickhouse.client import ClickHouse
from streams.sink.loader import Loader
from streams.topics import DAY_MS
from tests.bench.serving_data import TOPIC_ID, Size, fill
from tests.sink.engine import CANONICAL, loader_of
from tests.sink.records import (
    KAFKA_TIME,
    OBSERVED_AT,
    RECORD,
    batch,
    candidate,
    dead_letter,
    framed,
    gas_day,
    line,
    outcome,
    plant_with,
    score,
)

SIZE = Size(assets=300, entities=4, days=90)

PAIRS = (("plant-1", "plant-2", 0.25), ("plant-3", "plant-1", -0.125), ("plant-1", "plant-1", 0.5))
"""Undecided pairs, by their assets and score."""

BARCELONA = "21W000000000039X/18X000000000001A"
FIRST_FETCH = datetime(2025, 10, 2, 19, 45, tzinfo=UTC)
REVISED_FETCH = datetime(2025, 10, 20, 19, 45, tzinfo=UTC)
"""The gas day of 2025-10-01 was reported with 1,000 GWh first, and with 1,100 GWh then."""

OF_SCORED = {"source_id": "gem_transmission"}
"""The source with scores; tests of the same engine count those of another one."""


def load(clickhouse: ClickHouse) -> None:
    """Load everything."""
    fill(clickhouse, SIZE)
    loader = loader_of(clickhouse, TOPIC_ID)
    _load_quality(loader)
    publish(loader, 1, 0, [*_plants(), *_lines()])
    publish(loader, 2, 0, list(_barcelona()))
    for number, (one, other, alike) in enumerate(PAIRS):
        value = framed("reconcile.candidates", candidate(one, other, alike, joined=one == other))
        key = f"pair {number}".encode()
        loader.load(batch("reconcile.candidates", [value], first_offset=number, key=key))
    publish(loader, 1, 50, list(_of_february()), KAFKA_TIME + 40 * DAY_MS)


def _load_quality(loader: Loader) -> None:
    """Two windows, one record that is flagged, one that is rejected."""
    days = [OBSERVED_AT + timedelta(days=day) for day in range(2)]
    scores = [
        score(value=value)
        | OF_SCORED
        | {"window_start": day, "window_end": day + timedelta(days=1), "dimension": dimension}
        for dimension in ("validity", "total")
        for day, value in zip(days, (90.0, 80.0), strict=True)
    ]
    of_newest: RECORD = {"record_time": days[1], **OF_SCORED}
    rejected: RECORD = {"rule_id": "unknown_fuel", **of_newest}
    outcomes = [
        outcome(500, flags=["capacity_missing"], record_id="r500", **of_newest),
        outcome(501, result="rejected", **rejected),
    ]
    for topic, records in (
        ("quality.scores", scores),
        ("record.outcomes", outcomes),
        ("dead_letters", [dead_letter(501, record_id="r501", **rejected)]),
    ):
        assert loader.load(batch(topic, [framed(topic, one) for one in records])).rejected == 0


def publish(
    loader: Loader,
    partition: int,
    first_offset: int,
    records: Sequence[RECORD],
    published_ms: int = KAFKA_TIME,
) -> None:
    """Load records as if they were published at consecutive offsets."""
    values = [framed(CANONICAL, record) for record in records]
    found = batch(
        CANONICAL, values, partition=partition, first_offset=first_offset, timestamp=published_ms
    )
    assert loader.load(found).rejected == 0


def _plants() -> Sequence[RECORD]:
    names = {"plant-1": "Barcelona Besòs", "plant-2": "Łódź Północ", "plant-3": "Suva"}
    plants = [
        plant_with(
            number,
            name=name,
            country_code=country,
            latitude=lat,
            longitude=lon,
            capacity_rating=rating,
        )
        for number, name, country, lat, lon, rating in (
            (1, names["plant-1"], "ES", 41.42, 2.23, None),
            (2, names["plant-2"], "PL", 51.79, 19.45, "dc"),
            (3, names["plant-3"], "FJ", -18.14, 178.44, None),
        )
    ]
    later = OBSERVED_AT + timedelta(days=30)
    return [
        *plants,
        plant_with(1, version=2, name="Barcelona Besòs", country_code="ES", latitude=41.42)
        | {"known_at": later, "observed_at": later, "flags": ["second"]},
        plant_with(8),
        plant_with(8, version=2, status="withdrawn"),
        plant_with(9),
        plant_with(9, version=2, status="merged") | {"replaced_by": "plant-1"},
    ]


def _of_february() -> Sequence[RECORD]:
    """Suva grows from 3 MW to 5."""
    place: RECORD = {"name": "Suva", "country_code": "FJ", "latitude": -18.14, "longitude": 178.44}
    return [plant_with(3, version=2, capacity_mw=5.0, **place)]


def _lines() -> Sequence[RECORD]:
    return [line("line-1", (43.30, -1.85), (43.28, -1.70))]


def _barcelona() -> Sequence[RECORD]:
    return [
        *(
            _day(date(2025, 10, 1) + timedelta(days=day), FIRST_FETCH + timedelta(days=day), 1000)
            for day in range(5)
        ),
        _day(date(2025, 10, 1), REVISED_FETCH, 1100, version=2),
    ]


def _day(day: date, fetched: datetime, inventory_gwh: float, *, version: int = 1) -> RECORD:
    record = gas_day(day, version=version, observed_at=fetched, known_at=fetched)
    record["record_id"] = f"lng_inventory:alsi_lng_inventory:{BARCELONA}/{day}"
    facility, _, company = BARCELONA.partition("/")
    record["lng_inventory"] |= {
        "scope": "terminal",
        "entity_id": BARCELONA,
        "entity_name": "Barcelona",
        "country_code": "ES",
        "facility_eic": facility,
        "company_eic": company,
        "terminal_id": "ES_BARCELONA",
        "inventory_gwh": float(inventory_gwh),
    }
    return record
