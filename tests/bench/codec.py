"""The compiled Avro writer and reader beside fastavro, on the examples of every contract.

No broker, no registry. Both must give the same, or the figure is void.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from statistics import median
from time import process_time
from typing import Any

from fastavro import schemaless_reader, schemaless_writer
from rich.table import Table

from streams.avro.contracts import AvroSchema, contract, contract_names
from streams.avro.reader import compile_reader
from streams.avro.writer import compile_writer
from tests.avro.examples import Example, examples, to_record
from tests.bench.measure import VoidRunError

WRITE_GOAL = 1.5
READ_GOAL = 1.0
"""How many times as fast as fastavro each must be, for every contract; else fastavro does it."""

_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class CodecCost:
    """Microseconds of processor time per record of one contract, this codec and fastavro.

    Attributes:
        size: Bytes of a record, on average.
    """

    contract: str
    size: int
    write: float
    fastavro_write: float
    read: float
    fastavro_read: float

    @property
    def write_ratio(self) -> float:
        """How many times as fast as fastavro this codec writes."""
        return self.fastavro_write / self.write

    @property
    def read_ratio(self) -> float:
        """How many times as fast as fastavro this codec reads."""
        return self.fastavro_read / self.read


def codec_cost() -> list[CodecCost]:
    """Measure every contract once.

    Raises:
        VoidRunError: the two write or read a record differently.
    """
    valid = examples("valid")
    return [
        _measured(name, [example for example in valid if example.contract == name])
        for name in contract_names()
    ]


def _measured(name: str, of_contract: Sequence[Example]) -> CodecCost:
    schema = contract(name).parsed()
    records = [to_record(schema, example.value, complete=True) for example in of_contract]
    write, read = compile_writer(schema), compile_reader(schema)
    fastavro_write, fastavro_read = (
        partial(_fastavro_write, schema),
        partial(_fastavro_read, schema),
    )
    bodies = [fastavro_write(record) for record in records]
    if [write(record) for record in records] != bodies:
        raise VoidRunError(f"{name} is written differently by fastavro.")
    if [read(body, 0) for body in bodies] != [fastavro_read(body) for body in bodies]:
        raise VoidRunError(f"{name} is read differently by fastavro.")
    return CodecCost(
        name,
        sum(map(len, bodies)) // len(bodies),
        _microseconds(write, records),
        _microseconds(fastavro_write, records),
        _microseconds(lambda body: read(body, 0), bodies),
        _microseconds(fastavro_read, bodies),
    )


def _fastavro_write(schema: AvroSchema, record: dict[str, Any]) -> bytes:
    body = BytesIO()
    schemaless_writer(body, schema, record)
    return body.getvalue()


def _fastavro_read(schema: AvroSchema, body: bytes) -> Any:
    return schemaless_reader(BytesIO(body), schema, None)


def _microseconds(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Processor time of one item, over a tenth of a second."""
    rounds, started = 0, process_time()
    while (spent := process_time() - started) < _SECONDS:
        for item in items:
            work(item)
        rounds += 1
    return spent / (rounds * len(items)) * 1e6


def codec_table(rounds: Sequence[Sequence[CodecCost]]) -> Table:
    """Microseconds per record, medians of the rounds."""
    table = Table()
    table.add_column("contract", no_wrap=True)
    for column in ("bytes", "write", "fastavro", "×", "read", "fastavro", "×"):
        table.add_column(column, justify="right")
    names = ("write", "fastavro_write", "write_ratio", "read", "fastavro_read", "read_ratio")
    for costs in zip(*rounds, strict=True):
        figures = (median(getattr(cost, name) for cost in costs) for name in names)
        table.add_row(
            costs[0].contract, f"{costs[0].size:,}", *(f"{figure:.1f}" for figure in figures)
        )
    return table


def slow_contracts(rounds: Sequence[Sequence[CodecCost]]) -> list[str]:
    """Contracts that do not reach a goal."""
    problems = []
    for costs in zip(*rounds, strict=True):
        for what, goal in (("write", WRITE_GOAL), ("read", READ_GOAL)):
            ratio = median(getattr(cost, f"{what}_ratio") for cost in costs)
            if ratio < goal:
                problems.append(f"{what} {costs[0].contract}: {ratio:.2f} x fastavro, not {goal}")
    return problems
