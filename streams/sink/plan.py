"""From a batch of records to the inserts that load it: pure, and the same for the same batch.

Why a token carries what it carries:

    topic id     a recreated topic starts again at offset 0 with other records
    partition    offsets are counted per partition
    first-last   a batch cut elsewhere after a restart is another insert
    hash         a new version of the sink may make other rows of the same records

A repeated batch is skipped by its token while the table remembers it, and collapses in the
ReplacingMergeTree otherwise.
"""

import hashlib
import marshal
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streams.batch import Batch, ConsumedRecord
from streams.codec import UndecodableError
from streams.core.errors import Rejected
from streams.core.records import AvroRecord
from streams.sink.rows import ROW_OF, Cell, Row, RowOf, reject_row
from streams.sink.tables import SINK_REJECTS, Table

Decode = Callable[[bytes | None], AvroRecord]
"""Framed bytes to a record; raises `UndecodableError`."""


@dataclass(frozen=True, slots=True)
class Insert:
    """One synchronous insert.

    Attributes:
        table: Where to.
        columns: The cells of each column, in the table's order.
        token: Deduplication token: equal tokens mean equal rows.
    """

    table: Table
    columns: tuple[tuple[Cell, ...], ...]
    token: str

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self.columns[0])


@dataclass(frozen=True, slots=True)
class Plan:
    """What loading one batch means.

    Attributes:
        inserts: At most one a table, in the order in which the rows first occur.
        rejected: Records that go to `sink_rejects`.
    """

    inserts: tuple[Insert, ...]
    rejected: int


def plan_batch(batch: Batch, topic_id: str, decode: Decode) -> Plan:
    """Inserts that load a batch; every record ends in a row of its table or of `sink_rejects`.

    Raises:
        KeyError: a topic the sink does not read (a bug).
        RegistryError: the registry did not answer; nothing is planned.
    """
    row_of = ROW_OF[batch.topic]
    rows: dict[Table, list[tuple[Cell, ...]]] = {}
    # Each record is mapped as soon as it is decoded: keeping all of them makes the garbage
    # collector walk 50 small objects a record again and again (a third of the time).
    for record in batch.records:
        row = _row(record, topic_id, decode, row_of)
        for table in row.tables:
            rows.setdefault(table, []).append(row.cells)
    inserts = tuple(_insert(batch, topic_id, table, cells) for table, cells in rows.items())
    return Plan(inserts, len(rows.get(SINK_REJECTS, ())))


def _row(record: ConsumedRecord, topic_id: str, decode: Decode, row_of: RowOf) -> Row:
    try:
        row = row_of(decode(record.value), record.timestamp)
    except UndecodableError as error:
        row = Rejected(error.rule_id, str(error))
    return reject_row(record, topic_id, row) if isinstance(row, Rejected) else row


def _insert(batch: Batch, topic_id: str, table: Table, rows: Iterable[tuple[Cell, ...]]) -> Insert:
    columns = tuple(zip(*rows, strict=True))
    offsets = f"{batch.first_offset}-{batch.last_offset}"
    token = f"{topic_id}:{batch.partition}:{offsets}:{rows_hash(columns)}"
    return Insert(table, columns, token)


def rows_hash(columns: tuple[tuple[Cell, ...], ...]) -> str:
    """Hash of the cells, the same in every process."""
    # Version 2 of the format writes every value in full; later ones refer to shared objects, and
    # which objects are shared is chance.
    return hashlib.blake2b(marshal.dumps(columns, 2), digest_size=16).hexdigest()
