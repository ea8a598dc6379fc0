"""Assets of every kind: a type each with the columns of its list, and where values come from."""

from collections.abc import Mapping
from dataclasses import fields, make_dataclass
from functools import cache
from typing import Any, Final, Generic

import orjson
import strawberry
from pydantic import ValidationError
from strawberry import relay
from strawberry.relay import NodeType
from strawberry.scalars import JSON
from strawberry.types import Info
from strawberry.utils.str_converters import to_camel_case

from streams.clickhouse import bounds
from streams.clickhouse.asset_queries import asset_known_at
from streams.clickhouse.kind_queries import (
    RANK,
    Filters,
    count_kind,
    list_kind,
    shown_columns,
)
from streams.clickhouse.kind_queries import After as LastRow
from streams.clickhouse.tables import KINDS, SERIES_KINDS, kinds
from streams.serve.assets import reason_of, source_of
from streams.serve.graphql.loaders import Loaders, Row, VersionsAsked
from streams.serve.graphql.scalars import After, Time, column_type, moment_of
from streams.serve.list_parameters import ListAsked, list_model, selection
from streams.serve.lists import after_of, best_sort, cursor_of, searched
from streams.serve.problems import not_found, wrong_of, wrong_parameters

MOST_IN_A_PAGE: Final = 500
MOST_IDS: Final = 200
_PAGE: Final = 20
_PAGING: Final = frozenset({"limit", "cursor", "total", "format", "group_by", "sum"})
_GRAPHQL_TYPES: Final = {"string": str, "number": float, "integer": int, "boolean": bool}

Context = Info[Loaders, None]


@strawberry.type
class SourceRecord:
    """A record of a source, down to the raw record in Kafka."""

    source_id: str
    record_id: str
    raw_topic: str
    raw_partition: int
    raw_offset: str
    upstream_fields: list[str] | None = strawberry.field(
        description="Fields there that the value is read from; null: it is not of one value."
    )
    observed_at: str
    source_updated_at: str | None
    licence: str
    attribution: str


@strawberry.type
class LosingValue:
    """A value that another one was preferred to."""

    value: JSON | None
    source: SourceRecord


@strawberry.type
class Reason:
    """Where the value of a field comes from, and which values lost."""

    field: str
    value: JSON | None
    rule: str
    source: SourceRecord
    losing: list[LosingValue]


@strawberry.type
class AssetVersion:
    """A version of an asset: when it was known and where it was published."""

    version: str
    record_status: str
    known_at: str
    observed_at: str
    published_at: str | None
    partition: int | None
    offset: str | None
    body: JSON = strawberry.field(description="All of it, members and provenance included.")


@strawberry.interface(description="What every kind of asset has.")
class Asset(relay.Node):
    """An asset; `id` is for relay, `record_id` is the id everywhere else."""

    kind: str
    record_id: str
    record_status: str
    replaced_by: str | None
    version: str
    source_ids: list[str]
    flags: list[str]
    body: strawberry.Private[Row | None] = None

    @classmethod
    def resolve_id(cls, root: Any, *, info: Info) -> str:
        """The id within its type."""
        return str(root.record_id)

    @classmethod
    def resolve_id_attr(cls) -> str:
        """The attribute with the id."""
        return "record_id"

    @strawberry.field(description="The records of the sources that are this asset.")
    async def members(self, info: Context) -> list[SourceRecord]:
        """Records."""
        body = await self._body(info)
        return [_source(self.kind, member) for member in body["members"]]

    @strawberry.field(description="Where the value of every field comes from.")
    async def provenance(self, info: Context) -> list[Reason]:
        """Reasons, by field."""
        body = await self._body(info)
        names = sorted({name for entry in body["provenance"] for name in entry["fields"]})
        return [_reason(body, name) for name in names]

    @strawberry.field(description="Where the value of one field comes from; camel case or not.")
    async def why(self, info: Context, field: str) -> Reason:
        """The reason."""
        body = await self._body(info)
        names = {to_camel_case(name): name for name in body}
        return _reason(body, names.get(field, field))

    @strawberry.field(
        description="Versions, newest first; interim ones, which another one of the same release "
        "replaced at once, only when asked for."
    )
    async def history(
        self, info: Context, first: int = _PAGE, interim: bool = False
    ) -> list[AssetVersion]:
        """Versions."""
        limit = bounds.whole("first", first, 1, MOST_IN_A_PAGE)
        asked = VersionsAsked(self.kind, self.record_id, limit, interim)
        return [_version(row) for row in await info.context.versions.load(asked)]

    async def _body(self, info: Context) -> Row:
        body = self.body or await info.context.bodies.load(self.record_id)
        assert body is not None
        return body


@strawberry.type(name="Connection")
class AssetConnection(relay.Connection[NodeType], Generic[NodeType]):
    """A page of the assets of a kind."""

    of_kind: strawberry.Private[str]
    filters: strawberry.Private[Filters]

    @strawberry.field(description="How many there are in all; costs a query of its own.")
    async def total_count(self, info: Context) -> int:
        """All of them."""
        query = count_kind(self.of_kind, self.filters)
        return int(await info.context.services.reader.answer(query, "TabSeparated"))


def asset_kinds() -> list[str]:
    """Every kind of assets."""
    return [kind for kind in KINDS if kind not in SERIES_KINDS]


@cache
def asset_type(kind: str) -> Any:
    """The type of a kind: the columns of its list."""
    common = set(Asset.__annotations__)
    shown = set(shown_columns(kind))
    members = [
        (column.name, column_type(column.type), strawberry.field(description=column.comment))
        for column in kinds()[kind].latest.columns
        if column.name in shown and column.name not in common
    ]
    made = make_dataclass(_type_name(kind), members, bases=(Asset,), kw_only=True)
    return strawberry.type(made, description=f"A {kind.replace('_', ' ')} some source lists.")


def asset_of(row: Row) -> Asset:
    """An asset from the JSON of its version."""
    return _asset(row["kind"], row, row)


def _asset(kind: str, row: Row, body: Row | None) -> Asset:
    made = asset_type(kind)
    names = (field.name for field in fields(made) if field.init)
    values = {name: row.get(name) for name in names}
    asset: Asset = made(**{**values, "kind": kind, "body": body})
    return asset


@cache
def filter_type(kind: str) -> Any:
    """Filters of the list of a kind, as in REST."""
    members = []
    for name, schema in list_model(kind).model_json_schema()["properties"].items():
        if name not in _PAGING:
            described = strawberry.field(description=schema.get("description"), default=None)
            members.append((name, _argument_type(schema) | None, described))
    made = make_dataclass(f"{_type_name(kind)}Filter", members)
    return strawberry.input(made, description="Filters of the list of REST, by the same names.")


def _argument_type(schema: Mapping[str, Any]) -> Any:
    for one in schema.get("anyOf", ()):
        if one.get("type") != "null":
            return _argument_type(one)
    if schema.get("type") == "array":
        return list[str]
    return _GRAPHQL_TYPES[schema.get("type", "string")]


def list_field(kind: str) -> Any:
    """The field with the list of a kind."""
    made: Any = asset_type(kind)
    filters = filter_type(kind)

    async def assets(
        info: Any, first: int = _PAGE, after: str | None = None, filter: Any = None
    ) -> Any:
        bounds.whole("first", first, 1, MOST_IN_A_PAGE)
        reader = info.context.services.reader
        asked = _asked(kind, filter, after)
        wanted = await searched(reader, kind, selection(kind, asked))
        sort = wanted.sort or best_sort(wanted)
        query = list_kind(kind, wanted.filters, sort, after_of(wanted), first + 1)
        rows = await info.context.rows(query)
        edges: list[relay.Edge[Any]] = [
            relay.Edge(
                cursor=cursor_of(wanted, LastRow(row[sort.column], row["record_id"])),
                node=_asset(kind, row, None),
            )
            for row in rows[:first]
        ]
        page = relay.PageInfo(
            # Hits have one page, as in REST.
            has_next_page=len(rows) > first and sort.column != RANK,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return AssetConnection(page_info=page, edges=edges, of_kind=kind, filters=wanted.filters)

    assets.__annotations__ |= {
        "info": Context,
        "after": After,
        "filter": filters | None,
        "return": AssetConnection[made],
    }
    return strawberry.field(
        assets, description=f"Every {kind.replace('_', ' ')} some source lists, in pages."
    )


def _asked(kind: str, filters: Any, after: str | None) -> ListAsked:
    given = {} if filters is None else vars(filters)
    asked = {name: value for name, value in given.items() if value is not None}
    if after is not None:
        asked["cursor"] = after
    try:
        return list_model(kind).model_validate(asked)
    except ValidationError as error:
        raise wrong_parameters(
            [wrong_of({**one, "loc": ("filter", *one["loc"])}) for one in error.errors()]
        ) from error


async def one_asset(info: Context, record_id: str, known_at: Time | None = None) -> Asset:
    """An asset now, whatever its status, or as it was known at a time."""
    row = await info.context.bodies.load(bounds.text("recordId", record_id))
    if row is None:
        raise not_found(f"No asset has the id {record_id}: ids come from the lists.")
    moment = moment_of("knownAt", known_at)
    if moment is None:
        return asset_of(row)
    query = asset_known_at(row["kind"], record_id, moment)
    answer = await info.context.services.reader.answer(query, "LineAsString")
    if not answer:
        raise not_found(f"Nothing was known of {record_id} at {known_at}.")
    return asset_of(orjson.loads(answer))


async def node(info: Context, id: strawberry.ID) -> relay.Node | None:
    """An asset by its `id` of relay; null: there is none."""
    allowed = "the id of an asset, from the field id; by its record id, ask for asset"
    try:
        found = relay.GlobalID.from_id(id)
    except relay.GlobalIDValueError as error:
        raise wrong_parameters([("id", allowed)]) from error
    if found.type_name not in _types():
        raise wrong_parameters([("id", allowed)])
    row = await info.context.bodies.load(bounds.text("id", found.node_id))
    return None if row is None or _type_name(row["kind"]) != found.type_name else asset_of(row)


@cache
def _types() -> frozenset[str]:
    return frozenset(_type_name(kind) for kind in asset_kinds())


async def some_assets(info: Context, ids: list[str]) -> list[Asset | None]:
    """Assets by id, in the order of the ids; null where there is none."""
    if len(ids) > MOST_IDS:
        raise wrong_parameters([("ids", f"at most {MOST_IDS} ids")])
    wanted = [bounds.text("ids", record_id) for record_id in ids]
    found = await info.context.bodies.load_many(wanted)
    return [None if row is None else asset_of(row) for row in found]


def _version(row: Row) -> AssetVersion:
    values: Row = {name: row.get(name) for name in AssetVersion.__annotations__ if name != "body"}
    return AssetVersion(body=JSON(row), **values)


def _reason(body: Row, field: str) -> Reason:
    found = reason_of(body, field)
    return Reason(
        field=field,
        value=found["value"],
        rule=found["rule"],
        source=SourceRecord(**found["source"]),
        losing=[
            LosingValue(value=one["value"], source=SourceRecord(**one["source"]))
            for one in found["losing"]
        ],
    )


def _source(kind: str, member: Mapping[str, Any]) -> SourceRecord:
    return SourceRecord(**{**source_of(kind, member, ""), "upstream_fields": None})


def _type_name(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split("_"))
