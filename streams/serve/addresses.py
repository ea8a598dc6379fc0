"""Where resources are."""

from collections.abc import Mapping
from typing import Final

from streams.clickhouse.tables import KINDS, SERIES_KINDS

API: Final = "/infrastructure/api/v1"
PREFIX: Final = f"{API}/infrastructure"
FEATURES: Final = f"{API}/ogc"
TILES: Final = f"{API}/tiles"
GRAPHQL: Final = f"{API}/graphql"

LISTS: Final[Mapping[str, str]] = {
    view.replace("_", "-"): kind for kind, view in KINDS.items() if kind not in SERIES_KINDS
}
"""Kind of assets by the last part of its list's address, e.g. power-plants."""
