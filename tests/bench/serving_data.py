"""What the reading benchmarks read: assets and series of the size of the real ones, made up.

Everything goes the way of the sink: framed records, batches, landings. Equal seeds, equal data.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

from streams.clickhouse.client import ClickHouse
from streams.core.errors import InfrastructureError
from streams.core.rejection_limits import NO_LIMITS
from streams.sink.app import INSERT_RECORDS
from streams.sink.loader import Loader
from streams.topics import MARKET_INFRASTRUCTURE, PARTITIONS
from tests.sink.records import RECORD, batch, framed, gas_day, line, plant, schemas

FIRST_DAY = date(2021, 1, 1)
_COUNTRIES = ("ES", "FR", "DE", "IT", "PL", "US", "IN", "CN", "BR", "FJ")
_FUELS = ("wind", "solar", "gas", "hydro", "coal", "nuclear")
_STATUSES = ("operating",) * 7 + ("construction", "retired", "announced")
_VOLTAGES = (110.0, 220.0, 380.0, 750.0)
_WORDS = ("Łódź", "São", "Norte", "Kraftwerk", "Valle", "Río", "Mühle", "Port", "Solar", "Wind")
TOPIC_ID = "bench"
_NEWER = 9
_MERGE_SECONDS = 600.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is.

    Attributes:
        assets: Power plants, with provenance of 3 kB each.
        lines: Transmission lines of some 50 km.
        entities: Series.
        days: Gas days of each series.
        revised: Share of gas days that have a second version.
    """

    assets: int = 60_000
    lines: int = 0
    entities: int = 60
    days: int = 5 * 365 + 1
    revised: float = 0.3


def fill(clickhouse: ClickHouse, size: Size) -> int:
    """Load everything; returns the number of versions."""
    loader = Loader(clickhouse, schemas().get, lambda topic: TOPIC_ID, NO_LIMITS)
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


def terminal_id(number: int) -> str:
    """The readable id of a series."""
    return f"{_COUNTRIES[number % len(_COUNTRIES)]}_TERMINAL_{number}"


def newer_versions(first: int, count: int) -> Iterator[RECORD]:
    """Records of assets and gas days in turn, newer than every one of `fill`."""
    size, random = Size(), Random(first)
    entities = entity_ids(size)
    for number in range(first, first + count):
        if number % 2:
            record = _asset(number % size.assets, random)
        else:
            entity, day = number % size.entities, FIRST_DAY + timedelta(days=number % size.days)
            record = next(_gas_day(entity, entities[entity], day, random, size))
        yield record | {"version": _NEWER}


def parts_of(clickhouse: ClickHouse) -> str:
    """Parts and size of each table, in words."""
    rows = clickhouse.query(
        "SELECT table, count(), round(sum(bytes_on_disk) / 1e6, 1) FROM system.parts "
        "WHERE active AND rows AND table LIKE 'store\\_%' GROUP BY table ORDER BY table"
    ).rows
    return ", ".join(
        f"{table.removeprefix('store_')} {parts} ({size} MB)" for table, parts, size in rows
    )


def wait_merged(clickhouse: ClickHouse) -> float:
    """Seconds until the tables of current versions were one part each; nobody calls OPTIMIZE.

    Raises:
        InfrastructureError: merges do not come down to a few parts by themselves.
    """
    began = time.monotonic()
    while time.monotonic() - began < _MERGE_SECONDS:
        rows = clickhouse.query(
            "SELECT max(parts) FROM (SELECT count() AS parts FROM system.parts WHERE active "
            "AND (table LIKE '%\\_latest%' OR table = 'store_assets') GROUP BY table)"
        ).rows
        if rows == [(1,)]:
            return time.monotonic() - began
        time.sleep(_LOOK_SECONDS)
    raise InfrastructureError(f"Not merged within {_MERGE_SECONDS:.0f} s: {parts_of(clickhouse)}")


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
    for number in range(size.lines):
        yield _line(number, random)
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


def _line(number: int, random: Random) -> RECORD:
    start = random.uniform(36, 60), random.uniform(-9, 30)
    end = start[0] + random.uniform(-0.4, 0.4), start[1] + random.uniform(-0.6, 0.6)
    record = line(str(UUID(int=Random(-1 - number).getrandbits(128), version=5)), start, end)
    record["transmission_line"]["voltage_kv"] = random.choice(_VOLTAGES)
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
            "terminal_id": terminal_id(number),
            "inventory_gwh": inventory,
            "send_out_gwh_per_day": round(random.uniform(0, 300), 1),
            "dtmi_gwh": 3_000.0,
            "fullness_pct": round(inventory / 30, 2),
        }
        yield record
