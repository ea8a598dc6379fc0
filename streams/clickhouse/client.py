"""ClickHouse, a server or the embedded engine, behind one class.

    clickhouse://user:password@host:8123/database    server, HTTP interface
    clickhouses://… or https://…                     the same over TLS
    chdb:///path                                     embedded engine, data below path

The embedded engine allows one process a data directory: every query of another process goes
through the process that has it open.
"""

import fcntl
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import IOBase
from pathlib import Path
from queue import LifoQueue
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager_options
from urllib3.contrib.socks import SOCKSProxyManager

from streams.clickhouse.prepared import ISO_TIMES
from streams.clickhouse.table import Table
from streams.core.errors import SinkError
from streams.credentials import certificate_advice, clickhouse_arguments
from streams.proxies import proxy_of

CONNECTIONS = 4
"""Statements that run at once; further callers wait. Inserts and queries share them."""

_PIECE_BYTES = 256 * 1024

_INSERT_SETTINGS = {
    # The server's default answers before rows are stored.
    "async_insert": 0,
    # Views read with FINAL, so nothing need be collapsed now; a batch is too small for threads.
    # Together a third less time.
    "optimize_on_insert": 0,
    "max_threads": 1,
    **ISO_TIMES,
}

_REFUSALS = frozenset(
    {
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        117,  # INCORRECT_DATA
        469,  # VIOLATED_CONSTRAINT
    }
)
"""Error codes that mean: these bytes are no rows, and never will be."""

_UNREACHABLE = re.compile(r"\[Errno -?\d+\] ([^\"'()\[\]]+)")

_EMBEDDED = "chdb://"
_INTERFACES = {
    "clickhouse": "http",
    "http": "http",
    "clickhouses": "https",
    "https": "https",
}


class RefusedError(SinkError):
    """ClickHouse says the bytes of a record are no rows."""


class StatementError(SinkError):
    """ClickHouse has answered a statement with an error.

    Attributes:
        code: Its number, e.g. 62 for a syntax error.
        reason: What it says, without address and advice.
    """

    def __init__(self, message: str, code: int, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class QueryRows:
    """Result of a query.

    Attributes:
        columns: Column names.
        rows: One tuple a row; times are aware and UTC.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


class ClickHouse:
    """An open ClickHouse. Safe to use from several threads."""

    def __init__(
        self,
        dsn: str,
        connections: int = CONNECTIONS,
        session: Mapping[str, str | int] | None = None,
        database: str | None = None,
    ) -> None:
        """Connect.

        Args:
            dsn: The address.
            connections: Statements that run at once.
            session: Settings of every statement, set one after the other.
            database: Another database than the one of the address.

        Raises:
            SinkError: wrong address, no answer, wrong password, or the data directory is in use.
        """
        self._dsn = dsn
        self._session = dict(session or {})
        self._database: dict[str, Any] = {} if database is None else {"database": database}
        password = urlsplit(dsn).password or ""
        self._secrets = {secret for secret in (password, unquote(password)) if secret}
        # A connection runs one statement at a time, so each caller borrows one. None: not open yet.
        self._pool: LifoQueue[Client | None] = LifoQueue()
        self._pool.put(self._open())
        for _ in range(connections - 1):
            self._pool.put(None)
        self._connections = connections

    @property
    def address(self) -> str:
        """The address without its password."""
        return self._without_secrets(self._dsn)

    def insert(self, table: str, avro_file: bytes) -> None:
        """Insert records and wait until they are stored.

        Args:
            table: Where they go.
            avro_file: The records as an Avro file.

        Raises:
            RefusedError: the bytes of a record are no rows; nothing, or only a part, was stored.
            SinkError: no answer or another failure; insert again, views show nothing twice.
        """
        with self._client() as client:
            client.raw_insert(
                table,
                insert_block=avro_file,
                fmt="Avro",
                settings=_INSERT_SETTINGS,
            )

    def insert_rows(self, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """Insert a few rows into a storage table; times are milliseconds.

        Raises:
            SinkError: refused or no answer.
        """
        with self._client() as client:
            client.insert(
                table.name,
                rows,
                column_names=[column.name for column in table.columns],
                column_type_names=[column.type for column in table.columns],
                settings=_INSERT_SETTINGS,
            )

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        query_settings: Mapping[str, Any] | None = None,
    ) -> QueryRows:
        """Run a query; `{name:Type}` in it is replaced by a parameter.

        Raises:
            SinkError: refused or no answer.
        """
        with self._client() as client:
            result = client.query(
                sql, parameters=dict(parameters or {}), settings=dict(query_settings or {})
            )
            return QueryRows(tuple(result.column_names), [tuple(row) for row in result.result_rows])

    def formatted(
        self,
        sql: str,
        output_format: str,
        parameters: Mapping[str, Any] | None = None,
        query_settings: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The answer to a query in one of ClickHouse's own formats; parameters as in `query`.

        Raises:
            SinkError: refused or no answer.
        """
        # The embedded engine would put what it had written before a failure before the next answer.
        with self._client(drop_failed=True) as client:
            return client.raw_query(
                sql,
                parameters=dict(parameters or {}),
                settings=dict(query_settings or {}),
                fmt=output_format,
            )

    def stream(
        self, sql: str, output_format: str, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[bytes]:
        """The same in pieces as ClickHouse writes them.

        A connection is in use until the last piece is read or the iterator is closed; both must be
        done by the thread that took the first piece. The embedded engine writes formats with a head
        or a foot (Parquet, Arrow) whole before the first piece.

        Raises:
            SinkError: refused or no answer, maybe after some pieces.
        """
        with self._client(drop_failed=True) as client:
            pieces = client.raw_stream(sql, parameters=dict(parameters or {}), fmt=output_format)
            assert isinstance(pieces, IOBase)
            with pieces:
                while piece := pieces.read(_PIECE_BYTES):
                    yield piece

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that has no result; parameters as in `query`.

        Raises:
            SinkError: refused or no answer.
        """
        with self._client() as client:
            client.command(sql, parameters=dict(parameters or {}))

    def ping(self) -> bool:
        """Whether ClickHouse answers."""
        try:
            with self._client() as client:
                return client.ping()
        except SinkError:
            return False

    @contextmanager
    def in_database(self, name: str) -> Iterator["ClickHouse"]:
        """The same ClickHouse with another database, as long as the block.

        Raises:
            SinkError: no such database, or no answer.
        """
        other = ClickHouse(self._dsn, 1, self._session, name)
        try:
            yield other
        finally:
            other.close()

    def close(self) -> None:
        """Close every connection, after running statements end. The embedded engine stops."""
        for _ in range(self._connections):
            client = self._pool.get()
            if client is not None:
                client.close()

    @contextmanager
    def _client(self, *, drop_failed: bool = False) -> Iterator[Client]:
        client = self._pool.get()
        try:
            if client is None:
                client = self._open()
            yield client
        except (ClickHouseError, OSError) as error:
            if client is not None and drop_failed:
                client.close()
                client = None
            raise self._error(error) from error
        finally:
            self._pool.put(client)

    def _open(self) -> Client:
        if path := embedded_path(self._dsn):
            return self._open_embedded(path)
        interface = _INTERFACES.get(urlsplit(self._dsn).scheme)
        if interface is None:
            raise SinkError(
                "CLICKHOUSE_DSN must start with clickhouse://, clickhouses://, http://, https:// "
                "or chdb:///."
            )
        try:
            return clickhouse_connect.get_client(
                dsn=self._dsn,
                interface=interface,
                # Sessions forbid two statements at once and nothing here needs one.
                autogenerate_session_id=False,
                tz_mode="aware",
                settings=self._session,
                **self._database,
                **_connection_arguments(interface, self._dsn),
            )
        except (ClickHouseError, OSError) as error:
            raise self._error(error) from error

    def _open_embedded(self, path: Path) -> Client:
        try:
            path.mkdir(parents=True, exist_ok=True)
            return clickhouse_connect.get_client(
                interface="chdb",
                path=str(path),
                tz_mode="aware",
                settings=self._session,
                **self._database,
            )
        except (ClickHouseError, OSError) as error:
            # The engine names the reason on standard error only.
            if holder := holder_of(path):
                raise SinkError(
                    f"{path} is in use by {holder}: stop it, or send queries to it."
                ) from error
            raise SinkError(
                f"The embedded ClickHouse cannot open {path}: {error} "
                "Check the rights and the free space there."
            ) from error

    def _error(self, error: Exception) -> SinkError:
        text = self._without_secrets(str(error)).strip()
        code = getattr(error, "code", None)
        # The Avro library's exceptions arrive as STD_EXCEPTION with their class in the text.
        if code in _REFUSALS or "avro::Exception" in text:
            return RefusedError(text)
        if unreachable := _UNREACHABLE.search(text):
            # Around it are the layers of two libraries.
            text = f"{unreachable[1]}."
        message = (
            f"ClickHouse {self.address} failed: {text} "
            f"Check that it runs and that CLICKHOUSE_DSN is right.{certificate_advice(text)}"
        )
        if code is None:
            return SinkError(message)
        return StatementError(message, code, text.rpartition("DB::Exception: ")[2])

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(f":{secret}@", ":***@").replace(secret, "***")
        return text


def _connection_arguments(interface: str, dsn: str) -> dict[str, Any]:
    """Certificates and the proxy; the library itself reads only some of the variables of it."""
    certificates: dict[str, Any] = clickhouse_arguments(interface)
    proxy = proxy_of(f"{interface}://{urlsplit(dsn).netloc}")
    if proxy is None:
        return certificates
    if proxy.startswith("socks"):
        options = get_pool_manager_options(**certificates)
        return {"pool_mgr": SOCKSProxyManager(proxy, **options)}
    return {f"{interface}_proxy": proxy, **certificates}


def embedded_path(dsn: str) -> Path | None:
    """Data directory of the embedded engine that an address names, None for a server's address."""
    return Path(dsn.removeprefix(_EMBEDDED)) if dsn.startswith(_EMBEDDED) else None


def holder_of(path: Path) -> str | None:
    """Who has the embedded engine's data directory open, None when nobody has."""
    status = path / "status"
    try:
        with status.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = file.readline().removeprefix("PID:").strip()
                return f"process {pid}" if pid else "another process"
    except OSError:
        return None
    return None
