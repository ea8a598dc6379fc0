"""What raw topics cost: every source polled twice into a deployment without workers.

Sizes are those of the broker's own files, read after the poll, so batches and compression count.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.table import Table

from producers.config import load_schedule
from producers.connectors import CONNECTORS
from producers.run import RunOptions, Services, run_once
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import connector_environment
from streams.commands.deploy import create_topics, register_schemas
from streams.kafka.topic_reader import read_all
from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
from streams.settings import Settings
from streams.topics import raw_topic
from tests.producers.sandbox_server import KEY, running_sandbox
from tests.real_files import real_data_dir

_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Stored:
    """What one source stores.

    Attributes:
        source: Connector name.
        first_records: Raw records of its first poll.
        later_records: Raw records of a second poll at once, of a source that has not changed.
        polls_per_year: By its schedule.
        record_bytes: Key, value and headers of a raw record, on average.
        disk_bytes: What a raw record takes on the broker's disk, on average, for one replica.
    """

    source: str
    first_records: int
    later_records: int
    polls_per_year: float
    record_bytes: float
    disk_bytes: float

    @property
    def first_megabytes(self) -> float:
        """On disk after the first poll."""
        return self.first_records * self.disk_bytes / 1e6

    @property
    def yearly_megabytes(self) -> float:
        """What a year adds on disk."""
        return self.later_records * self.polls_per_year * self.disk_bytes / 1e6


def stored_sizes(home: Path) -> list[Stored]:
    """Poll the sandbox with real files, each source twice.

    Raises:
        InfrastructureError: a part or a poll failed.
    """
    with _deployment(home) as (settings, environment):
        services = Services(
            settings.kafka_bootstrap, settings.schema_registry_url, settings.postgres_dsn
        )
        found = []
        for name in CONNECTORS:
            topic = raw_topic(name).name
            counts = [run_once(name, RunOptions(), services, environment) for _ in range(2)]
            sizes = [
                len(record.key or b"")
                + len(record.value or b"")
                + sum(len(header) + len(text or b"") for header, text in record.headers)
                for record in read_all(settings.kafka_bootstrap, topic)
            ]
            disk = sum(path.stat().st_size for path in home.glob(f"stack/**/{topic}-*/*.log"))
            found.append(
                Stored(
                    name,
                    counts[0].published,
                    counts[1].published,
                    _YEAR / load_schedule(name, environment),
                    sum(sizes) / len(sizes),
                    disk / len(sizes),
                )
            )
        return found


@contextmanager
def _deployment(home: Path) -> Iterator[tuple[Settings, Mapping[str, str]]]:
    with (
        LocalStack(home / "stack", StackPorts.free()) as stack,
        running_sandbox(real_data_dir()) as sandbox,
    ):
        keys = SandboxSettings(alsi_key=KEY, nlr_key=KEY)
        environment = stack.environment() | connector_environment(sandbox.url, keys)
        settings = Settings(
            kafka_bootstrap=environment["KAFKA_BOOTSTRAP"],
            schema_registry_url=environment["SCHEMA_REGISTRY_URL"],
            postgres_dsn=environment["POSTGRES_DSN"],
            data_dir=home,
        )
        create_topics(settings)
        register_schemas(settings)
        yield settings, environment


def storage_table(found: list[Stored]) -> Table:
    """The figures, a line for each source."""
    columns = ("first poll", "MB", "polls a year", "each", "bytes a record", "on disk", "MB a year")
    table = Table("source", *columns)
    for one in found:
        table.add_row(
            one.source,
            f"{one.first_records:,}",
            f"{one.first_megabytes:.1f}",
            f"{one.polls_per_year:.0f}",
            f"{one.later_records:,}",
            f"{one.record_bytes:,.0f}",
            f"{one.disk_bytes:,.0f}",
            f"{one.yearly_megabytes:.1f}",
        )
    return table
