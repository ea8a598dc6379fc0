"""What is stored has the digest of what is published, and every difference is found and named."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from streams.avro.contracts import contract
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.content_digest import digest_of, digests_query, records_query
from streams.clickhouse.tables import KINDS
from streams.core.content_digest import Digests, bucket_of
from streams.sink.loader import Loader
from tests.avro.examples import examples, to_record
from tests.sink.engine import CANONICAL
from tests.sink.records import batch, framed, plant_with

pytestmark = pytest.mark.integration

ODD: list[dict[str, Any]] = [
    to_record(contract(CANONICAL).latest, record, complete=True)
    for record in (
        plant_with(11, name="Łódź | ~ 1:[x]", latitude=-0.0, capacity_mw=1e-300),
        plant_with(12, name="", latitude=None, longitude=None, capacity_mw=0.1 + 0.2),
        plant_with(13, other_fuels=["a|b", "", "ł"], commissioning_year=None),
        plant_with(14),
    )
]


def value_of(avro: Any, *, full: bool) -> Any:
    """A value of a type; full: nothing is null or empty."""
    match avro:
        case ["null", inner]:
            return value_of(inner, full=full) if full else None
        case {"logicalType": "timestamp-millis"}:
            return datetime(2026, 3, 1, 5, 0, 0, 7000, tzinfo=UTC)
        case {"logicalType": "date"}:
            return date(1969, 12, 30)
        case {"type": "array", "items": items}:
            return [value_of(items, full=full)] * 2 if full else []
        case {"type": "record", "fields": fields}:
            return {field["name"]: value_of(field["type"], full=full) for field in fields}
    values = {"string": "Ä|~1:x", "boolean": True, "int": -7, "long": 2**40, "double": -0.1}
    return values[avro]


def of_every_kind() -> Iterator[dict[str, Any]]:
    """Two records of each kind, one full and one with as little as its contract asks."""
    fields = {field["name"]: field["type"] for field in contract(CANONICAL).parsed()["fields"]}
    for kind in KINDS:
        for full in (True, False):
            around = {name: value_of(type_, full=full) for name, type_ in fields.items()}
            own = {"record_id": f"{kind}-{full}", "kind": kind, "status": "current", "version": 5}
            payloads = dict.fromkeys(KINDS) | {kind: value_of(fields[kind][1], full=full)}
            yield around | own | payloads


def published() -> list[dict[str, Any]]:
    """Every kind and every oddity of the contract's examples; each id once."""
    schema = contract(CANONICAL).latest
    found = [
        to_record(schema, example.value, complete=True)
        for example in examples("valid")
        if example.contract == CANONICAL
    ]
    records = (*found, *of_every_kind(), *ODD)
    return list({record["record_id"]: record for record in records}.values())


def digests_of(records: list[dict[str, Any]]) -> dict[str, Digests]:
    found: dict[str, Digests] = {}
    for record in records:
        digests = found.setdefault(record["kind"], Digests())
        digests.add(bucket_of(record["record_id"]), digest_of(record))  # type: ignore[arg-type]
    return found


def stored_digests(clickhouse: ClickHouse) -> dict[str, Digests]:
    found: dict[str, Digests] = {}
    for kind, bucket, records, digest in clickhouse.query(digests_query()).rows:
        found.setdefault(kind, Digests()).add(bucket, int(digest), records)
    return found


def load(loader: Loader, records: list[dict[str, Any]], first_offset: int) -> None:
    values = [framed(CANONICAL, record) for record in records]
    assert loader.load(batch(CANONICAL, values, first_offset=first_offset)).rejected == 0


def test_stored_and_published_records_of_every_kind_have_one_digest(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    records = published()
    assert {record["kind"] for record in records} == set(KINDS)
    load(loader, records, 0)
    # Repeats and older versions change nothing.
    older = [{**record, "version": record["version"] - 1, "flags": []} for record in ODD]
    load(loader, [*ODD, *older], 1_000)
    expected = digests_of(records)
    assert stored_digests(clickhouse) == expected

    # One value that differs is found, with its record.
    for change in (
        "DELETE WHERE record_id = 'plant-11'",
        "UPDATE name = 'another' WHERE record_id = 'plant-12'",
        "UPDATE flags = ['x'] WHERE record_id = 'plant-13'",
        "UPDATE latitude = 40.400000000000006 WHERE record_id = 'plant-14'",
    ):
        clickhouse.command(
            f"ALTER TABLE store_power_plants_latest {change} SETTINGS mutations_sync = 1"
        )
    stored = stored_digests(clickhouse)
    changed = {bucket_of(record["record_id"]) for record in ODD}
    assert set(expected["power_plant"].differing(stored["power_plant"])) == changed
    assert {kind for kind in KINDS if stored[kind] != expected[kind]} == {"power_plant"}
    for record in ODD:
        bucket = bucket_of(record["record_id"])
        rows = clickhouse.query(records_query("power_plant", bucket)).rows
        digest = str(digest_of(record))  # type: ignore[arg-type]
        assert (record["record_id"], str(record["version"]), digest) not in rows
