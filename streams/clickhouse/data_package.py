"""Every view as a Frictionless data package: what each column is, taken from views and contracts.

Pure. A package says nothing about the run that wrote it, so the same data give the same bytes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Final

from streams.avro.contracts import contract
from streams.clickhouse.table import Column
from streams.clickhouse.tables import KINDS
from streams.clickhouse.units import unit_of
from streams.clickhouse.views import View

FILE_NAME: Final = "datapackage.json"

_PROFILE: Final = "https://datapackage.org/profiles/2.0/datapackage.json"

_TYPES: Final = (
    ("Array", "array"),
    ("Tuple", "object"),
    ("Bool", "boolean"),
    ("Date32", "date"),
    ("DateTime", "datetime"),
    ("Float", "number"),
    ("Int", "integer"),
    ("UInt", "integer"),
    ("String", "string"),
)
"""Type of Frictionless by the beginning of ClickHouse's."""

_CONTRACTS: Final[Mapping[str, str]] = {
    "record_outcomes": "record.outcomes",
    "dead_letters": "dead_letters",
    "quality_scores": "quality.scores",
    "reconcile_candidates": "reconcile.candidates",
}
"""Contract of the views that show one topic as it is."""

_CANONICAL: Final = "market.infrastructure"


@dataclass(frozen=True, slots=True)
class Credit:
    """A source of the data, and what its licence asks for."""

    source_id: str
    licence: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One written file.

    Attributes:
        view: What it has.
        size: Bytes.
        digest: SHA-256 of its content, hexadecimal.
    """

    view: View
    size: int
    digest: str

    @classmethod
    def of(cls, view: View, content: bytes) -> "Resource":
        """A file with this content."""
        return cls(view, len(content), sha256(content).hexdigest())


def data_package(resources: Sequence[Resource], credits: Sequence[Credit]) -> bytes:
    """The descriptor of the package, as it is written to `datapackage.json`."""
    package = {
        "$schema": _PROFILE,
        "name": "infrastructure-streams",
        "title": "Energy infrastructure: records, their history, and where each value is from",
        "description": (
            "One Parquet file a view. Names of measures end with their unit; null is never zero. "
            "Times are UTC, a gas day is a date."
        ),
        "sources": [
            {
                "title": credit.attribution,
                "source_id": credit.source_id,
                "licence": credit.licence,
            }
            for credit in sorted(credits, key=lambda one: one.source_id)
        ],
        "resources": [_resource(one) for one in resources],
    }
    return (json.dumps(package, indent=2, ensure_ascii=False) + "\n").encode()


def parquet_name(view: str) -> str:
    """File of a view."""
    return f"{view}.parquet"


def _resource(resource: Resource) -> dict[str, Any]:
    view = resource.view
    return {
        "name": view.name.replace("_", "-"),
        "title": view.name,
        "description": view.comment,
        "path": parquet_name(view.name),
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "bytes": resource.size,
        "hash": f"sha256:{resource.digest}",
        "schema": {"fields": [_field(view, column) for column in view.columns]},
    }


def _field(view: View, column: Column) -> dict[str, Any]:
    nullable = column.type.startswith("Nullable(")
    field: dict[str, Any] = {
        "name": column.name,
        "type": _type(column.type),
        "description": column.comment,
        "constraints": {"required": not nullable},
        "source": _source(view.name, column.name),
    }
    if unit := unit_of(column.name):
        field["unit"] = unit
    if nullable:
        field["null_means"] = null_meaning(column.comment)
    return field


def null_meaning(comment: str) -> str:
    """What null means by the words of a contract: `Null: not reported.`, `null for eu`."""
    clauses = [clause.strip() for clause in re.split(r"(?<=[.;])\s+", comment)]
    for clause in clauses:
        if found := re.search(r"\bnull\b:?\s*(.*)", clause, re.IGNORECASE):
            return found[1].rstrip(".;") or clause
    return "not reported"


def _type(clickhouse_type: str) -> str:
    inner = re.sub(r"^(Nullable|LowCardinality)\((.*)\)$", r"\2", clickhouse_type)
    return next(type_ for beginning, type_ in _TYPES if inner.startswith(beginning))


def _source(view: str, column: str) -> str:
    """Contract and field that a column is, or the view that computes it."""
    for name, path in _candidates(view):
        if column in _fields(name, path):
            return f"{name}: {'.'.join((*path, column))}"
    return f"view {view}"


def _candidates(view: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if view in _CONTRACTS:
        yield _CONTRACTS[view], ()
        yield _CONTRACTS[view], ("raw",)
    for kind, name in KINDS.items():
        if view in (name, f"{name}_history") or (view, name) == (
            "lng_inventory_days",
            "lng_inventory",
        ):
            yield _CANONICAL, (kind,)
            yield _CANONICAL, ()
    if view in ("infrastructure", "assets", "changes"):
        yield _CANONICAL, ()


@cache
def _fields(name: str, path: tuple[str, ...]) -> frozenset[str]:
    fields = contract(name).parsed()["fields"]
    for step in path:
        found = [field["type"] for field in fields if field["name"] == step]
        if not found:
            return frozenset()
        (type_,) = found
        record = type_[1] if isinstance(type_, list) else type_
        if not isinstance(record, dict):
            return frozenset()
        fields = record["fields"]
    return frozenset(field["name"] for field in fields)
