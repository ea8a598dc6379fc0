"""Command line: `python -m streams COMMAND`. Workers are started with Faust's own command."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streams.clickhouse.output_format import OutputFormat
from streams.core.dead_letters import Choice, Policy
from streams.core.errors import InfrastructureError, SettingsError
from streams.quiet_logs import quiet_clients
from streams.settings import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_INTERRUPTED, settings
from streams.startup import prepare_process

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
out = Console(emoji=False)


@app.callback()
def prepare() -> None:
    """Run, deploy and look into the stream processing of energy infrastructure."""
    with _explained():
        logging.basicConfig(level=settings().log_level, format="%(levelname)s %(message)s")
        prepare_process(settings())
    quiet_clients()


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Exit after the audit.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Poll the real sources instead of the sandbox.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=4, help="Pipeline workers; each computes on one core.")
    ] = 1,
) -> None:
    """Start everything on this machine, poll every source, print the audit."""
    from streams.commands.run import run as run_locally  # the local stack is an extra of a laptop

    raise typer.Exit(run_locally(once=once, live=live, console=out, workers=workers))


@app.command()
def demo(
    days: Annotated[int, typer.Option(help="Simulated days.")] = 30,
    once: Annotated[bool, typer.Option("--once", help="Exit after the last day.")] = False,
) -> None:
    """Run simulated days in minutes: what goes wrong with sources, and what the product says."""
    from streams.commands.demo import LEAST_DAYS, MOST_DAYS  # the local stack is of a laptop
    from streams.commands.demo import demo as run_demo

    if not LEAST_DAYS <= days <= MOST_DAYS:
        raise typer.BadParameter(f"--days: from {LEAST_DAYS} to {MOST_DAYS}")
    raise typer.Exit(run_demo(days=days, once=once, console=out))


@app.command()
def topics(
    check: Annotated[
        bool,
        typer.Option("--check", help="Only say what differs; exit code 1 when anything does."),
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Also alter settings to what is declared.")
    ] = False,
) -> None:
    """Create the declared topics that are missing; check the others."""
    from streams.commands.deploy import (
        all_topics,
        compare_topics,
        create_topics,
        print_topic_differences,
        print_topics,
    )
    from streams.kafka.topic_admin import alter_settings

    if check and fix:
        raise typer.BadParameter("--check and --fix exclude each other")
    with _explained():
        if check or fix:
            differences = compare_topics(settings())
            print_topic_differences(differences, out)
            if fix:
                alter_settings(settings().kafka_bootstrap, differences)
                create_topics(settings())
                differences = compare_topics(settings())
                out.print("Settings are altered, missing topics created.")
                print_topic_differences(differences, out)
            if not differences:
                out.print("Every topic is as declared.")
            raise typer.Exit(1 if differences else 0)
        create_topics(settings())
        print_topics(all_topics(settings()), out)


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


@app.command("schemas-diff")
def schemas_diff() -> None:
    """Show what the schema registry has and this clone lacks, and the reverse."""
    from streams.commands.schemas_diff import schemas_diff as differences

    with _explained():
        found = differences(settings())
        for sentence in found or ("The registry has every version of this clone, and no other.",):
            out.print(sentence, markup=False, soft_wrap=True)
        raise typer.Exit(1 if found else 0)


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
    since: Annotated[datetime | None, typer.Option(help="First Kafka time, UTC, instead.")] = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="The newest so many, by Kafka time, instead.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Only records with this key.")] = None,
    where: Annotated[
        str, typer.Option(help="Only records that this holds of, e.g. \"'wind' in aliases\".")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes later.")] = False,
    table: Annotated[bool, typer.Option("--table", help="A table, a line each.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Only how many there are.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Only the schemas they have.")] = False,
) -> None:
    """Print the decoded records of any topic as JSON lines, a table, their number or schemas."""
    from streams.commands.condition import Condition
    from streams.commands.inspect import (
        Selection,
        print_count,
        print_records,
        print_schemas,
        print_table,
    )
    from streams.commands.inspect import inspect as look
    from streams.kafka.used_schemas import open_registry

    if bool(offset) + (since is not None) + (last is not None) > 1:
        raise typer.BadParameter("--offset, --since and --last exclude each other")
    if follow and (table or count or schema):
        raise typer.BadParameter("--follow has no end: it goes with JSON lines only")
    bootstrap = settings().kafka_bootstrap
    with _explained(), open_registry(bootstrap, settings().schema_registry_url) as registry:
        selection = Selection(
            topic,
            partition,
            offset,
            _utc(since),
            last,
            key,
            Condition(where) if where else None,
            limit,
            follow,
        )
        found = look(bootstrap, registry, selection)
        if count:
            print_count(found, out)
        elif schema:
            print_schemas(found, registry)
        elif table:
            print_table(found, out)
        else:
            print_records(found)


@app.command("trace")
def trace_record(
    name: Annotated[
        str,
        typer.Argument(
            help="Raw coordinates (raw.alsi_lng/2/1234), id of an asset, of a source record or of "
            "a terminal; with --day a terminal, EIC, country or EU."
        ),
    ],
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Gas day of a series.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Follow one record through every stage, from the poll to the row in ClickHouse."""
    from streams.commands.trace import asking, print_trace, trace_json
    from streams.serve.record_trace import follow

    with _explained(Console(stderr=True)):
        found = follow(settings(), asking(settings()), name, day.date() if day else None)
        if as_json:
            typer.echo(trace_json(found))
        else:
            print_trace(found, out)


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


@app.command()
def rights(
    role: Annotated[str | None, typer.Argument(help="Only this role.")] = None,
    grant: Annotated[
        bool, typer.Option("--grant", help="As what grants them: kafka-acls and SQL.")
    ] = False,
) -> None:
    """List what each role of a deployment may do at Kafka and PostgreSQL, and nothing else."""
    from producers.connectors import CONNECTORS
    from streams.commands.rights import roles, statements, terminal_table

    with _explained():
        found = roles(settings(), CONNECTORS)
        chosen = [one for one in found if role in (None, one.name)]
        if not chosen:
            names = ", ".join(one.name for one in found)
            raise SettingsError(f"There is no role {role}. Roles are: {names}.")
    if grant:
        for statement in statements(chosen):
            typer.echo(statement)
    else:
        out.print(terminal_table(chosen))


@app.command("topic-remake")
def topic_remake(
    topic: Annotated[str, typer.Argument(help="A declared topic, for example raw.alsi_lng.")],
) -> None:
    """Give a topic its declared number of partitions again, with its records in their order."""
    from streams.commands.topic_remake import remake

    with _explained():
        made = remake(settings(), topic)
        out.print(f"{topic} is made again with {made.records:,} records.", markup=False)
        if made.redriven:
            out.print(
                f"{made.redriven:,} redriven copies were left out: their originals are in it."
            )
        if made.needs_rebuild:
            out.print("Its offsets are new: run `make rebuild` before workers start.")


_AcceptLoss = Annotated[
    bool,
    typer.Option("--accept-loss", help="What is gone is really gone, also more than a fifth."),
]


@app.command("rebuild")
def rebuild_all(
    diff: Annotated[
        bool, typer.Option("--diff", help="Also say what it has otherwise; publish nothing.")
    ] = False,
    switch: Annotated[
        bool, typer.Option("--switch", help="Also let it take the place of the running one.")
    ] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Throw the next generation away.")] = False,
    accept_loss: _AcceptLoss = False,
) -> None:
    """Let a next generation grow from all raw records beside the running one."""
    from streams.commands import rebuild

    if sum((diff, switch, drop)) > 1:
        raise typer.BadParameter("--diff, --switch and --drop exclude each other")
    with _explained():
        if drop:
            rebuild.throw_away(settings(), out)
            out.print("No next generation grows any more.")
        elif switch:
            report = rebuild.switch(settings(), out, accept_loss=accept_loss)
            rebuild.print_switch(report, out)
        elif diff:
            rebuild.print_comparison(rebuild.compare(settings(), out), out)
        else:
            generation = rebuild.grow(settings(), out)
            out.print(
                f"Generation {generation} has read everything and grows on when you run it again. "
                "`make rebuild DIFF=1` compares it with the running one."
            )


@app.command("replay")
def replay_records(
    source: Annotated[
        str | None, typer.Option(help="Source id or connector name; without it, all.")
    ] = None,
    fetched_from: Annotated[
        datetime | None, typer.Option("--from", help="First fetch time, UTC.")
    ] = None,
    fetched_to: Annotated[
        datetime | None, typer.Option("--to", help="Fetch time to stop before, UTC.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Only this record id of the source.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, publish nothing.")
    ] = False,
    accept_loss: _AcceptLoss = False,
) -> None:
    """Decide on raw records again with the code of today, and publish what differs."""
    from producers.connectors import CONNECTORS
    from streams.commands.replay import print_report, replay
    from streams.core.replay import Selection

    source_id = _source_id(source)
    names = [
        name for name, connector in CONNECTORS.items() if source_id in (None, connector.source_id)
    ]
    selection = Selection(_utc(fetched_from), _utc(fetched_to), key)
    with _explained():
        report = replay(
            settings(), names, selection, dry_run=dry_run, accept_loss=accept_loss, console=out
        )
        print_report(report, out, dry_run=dry_run)
        raise typer.Exit(EXIT_INTERRUPTED if report.interrupted else 0)


@app.command()
def audit() -> None:
    """Recompute from the topics what became of every raw record; exit code 1 if a count is open."""
    from producers.connectors import CONNECTORS
    from streams.commands.audit import print_audit, run_audit
    from streams.commands.stored_records import compare_stored

    with _explained():
        sources = {name: connector.source_id for name, connector in CONNECTORS.items()}
        found = run_audit(settings(), sources)
        print_audit(found, {}, settings(), out)
        stored = compare_stored(settings(), found.published)
        problems = (*found.problems, *stored.problems)
        if stored.not_compared is not None:
            out.print(f"ClickHouse was not compared: {stored.not_compared}", markup=False)
        for problem in problems:
            out.print(f"Not accounted for: {problem}", style="red", markup=False)
        raise typer.Exit(1 if problems else 0)


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
    """List open dead letters by source, rule and day, and what ClickHouse refused."""
    from streams.commands.dead_letters import find_dead_letters, print_details, print_groups
    from streams.commands.sink_rejects import print_rejects

    with _explained():
        found = find_dead_letters(settings(), _choice(source, rule, since, until, resolved=every))
        (print_details if detail else print_groups)(found, out)
        if source is None and not detail:
            print_rejects(settings(), rule, out)


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
    """Redrive chosen dead letters through the pipeline, after what rejected them was fixed.

    What ClickHouse refused is loaded again, unless a source is chosen.
    """
    from streams.commands.dead_letters import find_dead_letters, print_report, redrive
    from streams.commands.sink_rejects import print_reject_report, print_rejects, redrive_rejects
    from streams.sink.rejects import RejectChoice

    with _explained():
        chosen = find_dead_letters(settings(), _choice(source, rule, since, until))
        report = redrive(
            settings(), chosen, policy=policy, limit=limit, dry_run=dry_run, console=out
        )
        print_report(report, out, dry_run=dry_run)
        if source is None and dry_run:
            print_rejects(settings(), rule, out)
        elif source is None:
            refused = RejectChoice(rule, _utc(since), _utc(until), limit)
            print_reject_report(redrive_rejects(settings(), refused), out)
        raise typer.Exit(1 if report.stopped_at else 0)


@app.command()
def resume(
    source: Annotated[
        str, typer.Argument(help="Source id, connector name, or a topic that the sink reads.")
    ],
) -> None:
    """Let a paused source go on: what it has published up to now may become dead letters."""
    from streams.commands.dead_letters import source_ids
    from streams.commands.resume import resume as resume_topic
    from streams.topics import raw_topic
    from streams.topology import SINK_TOPICS

    with _explained():
        topics = {topic.name: topic.name for topic in SINK_TOPICS}
        known = source_ids()
        for name in known:
            connector = next(other for other in known if known[other] == known[name])
            topics[name] = raw_topic(connector).name
        if source not in topics:
            raise typer.BadParameter(f"{source!r} is none of {', '.join(sorted(topics))}")
        for partition, offset in sorted(resume_topic(settings(), topics[source]).items()):
            out.print(f"{topics[source]}/{partition} resumed up to offset {offset:,}", markup=False)


def _source_id(source: str | None) -> str | None:
    """Source id of what somebody called a source; None for none."""
    from streams.commands.dead_letters import source_ids

    known = source_ids()
    if source is None:
        return None
    if source not in known:
        raise typer.BadParameter(f"{source!r} is none of {', '.join(sorted(known))}")
    return known[source]


def _choice(
    source: str | None,
    rule: str | None,
    since: datetime | None,
    until: datetime | None,
    *,
    resolved: bool = False,
) -> Choice:
    from streams.core.all_rules import RULES
    from streams.sink.loader import REJECT_REASONS

    source_id = _source_id(source)
    if rule is not None and rule not in RULES and rule not in REJECT_REASONS:
        raise typer.BadParameter(f"{rule!r} is no rule: see `make rules`")
    return Choice(source_id, rule, _utc(since), _utc(until), resolved)


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
def candidates(
    kind: Annotated[str, typer.Option(help="Only this kind, for example power_plant.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 20,
) -> None:
    """List pairs that scores cannot tell, with the commands that decide them."""
    from streams.commands.candidates import lines, of_kind, open_candidates

    with _explained():
        found = of_kind(open_candidates(settings()), kind)
        for candidate in found[:limit]:
            for line in lines(candidate):
                out.print(line, markup=False, soft_wrap=True)
        out.print(f"{min(limit, len(found)):,} of {len(found):,} undecided pairs", markup=False)


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

    with _explained(Console(stderr=True, emoji=False)):
        typer.echo(ask(settings(), query or TABLES, output_format), nl=False)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
) -> None:
    """Write every view as Parquet with a data dictionary, as a Frictionless data package."""
    from streams.commands.export import export as write_package

    with _explained():
        written = write_package(settings(), folder, out)
        size_mb = sum(one.size for one in written) / 1e6
        out.print(
            f"{len(written)} views, {size_mb:.1f} MB, written to {folder}; what the columns are "
            "says datapackage.json.",
            markup=False,
        )


@app.command("export-raw")
def export_raw(
    folder: Annotated[Path, typer.Argument(help="Folder to write; one is made for each topic.")],
    source: Annotated[
        str | None,
        typer.Option(help="Only this source; without it every source and decisions by hand."),
    ] = None,
) -> None:
    """Write raw topics and decisions to Avro files with checksums: the backup of a deployment."""
    from streams.commands.export_raw import export_raw as write_archives
    from streams.commands.export_raw import kept_topics

    source_id = _source_id(source)
    with _explained():
        topics = kept_topics(source_id)
        for written in write_archives(settings(), topics, folder, out):
            out.print(
                f"{written.topic}: {written.records:,} records, {written.file_bytes / 1e6:.1f} MB, "
                f"written to {folder / written.topic}",
                markup=False,
            )
            if written.unused_offsets:
                out.print(
                    f"{written.unused_offsets:,} offsets have no record, so restored ones are new.",
                    markup=False,
                )


@app.command("import-raw")
def import_raw(
    folder: Annotated[Path, typer.Argument(help="Folder that `export-raw` wrote.")],
) -> None:
    """Restore what `export-raw` wrote into a deployment that is empty, byte for byte."""
    from streams.commands.import_raw import import_raw as restore_archives

    with _explained():
        for restored in restore_archives(settings(), folder, out):
            out.print(
                f"{restored.topic}: {restored.records:,} records as exported, "
                f"{restored.already_there:,} of them were there already",
                markup=False,
            )
            if restored.left_out:
                out.print(
                    f"{restored.left_out:,} redriven copies were left out: offsets are new, and "
                    "their originals are in it."
                )


@app.command()
def api() -> None:
    """Serve what ClickHouse has over HTTP, read only."""
    from streams.serve.server import serve

    with _explained():
        serve(settings())


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


@app.command("sink-reload")
def sink_reload() -> None:
    """Let the sink load ClickHouse again from Kafka, from the beginning."""
    from streams.commands.sink_reload import reload_sink

    with _explained():
        reload_sink(settings(), out)
        out.print("Done. The next start of the sink, or `make run`, loads everything again.")


@contextmanager
def _explained(console: Console = out) -> Iterator[None]:
    try:
        yield
    except InfrastructureError as error:
        console.print(str(error), style="red", markup=False)
        wrong_setting = isinstance(error, SettingsError)
        raise typer.Exit(EXIT_CONFIGURATION if wrong_setting else EXIT_FAILED) from error


if __name__ == "__main__":
    app()
