"""A deterministic load: records new, repeated, changed, moved, rejected, delisted, and poison."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from zlib import crc32

from confluent_kafka import Producer

from streams.avro.codec import Encoder, Registry
from streams.avro.topic_codecs import topic_encoder
from streams.core import contract_types as avro
from streams.core.records import RawRecord
from streams.topics import PARTITIONS, Topic, raw_topic
from streams.topology import COUNT, RECONCILE, SCORE, normalize_stage

CONNECTOR = "wri_powerplants"
RAW: Topic = raw_topic(CONNECTOR)
STAGES = (normalize_stage(CONNECTOR), RECONCILE.name, COUNT.name, SCORE.name)
"""What the load passes through."""

_START = datetime(2026, 1, 1, tzinfo=UTC)
_PLACES = (("DEU", 50.5, 9.5), ("USA", 40.0, -100.0), ("CHN", 31.0, 112.0), ("IND", 21.0, 78.0))
"""One in each region, with land of the same country for `_SPREAD_DEGREES` around."""

_SPREAD_DEGREES = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much, and where it begins; the same values give the same bytes.

    Attributes:
        records: Number of raw records.
        plants: Number of different plants.
        first: Index of the first record, to continue an earlier load.
    """

    records: int
    plants: int
    first: int = 0

    def split(self, parts: int) -> list["Load"]:
        """The same load in consecutive parts."""
        size = -(-self.records // parts)
        return [
            Load(min(size, self.first + self.records - first), self.plants, first)
            for first in range(self.first, self.first + self.records, size)
        ]

    def but_last(self, records: int) -> tuple["Load", "Load"]:
        """The same load in two parts, the second of so many records."""
        first = self.records - records
        return replace(self, records=first), Load(records, self.plants, self.first + first)

    def publish(self, bootstrap: str, registry: Registry) -> None:
        """Send everything to the raw topic, each record to the partition of its key."""
        encoder = topic_encoder(registry, RAW, avro.RawRecord)
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
        for index, (key, value) in enumerate(self._messages(encoder), self.first):
            while True:
                try:
                    producer.produce(
                        RAW.name,
                        key=key,
                        value=value,
                        partition=crc32(key) % PARTITIONS,
                        # Part of dead letters, so it must not be this run's clock.
                        timestamp=int(_START.timestamp() * 1000) + index,
                    )
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
        assert producer.flush(60) == 0

    def _messages(self, encoder: Encoder[avro.RawRecord]) -> Iterator[tuple[bytes, bytes]]:
        for index in range(self.first, self.first + self.records):
            random = Random(index)
            plant = random.randrange(self.plants)
            key = f"P{plant:06d}".encode()
            if random.random() < 0.002:
                yield key, random.randbytes(40)
                continue
            record = _raw(plant, index, random)
            yield key, encoder.encode(record.to_avro())


def _raw(plant: int, index: int, random: Random) -> RawRecord:
    record_id = f"P{plant:06d}"
    chance = random.random()
    # Every plant has a place of its own; now and then it is reported in another country.
    country, latitude, longitude = _PLACES[random.randrange(4) if chance < 0.1 else plant % 4]
    own = Random(plant)
    latitude += own.uniform(-_SPREAD_DEGREES, _SPREAD_DEGREES)
    longitude += own.uniform(-_SPREAD_DEGREES, _SPREAD_DEGREES)
    name = " " if chance > 0.98 else None
    record = plant_record(
        record_id,
        name=name,
        country=country,
        capacity=str(random.randrange(1, 4) * 100),
        latitude=str(latitude),
        longitude=str(longitude),
        # Now and then a clock has gone back: that hides nothing.
        fetched_at=_START + timedelta(seconds=index - (500 if chance < 0.02 else 0)),
    )
    if 0.95 < chance <= 0.97:
        return replace(record, event="no_longer_listed", item=None)
    return record


def plant_record(
    record_id: str,
    *,
    name: str | None = None,
    country: str = "DEU",
    capacity: str = "100",
    latitude: str = "50.5",
    longitude: str = "9.5",
    fuel: str = "Gas",
    fetched_at: datetime = _START,
) -> RawRecord:
    """A raw plant as the source would say it."""
    item: dict[str, object] = {
        "country": country,
        "country_long": country,
        "name": name or f"Plant {record_id}",
        "gppd_idnr": record_id,
        "capacity_mw": capacity,
        "latitude": latitude,
        "longitude": longitude,
        "primary_fuel": fuel,
    }
    return RawRecord(
        source_id="wri_powerplants",
        stream="plants",
        record_id=record_id,
        event="observed",
        fetched_at=fetched_at,
        source_updated_at=None,
        release="load",
        run_id="load",
        origin="tests",
        licence="CC-BY-4.0",
        attribution="tests",
        item=item,
    )
