"""The OpenAPI document: answers and problems as they are, examples that are answered.

Schemas of rows follow from the columns of ClickHouse, so a field of a contract is described here as
soon as it is a column.
"""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from streams.clickhouse.kind_queries import DISTANCE, RANK, STATUS_GROUPS, shown_columns
from streams.clickhouse.table import Column
from streams.clickhouse.tables import kinds
from streams.serve.formats import ALL, WRITINGS, Format
from streams.serve.problems import MEDIA_TYPE, ProblemDetails

Schema = dict[str, Any]

DESCRIPTION: Final = """\
What public sources say about energy infrastructure, as one record for each asset and gas day.
Names of fields have their units; null is "not reported", never zero. Times are UTC.
"""

_PROBLEMS: Final[Mapping[int, str]] = {
    400: "A parameter is not as it must be, or all of them are too long.",
    401: "A key is missing or wrong.",
    404: "There is no such thing.",
    406: "No format that is accepted.",
    410: "It is gone.",
    413: "The answer is too large.",
    429: "Too many requests with this key.",
    501: "This ClickHouse cannot do that.",
    503: "Too many requests wait, or ClickHouse does not answer.",
}
_OF_ALL: Final = (400, 401, 406, 413, 429, 503)

_SCALARS: Final[Mapping[str, Schema]] = {
    "String": {"type": "string"},
    "Float64": {"type": "number"},
    "Float32": {"type": "number"},
    "Int32": {"type": "integer"},
    "Int64": {"type": "integer"},
    "UInt32": {"type": "integer"},
    "UInt64": {"type": "string", "pattern": "^[0-9]+$"},
    "Bool": {"type": "boolean"},
    "Date32": {"type": "string", "format": "date"},
    "DateTime64(3, 'UTC')": {"type": "string", "format": "date-time"},
}


def problems(*more: int) -> dict[int | str, dict[str, Any]]:
    """Problems that an operation may answer: those of every operation, and more."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": _PROBLEMS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted({*_OF_ALL, *more})
    }


def answers(
    schema: Schema, formats: Sequence[Format] = (Format.JSON,), *more: int, paged: bool = False
) -> dict[int | str, dict[str, Any]]:
    """What an operation answers: rows in some formats, or a problem.

    Args:
        schema: Of the JSON.
        formats: All formats.
        more: Further status codes of problems.
        paged: Whether there may be a next page.
    """
    content: dict[str, Any] = {
        WRITINGS[one].media_type: {"schema": {"type": "string", "format": "binary"}}
        for one in formats
    }
    content["application/json"] = {"schema": schema}
    if Format.GEOJSON in formats:
        content[WRITINGS[Format.GEOJSON].media_type] = {"schema": {"type": "object"}}
    headers: dict[str, Any] = {
        "ETag": {"description": "Version of the answer.", "schema": {"type": "string"}}
    }
    if paged:
        headers["Link"] = {"description": "The next page.", "schema": {"type": "string"}}
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": "The answer.", "content": content, "headers": headers},
        304: {"description": "Unchanged since the version that If-None-Match names."},
    }
    return found | problems(*more)


def list_answers(kind: str) -> dict[int | str, dict[str, Any]]:
    """What the list of a kind answers: its assets, or groups of them."""
    shown = set(shown_columns(kind))
    columns = [column for column in kinds()[kind].latest.columns if column.name in shown]
    row = row_schema(columns)
    row["properties"] |= {
        DISTANCE: {"type": "number", "description": "Only with near: distance, km."},
        RANK: {"type": "integer", "description": "Only with q: 1 for the best."},
    }
    group = {
        "type": "object",
        "description": "With group_by: its columns, the number of assets, and for each group of "
        f"statuses ({', '.join(STATUS_GROUPS)}) their number and the sums.",
        "required": ["assets"],
        "properties": {"assets": {"type": "integer"}},
    }
    schema = {
        "type": "object",
        "required": ["data", "next"],
        "properties": {
            "data": {"type": "array", "items": {"anyOf": [row, group]}},
            "next": {"type": ["string", "null"], "description": "Address of the next page."},
            "total": {"type": "integer", "description": "Rows of the list; only with total."},
        },
    }
    return answers(schema, ALL, paged=True)


def row_schema(columns: Iterable[Column]) -> Schema:
    """Schema of a row with these columns."""
    properties = {
        column.name: schema_of(column.type) | {"description": column.comment} for column in columns
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def fields_schema(row: type) -> Schema:
    """Schema of a row whose fields have types of Python."""
    schema: Schema = TypeAdapter(row).json_schema(mode="serialization")
    inner = schema.pop("$defs", {})
    schema = _inlined(schema, inner)
    schema["required"] = list(schema["properties"])
    for name, text in _described_fields(row).items():
        schema["properties"][name]["description"] = text
    return schema


def _inlined(schema: Any, inner: Mapping[str, Schema]) -> Any:
    """A schema without references and without the titles that repeat names."""
    if isinstance(schema, list):
        return [_inlined(one, inner) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(inner[schema["$ref"].rpartition("/")[2]], inner)
    return {
        name: _inlined(one, inner)
        for name, one in schema.items()
        if not (name == "title" and isinstance(one, str))
    }


def _described_fields(row: type) -> Mapping[str, str]:
    """What the docstring of a class says of its attributes."""
    found: dict[str, str] = {}
    for line in inspect.cleandoc(row.__doc__ or "").partition("Attributes:")[2].splitlines():
        names, separator, text = line.strip().partition(": ")
        if separator:
            found |= dict.fromkeys(names.split(", "), text)
    return found


def schema_of(type_: str) -> Schema:
    """Schema of a ClickHouse type as JSON."""
    if inner := _inside(type_, "LowCardinality"):
        return schema_of(inner)
    if inner := _inside(type_, "Nullable"):
        schema = schema_of(inner)
        return schema | {"type": [schema["type"], "null"]}
    if inner := _inside(type_, "Array"):
        return {"type": "array", "items": schema_of(inner)}
    if type_.startswith("Tuple("):
        return {"type": "object"}
    return dict(_SCALARS[type_])


def _inside(type_: str, name: str) -> str | None:
    match = re.fullmatch(rf"{name}\((.*)\)", type_, re.S)
    return match[1] if match else None


def document(app: FastAPI) -> Schema:
    """The OpenAPI document of an app."""
    found: Schema = get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"ProblemDetails": problem}
    for operations in found["paths"].values():
        for operation in operations.values():
            # Wrong parameters are 400 here.
            operation["responses"].pop("422", None)
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
    return found


def _without_null(schema: Schema) -> Schema:
    """Schema of a parameter: one that is left out is not null."""
    if "anyOf" not in schema:
        return schema
    kept: Schema
    (kept,) = (one for one in schema["anyOf"] if one != {"type": "null"})
    return {name: value for name, value in schema.items() if name != "anyOf"} | kept
