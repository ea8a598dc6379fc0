"""Command line: `python -m streams COMMAND`. Workers are started with Faust's own command."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.clickhouse.output_format import OutputFormat
from streams.core.dead_letters import Choice, Policy
from streams.core.errors import InfrastructureError, SettingsError
from streams.quiet_logs import quiet_clients
from streams.settings import EXIT_CONFIGURATION, settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
out = Console()

_EXIT_FAILED = 3


@app.callback()
def prepare() -> None:
    """Run, deploy and look into the stream processing of energy infrastructure."""
    with _explained():
        logging.basicConfig(level=settings().log_level, format="%(levelname)s %(message)s")
    quiet_clients()


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Exit after the audit.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Poll the real sources instead of the sandbox.")
    ] = False,
) -> None:
    """Start everything on this machine, poll every source, print the audit."""
    from streams.commands.run import run as run_locally  # the local stack is an extra of a laptop

    raise typer.Exit(run_locally(once=once, live=live, console=out))


@app.command()
def topics() -> None:
    """Create the declared topics that are missing; check the others."""
    from streams.commands.deploy import all_topics, create_topics

    with _explained():
        create_topics(settings())
        table = Table("topic", "partitions", "clean-up", "contract")
        for topic in all_topics(settings()):
            table.add_row(topic.name, str(topic.partitions), topic.cleanup, topic.contract_name)
        out.print(table)


@app.command("schemas-check")
def schemas_check() -> None:
    """Check every contract against all its kept versions, without any service."""
    from streams.avro.compatibility import check, print_findings

    with _explained():
        findings = check()
        print_findings(findings, out)
        raise typer.Exit(1 if findings else 0)


@app.command("schemas-freeze")
def schemas_freeze() -> None:
    """Freeze new versions of contracts; they never change after that."""
    from streams.avro.compatibility import freeze

    with _explained():
        for name in freeze():
            out.print(f"frozen {name}")


@app.command("schemas-register")
def schemas_register() -> None:
    """Register every contract; refuses what is incompatible with an earlier version."""
    from streams.avro.compatibility import print_registered
    from streams.commands.deploy import register_schemas

    with _explained():
        print_registered(register_schemas(settings()), out)


@app.command()
def inspect(
    topic: str,
    partition: Annotated[int | None, typer.Option(help="Only this partition.")] = None,
    offset: Annotated[
        int, typer.Option(help="First offset of every partition; -5 is the fifth from the end.")
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes later.")] = False,
) -> None:
    """Print the decoded records of any topic as JSON lines."""
    from streams.avro.codec import Registry
    from streams.commands.inspect import inspect as look
    from streams.commands.inspect import print_records

    with _explained(), Registry(settings().schema_registry_url) as registry:
        found = look(
            settings().kafka_bootstrap,
            registry,
            topic,
            partition=partition,
            from_offset=offset,
            limit=limit,
            follow=follow,
        )
        print_records(found)


@app.command()
def rules(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As the table in streams/core/RULES.md.")
    ] = False,
) -> None:
    """List every reason to reject or flag a record, with its limit."""
    from streams.commands.rules import markdown_table, terminal_table
    from streams.tolerance_file import load_tolerances

    with _explained():
        if markdown:
            out.print(markdown_table(), markup=False, soft_wrap=True)
        else:
            out.print(terminal_table(load_tolerances(settings().tolerances_file)))


@app.command()
def stages(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As the table in streams/README.md.")
    ] = False,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="As the picture in streams/README.md.")
    ] = False,
) -> None:
    """List the stages of the pipeline: what each reads, writes and does."""
    from producers.connectors import CONNECTORS
    from streams.commands.stages import markdown_table, mermaid_picture, terminal_table
    from streams.topology import pipeline

    if markdown or mermaid:
        out.print(mermaid_picture() if mermaid else markdown_table(), markup=False, soft_wrap=True)
    else:
        out.print(terminal_table(pipeline(CONNECTORS)))


@app.command("rebuild")
def rebuild_state() -> None:
    """Forget the pipeline's state, so that the next start decides on every raw record again."""
    from streams.commands.rebuild import rebuild

    with _explained():
        generation = rebuild(settings())
        out.print(f"Done. Start the workers with GENERATION={generation}.")


@app.command()
def audit() -> None:
    """Recompute from the topics what became of every raw record; exit code 1 if a count is open."""
    from producers.connectors import CONNECTORS
    from streams.commands.audit import audit_table, count_published, run_audit

    with _explained():
        sources = {name: connector.source_id for name, connector in CONNECTORS.items()}
        found = run_audit(settings(), sources)
        out.print(audit_table(found, count_published(settings()), {}))
        for problem in found.problems:
            out.print(f"Not accounted for: {problem}", style="red", markup=False)
        raise typer.Exit(1 if found.problems else 0)


_Source = Annotated[str | None, typer.Option(help="Source id or connector name.")]
_Rule = Annotated[str | None, typer.Option(help="Rule id, as `make rules` lists it.")]
_Since = Annotated[datetime | None, typer.Option(help="First record time, UTC.")]
_Until = Annotated[datetime | None, typer.Option(help="Record time to stop before, UTC.")]


@app.command()
def dlq(
    source: _Source = None,
    rule: _Rule = None,
    since: _Since = None,
    until: _Until = None,
    every: Annotated[bool, typer.Option("--all", help="Resolved ones, too.")] = False,
    detail: Annotated[bool, typer.Option("--detail", help="A line of JSON for each.")] = False,
) -> None:
    """List the dead letters that are open, grouped by source, rule and day."""
    from streams.commands.dead_letters import find_dead_letters, print_details, print_groups

    with _explained():
        found = find_dead_letters(settings(), _choice(source, rule, since, until, resolved=every))
        (print_details if detail else print_groups)(found, out)


@app.command("dlq-redrive")
def dlq_redrive(
    source: _Source = None,
    rule: _Rule = None,
    since: _Since = None,
    until: _Until = None,
    policy: Annotated[
        Policy,
        typer.Option(
            help="For dead letters that are rejected again: stop there, drop, or reinsert."
        ),
    ] = Policy.STOP,
    limit: Annotated[int, typer.Option(min=1, help="Most dead letters to handle.")] = 10_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Publish nothing.")] = False,
) -> None:
    """Redrive chosen dead letters through the pipeline, after what rejected them was fixed."""
    from streams.commands.dead_letters import find_dead_letters, print_report, redrive

    with _explained():
        chosen = find_dead_letters(settings(), _choice(source, rule, since, until))
        report = redrive(
            settings(), chosen, policy=policy, limit=limit, dry_run=dry_run, console=out
        )
        print_report(report, out, dry_run=dry_run)
        raise typer.Exit(1 if report.stopped_at else 0)


@app.command()
def resume(
    source: Annotated[str, typer.Argument(help="Source id or connector name.")],
) -> None:
    """Let a paused source go on: what it has published up to now may become dead letters."""
    from streams.commands.dead_letters import source_ids
    from streams.commands.resume import resume as resume_source

    with _explained():
        known = source_ids()
        if source not in known:
            raise typer.BadParameter(f"{source!r} is none of {', '.join(sorted(known))}")
        name = next(name for name in known if known[name] == known[source])
        for partition, offset in sorted(resume_source(settings(), name).items()):
            out.print(f"raw.{name}/{partition} resumed up to offset {offset:,}", markup=False)


def _choice(
    source: str | None,
    rule: str | None,
    since: datetime | None,
    until: datetime | None,
    *,
    resolved: bool = False,
) -> Choice:
    from streams.commands.dead_letters import source_ids
    from streams.core.all_rules import RULES

    known = source_ids()
    if source is not None and source not in known:
        raise typer.BadParameter(f"{source!r} is none of {', '.join(sorted(known))}")
    if rule is not None and rule not in RULES:
        raise typer.BadParameter(f"{rule!r} is no rule: see `make rules`")
    return Choice(known[source] if source else None, rule, _utc(since), _utc(until), resolved)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


@app.command()
def decide(
    verdict: Annotated[str, typer.Argument(help="must-link, cannot-link, or withdraw.")],
    kind: Annotated[str, typer.Argument(help="Kind of both, for example power_plant.")],
    one: Annotated[str, typer.Argument(help="SOURCE:ENTITY, for example wri_powerplants:WRI1.")],
    other: Annotated[str, typer.Argument(help="The same of the other one.")],
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
) -> None:
    """Decide that two source entities are one asset, or that they are not, whatever they score."""
    from streams.commands.decide import decide as publish
    from streams.commands.decide import entity_key, verdict_of

    with _explained():
        key = publish(
            settings(), entity_key(kind, one), entity_key(kind, other), verdict_of(verdict), reason
        )
        out.print(f"{verdict}: {key}", markup=False)


@app.command()
def members(
    path: Annotated[Path, typer.Argument(help="CSV file to write.")],
) -> None:
    """Write which source records every live asset is made of."""
    from streams.commands.members import write_members

    with _explained(), path.open("w", encoding="utf-8", newline="") as file:
        rows = write_members(settings(), file)
        out.print(f"{rows:,} members written to {path}", markup=False)


@app.command()
def sql(
    query: Annotated[
        str, typer.Argument(help="One SELECT; without it, the tables there are.")
    ] = "",
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="How the answer is written.")
    ] = OutputFormat.TABLE,
) -> None:
    """Answer a query on what the sink has loaded; it can only read."""
    from streams.commands.sql import TABLES, ask

    with _explained(Console(stderr=True)):
        typer.echo(ask(settings(), query or TABLES, output_format), nl=False)


@app.command("model-migrate")
def model_migrate() -> None:
    """Bring the tables of ClickHouse to this version; every start of the sink does it, too."""
    from streams.clickhouse.client import ClickHouse
    from streams.clickhouse.migrations import CURRENT_VERSION
    from streams.clickhouse.schema import ensure_schema
    from streams.tolerance_file import load_tolerances

    with _explained():
        weights = load_tolerances(settings().tolerances_file).quality.weights
        clickhouse = ClickHouse(settings().clickhouse_url())
        try:
            for step in ensure_schema(clickhouse, weights):
                out.print(f"version {step.version}: {step.what}", markup=False)
        finally:
            clickhouse.close()
        out.print(f"The model of {clickhouse.address} has version {CURRENT_VERSION}.", markup=False)


@contextmanager
def _explained(console: Console = out) -> Iterator[None]:
    try:
        yield
    except InfrastructureError as error:
        console.print(str(error), style="red", markup=False)
        wrong_setting = isinstance(error, SettingsError)
        raise typer.Exit(EXIT_CONFIGURATION if wrong_setting else _EXIT_FAILED) from error


if __name__ == "__main__":
    app()
