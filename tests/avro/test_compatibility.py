"""The offline check of the contracts, on contracts that break its rules."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from streams.avro.compatibility import Finding, check, freeze
from streams.avro.contracts import AvroSchema, contract

OUTCOMES = "record.outcomes"
RAW = "raw.alsi_lng"


@pytest.fixture
def avro_dir(tmp_path: Path) -> Path:
    """A folder with one contract of each rule, as frozen."""
    for name in (OUTCOMES, RAW):
        write(tmp_path, name, 1, contract(name).latest)
    assert freeze(tmp_path) == (f"{RAW} v1", f"{OUTCOMES} v1")
    assert check(tmp_path) == ()
    return tmp_path


def write(avro_dir: Path, name: str, version: int, schema: AvroSchema) -> None:
    """Write one version."""
    folder = avro_dir / name
    folder.mkdir(exist_ok=True)
    (folder / f"v{version}.avsc").write_text(json.dumps(schema), encoding="utf-8")


def new_version(avro_dir: Path, name: str, schema: AvroSchema, version: int = 2) -> list[Finding]:
    """Freeze one more version; returns what the check says of it."""
    write(avro_dir, name, version, schema)
    freeze(avro_dir)
    return list(check(avro_dir))


def changed(name: str) -> tuple[AvroSchema, list[dict[str, Any]]]:
    """A copy of a contract's latest version, and its fields to change."""
    schema = deepcopy(contract(name).latest)
    return schema, schema["fields"]


def field_of(fields: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """One field by its name."""
    return next(field for field in fields if field["name"] == name)


NEW = {"name": "added", "type": "string", "doc": "New."}
NEW_NULLABLE = {"name": "added", "type": ["null", "string"], "default": None, "doc": "Null: new."}


@pytest.mark.parametrize("name", [OUTCOMES, RAW])
def test_a_new_field_with_a_default_is_compatible(avro_dir: Path, name: str) -> None:
    schema, fields = changed(name)
    fields.append(NEW_NULLABLE)
    assert new_version(avro_dir, name, schema) == []


@pytest.mark.parametrize("name", [OUTCOMES, RAW])
def test_a_new_field_without_a_default_is_refused(avro_dir: Path, name: str) -> None:
    schema, fields = changed(name)
    fields.append(NEW)
    (finding,) = new_version(avro_dir, name, schema)
    assert (finding.contract, finding.version, finding.problem) == (name, 2, "incompatible")
    assert "v2 cannot read what v1 wrote" in finding.message


@pytest.mark.parametrize(("name", "refused"), [(OUTCOMES, True), (RAW, False)])
def test_a_required_field_may_go_only_where_readers_are_upgraded_first(
    avro_dir: Path, name: str, refused: bool
) -> None:
    schema, fields = changed(name)
    fields.remove(field_of(fields, "source_id"))
    findings = new_version(avro_dir, name, schema)
    assert [finding.problem for finding in findings] == ["incompatible"] * refused


def test_every_kept_version_counts_not_only_the_one_before(avro_dir: Path) -> None:
    """v3 gives a field back that v2 dropped: fine for v2, unreadable for what v1 wrote."""
    schema, fields = changed(RAW)
    fields.remove(field_of(fields, "run_id"))
    assert new_version(avro_dir, RAW, schema) == []
    third = deepcopy(schema)
    third["fields"].append({"name": "run_id", "type": "long", "default": 0, "doc": "Number."})
    (finding,) = new_version(avro_dir, RAW, third, version=3)
    assert finding.version == 3
    assert "v3 cannot read what v1 wrote" in finding.message


def test_another_logical_type_is_refused(avro_dir: Path) -> None:
    """Avro calls both long: a time would be read a thousand times too small."""
    schema, fields = changed(OUTCOMES)
    field_of(fields, "record_time")["type"]["logicalType"] = "timestamp-micros"
    (finding,) = new_version(avro_dir, OUTCOMES, schema)
    assert finding.problem == "incompatible"
    assert "record_time was timestamp-millis in v1, is timestamp-micros" in finding.message


def test_a_misspelled_logical_type_is_refused(avro_dir: Path) -> None:
    schema, fields = changed(OUTCOMES)
    fields.append(
        {
            "name": "added",
            "type": ["null", {"type": "string", "logicalType": "date"}],
            "default": None,
            "doc": "Null: new.",
        }
    )
    assert [finding.problem for finding in new_version(avro_dir, OUTCOMES, schema)] == [
        "unreadable"
    ]


def test_an_unknown_type_is_refused(avro_dir: Path) -> None:
    schema, fields = changed(OUTCOMES)
    fields.append(NEW | {"type": "decimal"})
    assert [finding.problem for finding in new_version(avro_dir, OUTCOMES, schema)] == [
        "unreadable"
    ]


def test_a_frozen_version_never_changes_not_even_in_a_doc(avro_dir: Path) -> None:
    schema, fields = changed(OUTCOMES)
    fields[0]["doc"] = "Better words."
    write(avro_dir, OUTCOMES, 1, schema)
    assert freeze(avro_dir) == ()
    (finding,) = check(avro_dir)
    assert (finding.problem, finding.version) == ("changed", 1)
    assert "v2.avsc" in finding.message


def test_a_frozen_version_is_kept(avro_dir: Path) -> None:
    for path in (avro_dir / RAW).iterdir():
        path.unlink()
    (finding,) = check(avro_dir)
    assert (finding.contract, finding.problem, finding.version) == (RAW, "missing", 1)


def test_a_version_must_be_frozen_before_it_is_used(avro_dir: Path) -> None:
    schema, fields = changed(OUTCOMES)
    fields.append(NEW_NULLABLE)
    write(avro_dir, OUTCOMES, 2, schema)
    (finding,) = check(avro_dir)
    assert (finding.problem, finding.version) == ("unfrozen", 2)
