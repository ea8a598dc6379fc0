"""One asset: now, as it was known, all its versions, and why a field has its value."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from producers.connectors import CONNECTORS
from streams.clickhouse.asset_queries import (
    AssetBody,
    asset_known_at,
    asset_versions,
    assets_by_id,
)
from streams.serve.addresses import PREFIX
from streams.serve.coalesce import Coalescer
from streams.serve.openapi import answers
from streams.serve.parameters import KNOWN_AT, Asked, Moment
from streams.serve.pool import Reader
from streams.serve.problems import ProblemError, not_found

ASSETS: Final = f"{PREFIX}/assets"

_UPSTREAM_FIELDS: Final = {
    connector.source_id: connector.upstream_fields for connector in CONNECTORS.values()
}

RecordId = Annotated[
    str,
    Path(
        description="Stable id of the asset, from any list.",
        min_length=1,
        max_length=200,
        pattern=r"^[\w.:~-]+$",
    ),
]


class AssetAsked(Asked):
    """Parameters of one asset."""

    known_at: Moment | None = Field(None, description=KNOWN_AT)
    revisions: Literal["all"] | None = Field(
        None,
        description="Every version, newest first, with those that another one of the same "
        "release replaced at once.",
        examples=["all"],
    )


class AssetReader:
    """Reads single assets; those asked for together with one query."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._coalescer: Coalescer[str, AssetBody] = Coalescer(self._fetch)

    async def current(self, record_id: str) -> AssetBody:
        """The newest version, whatever its status.

        Raises:
            ProblemError: no asset ever had this id.
        """
        found = await self._coalescer.get(record_id)
        if found is None:
            raise not_found(f"No asset has the id {record_id}: ids come from the lists.")
        return found

    async def known_at(self, record_id: str, known_at: datetime) -> AssetBody:
        """The version known at a time.

        Raises:
            ProblemError: no asset ever had this id, or nothing was known of it yet.
        """
        kind = (await self.current(record_id)).kind
        answer = await self._reader.answer(
            asset_known_at(kind, record_id, known_at), "LineAsString"
        )
        if not answer:
            raise not_found(f"Nothing was known of {record_id} at {known_at.isoformat()}.")
        return AssetBody.of(answer.decode())

    async def _fetch(self, record_ids: Collection[str]) -> Mapping[str, AssetBody]:
        answer = await self._reader.answer(assets_by_id(record_ids), "LineAsString")
        bodies = (AssetBody.of(line.decode()) for line in answer.split(b"\n") if line)
        return {body.record_id: body for body in bodies}


def assets(reader: Reader) -> APIRouter:
    """The addresses of one asset."""
    router = APIRouter(prefix=ASSETS, tags=["assets"])
    single = AssetReader(reader)

    @router.get(
        "/{record_id}",
        summary="One asset with its members and the provenance of every field",
        operation_id="get_asset",
        responses=answers({"anyOf": [_VERSION, _VERSIONS]}, (), 404, 410) | _MERGED,
    )
    async def asset(
        request: Request, record_id: RecordId, asked: Annotated[AssetAsked, Query()]
    ) -> Response:
        if asked.revisions is not None:
            return await _revisions(reader, await single.current(record_id), asked.known_at)
        if asked.known_at is not None:
            found = await single.known_at(record_id, asked.known_at)
        else:
            found = await single.current(record_id)
        return _redirect(request, found) or _json(_listed(found).body.encode())

    @router.get(
        "/{record_id}/vintages",
        summary="When something about an asset became known, newest first",
        operation_id="get_asset_vintages",
        responses=answers(_VINTAGES, (), 404),
    )
    async def vintages(record_id: RecordId) -> Response:
        rows = await _version_rows(reader, await single.current(record_id), interim=False)
        return _json(orjson.dumps({"data": [row for row, _ in rows]}))

    @router.get(
        "/{record_id}/why",
        summary="Where the value of a field comes from, and which values lost",
        operation_id="get_asset_why",
        responses=answers(_WHY, (), 404, 410) | _MERGED,
    )
    async def why(
        request: Request, record_id: RecordId, asked: Annotated[WhyAsked, Query()]
    ) -> Response:
        if asked.known_at is not None:
            found = await single.known_at(record_id, asked.known_at)
        else:
            found = await single.current(record_id)
        return _redirect(request, found) or _json(
            orjson.dumps(reason_of(orjson.loads(found.body), asked.field))
        )

    return router


class WhyAsked(Asked):
    """Parameters of the reason for a value."""

    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")] = Field(
        description="Field of the asset.", examples=["name"]
    )
    known_at: Moment | None = Field(None, description=KNOWN_AT)


def _redirect(request: Request, found: AssetBody) -> Response | None:
    """Where a merged asset is now: the same address of the asset that took over."""
    if found.record_status != "merged" or found.replaced_by is None:
        return None
    path = request.url.path.replace(f"/{found.record_id}", f"/{found.replaced_by}", 1)
    query = f"?{request.url.query}" if request.url.query else ""
    return Response(status_code=308, headers={"Location": f"{path}{query}"})


def _listed(found: AssetBody) -> AssetBody:
    if found.record_status == "withdrawn":
        raise ProblemError(
            "withdrawn",
            410,
            f"No source lists {found.record_id} any more; last_version is what they said last.",
            more={"last_version": orjson.loads(found.body)},
        )
    return found


async def _revisions(reader: Reader, newest: AssetBody, known_at: datetime | None) -> Response:
    rows = await _version_rows(reader, newest, interim=True)
    bodies = [
        body
        for row, body in rows
        if known_at is None or datetime.fromisoformat(row["known_at"]) <= known_at
    ]
    return _json(b'{"data":[' + b",".join(bodies) + b"]}")


_VERSION_FIELDS: Final = (
    "version",
    "record_status",
    "known_at",
    "observed_at",
    "published_at",
    "partition",
    "offset",
)


async def _version_rows(
    reader: Reader, newest: AssetBody, *, interim: bool
) -> list[tuple[dict[str, Any], bytes]]:
    """Versions, newest first: when and where each was published, and its JSON."""
    query = asset_versions(newest.kind, newest.record_id, interim=interim)
    answer = await reader.answer(query, "JSONCompactEachRow")
    rows = []
    for line in answer.splitlines():
        *values, body = orjson.loads(line)
        row = dict(zip(_VERSION_FIELDS, values, strict=True))
        rows.append((row | {"version": str(row["version"])}, body.encode()))
    return rows


def reason_of(version: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Where the value of a field of a version comes from, and which values lost.

    Raises:
        ProblemError: the asset has no such field, or nobody gives a value of it.
    """
    if field not in version:
        raise not_found(f"A {version['kind']} has no field {field}.")
    entry = next((one for one in version["provenance"] if field in one["fields"]), None)
    if entry is None:
        raise not_found(f"No source gives a value of {field} of {version['record_id']}.")
    members = version["members"]
    return {
        "record_id": version["record_id"],
        "kind": version["kind"],
        "version": version["version"],
        "known_at": version["known_at"],
        "field": field,
        "value": version[field],
        "rule": entry["rule"],
        "source": source_of(version["kind"], members[entry["member"]], field),
        "losing": [
            {
                "value": orjson.loads(one["value"]),
                "source": source_of(version["kind"], members[one["member"]], field),
            }
            for one in entry["losing"]
            if one["field"] == field
        ],
    }


def source_of(kind: str, member: Mapping[str, Any], field: str) -> dict[str, Any]:
    """A record of a source, down to the raw record and the fields a value is read from there."""
    lineage = member["lineage"]
    upstream = _UPSTREAM_FIELDS.get(member["source_id"], {}).get(kind, {}).get(field, ())
    return {
        "source_id": member["source_id"],
        "record_id": member["record_id"],
        "raw_topic": lineage["topic"],
        "raw_partition": lineage["partition"],
        "raw_offset": lineage["offset"],
        "upstream_fields": upstream,
        "observed_at": member["observed_at"],
        "source_updated_at": member["source_updated_at"],
        "licence": member["licence"],
        "attribution": member["attribution"],
    }


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


_TIME: Final = {"type": "string", "format": "date-time"}
_MERGED: Final[dict[int | str, dict[str, Any]]] = {
    308: {
        "description": "Merged: Location is the asset that took over.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}
_VERSION: Final = {
    "type": "object",
    "description": "A version: kind, what all kinds have, every field of its kind, members and "
    "provenance.",
    "required": ["kind", "record_id", "record_status", "version", "members", "provenance"],
    "properties": {
        "kind": {"type": "string"},
        "record_id": {"type": "string"},
        "record_status": {"enum": ["current", "withdrawn", "merged"]},
        "version": {"type": "string", "pattern": "^[0-9]+$"},
        "known_at": _TIME,
        "observed_at": _TIME,
        "members": {"type": "array", "items": {"type": "object"}},
        "provenance": {"type": "array", "items": {"type": "object"}},
        "flags": {"type": "array", "items": {"type": "string"}},
    },
}
_VERSIONS: Final = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "array", "items": _VERSION}},
}
_VINTAGES: Final = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": list(_VERSION_FIELDS),
                "properties": {
                    "version": {"type": "string"},
                    "record_status": {"type": "string"},
                    "known_at": _TIME,
                    "observed_at": _TIME,
                    "published_at": {"type": ["string", "null"], "format": "date-time"},
                    "partition": {"type": ["integer", "null"]},
                    "offset": {"type": ["integer", "null"]},
                },
            },
        }
    },
}
_SOURCE: Final = {
    "type": "object",
    "required": ["source_id", "record_id", "raw_topic", "raw_partition", "raw_offset"],
    "properties": {
        "source_id": {"type": "string"},
        "record_id": {"type": "string"},
        "raw_topic": {"type": "string"},
        "raw_partition": {"type": "integer"},
        "raw_offset": {"type": "integer"},
        "upstream_fields": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names at the source, the first that its release has; none: the value "
            "is not read from a field, or the source is gone.",
        },
    },
}
_WHY: Final = {
    "type": "object",
    "required": ["record_id", "field", "value", "rule", "source", "losing"],
    "properties": {
        "record_id": {"type": "string"},
        "field": {"type": "string"},
        "value": {},
        "rule": {"type": "string"},
        "source": _SOURCE,
        "losing": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["value", "source"],
                "properties": {"value": {}, "source": _SOURCE},
            },
        },
    },
}
