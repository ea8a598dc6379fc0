"""Input of the comparison: made-up ALSI days of many terminals, each day once."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from confluent_kafka import Producer

from streams.avro.codec import Encoder
from streams.core.records import RawRecord

_TERMINALS = 40
_FIRST_DAY = date(2012, 1, 1)
_FETCHED = datetime(2026, 5, 3, 19, 45, tzinfo=UTC)


def publish(bootstrap: str, topic: str, encoder: Encoder[Mapping[str, Any]], records: int) -> None:
    """Send so many records, every key once, spread over the partitions by key."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 20,
            "acks": "all",
        }
    )
    for record in _days(records):
        value = encoder.encode(record.to_avro())
        while True:
            try:
                producer.produce(topic, key=record.record_id.encode(), value=value)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    assert producer.flush(120) == 0


def _days(records: int) -> Iterator[RawRecord]:
    random = Random(7)
    for index in range(records):
        terminal = index % _TERMINALS
        yield _day(f"21W000000000{terminal:03d}X", index // _TERMINALS, random)


def _day(facility: str, day_number: int, random: Random) -> RawRecord:
    start = _FIRST_DAY + timedelta(days=day_number)
    volume = random.randrange(10_000, 900_000) / 1000
    return RawRecord(
        source_id="alsi_lng_inventory",
        stream="terminal",
        record_id=f"terminal/{facility}/{start}",
        event="observed",
        fetched_at=_FETCHED,
        source_updated_at=_FETCHED - timedelta(hours=1),
        release=None,
        run_id="0f3c6c1e5a5b4d0c9a3d4e0f6b7a8c9d",
        origin="https://alsi.gie.eu/api",
        licence="LicenseRef-GIE-free-use-with-credit",
        attribution="GIE ALSI (Gas Infrastructure Europe, Aggregated LNG Storage Inventory)",
        item={
            "scope": "terminal",
            "country": "DE",
            "company_eic": "21X000000001234A",
            "facility_eic": facility,
            "name": "Made-up Terminal",
            "code": facility,
            "url": f"{facility}/DE/21X000000001234A",
            "updatedAt": f"{start + timedelta(days=1)} 21:10:42",
            "gasDayStart": str(start),
            "gasDayEnd": str(start + timedelta(days=1)),
            "inventory": {"lng": f"{volume:.2f}", "gwh": f"{volume * 6.7:.1f}"},
            "sendOut": f"{random.randrange(0, 3000) / 10:.1f}",
            "dtmi": {"lng": "930", "gwh": "6200.5"},
            "dtrs": "810",
            "contractedCapacity": "540.1",
            "availableCapacity": "269.9",
            "coveredCapacity": "100",
            "status": "C",
            "extra": {},
        },
    )
