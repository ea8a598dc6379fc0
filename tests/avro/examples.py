"""Examples of the contracts: JSON files beside each schema, read as records.

Times are ISO 8601 texts with a zone, dates ISO texts, bytes texts of one character a byte. A text
that is not what its field wants stays a text: refusing it is the encoders' work.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from fastavro.schema import expand_schema

from streams.avro.codec import AvroRecord
from streams.avro.contracts import AvroSchema, contract_names
from streams.settings import settings

Side = Literal["valid", "invalid"]


@dataclass(frozen=True, slots=True)
class Example:
    """One example payload.

    Attributes:
        contract: Name of its contract.
        name: File name without ending: what is odd about it.
        value: As written in the file.
    """

    contract: str
    name: str
    value: Any

    def __str__(self) -> str:
        return f"{self.contract}-{self.name}"


def examples(side: Side) -> list[Example]:
    """Every example of one side, sorted."""
    return [
        Example(name, path.stem, json.loads(path.read_text(encoding="utf-8")))
        for name in contract_names()
        for path in sorted(folder(name, side).glob("*.json"))
    ]


def folder(name: str, side: Side) -> Path:
    """Folder of the examples of one contract."""
    return settings().avro_dir / name / "examples" / side


def to_record(schema: AvroSchema, value: Any, *, complete: bool = False) -> AvroRecord:
    """The record of an example; unknown keys stay.

    Args:
        schema: The version it is read for.
        value: As written in the file.
        complete: Fill in the defaults of missing keys, as a reader sees the record.
    """
    record = _convert(expand_schema(schema), value, complete)
    assert isinstance(record, dict)
    return record


def _convert(schema: Any, value: Any, complete: bool) -> Any:
    if isinstance(schema, list):
        return None if value is None else _convert(_branch(schema, value), value, complete)
    if isinstance(schema, dict) and isinstance(value, dict | list):
        return _convert_container(schema, value, complete)
    if not isinstance(value, str):
        return value
    logical = schema.get("logicalType") if isinstance(schema, dict) else None
    try:
        if logical == "timestamp-millis":
            time = datetime.fromisoformat(value)
            return time.astimezone(UTC) if time.tzinfo else value
        if logical == "date":
            return date.fromisoformat(value)
    except ValueError:
        return value
    return value.encode("latin-1") if schema == "bytes" else value


def _convert_container(schema: dict[str, Any], value: Any, complete: bool) -> Any:
    if schema["type"] == "record" and isinstance(value, dict):
        filled = dict(value)
        for field in schema["fields"]:
            name = field["name"]
            if complete and "default" in field:
                filled.setdefault(name, field["default"])
            if name in filled:
                filled[name] = _convert(field["type"], filled[name], complete)
        return filled
    if schema["type"] == "array" and isinstance(value, list):
        return [_convert(schema["items"], item, complete) for item in value]
    if schema["type"] == "map" and isinstance(value, dict):
        return {key: _convert(schema["values"], item, complete) for key, item in value.items()}
    return value


def _branch(union: list[Any], value: Any) -> Any:
    """Branch for a value that is not null: objects for records and maps, the first for the rest."""
    objects = [
        branch
        for branch in union
        if isinstance(branch, dict) and branch["type"] in ("record", "map")
    ]
    others = [branch for branch in union if branch not in objects and branch != "null"]
    return (objects or others)[0] if isinstance(value, dict) else (others or objects)[0]
