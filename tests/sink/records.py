"""Made-up records of the sink's topics, framed as on the wire, and batches of them."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

from fastavro import schemaless_writer

from streams.avro.contracts import AvroSchema, contract
from streams.kafka.batch import Batch
from streams.sink.landing import TOPICS
from streams.tolerance_file import load_tolerances

RECORD = dict[str, Any]
OBSERVED_AT = datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)
KAFKA_TIME = 1_767_268_800_500

WEIGHTS = load_tolerances().quality.weights

SCHEMA_IDS: Mapping[str, int] = {topic: number for number, topic in enumerate(TOPICS, start=1)}
"""Registry id of the contract of each topic in these tests."""


def schemas() -> dict[int, AvroSchema]:
    """What the registry of these tests holds."""
    return {number: contract(topic).parsed() for topic, number in SCHEMA_IDS.items()}


def framed(topic: str, record: RECORD) -> bytes:
    """A record written with the topic's contract."""
    return framed_with(contract(topic).parsed(), SCHEMA_IDS[topic], record)


def framed_with(schema: AvroSchema, schema_id: int, record: RECORD) -> bytes:
    out = BytesIO()
    out.write(struct.pack(">bI", 0, schema_id))
    schemaless_writer(out, schema, record)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """A record as the consumer read it."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    timestamp: int = KAFKA_TIME
    key: bytes | None = b"key"
    headers: Sequence[tuple[str, bytes]] = ()


def batch(
    topic: str,
    values: Iterable[bytes | None],
    *,
    first_offset: int = 0,
    partition: int = 0,
    timestamp: int = KAFKA_TIME,
    key: bytes | None = b"key",
) -> Batch:
    """Values of one key at consecutive offsets."""
    return Batch(
        topic,
        partition,
        [
            KafkaRecord(topic, partition, offset, value, timestamp, key)
            for offset, value in enumerate(values, start=first_offset)
        ],
    )


def plant(number: int = 1, *, version: int = 1, **changes: Any) -> RECORD:
    """Canonical power plant `plant-<number>`; its capacity in MW is its number."""
    payload = {
        "name": f"Plant {number}",
        "country_code": "ES",
        "latitude": 40.4,
        "longitude": -3.7,
        "capacity_mw": float(number),
        "primary_fuel": "wind",
        "other_fuels": ["oil"],
        "commissioning_year": 1999.5,
        "status": "operating",
        "owner": None,
        "capacity_year": 2019,
        "reported_by": "Operator",
        "report_url": None,
        "position_source": None,
        "plant_ids_wepp": [],
        "generation_reported_by": None,
        "generation": [
            {
                "year": 2018,
                "generation_gwh": -0.5,
                "estimated_generation_gwh": None,
                "estimation_method": "NO-ESTIMATION",
            }
        ],
        "aliases": [],
        "technology": None,
        "position_accuracy": None,
        "retired_year": None,
        "operator": None,
        "other_ids": [],
        "units": [],
        "capacity_rating": None,
    }
    return canonical("power_plant", f"plant-{number}", payload, version, changes)


def plant_with(number: int, *, version: int = 1, status: str = "current", **payload: Any) -> RECORD:
    """The same with other values of its payload."""
    record = plant(number, version=version, status=status)
    record["power_plant"] |= payload
    return record


def line(
    record_id: str, start: tuple[float, float], end: tuple[float, float], *, version: int = 1
) -> RECORD:
    """Canonical transmission line without a name between two latitudes and longitudes."""
    fields = contract("market.infrastructure").parsed()["fields"]
    payload = dict.fromkeys(f["name"] for f in kind_schema(fields, "transmission_line")["fields"])
    payload |= {"country_codes": ["ES"], "status": "operating", "direct_current": False}
    payload |= {"from_name": "Arkale", "from_latitude": start[0], "from_longitude": start[1]}
    payload |= {"to_name": "Argia", "to_latitude": end[0], "to_longitude": end[1]}
    return canonical("transmission_line", record_id, payload, version, {})


def gas_day(day: date, *, version: int = 1, **changes: Any) -> RECORD:
    """Canonical LNG inventory of the EU on one gas day; not everything is reported."""
    start = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    reported = {"inventory_gwh": 31_000.25, "dtmi_gwh": 62_000.5, "fullness_pct": 50.0}
    fields = contract("market.infrastructure").parsed()["fields"]
    names = [f["name"] for f in kind_schema(fields, "lng_inventory")["fields"]]
    payload = dict.fromkeys(names) | reported
    payload |= {"scope": "eu", "entity_id": "eu", "entity_name": "EU", "status": "confirmed"}
    payload["virtual"] = False
    payload |= {
        "gas_day": day,
        "gas_day_start": start,
        "gas_day_end": start + timedelta(days=1),
    }
    record = canonical("lng_inventory", f"alsi:eu:{day}", payload, version, changes)
    return record | {"event_time": start}


def kind_schema(fields: list[AvroSchema], kind: str) -> AvroSchema:
    """Payload schema among the fields of a canonical schema; it may be changed in place."""
    (schema,) = (field["type"][1] for field in fields if field["name"] == kind)
    return schema  # type: ignore[no-any-return]


def canonical(kind: str, record_id: str, payload: RECORD, version: int, changes: RECORD) -> RECORD:
    member = {
        "source_id": f"source of {kind}",
        "record_id": f"at source {record_id}",
        "entity_id": f"entity of {record_id}",
        "observed_at": OBSERVED_AT,
        "source_updated_at": None,
        "lineage": {"topic": f"raw.{kind}", "partition": 2, "offset": 17},
        "licence": "CC BY 4.0",
        "attribution": "Somebody",
    }
    filled = sorted(name for name, value in payload.items() if value not in (None, []))
    return {
        "record_id": record_id,
        "kind": kind,
        "status": "current",
        "replaced_by": None,
        "version": version,
        "event_time": None,
        "observed_at": OBSERVED_AT,
        "known_at": OBSERVED_AT,
        "members": [member],
        "provenance": [{"member": 0, "rule": "only_source", "fields": filled, "losing": []}],
        "flags": ["capacity_odd"],
        kind: payload,
    } | changes


def outcome(offset: int = 7, *, result: str = "changed", **changes: Any) -> RECORD:
    """What became of raw record `raw.wri_powerplants:2:<offset>`."""
    return {
        "raw": {"topic": "raw.wri_powerplants", "partition": 2, "offset": offset},
        "source_id": "wri_powerplants",
        "record_id": f"WRI{offset}",
        "output_kind": "power_plant",
        "outcome": result,
        "stage": "reconcile",
        "record_time": OBSERVED_AT,
        "rule_id": None,
        "canonical": [{"record_id": f"plant-{offset}", "version": 3}],
        "flags": [],
    } | changes


def dead_letter(offset: int = 7, **changes: Any) -> RECORD:
    """A rejected raw record whose bytes are no text."""
    return {
        "raw": {"topic": "raw.wri_powerplants", "partition": 2, "offset": offset},
        "source_id": "wri_powerplants",
        "record_id": None,
        "key": b"\xff\x00key",
        "value": b"\x00\xff'\\\n\t bytes",
        "headers": [{"name": "run_id", "value": b"\xfe"}, {"name": "empty", "value": None}],
        "record_time": OBSERVED_AT,
        "schema_id": 99,
        "stage": "normalize",
        "rule_id": "bad_avro",
        "field": None,
        "observed": None,
        "limit": None,
        "message": "It's no record.",
        "code_version": "0.1.0",
    } | changes


def candidate(one: str, other: str, score: float = 0.25, **changes: Any) -> RECORD:
    """An undecided pair: entities of GEM and of GPPD, named like their assets."""
    return {
        "kind": "power_plant",
        "region": 0,
        "one_source_id": "gem_transmission",
        "one_entity_id": f"entity of {one}",
        "one_asset_id": one,
        "other_source_id": "wri_powerplants",
        "other_entity_id": f"entity of {other}",
        "other_asset_id": other,
        "joined": False,
        "match_score": score,
        "threshold": 0.0,
        "parts": [
            {"evidence": "name", "weight": 5.8},
            {"evidence": "capacity", "weight": score - 5.8},
        ],
        "would_decide": ["years"],
        "generation": 1,
    } | changes


def score(*, version: int = 1, value: float = 99.5) -> RECORD:
    """Quality of one source in one window."""
    return {
        "source_id": "wri_powerplants",
        "dimension": "validity",
        "window_start": OBSERVED_AT,
        "window_end": OBSERVED_AT + timedelta(hours=1),
        "version": version,
        "record_count": 1000,
        "failed_count": 5,
        "score": value,
    }
