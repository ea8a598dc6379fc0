"""Queries of people on the real engine: what is answered, what is refused, where it ends."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.output_format import OutputFormat
from streams.clickhouse.queries import QUERIES_AT_ONCE, Limits, Queries, QueryError
from streams.sink.loader import Loader
from tests.sink.engine import CANONICAL, plants, stored_rows
from tests.sink.http_server import serving
from tests.sink.records import batch, framed, plant

pytestmark = pytest.mark.integration

SMALL = Limits(seconds=1, rows=50, answer_mb=1, memory_mb=100)
STORED = "store_power_plants_versions"


@pytest.fixture
def queries(clickhouse: ClickHouse, loader: Loader) -> Iterator[Queries]:
    """Queries with small limits on three plants."""
    loader.load(plants(range(3)))
    opened = Queries(clickhouse.address, SMALL)
    yield opened
    opened.close()


def rows(queries: Queries, sql: str) -> list[list[str]]:
    answer = queries.answer(sql, OutputFormat.CSV).decode()
    return list(csv.reader(answer.splitlines()))[1:]


def test_a_table_is_read(queries: Queries) -> None:
    table = queries.answer("SELECT count() AS plants FROM power_plants", OutputFormat.TABLE)
    assert table.decode().splitlines() == ["┌─plants─┐", "│      3 │", "└────────┘"]


def test_csv_has_a_heading_and_leaves_null_empty(queries: Queries) -> None:
    answer = queries.answer("SELECT 'a,b' AS text, NULL AS nothing, 1.5 AS x", OutputFormat.CSV)
    assert answer.decode().splitlines() == ['"text","nothing","x"', '"a,b",,1.5']


@pytest.mark.parametrize("found", [0, 2])
def test_json_is_one_list_of_objects(queries: Queries, found: int) -> None:
    sql = f"SELECT number AS n, NULL AS nothing, [1, 2] AS list FROM numbers({found}) ORDER BY n"
    answer = json.loads(queries.answer(sql, OutputFormat.JSON))
    assert answer == [{"n": number, "nothing": None, "list": [1, 2]} for number in range(found)]


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("SELECT 1;", [["1"]]),
        ("SELECT 1 -- ; DROP TABLE x", [["1"]]),
        ("SELECT /* INTO OUTFILE 'x' */ 1", [["1"]]),
        ("SELECT '; DROP TABLE x', 'it''s a `file`'", [["; DROP TABLE x", "it's a `file`"]]),
        ("SELECT 'python \\' INTO OUTFILE ' AS \"a'b\"", [["python ' INTO OUTFILE "]]),
        ("WITH 2 AS two SELECT two ORDER BY 1 DESC", [["2"]]),
        ("(SELECT 1) UNION ALL SELECT 1", [["1"], ["1"]]),
        ("FROM numbers(3) SELECT number ORDER BY number DESC", [["2"], ["1"], ["0"]]),
        ("SELECT format('{}-{}', 'a', 'b')", [["a-b"]]),
        ("SELECT count() FROM system.tables WHERE name = 'no_such_table'", [["0"]]),
    ],
)
def test_what_only_looks_like_more_than_a_select_is_answered(
    queries: Queries, sql: str, answer: list[list[str]]
) -> None:
    assert rows(queries, sql) == answer


@pytest.mark.parametrize(
    "sql",
    [
        f"INSERT INTO {STORED} SELECT * FROM {STORED}",
        f"DROP TABLE {STORED}",
        f"TRUNCATE TABLE {STORED}",
        f"ALTER TABLE {STORED} DELETE WHERE 1",
        f"SELECT 1; DROP TABLE {STORED}",
        f"SELECT 1) ; DROP TABLE {STORED} -- ",
        "CREATE TABLE other (a Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE other (a Int8)",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT number FROM numbers(60) SETTINGS max_result_rows = 0",
        "SELECT 1 FORMAT CSV",
        "USE system",
        "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "SELECT * FROM (EXPLAIN SELECT 1)",
        "",
        "-- nothing",
    ],
)
def test_everything_but_one_select_is_refused(
    queries: Queries, clickhouse: ClickHouse, sql: str
) -> None:
    with pytest.raises(QueryError):
        queries.answer(sql, OutputFormat.CSV)
    assert stored_rows(clickhouse) == 3
    assert rows(queries, "SELECT currentDatabase(), getSetting('readonly')") == [["default", "1"]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 INTO OUTFILE '{path}'",
        "SELECT 1 /* */ into -- \n outfile '{path}' FORMAT CSV",
        "SELECT 'it''s' AS `a'` INTO OUTFILE '{path}' TRUNCATE",
        "(SELECT 1) INTO OUTFILE '{path}'",
        "SELECT 1) INTO OUTFILE '{path}' -- ",
        "EXPLAIN SELECT 1 INTO OUTFILE '{path}'",
        "EXPLAIN AST SELECT 1 INTO OUTFILE '{path}'",
        "SELECT 1; SELECT 1 INTO OUTFILE '{path}'",
        "INSERT INTO FUNCTION file('{path}', 'CSV', 'a Int8') SELECT 1",
    ],
)
def test_no_file_is_written(queries: Queries, tmp_path: Path, sql: str) -> None:
    path = tmp_path / "written.csv"
    with pytest.raises(QueryError):
        queries.answer(sql.format(path=path), OutputFormat.CSV)
    assert not path.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT file('{path}')",
        "SELECT \"file\"('{path}')",
        "SELECT `fi\\x6ce`('{path}')",
        "SELECT 1 AS `a'`, file('{path}'), 'b'",
        "SELECT * APPLY file FROM (SELECT '{path}' AS path)",
        "SELECT COLUMNS('path') APPLY(x -> file(x)) FROM (SELECT '{path}' AS path)",
        "SELECT arrayMap(file, ['{path}'])",
        "SELECT arrayMap(x -> file(x), ['{path}'])",
        "SELECT * FROM file('{path}', 'LineAsString')",
        "SELECT * FROM view(SELECT file('{path}'))",
        "SELECT * FROM eval(concat('SELECT fi', 'le(''{path}'')'))",
        "SELECT * FROM `{path}`",
        "SELECT * FROM '{path}'",
        "SELECT * FROM filesystem('{path}')",
        "DESCRIBE file('{path}', 'LineAsString')",
    ],
)
def test_no_file_is_read(queries: Queries, tmp_path: Path, sql: str) -> None:
    path = tmp_path / "secret.csv"
    path.write_text("s3cret")
    with pytest.raises(QueryError) as caught:
        queries.answer(sql.format(path=path), OutputFormat.CSV)
    assert "s3cret" not in str(caught.value)


def test_every_table_function_that_reaches_out_is_refused(
    queries: Queries, clickhouse: ClickHouse
) -> None:
    found = clickhouse.query("SELECT name FROM system.table_functions WHERE NOT allow_readonly")
    names = {name for (name,) in found.rows} - {"zeros", "zeros_mt"}
    assert names > {"file", "url", "s3", "remote", "mysql", "postgresql", "python", "executable"}
    for name in names:
        with pytest.raises(QueryError):
            queries.answer(f"SELECT * FROM {name}('http://127.0.0.1:1/a/b', 'x')", OutputFormat.CSV)
    for name in ("url", "remote", "postgresql", "executable", "s3"):
        arguments = "'http://127.0.0.1:1/bucket/x.csv', 'CSV', 'a Int8'"
        if name in ("remote", "postgresql"):
            arguments = "'127.0.0.1:1', 'a', 'b', 'c', 'd'"
        with pytest.raises(QueryError, match="Only reading is allowed"):
            queries.answer(f"SELECT * FROM {name}({arguments})", OutputFormat.CSV)


@pytest.mark.parametrize(
    ("sql", "narrow"),
    [
        ("SELECT count() FROM numbers(1e13)", "longer than 1 s: narrow it with WHERE"),
        ("SELECT number FROM numbers(60)", "more than 50 rows or 1 MB: add LIMIT"),
        (
            "SELECT repeat('a', 100000) || toString(number) FROM numbers(40)",
            "more than 50 rows or 1 MB: add LIMIT",
        ),
        ("SELECT groupArray(number) FROM numbers(1e9)", "more than 100 MB of memory: narrow"),
    ],
)
def test_a_limit_says_what_to_narrow(queries: Queries, sql: str, narrow: str) -> None:
    for _ in range(QUERIES_AT_ONCE):
        with pytest.raises(QueryError, match=narrow):
            queries.answer(sql, OutputFormat.CSV)
    for _ in range(QUERIES_AT_ONCE):
        assert queries.answer("SELECT 1 AS one", OutputFormat.CSV) == b'"one"\n1\n'


def test_a_mistake_is_said_as_clickhouse_says_it_and_short(queries: Queries) -> None:
    with pytest.raises(QueryError) as caught:
        queries.answer("SELECT capacity FROM power_plants", OutputFormat.CSV)
    assert "Unknown expression identifier `capacity`" in str(caught.value)
    with pytest.raises(QueryError) as caught:
        queries.answer("SELECT count( FROM power_plants", OutputFormat.CSV)
    assert "Syntax error: failed at position" in str(caught.value)
    assert "formatQuery" not in str(caught.value)


def test_loading_goes_on_beside_queries_and_after_refused_ones(
    queries: Queries, clickhouse: ClickHouse, loader: Loader
) -> None:
    """What is set for queries must not reach the connections that insert."""
    with pytest.raises(QueryError):
        queries.answer(f"DROP TABLE {STORED}", OutputFormat.CSV)
    loader.load(batch(CANONICAL, [framed(CANONICAL, plant(9))], first_offset=3))
    assert rows(queries, "SELECT count() FROM power_plants") == [["4"]]
    clickhouse.command(f"TRUNCATE TABLE {STORED}")


def test_a_server_is_asked_in_the_same_way(queries: Queries, clickhouse: ClickHouse) -> None:
    path = clickhouse.address.removeprefix("chdb://")
    with serving(path, "s3cret") as server:
        remote = Queries(
            f"clickhouse://reader:s3cret@127.0.0.1:{server.server_address[1]}/default", SMALL
        )
        assert rows(remote, "SELECT count() FROM power_plants") == [["3"]]
        with pytest.raises(QueryError, match="Only one SELECT"):
            remote.answer(f"DROP TABLE {STORED}", OutputFormat.CSV)
        with pytest.raises(QueryError, match="add LIMIT"):
            remote.answer("SELECT number FROM numbers(60)", OutputFormat.CSV)
        remote.close()
    assert stored_rows(clickhouse) == 3
