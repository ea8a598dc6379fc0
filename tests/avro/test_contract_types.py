"""The record types that the type checker sees are those of the contracts."""

from datetime import date, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from streams.avro.contract_types import TYPES_FILE, current_source, main, source
from streams.avro.contracts import Contract
from streams.core import contract_types as avro
from streams.core.errors import SettingsError

FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "string"},
    {"name": "seen_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "size_mw", "type": ["null", "double"], "default": None},
    {"name": "notes", "type": {"type": "map", "values": {"type": "array", "items": "string"}}},
]


def toy(name: str, fields: list[dict[str, Any]], record: str = "Toy") -> Contract:
    schema = {"type": "record", "name": record, "doc": "A toy. For tests.", "fields": fields}
    return Contract(name, (schema,))


def test_the_types_of_the_core_are_those_of_the_contracts() -> None:
    assert TYPES_FILE.read_text(encoding="utf-8") == current_source(), (
        "streams/core/contract_types.py is not what the contracts in avro/ say: run `make types`."
    )


def test_a_record_becomes_a_type_with_its_kinds_and_what_may_be_left_out() -> None:
    text = source([toy("toys", FIELDS)])
    assert text.endswith(
        '''@final
class Toy(TypedDict):
    """A toy."""

    id: str
    seen_at: datetime
    size_mw: NotRequired[float | None]
    notes: dict[str, list[str]]
'''
    )


def test_records_of_one_name_must_be_one_record() -> None:
    assert source([toy("toys", FIELDS), toy("more", FIELDS)]) == source([toy("toys", FIELDS)])
    with pytest.raises(SettingsError, match="Toy of more differs"):
        source([toy("toys", FIELDS), toy("more", FIELDS[:2])])


def test_a_kind_of_value_without_a_type_is_refused() -> None:
    strange = [{"name": "id", "type": {"type": "fixed", "name": "Hash", "size": 16}}]
    with pytest.raises(SettingsError, match="no type for Avro's fixed"):
        source([toy("toys", strange)])


def test_the_command_writes_what_is_checked(tmp_path: Path) -> None:
    main(tmp_path / "types.py")
    assert (tmp_path / "types.py").read_text(encoding="utf-8") == current_source()


def test_times_and_days_have_the_kinds_that_are_read() -> None:
    hints = get_type_hints(avro.LngInventory)
    assert (hints["gas_day"], hints["gas_day_start"]) == (date, datetime)
