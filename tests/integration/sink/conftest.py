"""One embedded engine for all tests here: a process can have one data directory open."""

from collections.abc import Iterator

import pytest

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.schema import ensure_schema
from streams.sink.loader import Loader
from tests.sink.engine import empty_tables, loader_of
from tests.sink.records import WEIGHTS


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    clickhouse = ClickHouse(f"chdb://{tmp_path_factory.mktemp('clickhouse')}")
    ensure_schema(clickhouse, WEIGHTS)
    yield clickhouse
    clickhouse.close()


@pytest.fixture
def clickhouse(engine: ClickHouse) -> ClickHouse:
    """The engine with empty tables."""
    empty_tables(engine)
    return engine


@pytest.fixture
def loader(clickhouse: ClickHouse) -> Loader:
    return loader_of(clickhouse, "first life of the topic")
