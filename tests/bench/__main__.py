"""`make bench`: the same job in four ways, in one run."""

import logging
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streams.codec import Registry
from streams.contracts import contract
from streams.core.errors import InfrastructureError
from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
from streams.settings import settings
from streams.stages.encoders import APPLIED_SUBJECT
from streams.topic_admin import ensure_topics
from streams.topics import Topic
from tests.bench.compare import CONTENDERS, compare, comparison_table, input_records, missed
from tests.bench.job import RAW
from tests.bench.load import publish
from tests.bench.measure import Arena

_EXIT_MISSED = 1
_EXIT_FAILED = 3

# The clock of every figure is the broker's, whichever client wrote.
_BROKER = {"log.message.timestamp.type": "LogAppendTime"}

out = Console()


class ContenderName(StrEnum):
    """What `--only` takes."""

    ENGINE = "engine"
    FAUST = "faust"
    QUIX = "quix"
    BARE = "bare"


def main(
    records: Annotated[
        int, typer.Option(min=1000, help="Records of each fast contender; Faust gets a twentieth.")
    ] = 400_000,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of all contenders.")] = 5,
    only: Annotated[
        list[ContenderName], typer.Option(help="Only these; repeat the option.")
    ] = list(ContenderName),  # noqa: B006
) -> None:
    """Measure this engine against stock Faust, Quix Streams and a bare loop, side by side.

    Exit code 1 when a goal is missed, 3 when a figure is void.
    """
    logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s")
    logging.getLogger("stamina").setLevel(logging.ERROR)  # retries are its warnings
    chosen = [it for it in CONTENDERS if it.name in only]
    try:
        with _fresh_stack() as (stack, home):
            inputs = {
                size: f"bench-input-{size}"
                for size in sorted({input_records(contender, records) for contender in chosen})
            }
            _publish_inputs(stack, inputs)
            rounds = compare(Arena(stack, home, inputs), chosen, records, repeats, out.print)
    except InfrastructureError as error:
        out.print(f"[red]{error}[/red]")
        raise typer.Exit(_EXIT_FAILED) from error
    out.print(comparison_table(chosen, rounds))
    out.print(f"Medians of {repeats} rounds, least and greatest in brackets; {_machine()}.")
    problems = missed(chosen, rounds)
    for problem in problems:
        out.print(f"[red]Missed: {problem}[/red]")
    raise typer.Exit(_EXIT_MISSED if problems else 0)


@contextmanager
def _fresh_stack() -> Iterator[tuple[LocalStack, Path]]:
    """A stack of its own on free ports, in an empty directory that is removed at the end."""
    home = settings().data_dir / "bench"
    shutil.rmtree(home, ignore_errors=True)
    with LocalStack(home / "stack", StackPorts.free(), kafka_properties=_BROKER) as stack:
        yield stack, home
    # After a failure it stays: the message names a log in it.
    shutil.rmtree(home)


def _publish_inputs(stack: LocalStack, inputs: dict[int, str]) -> None:
    bootstrap = stack.kafka.bootstrap
    with Registry(stack.registry.url) as registry:
        registry.register(RAW.subject(), contract(RAW.contract_name))
        registry.register(APPLIED_SUBJECT, contract("state.applied"))
        encoder = registry.encoder(RAW.subject(), contract(RAW.contract_name))
    ensure_topics(bootstrap, [Topic(name) for name in inputs.values()], replication_factor=1)
    for size, name in inputs.items():
        publish(bootstrap, name, encoder, size)
        out.print(f"{size:,} records of input in {name}")


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    typer.run(main)
