"""One engine with made-up data, and the API in a thread of this process, as beside a sink."""

from collections.abc import Iterator

import httpx
import pytest

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.schema import ensure_schema
from streams.settings import Settings
from tests.serve.client import Api, free_port, running_api
from tests.serve.data import load
from tests.sink.records import WEIGHTS


@pytest.fixture(scope="package")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """What the sink would have loaded."""
    opened = ClickHouse(f"chdb://{tmp_path_factory.mktemp('clickhouse')}")
    ensure_schema(opened, WEIGHTS)
    load(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def server(clickhouse: ClickHouse) -> Iterator[httpx.Client]:
    """A client of the running API."""
    settings = Settings(
        clickhouse_dsn=clickhouse.address,
        api_port=free_port(),
        # Nobody is there: an API without the other services answers all the same.
        kafka_bootstrap=f"127.0.0.1:{free_port()}",
        postgres_dsn=f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        worker_port=free_port(),
    )
    with running_api(settings) as client:
        yield client


@pytest.fixture
def api(server: httpx.Client) -> Api:
    """The same, below the address of the resources."""
    return Api(server)
