"""A part of the OpenAPI document as OpenAPI 3.0, which map programs read."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from streams.serve.openapi import Schema
from streams.serve.parameters import MOST_IN_A_PAGE

MEDIA_TYPE: Final = "application/vnd.oai.openapi+json;version=3.0"

_NULL: Final = {"type": "null"}


def document_30(
    document: Schema, prefix: str, address: str, spelled_out: Mapping[str, Sequence[str]]
) -> Schema:
    """The operations below a prefix.

    Args:
        document: OpenAPI 3.1 of everything.
        prefix: Which operations.
        address: URL of the prefix.
        spelled_out: Values of path parameters that are spelled out: GDAL looks for such paths.
    """
    paths: Schema = {}
    for path, operations in document["paths"].items():
        if path == prefix or path.startswith(f"{prefix}/"):
            paths |= _spelled_out(path.removeprefix(prefix) or "/", operations, spelled_out)
    schemas = {
        name: document["components"]["schemas"][name]
        for name in ("ProblemDetails", "WrongParameter")
    }
    found: Schema = _written_30(
        {
            "openapi": "3.0.3",
            "info": document["info"],
            "servers": [{"url": address}],
            "paths": paths,
            "components": {"schemas": schemas},
        }
    )
    _refer_to_limit(found)
    return found


def _refer_to_limit(document: Schema) -> None:
    """Put the parameter limit where GDAL looks for how much a page may have; more is no error."""
    for operations in document["paths"].values():
        parameters = operations["get"].get("parameters", [])
        for number, parameter in enumerate(parameters):
            if parameter["name"] == "limit":
                parameter["schema"]["maximum"] = MOST_IN_A_PAGE
                document["components"]["parameters"] = {"limit": parameter}
                parameters[number] = {"$ref": "#/components/parameters/limit"}


def _spelled_out(path: str, operations: Schema, values: Mapping[str, Sequence[str]]) -> Schema:
    """The same operations at a path for each value of a parameter it has."""
    for name, each in values.items():
        if f"{{{name}}}" in path:
            return {
                path.replace(f"{{{name}}}", value): {
                    method: operation
                    | {
                        "operationId": f"{operation['operationId']}_{value.replace('-', '_')}",
                        "parameters": [
                            one for one in operation["parameters"] if one["name"] != name
                        ],
                    }
                    for method, operation in operations.items()
                }
                for value in each
            }
    return {path: operations}


def _written_30(part: Any) -> Any:
    """The same without what OpenAPI 3.0 does not have: null as a type, several examples."""
    if isinstance(part, list):
        return [_written_30(one) for one in part]
    if not isinstance(part, Mapping):
        return part
    found = {name: _written_30(value) for name, value in part.items() if name != "examples"}
    if isinstance(examples := part.get("examples"), list):
        found["example"] = examples[0]
    if isinstance(type_ := found.get("type"), list):
        found |= {"type": next(one for one in type_ if one != "null"), "nullable": True}
    if _NULL in (choices := found.get("anyOf", ())):
        (kept,) = (one for one in choices if one != _NULL)
        del found["anyOf"]
        found |= {"nullable": True} | kept
    return found
