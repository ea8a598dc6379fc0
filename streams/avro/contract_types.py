"""Generator of `streams/core/contract_types.py`: the records of every contract as `TypedDict`s.

    python -m streams.avro.contract_types

A misspelled field or a wrong kind of value is found by the type checker, at no cost at run time.
Of the raw contracts only the envelope is generated, which they share: what is in an item is known
to its connector alone.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from streams.avro.contracts import AvroSchema, Contract, contract, contract_names
from streams.core.errors import SettingsError
from streams.settings import PROJECT_ROOT

TYPES_FILE = PROJECT_ROOT / "streams" / "core" / "contract_types.py"

_HEAD = '''\
"""Records as the newest versions of the contracts have them; what a field means says its `doc`.

Generated from `avro/` by `make types`, never changed by hand. What a record may leave out when it
is written is `NotRequired`; a record that was read has every field. Import it as `avro`:
`avro.PowerPlant` is the Avro form of a power plant.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NotRequired, TypedDict, final
'''

_SCALARS = {
    "string": "str",
    "boolean": "bool",
    "int": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "bytes": "bytes",
    "null": "None",
    "date": "date",
    "timestamp-millis": "datetime",
}

_RAW_PREFIX = "raw."
_ITEM = "item"
_ITEM_TYPE = "Mapping[str, object] | None"
"""Of the envelope: each source has items of its own."""

_LONGEST_LINE = 100
_CLAUSE_END = re.compile(r"[,:(]")

_Fields: TypeAlias = tuple[tuple[str, str], ...]
"""Names and types as source text."""


@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    doc: str
    fields: _Fields

    def source(self) -> str:
        lines = [f"    {name}: {kind}" for name, kind in self.fields]
        head = ["@final", f"class {self.name}(TypedDict):", f'    """{self.doc}"""']
        return "\n".join([*head, "", *lines]) + "\n"


def source(contracts: Sequence[Contract]) -> str:
    """Text of the module, formatted, for the latest version of each contract.

    Raises:
        SettingsError: two records of one name differ, or a type is none that records have.
    """
    records: dict[str, _Record] = {}
    for found in contracts:
        for record in _records(found):
            if records.setdefault(record.name, record).fields != record.fields:
                raise SettingsError(
                    f"The record {record.name} of {found.name} differs from another contract's: "
                    "give one of them another name."
                )
    return "\n\n".join([_HEAD, *(record.source() for record in records.values())])


def _records(found: Contract) -> Iterator[_Record]:
    """Records of a contract, each after those it is made of."""
    schema = found.latest
    if not found.name.startswith(_RAW_PREFIX):
        yield from _defined(schema)
        return
    fields = tuple(
        (name, _ITEM_TYPE if name == _ITEM else kind) for name, kind in _fields(schema["fields"])
    )
    yield _Record(schema["name"], "Envelope of a raw record of any source.", fields)


def _defined(schema: Any) -> Iterator[_Record]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _defined(branch)
    elif isinstance(schema, dict) and schema["type"] == "record":
        for field in schema["fields"]:
            yield from _defined(field["type"])
        yield _Record(schema["name"], _summary(schema), _fields(schema["fields"]))
    elif isinstance(schema, dict):
        for inner in ("items", "values"):
            yield from _defined(schema.get(inner, []))


def _fields(fields: Iterable[AvroSchema]) -> _Fields:
    return tuple((field["name"], _field(field)) for field in fields)


def _field(field: AvroSchema) -> str:
    kind = _type(field["type"])
    return f"NotRequired[{kind}]" if "default" in field else kind


def _type(schema: Any) -> str:
    if isinstance(schema, list):
        # `None` last, as people write it.
        return " | ".join(sorted(map(_type, schema), key=lambda kind: kind == "None"))
    if isinstance(schema, str):
        return _SCALARS.get(schema, schema.rpartition(".")[2])
    match schema["type"]:
        case "record":
            return str(schema["name"])
        case "array":
            return f"list[{_type(schema['items'])}]"
        case "map":
            return f"dict[str, {_type(schema['values'])}]"
        case kind if (name := schema.get("logicalType", kind)) in _SCALARS:
            return _SCALARS[name]
        case kind:
            raise SettingsError(f"Records have no type for Avro's {kind}: add it to {__name__}.")


def _summary(schema: AvroSchema) -> str:
    """The first sentence of a doc, its first clause where the whole is too long for a line."""
    sentence = str(schema["doc"]).split(". ")[0].rstrip(".")
    if len(f'    """{sentence}."""') > _LONGEST_LINE:
        sentence = _CLAUSE_END.split(sentence)[0].rstrip()
    return f"{sentence}."


def current_source() -> str:
    """Text of the module for the contracts of this product."""
    return source([contract(name) for name in contract_names()])


def main(path: Path = TYPES_FILE) -> None:
    """Write the module."""
    path.write_text(current_source(), encoding="utf-8")
    sys.stdout.write(f"Wrote {path}.\n")


if __name__ == "__main__":
    main()
