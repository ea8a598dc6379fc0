"""`make trace`: one record through all stages, for the terminal and for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.clickhouse.output_format import OutputFormat
from streams.commands.sql import ask
from streams.core.topic_record import iso_time, json_line
from streams.core.trace import Step, Trace, place
from streams.serve.record_trace import Ask
from streams.settings import Settings


def asking(settings: Settings) -> Ask:
    """Asks ClickHouse as `make sql` does."""

    def rows(sql: str) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = json.loads(ask(settings, sql, OutputFormat.JSON))
        return found

    return rows


def print_trace(found: Trace, console: Console) -> None:
    """A timeline for each raw record, then versions and rows of each canonical record."""
    for one in found.raw:
        heading = f"{one.source_id or 'unreadable'} {one.record_id or ''}".strip()
        _print_steps(f"{heading} ({place(one.raw)})", one.steps, console)
    for canonical in found.canonical:
        _print_steps(f"{canonical.kind} {canonical.record_id}", canonical.steps, console)
    for note in found.notes:
        console.print(note, markup=False, highlight=False)


def trace_json(found: Trace) -> str:
    """The same for programs, one JSON object."""
    return json_line(asdict(found))


def _print_steps(heading: str, steps: Iterable[Step], console: Console) -> None:
    console.print(heading, style="bold", markup=False, highlight=False)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, min_width=24)
    table.add_column(no_wrap=True)
    table.add_column()
    for step in steps:
        said = f"{step.place}: {step.said}" if step.place else step.said
        time = "" if step.time is None else iso_time(step.time)
        table.add_row(Text(time), Text(step.stage), Text(said))
    console.print(table)
    console.print()
