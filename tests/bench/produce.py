"""The producer alone: a whole release from download to the last delivery report.

produce_release     a stack without workers, and a producer that is a process of its own

As a program it is that process: it polls once and prints what it measured as JSON.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from producers.run import RunOptions, Services, run_once
from streams.commands.deploy import create_topics, register_schemas
from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
from streams.settings import Settings
from tests.bench.measure import VoidRunError
from tests.peak_memory import peak_kb
from tests.producers.live import fresh_database
from tests.producers.sandbox_server import running_sandbox
from tests.real_files import real_data_dir

SOURCE = "wri_powerplants"
_DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Produced:
    """One poll of the release.

    Attributes:
        records: Rows parsed and confirmed by the broker.
        records_per_second: Download, unzipping, parsing and delivery included.
        processor_microseconds: Processor time of a record, all threads of the producer; what other
            processes take at the same time does not show in it.
        peak_megabytes: Most memory the process used.
    """

    records: int
    records_per_second: float
    processor_microseconds: float
    peak_megabytes: float


def produce_release(home: Path, repeats: int) -> list[Produced]:
    """Poll the power plants of the sandbox into an idle broker, again and again as a first run.

    A run before the first wakes the broker and is not counted.

    Raises:
        VoidRunError: a poll failed, or not every record was confirmed.
        InfrastructureError: a part failed.
    """
    with (
        LocalStack(home / "stack", StackPorts.free()) as stack,
        running_sandbox(real_data_dir()) as sandbox,
    ):
        environment = stack.environment() | sandbox.environment()
        settings = Settings(
            kafka_bootstrap=environment["KAFKA_BOOTSTRAP"],
            schema_registry_url=environment["SCHEMA_REGISTRY_URL"],
            postgres_dsn=environment["POSTGRES_DSN"],
            data_dir=home,
        )
        create_topics(settings)
        register_schemas(settings)
        figures = []
        for _ in range(repeats + 1):
            with fresh_database(stack) as dsn:
                figures.append(_poll(environment | {"POSTGRES_DSN": dsn}))
        return figures[1:]


def _poll(environment: Mapping[str, str]) -> Produced:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bench.produce"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_SECONDS,
    )
    if ended.returncode != 0:
        raise VoidRunError(f"The producer ended with {ended.returncode}: {ended.stderr[-500:]}")
    found = json.loads(ended.stdout)
    if found["published"] != found["polled"]:
        raise VoidRunError(f"{found['published']:,} of {found['polled']:,} records confirmed.")
    records = found["polled"]
    return Produced(
        records,
        records / found["seconds"],
        found["processor_seconds"] / records * 1e6,
        found["peak_kb"] / 1024,
    )


def main() -> None:
    """Poll once, here, and print the figures."""
    services = Services(
        os.environ["KAFKA_BOOTSTRAP"],
        os.environ["SCHEMA_REGISTRY_URL"],
        os.environ["POSTGRES_DSN"],
    )
    began = time.process_time()
    summary = run_once(SOURCE, RunOptions(), services, dict(os.environ))
    processor_seconds = time.process_time() - began
    figures = {
        "polled": summary.polled,
        "published": summary.published,
        "seconds": summary.elapsed_seconds,
        "processor_seconds": processor_seconds,
        "peak_kb": peak_kb(),
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
