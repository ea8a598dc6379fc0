"""The page for analysts, run: a Parquet address of the API read by pandas, polars and DuckDB."""

import io
from datetime import UTC, date, datetime
from urllib.request import urlopen

import duckdb
import httpx
import pandas
import polars
import pyarrow.parquet
import pytest
from duckdb_extensions import import_extension

from streams.serve.addresses import PREFIX
from streams.settings import PROJECT_ROOT
from tests.project_copy import blocks

PAGE = PROJECT_ROOT / "streams" / "serve" / "ANALYSTS.md"
SERIES = "lng-inventory/ES_BARCELONA?start_date=2025-10-01&end_date=2025-10-05&format=parquet"
PLANTS = "power-plants?format=parquet"
DAYS = [date(2025, 10, day) for day in range(1, 6)]
FIRST_DAY_START = datetime(2025, 10, 1, 5, tzinfo=UTC)


@pytest.fixture
def address(server: httpx.Client) -> str:
    """Below which resources are, without a slash at the end."""
    return f"{str(server.base_url).rstrip('/')}{PREFIX}"


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    """DuckDB with its extension for addresses, which it would fetch from the network itself."""
    import_extension("httpfs")
    connection = duckdb.connect()
    connection.execute("LOAD httpfs")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def test_pandas_has_types_units_and_nulls(address: str) -> None:
    days = pandas.read_parquet(f"{address}/{SERIES}")
    assert list(days["gas_day"]) == DAYS
    assert days["inventory_gwh"].tolist() == [1100.0, 1000.0, 1000.0, 1000.0, 1000.0]
    assert days["inventory_gwh"].dtype == "float64"
    assert days["send_out_gwh_per_day"].isna().all()
    assert str(days["gas_day_start"].dtype) == "datetime64[ms, UTC]"
    assert days["gas_day_start"][0] == FIRST_DAY_START
    plants = pandas.read_parquet(f"{address}/{PLANTS}")
    assert len(plants) > 300
    assert plants["retired_year"].isna().any()
    assert list(plants.loc[plants["name"] == "Suva", "country_code"]) == ["FJ"]


def test_polars_has_types_units_and_nulls(address: str) -> None:
    with urlopen(f"{address}/{SERIES}") as answer:
        days = polars.read_parquet(io.BytesIO(answer.read()))
    assert days["gas_day"].to_list() == DAYS
    assert days.schema["gas_day"] == polars.Date
    assert days.schema["gas_day_start"] == polars.Datetime("ms", "UTC")
    assert days.schema["inventory_gwh"] == polars.Float64
    assert days["send_out_gwh_per_day"].null_count() == len(DAYS)
    assert days.schema["flags"] == polars.List(polars.String)
    with urlopen(f"{address}/{PLANTS}") as answer:
        plants = polars.read_parquet(io.BytesIO(answer.read()))
    assert plants.schema["capacity_mw"] == polars.Float64
    assert plants.filter(polars.col("name") == "Suva")["country_code"].to_list() == ["FJ"]


def test_duckdb_has_types_units_and_nulls(duck: duckdb.DuckDBPyConnection, address: str) -> None:
    days = duck.sql(f"SELECT * FROM read_parquet('{address}/{SERIES}')")
    types = dict(zip(days.columns, map(str, days.types), strict=True))
    assert types["gas_day"] == "DATE"
    assert types["gas_day_start"] == "TIMESTAMP WITH TIME ZONE"
    assert types["inventory_gwh"] == "DOUBLE"
    assert types["flags"] == "VARCHAR[]"
    found = duck.sql(
        "SELECT gas_day, inventory_gwh, send_out_gwh_per_day IS NULL, epoch_ms(gas_day_start) "
        f"FROM read_parquet('{address}/{SERIES}') ORDER BY gas_day"
    ).fetchall()
    assert found[0] == (DAYS[0], 1100.0, True, round(FIRST_DAY_START.timestamp() * 1000))
    assert [row[0] for row in found] == DAYS
    (operating,) = duck.sql(
        f"SELECT sum(capacity_mw) > 0 FROM read_parquet('{address}/{PLANTS}') "
        "WHERE status = 'operating'"
    ).fetchall()
    assert operating == (True,)


def test_every_reader_sees_the_same_values(
    duck: duckdb.DuckDBPyConnection, server: httpx.Client, address: str
) -> None:
    content = server.get(f"{PREFIX}/{PLANTS}").content
    plain = pyarrow.parquet.read_table(io.BytesIO(content)).select(["record_id", "capacity_mw"])
    expected = sorted((row["record_id"], row["capacity_mw"]) for row in plain.to_pylist())
    by_duckdb = duck.sql(
        f"SELECT record_id, capacity_mw FROM read_parquet('{address}/{PLANTS}')"
    ).fetchall()
    by_polars = polars.read_parquet(io.BytesIO(content)).select("record_id", "capacity_mw").rows()
    assert sorted(by_duckdb) == expected
    assert sorted(by_polars) == expected


def test_the_snippets_of_the_page_run(
    duck: duckdb.DuckDBPyConnection, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they are written there, with the address of this server."""
    monkeypatch.setattr(duckdb, "sql", duck.sql)
    snippets = [one["text"] for one in blocks(PAGE.read_text("utf-8")) if one["kind"] == "python"]
    assert len(snippets) == 3
    for snippet in snippets:
        names: dict[str, object] = {}
        exec(snippet.replace(f"http://127.0.0.1:8000{PREFIX}", address), names)
        assert str(names["found"])
