"""A load of real records that goes on for rounds: revised, moved, said again, dropped, returned."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from confluent_kafka import Producer

from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder, topic_encoder
from streams.core import contract_types as avro
from streams.core.records import RawRecord
from streams.kafka.topic_reader import Record, read_all
from streams.topics import raw_topic

_MOST_IN_A_ROUND = 3_000
_MOST_QUEUED = 1_000_000
_LATITUDES = frozenset({"lat", "latitude", "y"})
_LONGITUDES = frozenset({"lng", "lon", "longitude", "x"})
_REVISED, _MOVED, _DROPPED, _WRONG = 0.4, 0.1, 0.1, 0.01
_IN_EACH_REGION = ((50.5, 9.5), (38.5, -98.0), (30.5, 110.5), (-25.5, 135.5))
"""Latitude and longitude; what moves lies within a degree of one of these afterwards."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A raw record under its Kafka key."""

    key: bytes
    record: RawRecord


@dataclass(slots=True)
class RealLoad:
    """What sources list now, by connector, and what they have dropped.

    Attributes:
        listed: Newest record by connector and record id.
        dropped: Last listed record of what is not listed any more.
        now: Fetch time of the last round.
    """

    listed: dict[str, dict[str, Keyed]]
    dropped: dict[str, dict[str, Keyed]] = field(default_factory=dict)
    now: datetime = datetime(2026, 12, 1, tzinfo=UTC)

    @classmethod
    def read(cls, bootstrap: str, registry: Registry, connectors: Iterable[str]) -> "RealLoad":
        """What a first poll has left in the raw topics."""
        listed = {}
        for name in connectors:
            decoder = topic_decoder(registry, raw_topic(name), avro.RawRecord)
            records = (
                Keyed(one.key or b"", RawRecord.from_avro(decoder.decode(one.value)))
                for one in read_all(bootstrap, raw_topic(name).name)
            )
            listed[name] = {keyed.record.record_id: keyed for keyed in records}
        return cls(listed, {name: {} for name in listed})

    def next_round(self, random: Random) -> dict[str, list[Keyed]]:
        """What the next poll of some sources finds, by connector."""
        self.now += timedelta(hours=1)
        chosen = [name for name in self.listed if random.random() < 0.7]
        return {name: list(self._poll(name, random)) for name in chosen}

    def next_release(self, name: str, size: int, random: Random) -> dict[str, list[Keyed]]:
        """What a poll of one source finds when so many of its records were revised."""
        self.now += timedelta(hours=1)
        listed = self.listed[name]
        for record_id in random.sample(sorted(listed), size):
            listed[record_id] = self._revised(self._again(listed[record_id]), random)
        return {name: [one for one in listed.values() if one.record.fetched_at == self.now]}

    def _again(self, last: Keyed) -> Keyed:
        run_id = f"round {self.now:%d %H}"
        record = replace(last.record, fetched_at=self.now, run_id=run_id, event="observed")
        return Keyed(last.key, record)

    def _revised(self, keyed: Keyed, random: Random) -> Keyed:
        assert keyed.record.item is not None
        item = revised(keyed.record.item, random)
        return Keyed(keyed.key, replace(keyed.record, item=item))

    def _moved(self, keyed: Keyed, random: Random) -> Keyed:
        """The record somewhere else, also one unit of a plant without the others."""
        assert keyed.record.item is not None
        latitude, longitude = random.choice(_IN_EACH_REGION)
        place = latitude + random.uniform(-1, 1), longitude + random.uniform(-1, 1)
        item = moved(keyed.record.item, place)
        return Keyed(keyed.key, replace(keyed.record, item=item))

    def _poll(self, name: str, random: Random) -> Iterator[Keyed]:
        listed, dropped = self.listed[name], self.dropped[name]
        returning = [one for one in dropped if random.random() < 0.5]
        listed |= {one: dropped.pop(one) for one in returning}
        size = min(len(listed), random.randrange(1, _MOST_IN_A_ROUND))
        for record_id in {*returning, *random.sample(sorted(listed), size)}:
            found = self._again(listed[record_id])
            chance = random.random()
            if chance < _DROPPED:
                dropped[record_id] = listed.pop(record_id)
                record = replace(found.record, event="no_longer_listed", item=None)
                found = Keyed(found.key, record)
            elif chance < _DROPPED + _REVISED:
                listed[record_id] = found = self._revised(found, random)
            elif chance < _DROPPED + _REVISED + _MOVED:
                listed[record_id] = found = self._moved(found, random)
            yield found


def moved(item: Mapping[str, Any], place: tuple[float, float]) -> dict[str, Any]:
    """The item with every position in it replaced by a latitude and longitude."""
    changed = {**item}
    for name, value in item.items():
        if isinstance(value, Mapping):
            changed[name] = moved(value, place)
        elif name.lower() in _LATITUDES | _LONGITUDES:
            number = round(place[name.lower() in _LONGITUDES], 4)
            changed[name] = str(number) if isinstance(value, str) else number
    return changed


def revised(item: Mapping[str, Any], random: Random) -> dict[str, Any]:
    """The item with one of its numbers changed, rarely to a negative one, or with a longer name."""
    changed = {**item}
    numbers = [name for name, value in item.items() if _is_number(value)]
    names = [name for name in item if "name" in name.lower() and isinstance(item[name], str)]
    nested = [name for name, value in item.items() if isinstance(value, Mapping)]
    if nested and random.random() < 0.5:
        name = random.choice(nested)
        changed[name] = revised(item[name], random)
    elif numbers and (not names or random.random() < 0.8):
        name = random.choice(numbers)
        factor = -1.0 if random.random() < _WRONG else random.uniform(0.9, 1.1)
        value = round(float(item[name]) * factor, 4)
        changed[name] = str(value) if isinstance(item[name], str) else type(item[name])(value)
    elif names:
        name = random.choice(names)
        changed[name] = f"{item[name]} {random.choice(('II', 'North', 'Unit 2'))}"[:200]
    return changed


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def publish(bootstrap: str, registry: Registry, polls: Mapping[str, list[Keyed]]) -> int:
    """Send records to their raw topics, as producers do; returns how many."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "queue.buffering.max.messages": _MOST_QUEUED,
        }
    )
    for name, records in polls.items():
        topic = raw_topic(name)
        encoder = topic_encoder(registry, topic, avro.RawRecord)
        for keyed in records:
            value = encoder.encode(keyed.record.to_avro())
            producer.produce(topic.name, key=keyed.key, value=value)
            producer.poll(0)
    assert producer.flush(60) == 0
    return sum(map(len, polls.values()))


def publish_again(bootstrap: str, records: list[Record]) -> None:
    """Send records as they are, to the partitions they had, in the order of their offsets."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "queue.buffering.max.messages": _MOST_QUEUED,
        }
    )
    for record in records:
        producer.produce(
            record.topic,
            key=record.key,
            value=record.value,
            partition=record.partition,
            timestamp=record.timestamp,
            headers=list(record.headers),
        )
        producer.poll(0)
    assert producer.flush(120) == 0
