"""The same code against a ClickHouse server: addresses, settings on the wire, passwords."""

from collections.abc import Iterator

import pytest

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.counts import count_current, count_sink_rejects
from streams.clickhouse.schema import ensure_schema
from streams.core.errors import SinkError
from tests.sink.engine import CANONICAL, loader_of
from tests.sink.http_server import Server, serving
from tests.sink.records import WEIGHTS, batch, framed, plant

pytestmark = pytest.mark.integration

PASSWORD = "s3cret/@:"
IN_URL = "s3cret%2F%40%3A"


@pytest.fixture
def server(clickhouse: ClickHouse) -> Iterator[Server]:
    """A server over the data directory of the embedded engine, with empty tables."""
    with serving(clickhouse.address.removeprefix("chdb://"), PASSWORD) as running:
        yield running


@pytest.fixture
def remote(server: Server) -> Iterator[ClickHouse]:
    port = server.server_address[1]
    connected = ClickHouse(f"clickhouse://reader:{IN_URL}@127.0.0.1:{port}/default")
    yield connected
    connected.close()


def test_records_are_loaded_and_read_through_a_server(remote: ClickHouse) -> None:
    ensure_schema(remote, WEIGHTS)
    values = [framed(CANONICAL, plant(number)) for number in range(5)]
    values[2] = values[2][:-2]
    result = loader_of(remote, "uuid").load(batch(CANONICAL, values))
    assert (result.loaded, result.rejected) == (4, 1)
    assert count_current(remote)["power_plant"] == 4
    assert count_sink_rejects(remote) == 1
    assert remote.ping()


def test_every_insert_is_synchronous(remote: ClickHouse, server: Server) -> None:
    loader_of(remote, "uuid").load(batch(CANONICAL, [framed(CANONICAL, plant(1))]))
    assert {sent["async_insert"] for sent in server.insert_settings} == {"0"}


def test_no_session_binds_requests_together(remote: ClickHouse, server: Server) -> None:
    """A session allows one statement at a time: threads would get in each other's way."""
    remote.query("SELECT 1")
    assert server.sessions == set()


def test_a_wrong_password_is_not_repeated_in_the_error(server: Server) -> None:
    wrong = f"clickhouse://reader:wr0ng%2F@127.0.0.1:{server.server_address[1]}/default"
    with pytest.raises(SinkError, match=r"516.*CLICKHOUSE_DSN") as caught:
        ClickHouse(wrong)
    assert "wr0ng" not in str(caught.value)


def test_the_address_shows_no_password(remote: ClickHouse) -> None:
    assert PASSWORD not in remote.address
    assert IN_URL not in remote.address
    assert remote.address.startswith("clickhouse://reader:***@127.0.0.1")
