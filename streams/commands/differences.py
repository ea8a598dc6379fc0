"""Differences of canonical records, for people."""

import json
from datetime import date, datetime

from rich.console import Console
from rich.table import Table

from streams.core.differences import Differences

_LONGEST = 60


def print_differences(differences: Differences, console: Console) -> None:
    """Counts by kind, and each changed field with examples."""
    if not differences.count:
        console.print("No canonical record differs.")
        return
    table = Table("canonical records", "kind")
    table.add_column("records", justify="right")
    for what, counted in (
        ("added", differences.added),
        ("changed", differences.changed),
        ("gone", differences.gone),
    ):
        for kind, count in sorted(counted.items()):
            table.add_row(what, kind, f"{count:,}")
    console.print(table)
    for changed, count in sorted(differences.fields.items()):
        console.print(f"{changed.kind}.{changed.field} changed in {count:,}:", markup=False)
        for example in differences.examples[changed]:
            console.print(
                f"  {example.record_id}: {_shown(example.before)} -> {_shown(example.after)}",
                markup=False,
            )
    if differences.moved:
        console.print(f"{differences.moved:,} source records move to another asset.")


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=_text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _text(value: object) -> str:
    assert isinstance(value, date | datetime)
    return value.isoformat()
