"""The address of GraphQL, its schema, and what a query may not do."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import strawberry
from fastapi import APIRouter, Depends
from starlette.requests import Request
from strawberry.extensions import (
    MaxAliasesLimiter,
    MaxTokensLimiter,
    ParserCache,
    QueryDepthLimiter,
)
from strawberry.fastapi import GraphQLRouter
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type

from streams.clickhouse.tables import KINDS
from streams.serve.addresses import GRAPHQL
from streams.serve.graphql import assets, candidates, inventory, operation
from streams.serve.graphql.cost import RowBudget
from streams.serve.graphql.errors import LoggedSchema, PlainErrors
from streams.serve.graphql.loaders import Loaders, Services
from streams.serve.graphql.scalars import SCALARS
from streams.serve.problems import ProblemError

MOST_DEPTH: Final = 10
MOST_ALIASES: Final = 30
MOST_TOKENS: Final = 2000
MOST_BYTES: Final = 64 * 1024
_PARSED: Final = 200


def graphql(services: Services) -> APIRouter:
    """The address of GraphQL: POST only, and no page, as its scripts would come from elsewhere."""

    def loaders() -> Loaders:
        return Loaders(services)

    router: GraphQLRouter[Loaders, None] = GraphQLRouter(
        schema(),
        path=GRAPHQL,
        graphql_ide=None,
        allow_queries_via_get=False,
        subscription_protocols=(),
        context_getter=loaders,
        dependencies=[Depends(_not_too_long)],
        include_in_schema=False,
    )
    return router


def schema() -> strawberry.Schema:
    """Every type, with the limits."""
    query = create_type("Query", _fields())
    return LoggedSchema(
        query,
        types=[assets.asset_type(kind) for kind in assets.asset_kinds()],
        extensions=[
            lambda: QueryDepthLimiter(max_depth=MOST_DEPTH),
            lambda: MaxAliasesLimiter(max_alias_count=MOST_ALIASES),
            lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
            lambda: ParserCache(maxsize=_PARSED),
            RowBudget,
            PlainErrors,
        ],
        config=StrawberryConfig(scalar_map=SCALARS, relay_max_results=assets.MOST_IN_A_PAGE),
    )


_RESOLVERS: Final[Mapping[str, Any]] = {
    "asset": assets.one_asset,
    "assets": assets.some_assets,
    "node": assets.node,
    "lng_inventory": inventory.lng_inventory,
    "lng_inventory_revisions": inventory.lng_inventory_revisions,
    "lng_inventory_vintages": inventory.lng_inventory_vintages,
    "lng_series": inventory.lng_series,
    "data_quality": operation.quality,
    "rule_failures": operation.failed_rules,
    "sources": operation.every_source,
    "changes": operation.changes,
    "candidates": candidates.candidates,
}


def _fields() -> list[Any]:
    fields: dict[str, Any] = {KINDS[kind]: assets.list_field(kind) for kind in assets.asset_kinds()}
    for name, resolver in _RESOLVERS.items():
        fields[name] = strawberry.field(resolver, description=inspect.getdoc(resolver))
    for name, field in fields.items():
        field.python_name = name
    return list(fields.values())


def _not_too_long(request: Request) -> None:
    """Refuse a body before it is read.

    Raises:
        ProblemError: it is too long, or does not say how long it is.
    """
    if request.method != "POST":
        return
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise ProblemError("length-required", 411, "Send the query with its Content-Length.")
    if int(length) > MOST_BYTES:
        raise ProblemError(
            "query-too-long", 413, f"A query has at most {MOST_BYTES:,} bytes with its variables."
        )
