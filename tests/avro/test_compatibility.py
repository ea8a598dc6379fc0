"""The offline check of the contracts, on contracts that break its rules."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from streams.avro.compatibility import Finding, check, check_compatibility, freeze
from streams.avro.contracts import AvroSchema, Contract, contract, contract_names

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
    assert "v2 cannot read what v1 wrote: added is new and has no default" in finding.message


@pytest.mark.parametrize(("name", "refused"), [(OUTCOMES, True), (RAW, False)])
def test_a_required_field_may_go_only_where_readers_are_upgraded_first(
    avro_dir: Path, name: str, refused: bool
) -> None:
    schema, fields = changed(name)
    fields.remove(field_of(fields, "source_id"))
    findings = new_version(avro_dir, name, schema)
    assert [finding.problem for finding in findings] == ["incompatible"] * refused
    said = "v1 cannot read what v2 wrote: source_id is gone, and readers of before need it: keep it"
    assert all(finding.message.startswith(said) for finding in findings)


def test_every_kept_version_counts_not_only_the_one_before(avro_dir: Path) -> None:
    """v3 gives a field back that v2 dropped: fine for v2, unreadable for what v1 wrote."""
    schema, fields = changed(RAW)
    fields.remove(field_of(fields, "run_id"))
    assert new_version(avro_dir, RAW, schema) == []
    third = deepcopy(schema)
    third["fields"].append({"name": "run_id", "type": "long", "default": 0, "doc": "Number."})
    (finding,) = new_version(avro_dir, RAW, third, version=3)
    assert finding.version == 3
    assert "v3 cannot read what v1 wrote: run_id was written as string" in finding.message


def test_a_field_inside_a_union_of_records_is_named(avro_dir: Path) -> None:
    """Avro's own checker says only that a branch of the union is missing."""
    schema, fields = changed(RAW)
    item = field_of(fields, "item")["type"][1]["fields"]
    field_of(item, "status")["type"] = ["null", "long"]
    item.append(NEW)
    first, second = new_version(avro_dir, RAW, schema)
    assert "item.status was written as string, is read as null, long: keep its type" in (
        first.message
    )
    assert 'item.added is new and has no default: make it nullable, `"default": null`' in (
        second.message
    )


ENUM = {"name": "level", "doc": "How.", "type": {"type": "enum", "name": "L", "symbols": ["A"]}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"name": "Other"},
            "the record is called Other, was RecordOutcome: keep the name, or list",
        ),
        (
            {"symbols": ["A", "B"]},
            "level has the new symbol B, and no default for readers of befor",
        ),
        ({"symbols": ["C"]}, "level lacks the symbol A: keep it"),
        ({"type": {"type": "map", "values": "string"}}, "source_id was written as string, is read"),
    ],
)
def test_each_reason_names_its_field_and_what_to_do(
    avro_dir: Path, change: dict[str, Any], said: str
) -> None:
    for path in (avro_dir / OUTCOMES).iterdir():
        path.unlink()
    (avro_dir / "frozen.json").unlink()
    first, fields = changed(OUTCOMES)
    fields.append(ENUM)
    write(avro_dir, OUTCOMES, 1, first)
    second = deepcopy(first)
    if "name" in change:
        second |= change
    elif "symbols" in change:
        field_of(second["fields"], "level")["type"] |= change
    else:
        field_of(second["fields"], "source_id").update(change)
    findings = new_version(avro_dir, OUTCOMES, second)
    assert any(said in finding.message for finding in findings), findings


@pytest.mark.parametrize("name", contract_names())
def test_whatever_is_incompatible_is_explained(name: str) -> None:
    """First and last fields of every contract: gone, of another type, or another one required."""
    latest = contract(name).latest
    for index in (0, -1):
        field = latest["fields"][index]
        for changes in ({"type": "bytes"}, {"name": "other"}, {"name": "other", "type": "long"}):
            second = deepcopy(latest)
            second["fields"][index] |= changes
            if "name" in changes:
                second["fields"][index].pop("default", None)
            findings = check_compatibility(Contract(name, (latest, second)))
            assert findings or changes == {"type": "bytes"}
            for finding in findings:
                names = (field["name"], changes.get("name", field["name"]))
                said = finding.message.rpartition("wrote: ")[2]
                # Its own name, or that of a field inside it.
                assert said.startswith(tuple(f"{one}{end}" for one in names for end in " .[")), said


def test_a_field_without_a_doc_is_refused(avro_dir: Path) -> None:
    schema, fields = changed(RAW)
    item = field_of(fields, "item")["type"][1]
    item["fields"].append({"name": "added", "type": ["null", "string"], "default": None})
    item["doc"] = " "
    found = new_version(avro_dir, RAW, schema)
    assert [(one.problem, one.message.partition(" has")[0]) for one in found] == [
        ("undocumented", "item"),
        ("undocumented", "item.added"),
    ]


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
