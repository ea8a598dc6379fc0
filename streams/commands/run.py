"""`make run`: everything on this machine, from the broker to the rows in ClickHouse."""

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from rich.console import Console

from producers.connectors import CONNECTORS
from producers.errors import ProducerError
from producers.run import RunSummary
from streams.commands.audit import print_audit, run_audit
from streams.commands.local_run import (
    LocalRun,
    drain,
    poll,
    start,
    terminate_as_interrupt,
    watch,
)
from streams.commands.stored_records import compare_stored
from streams.core.errors import InfrastructureError, SettingsError
from streams.serve.addresses import PREFIX
from streams.settings import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_INTERRUPTED, Settings
from streams.worker_pages import pages

EXIT_OK: Final = 0
EXIT_NOT_CLOSED: Final = 1


def run(*, once: bool, live: bool, console: Console, workers: int = 1) -> int:
    """Start everything, poll every source, wait for the end of the flow, print the audit.

    Args:
        once: End after the audit.
        live: Poll the real sources.
        console: Where everything is said.
        workers: How many pipeline workers share the work.

    Returns the exit code: 0 when every record is accounted for, 1 when the audit does not close,
    2 when a setting is wrong, 3 when a component or a source failed, 130 after Ctrl-C before the
    audit.
    """
    began = time.monotonic()
    reached = False
    with ExitStack() as cleanup:
        cleanup.enter_context(terminate_as_interrupt())
        cleanup.callback(console.print, "Stopped.")
        try:
            local = start(
                cleanup,
                console,
                live=live,
                data_dir=Settings().data_dir,
                variables=os.environ,
                pipeline_workers=workers,
            )
            summaries, failures = _poll_all(local, console)
            drain(local, console)
            closed = _audit(local, summaries, console, time.monotonic() - began)
            reached = True
            for failure in failures:
                console.print(failure, style="red", markup=False)
            code = EXIT_FAILED if failures else EXIT_OK if closed else EXIT_NOT_CLOSED
            if not once:
                console.print("Everything runs. Ctrl-C stops it; the data stay.")
                _say_what_to_open(local.settings, console)
                watch(local)
        except KeyboardInterrupt:
            return EXIT_OK if reached else EXIT_INTERRUPTED
        except InfrastructureError as error:
            console.print(str(error), style="red", markup=False)
            return EXIT_CONFIGURATION if isinstance(error, SettingsError) else EXIT_FAILED
        return code


def _say_what_to_open(settings: Settings, console: Console) -> None:
    url = f"http://127.0.0.1:{settings.api_port}"
    console.print(f"Open {url}/ in a browser, or ask:", markup=False, soft_wrap=True)
    console.print(
        f"  curl '{url}{PREFIX}/power-plants?fuel_type=wind&min_capacity_mw=100&limit=5'",
        markup=False,
        soft_wrap=True,
    )


def _poll_all(local: LocalRun, console: Console) -> tuple[list[RunSummary], list[str]]:
    summaries, failures = [], []
    for name in local.sources:
        with console.status(f"Polling {name}"):
            try:
                summary = poll(local, name)
            except InfrastructureError as error:
                local.require_running()  # what has ended is the reason
                if not isinstance(error, ProducerError):
                    raise
                failures.append(f"{name}: {error}")
                continue
        summaries.append(summary)
        what = "unchanged since the last run" if summary.unchanged else f"{summary.polled:,} items"
        gone = f", {summary.already_published:,} as before" if summary.already_published else ""
        gone += f", {summary.delisted:,} no longer listed" if summary.delisted else ""
        gone += f", {sum(summary.left_out.values()):,} left out" if summary.left_out else ""
        console.print(f"Polled {name}: {what}{gone} in {summary.elapsed_seconds:.1f} s")
    return summaries, failures


def _audit(local: LocalRun, summaries: list[RunSummary], console: Console, elapsed: float) -> bool:
    settings = local.settings
    sources = {name: connector.source_id for name, connector in CONNECTORS.items()}
    audit = run_audit(settings, sources)
    polled = {sources[summary.source]: summary.polled for summary in summaries}
    print_audit(audit, polled, settings, console)
    url = f"http://127.0.0.1:{settings.sink_port}/rows"
    rows: dict[str, Any] = pages().get(url, timeout=60).json()
    compared = compare_stored(settings, audit.published)
    problems = [
        *audit.problems,
        *compared.problems,
        *clickhouse_problems(rows, audit.published.current, audit.decided_kinds),
    ]
    if compared.not_compared is not None:
        problems.append(f"ClickHouse was not compared: {compared.not_compared}")
    for kind in sorted(audit.published.current):
        console.print(f"ClickHouse, current {kind}: {rows['current'].get(kind, 0):,}")
    if rows["rejects"]:
        console.print(f"ClickHouse refused {rows['rejects']:,} records: `make dlq` shows them.")
    console.print(f"Elapsed: {elapsed:.1f} s")
    for problem in problems:
        console.print(f"Not accounted for: {problem}", style="red", markup=False)
    if not problems:
        console.print("[green]Every record is accounted for.[/green]")
    return not problems


def clickhouse_problems(
    rows: Mapping[str, Any], current: Mapping[str, int], decided: int
) -> list[str]:
    """Where ClickHouse has other numbers of rows than the topics, with what to do.

    Args:
        rows: What the sink's `/rows` says.
        current: Current canonical records by kind, as published.
        decided: Pairs of raw record and output kind that have an outcome.
    """
    pairs = [
        *(
            (f"current {kind}", rows["current"].get(kind, 0), expected)
            for kind, expected in sorted(current.items())
        ),
        ("outcomes", rows["outcomes"], decided),
    ]
    problems = [
        f"ClickHouse holds {stored:,} {what}, {expected:,} published"
        for what, stored, expected in pairs
        if stored != expected
    ]
    if any(stored < expected for _, stored, expected in pairs):
        problems.append(
            "ClickHouse lacks records: if its directory was lost, or it is a new server, stop this "
            "and run `make sink-reload`"
        )
    return problems
