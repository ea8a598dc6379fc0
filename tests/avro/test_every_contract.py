"""What every contract promises its readers: meaning, units, one shape for one name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from streams.avro.compatibility import check
from streams.avro.contracts import AvroSchema, contract, contract_names
from streams.core.aggregates import Report
from streams.core.payloads import (
    ASSET_PAYLOADS,
    PAYLOAD_KINDS,
    GenerationYear,
    IssuedId,
    LngInventory,
    LngUnavailability,
    PlantUnit,
    ProjectPhase,
    SiteCount,
    TerminalUnit,
)
from streams.core.records import Correction, OrderKey, RawCoordinates, RawRecord

UNITS = {
    "_mw": "MW",
    "_gwh": "GWh",
    "_gwh_per_day": "GWh/d",
    "_thousand_m3_lng": "10^3 m3 LNG",
    "_pct": "percent",
    "_mtpa": "LNG a year",
    "_kv": "kV",
    "_kwh": "kWh",
    "_kwh_per_m2_day": "kWh/m2/day",
    "_kw": "kW",
    "_km": "km",
    "_m": "metres",
}
"""Unit suffix of a measurement, and how its doc writes the unit."""

UNITLESS = {
    **{
        f"{end}{axis}": "degrees"
        for end in ("", "from_", "to_")
        for axis in ("latitude", "longitude")
    },
    "commissioning_year": "Year",
    "score": "0 to 100",
    "match_score": "log-odds",
    "threshold": "log-odds",
    "weight": "log-odds",
    "circuits": "Number of circuits",
    "reported": "unit of the field",
    "corrected": "unit of the field",
}
"""Numbers whose name says all; their docs say what they count in."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field anywhere in a contract."""

    place: str
    name: str
    type: Any
    doc: str

    def branches(self) -> list[Any]:
        """Branches of its type, one unless it is a union."""
        return self.type if isinstance(self.type, list) else [self.type]

    def logical_type(self) -> str | None:
        """Logical type of its filled branch."""
        found = [branch for branch in self.branches() if isinstance(branch, dict)]
        return found[0].get("logicalType") if found else None


NESTED = (GenerationYear, IssuedId, PlantUnit, ProjectPhase, SiteCount, TerminalUnit)


def records(schema: Any) -> Iterator[AvroSchema]:
    """Every record defined in a schema."""
    for branch in schema if isinstance(schema, list) else [schema]:
        if isinstance(branch, dict):
            if branch["type"] == "record":
                yield branch
            for inner in (field["type"] for field in branch.get("fields", ())):
                yield from records(inner)
            for inner in ("items", "values"):
                yield from records(branch.get(inner, []))


def every_field(name: str) -> list[Field]:
    """Every field of every version of a contract, nested ones included."""
    return [
        Field(f"{record['name']}.{field['name']}", field["name"], field["type"], field["doc"])
        for version in contract(name).versions
        for record in records(version)
        for field in record["fields"]
    ]


NAMES = contract_names()


@pytest.mark.parametrize("name", NAMES)
def test_every_record_and_field_is_documented(name: str) -> None:
    for version in contract(name).versions:
        for record in records(version):
            assert record.get("doc", "").strip(), record["name"]
            for field in record["fields"]:
                assert field.get("doc", "").strip(), f"{record['name']}.{field['name']}"


@pytest.mark.parametrize("name", NAMES)
def test_every_nullable_field_says_what_null_means(name: str) -> None:
    silent = [
        field.place
        for field in every_field(name)
        if "null" in field.branches() and "null" not in field.doc.lower()
    ]
    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_every_measurement_has_its_unit_in_name_and_doc(name: str) -> None:
    for field in every_field(name):
        if not {"double", "float"} & {str(branch) for branch in field.branches()}:
            continue
        # The longest suffix that fits, or _gwh_per_day would be taken for a _day.
        suffix = max((unit for unit in UNITS if field.name.endswith(unit)), key=len, default="")
        expected = UNITS.get(suffix) or UNITLESS.get(field.name)
        assert expected is not None, f"{field.place} is a number without a unit in its name"
        assert expected in field.doc, f"the doc of {field.place} does not say {expected}"


@pytest.mark.parametrize("name", NAMES)
def test_every_time_is_utc_in_milliseconds(name: str) -> None:
    for field in every_field(name):
        if field.name.endswith(("_at", "_time", "_start", "_end")) and "long" in str(field.type):
            assert field.logical_type() == "timestamp-millis", field.place
        if field.logical_type() == "timestamp-millis":
            assert "UTC" in field.doc, field.place


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("raw.")])
def test_raw_items_keep_the_texts_of_their_source(name: str) -> None:
    """A number in a raw item would be a conversion: `-` and `0` could not be told apart."""
    for version in contract(name).versions:
        item = next(field for field in version["fields"] if field["name"] == "item")
        for record in records(item["type"]):
            for field in record["fields"]:
                kinds = json.dumps(field["type"])
                assert not {"int", "long", "float", "double"} & set(kinds.split('"')), field["name"]


@pytest.mark.parametrize("name", NAMES)
def test_new_versions_can_leave_out_what_they_do_not_know(name: str) -> None:
    """Nullable fields default to null, or a reader could not do without them."""
    for version in contract(name).versions:
        for record in records(version):
            for field in record["fields"]:
                if isinstance(field["type"], list):
                    assert field["type"][0] == "null", field["name"]
                    assert "default" in field, field["name"]
                    assert field["default"] is None, field["name"]


def test_every_contract_is_as_frozen_and_compatible() -> None:
    assert check() == ()


@pytest.mark.parametrize(
    ("names", "contract_name", "record_name"),
    [
        *(
            (payload.field_names(), contract_name, payload.__name__)
            for contract_name in ("market.infrastructure", "normalized.assets")
            for payload in (
                *ASSET_PAYLOADS.values(),
                PlantUnit,
                TerminalUnit,
                LngUnavailability,
                ProjectPhase,
                GenerationYear,
                IssuedId,
                SiteCount,
            )
        ),
        (LngInventory.field_names(), "market.infrastructure", "LngInventory"),
        (LngInventory.field_names(), "normalized.observations", "LngInventory"),
        (tuple(Report.__slots__), "lng.gas_days", "GasDayReport"),
        (tuple(Report.__slots__), "state.aggregates", "StoredGasDayReport"),
        (tuple(Correction.__slots__), "normalized.assets", "Correction"),
        (tuple(RawCoordinates.__slots__), "record.outcomes", "RawCoordinates"),
        (tuple(OrderKey.__slots__), "normalized.assets", "OrderKey"),
        (tuple(RawRecord.__slots__), "raw.alsi_lng", "RawRecord"),
        (tuple(RawRecord.__slots__), "raw.wri_powerplants", "RawRecord"),
    ],
)
def test_records_in_code_have_the_fields_of_their_contract(
    names: tuple[str, ...], contract_name: str, record_name: str
) -> None:
    """Names only meet at run time, where a key that is missed becomes a default."""
    schema = contract(contract_name).latest
    found = next(record for record in records(schema) if record["name"] == record_name)
    assert list(names) == [field["name"] for field in found["fields"]]


def test_every_canonical_kind_has_its_payload_field() -> None:
    fields = {field["name"] for field in contract("market.infrastructure").latest["fields"]}
    assert set(PAYLOAD_KINDS.values()) <= fields


def test_one_name_is_one_shape_in_every_contract() -> None:
    """Tools that generate classes know a record by its full name."""
    shapes: dict[str, AvroSchema] = {}
    for name in NAMES:
        for record in records(contract(name).parsed()):
            assert shapes.setdefault(record["name"], record) == record
