"""Which fields the items of a source have, so that a changed form is noticed by name.

Pure. A field is called as the source calls it: columns and keys that the contract keeps in a map
stand beside the fields it has of its own. A value that became a JSON object or list is another
field, since whoever reads the old one cannot read it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from producers.storable_text import storable
from streams.avro.contracts import AvroSchema

_KEPT_BESIDE: Final = ("extra", "columns")
"""Maps of an item that hold what the source calls by names of its own."""
_OBJECT: Final = " (object)"
_BRACKETS: Final = frozenset("{[")


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """A field that a source has begun or ceased to send.

    Attributes:
        change: new, when its stream had no such field in its first run and the contract has no
            place for it; gone, when every item of the stream had it in all runs before.
        first_seen_at: When a run first saw the change, UTC.
        records: Items that had the field, over all runs.
    """

    source_id: str
    stream: str
    field: str
    change: str
    first_seen_at: datetime
    records: int


class FieldCounts:
    """How many items of each stream had which field, in one run.

    Args:
        fields: Of the item of the raw contract.
    """

    def __init__(self, fields: Sequence[AvroSchema]) -> None:
        self.expected = tuple(contract_fields(fields))
        self.items: Counter[str] = Counter()
        self._read = field_reader(fields)
        # Items are much alike: counting their forms takes a third of counting their fields.
        self._forms: Counter[tuple[str, Sequence[str]]] = Counter()

    def add(self, stream: str, item: Mapping[str, Any]) -> None:
        """Count one item."""
        self.items[stream] += 1
        self._forms[stream, self._read(item)] += 1

    def of(self, stream: str) -> Counter[str]:
        """Items of a stream by the fields they had."""
        found: Counter[str] = Counter()
        for (name, fields), items in self._forms.items():
            if name == stream:
                found.update(dict.fromkeys(map(storable, fields), items))
        return found


def item_schema(raw_contract: AvroSchema) -> Sequence[AvroSchema]:
    """Fields of the item of a raw contract."""
    item = next(one for one in raw_contract["fields"] if one["name"] == "item")
    return _record_fields(item["type"])


def contract_fields(fields: Sequence[AvroSchema], prefix: str = "") -> Iterator[str]:
    """Every field that a contract's item has a place of its own for."""
    for one in fields:
        inner = _record_fields(one["type"])
        if inner:
            yield from contract_fields(inner, f"{prefix}{one['name']}.")
        elif _kind(one["type"]) != "map":
            yield f"{prefix}{one['name']}"


def field_reader(
    fields: Sequence[AvroSchema], prefix: str = ""
) -> Callable[[Mapping[str, Any]], tuple[str, ...]]:
    """Function that names the fields of an item, null ones left out.

    Args:
        fields: Of the contract's item.
        prefix: Where it stands inside another.
    """
    names = {one["name"]: f"{prefix}{one['name']}" for one in fields}
    inside = {
        one["name"]: field_reader(inner, f"{prefix}{one['name']}.")
        for one in fields
        if (inner := _record_fields(one["type"]))
    }
    kinds = {one["name"]: _kind(one["type"]) for one in fields if one["name"] not in inside}
    beside = [name for name, kind in kinds.items() if kind == "map" and name in _KEPT_BESIDE]
    texts = {one["name"] for one in fields if "string" in (one["type"], *one["type"])}
    others = [name for name, kind in kinds.items() if kind != "map" and name not in texts]

    def read(item: Mapping[str, Any]) -> tuple[str, ...]:
        found = [
            names[name] + _OBJECT if value[:1] in _BRACKETS else names[name]
            for name, value in item.items()
            if value.__class__ is str
        ]
        found += [names[name] for name in others if item.get(name) is not None]
        for name in beside:
            found += [
                key + _OBJECT if text[:1] in _BRACKETS else key
                for key, text in (item.get(name) or {}).items()
            ]
        for name, reader in inside.items():
            value = item.get(name)
            if value is not None:
                for part in value if isinstance(value, list) else [value]:
                    found += reader(part)
        return tuple(found)

    return read


def _filled(schema: Any) -> Any:
    """The branch of a nullable type that is not null, items of a list."""
    if isinstance(schema, list):
        schema = next(branch for branch in schema if branch != "null")
    if isinstance(schema, dict) and schema["type"] == "array":
        return _filled(schema["items"])
    return schema


def _kind(schema: Any) -> str:
    filled = _filled(schema)
    return str(filled["type"] if isinstance(filled, dict) else filled)


def _record_fields(schema: Any) -> Sequence[AvroSchema]:
    filled = _filled(schema)
    is_record = isinstance(filled, dict) and filled["type"] == "record"
    return filled["fields"] if is_record else ()
