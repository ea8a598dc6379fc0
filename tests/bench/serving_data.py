"""What the reading benchmarks read: assets and series of the size of the real ones, made up.

Everything goes the way of the sink: framed records, batches, landings. Equal seeds, equal data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

from streams.clickhouse.client import ClickHouse
from streams.sink.app import INSERT_RECORDS
from streams.sink.loader import Loader
from streams.topics import MARKET_INFRASTRUCTURE, PARTITIONS
from tests.sink.records import RECORD, batch, framed, gas_day, plant, schemas

FIRST_DAY = date(2021, 1, 1)
_COUNTRIES = ("ES", "FR", "DE", "IT", "PL", "US", "IN", "CN", "BR", "FJ")
_FUELS = ("wind", "solar", "gas", "hydro", "coal", "nuclear")
_STATUSES = ("operating",) * 7 + ("construction", "retired", "announced")
_WORDS = ("Łódź", "São", "Norte", "Kraftwerk", "Valle", "Río", "Mühle", "Port", "Solar", "Wind")
_TOPIC_ID = "bench"


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is.

    Attributes:
        assets: Power plants, with provenance of 3 kB each.
        entities: Series.
        days: Gas days of each series.
        revised: Share of gas days that have a second version.
    """

    assets: int = 60_000
    entities: int = 60
    days: int = 5 * 365 + 1
    revised: float = 0.3


def fill(clickhouse: ClickHouse, size: Size) -> int:
    """Load everything; returns the number of versions."""
    loader = Loader(clickhouse, schemas().get, lambda topic: _TOPIC_ID)
    topic = MARKET_INFRASTRUCTURE.name
    offsets = [0] * PARTITIONS
    for number, records in enumerate(_batches(_versions(size))):
        partition = number % PARTITIONS
        values = [framed(topic, record) for record in records]
        first = offsets[partition]
        found = batch(topic, values, first_offset=first, partition=partition)
        assert loader.load(found).rejected == 0
        offsets[partition] += len(values)
    return sum(offsets)


def asset_ids(size: Size) -> Sequence[str]:
    """The id of every asset."""
    return [_asset_id(number) for number in range(size.assets)]


def entity_ids(size: Size) -> Sequence[str]:
    """The id of every series."""
    return [f"21W{number:012d}X/21X{number:012d}A" for number in range(size.entities)]


def _asset_id(number: int) -> str:
    return str(UUID(int=Random(number).getrandbits(128), version=5))


def _batches(records: Iterator[RECORD]) -> Iterator[list[RECORD]]:
    found: list[RECORD] = []
    for record in records:
        found.append(record)
        if len(found) == INSERT_RECORDS:
            yield found
            found = []
    if found:
        yield found


def _versions(size: Size) -> Iterator[RECORD]:
    random = Random(7)
    for number in range(size.assets):
        yield _asset(number, random)
    for number, entity_id in enumerate(entity_ids(size)):
        for day in range(size.days):
            yield from _gas_day(number, entity_id, FIRST_DAY + timedelta(days=day), random, size)


def _asset(number: int, random: Random) -> RECORD:
    record = plant(number) | {"record_id": _asset_id(number)}
    name = f"{random.choice(_WORDS)} {random.choice(_WORDS)} {number}"
    record["power_plant"] |= {
        "name": name,
        "aliases": [f"{name} {word}" for word in random.sample(_WORDS, 2)],
        "country_code": random.choice(_COUNTRIES),
        "primary_fuel": random.choice(_FUELS),
        "status": random.choice(_STATUSES),
        "latitude": random.uniform(-60, 70),
        "longitude": random.uniform(-180, 180),
        "capacity_mw": None if number % 20 == 0 else round(random.lognormvariate(3, 1.5), 1),
    }
    member = record["members"][0]
    record["members"] = [
        member | {"source_id": source, "record_id": f"{source}-{number}"}
        for source in ("gem_transmission", "jrc_ppdb", "wri_powerplants")
    ]
    fields = record["provenance"][0]["fields"]
    record["provenance"] = [
        {
            "member": index,
            "rule": "priority",
            "fields": [name],
            "losing": [
                {"field": name, "member": (index + 1) % 3, "value": f'"another value {number}"'}
            ],
        }
        for index, name in ((index % 3, name) for index, name in enumerate(fields))
    ]
    return record


def _gas_day(
    number: int, entity_id: str, day: date, random: Random, size: Size
) -> Iterator[RECORD]:
    fetched = datetime(day.year, day.month, day.day, 19, 45, tzinfo=UTC) + timedelta(days=1)
    for version in range(1, 3 if random.random() < size.revised else 2):
        record = gas_day(day, version=version)
        inventory = round(random.uniform(100, 3_000), 1)
        record["record_id"] = f"lng_inventory:alsi_lng_inventory:{entity_id}/{day}"
        record["observed_at"] = record["known_at"] = fetched + timedelta(days=5 * (version - 1))
        record["lng_inventory"] |= {
            "scope": "terminal",
            "entity_id": entity_id,
            "entity_name": f"Terminal {number}",
            "country_code": _COUNTRIES[number % len(_COUNTRIES)],
            "facility_eic": entity_id.partition("/")[0],
            "company_eic": entity_id.partition("/")[2],
            "terminal_id": f"{_COUNTRIES[number % len(_COUNTRIES)]}_TERMINAL_{number}",
            "inventory_gwh": inventory,
            "send_out_gwh_per_day": round(random.uniform(0, 300), 1),
            "dtmi_gwh": 3_000.0,
            "fullness_pct": round(inventory / 30, 2),
        }
        yield record
