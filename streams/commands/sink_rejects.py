"""What ClickHouse refused: shown by `make dlq`, loaded again by `make dlq-redrive`."""

import json

import httpx
from rich.console import Console
from rich.table import Table

from streams.clickhouse.client import ClickHouse, embedded_path, holder_of
from streams.clickhouse.output_format import OutputFormat
from streams.clickhouse.schema import ensure_schema
from streams.commands.sink_process import ask_sink
from streams.commands.sql import ask
from streams.core.errors import SinkError
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.sink.loader import Loader
from streams.sink.rejects import RejectChoice, RejectReport, load_again
from streams.tolerance_file import load_tolerances

_GROUPS = """
SELECT topic, rule_id, toString(toDate(record_time)) AS day, toInt32(count()) AS records
FROM sink_rejects GROUP BY ALL ORDER BY ALL"""

_ANSWER_SECONDS = 600.0


def print_rejects(settings: Settings, rule: str | None, console: Console) -> None:
    """One line for each topic, reason and day; a sentence when ClickHouse cannot be asked."""
    try:
        found = json.loads(ask(settings, _GROUPS, OutputFormat.JSON))
    except SinkError as error:
        console.print(f"What ClickHouse refused is not shown: {error}", markup=False)
        return
    chosen = [group for group in found if rule in (None, group["rule_id"])]
    if not chosen:
        console.print("ClickHouse refused no records.")
        return
    table = Table("refused by ClickHouse, topic", "reason", "day (UTC)")
    table.add_column("records", justify="right")
    for group in chosen:
        table.add_row(group["topic"], group["rule_id"], group["day"], f"{group['records']:,}")
    console.print(table)


def redrive_rejects(settings: Settings, choice: RejectChoice) -> RejectReport:
    """Load records that ClickHouse refused again.

    The embedded engine is asked through the sink's worker while that has it open.

    Raises:
        SinkError: nobody answers, or ClickHouse failed; run it again.
        SettingsError, RegistryError, BrokerError: the registry could not be asked.
    """
    url = settings.clickhouse_url()
    path = embedded_path(url)
    if path and not path.is_dir():
        return RejectReport()
    if path and (holder := holder_of(path)):
        return _ask_the_sink(settings.sink_port, f"{path} is in use by {holder}", choice)
    clickhouse = ClickHouse(url)
    bootstrap, registry_url = settings.kafka_bootstrap, settings.schema_registry_url
    try:
        ensure_schema(clickhouse, load_tolerances(settings.tolerances_file).quality.weights)
        with open_registry(bootstrap, registry_url) as registry:
            loader = Loader(
                clickhouse, registry.writer_schema, _kept_with_each, settings.rejection_limits()
            )
            return load_again(clickhouse, loader, choice)
    finally:
        clickhouse.close()


def print_reject_report(report: RejectReport, console: Console) -> None:
    """What was loaded, and what was refused again."""
    loaded, rejected = report.loaded.total(), report.rejected.total()
    if loaded or rejected:
        console.print(f"{loaded:,} records that ClickHouse had refused are loaded now.")
    for rule_id, count in sorted(report.rejected.items()):
        console.print(f"{count:,} records are refused again: {rule_id}.")


def _kept_with_each(topic: str) -> str:
    raise AssertionError("each rejected record has the id of its topic")


def _ask_the_sink(port: int, held: str, choice: RejectChoice) -> RejectReport:
    parameters = {
        "limit": str(choice.limit),
        **({"rule": choice.rule} if choice.rule else {}),
        **({"since": choice.since.isoformat()} if choice.since else {}),
        **({"until": choice.until.isoformat()} if choice.until else {}),
    }
    answer = ask_sink(
        port, held, "POST", "/rejects/redrive", seconds=_ANSWER_SECONDS, params=parameters
    )
    if answer.status_code != httpx.codes.OK:
        raise SinkError(f"The sink on port {port} could not load them again: {answer.text}")
    report = RejectReport()
    report.loaded.update(answer.json()["loaded"])
    report.rejected.update(answer.json()["rejected"])
    return report
