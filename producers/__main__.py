"""Command line of the producers: `python -m producers SOURCE`, and what belongs to it.

Exit codes: 0 done · 2 wrong call or configuration · 3 source unavailable or refusing · 4 another
run of the source is active · 5 broker, registry or database unavailable · 130 Ctrl-C · 143 SIGTERM.
"""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import FrameType
from typing import Annotated

import stamina.instrumentation
import typer
from confluent_kafka import KafkaException
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table
from stamina.instrumentation import RetryDetails

from producers import progress
from producers.checkpoint import open_store
from producers.config import config_file, duration, load_config, process_environment
from producers.connectors import CONNECTORS
from producers.dry_run import as_json, previews
from producers.errors import (
    EXIT_CONFIGURATION,
    EXIT_SERVICE,
    EXIT_SOURCE,
    ConfigurationError,
    ProducerError,
)
from producers.run import RunOptions, RunSummary, Services, connector_class_of, run_once
from producers.run_history import StartedRun
from producers.try_file import print_trial, try_file
from streams.core.errors import InfrastructureError, SettingsError
from streams.quiet_logs import quiet_clients
from streams.settings import settings
from streams.startup import prepare_process

log = logging.getLogger("producers")
app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
out = Console()
err = Console(stderr=True)

_EXIT_INTERRUPTED = 130
_EXIT_TERMINATED = 143
_DRY_RUN_ITEMS = 3
_CHECKPOINT_KEYS = 4
_CHECKPOINT_VALUE = 60


@app.callback()
def prepare() -> None:
    """Poll upstream sources and publish what they say to the raw topics."""
    with _exit_codes():
        level = settings().log_level
        prepare_process(settings(), process_environment())
    handler: logging.Handler = logging.StreamHandler()
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    if err.is_terminal:
        handler, form = RichHandler(console=err, show_path=False), "%(message)s"
    logging.basicConfig(level=level, format=form, handlers=[handler], force=True)
    quiet_clients()
    stamina.instrumentation.set_on_retry_hooks([_log_retry])
    signal.signal(signal.SIGTERM, _terminate)


def _log_retry(details: RetryDetails) -> None:
    """Say that a request is tried again, in words also where Kafka's client has an object."""
    cause = details.caused_by
    said = f"Kafka: {cause.args[0].str()}" if isinstance(cause, KafkaException) else cause
    log.warning("%s; trying again in %.1f s", said, details.wait_for)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(_EXIT_TERMINATED)


Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]
Every = Annotated[
    str | None,
    typer.Option(
        metavar="6h",
        help="Repeat after this time, until stopped; `schedule` takes it from the configuration.",
    ),
]
_SCHEDULE = "schedule"


def _poll_command(name: str) -> Callable[..., None]:
    def poll(
        once: Annotated[bool, typer.Option("--once", help="Poll once; the default.")] = False,
        every: Every = None,
        since: Day = None,
        until: Day = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Show raw, normalized and verdict; write nothing.")
        ] = False,
        limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many items.")] = None,
        accept_loss: Annotated[
            bool, typer.Option("--accept-loss", help="What a release has lost is really gone.")
        ] = False,
        whole: Annotated[
            bool, typer.Option("--whole", help="Read everything again, as the first run did.")
        ] = False,
    ) -> None:
        if once and every:
            raise typer.BadParameter("--once and --every exclude each other")
        options = RunOptions(_date(since), _date(until), limit, whole, accept_loss)
        if options.since and options.until and options.since > options.until:
            raise typer.BadParameter("--since is after --until")
        if (options.since or options.until) and not CONNECTORS[name].has_days:
            raise typer.BadParameter(f"--since and --until: {name} is a list without days")
        with _exit_codes():
            if dry_run:
                _show_previews(name, options)
            elif every:
                _repeat(name, options, _pause(name, every))
            else:
                _poll(name, options)

    poll.__doc__ = f"Poll {name} and publish to raw.{name}."
    return poll


def _pause(name: str, every: str) -> timedelta:
    if every == _SCHEDULE:
        model = connector_class_of(name).config_model
        return load_config(name, model, process_environment()).schedule
    try:
        return duration(every)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or {_SCHEDULE}", param_hint="--every") from error


def _date(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


for _name in CONNECTORS:
    app.command(_name, rich_help_panel="Sources")(_poll_command(_name))


@app.command("checkpoints")
def show_checkpoints(
    source: str,
    limit: Annotated[int, typer.Option(min=1, help="Newest runs shown.")] = 20,
) -> None:
    """Show what the runs of a source came to, newest first."""
    with _exit_codes():
        connector = connector_class_of(source)
        with open_store(settings().postgres_dsn) as store:
            runs = store.runs(connector.source_id, limit)
    table = Table("began", "took", "items", "delisted", "left out", "came to", "checkpoint", "run")
    said: dict[str, str] = {}
    for run in runs:
        done, ended_at = run.finished, run.ended_at
        began = f"{run.began_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
        table.add_row(
            began,
            "" if ended_at is None else f"{(ended_at - run.began_at).total_seconds():.1f} s",
            "" if done is None else f"{done.items:,}",
            "" if done is None else f"{done.delisted:,}",
            f"{sum(run.left_out.values()):,}",
            _came_to(run),
            "stays" if done is None else escape(_shortened(done.checkpoint)),
            "" if done is None else done.run_id[:8],
        )
        if run.message is not None:
            said.setdefault(run.message, began)
    _print_table(table)
    for message, began in said.items():
        typer.echo(f"{began} {message}")


def _came_to(run: StartedRun) -> str:
    """What a run came to, in words: only what was read to its end looks finished."""
    done = run.finished
    if run.runs_now:
        return "runs now"
    if run.error is not None:
        return f"{'failed' if done is None else 'read in part'}: {run.error}"
    if run.ended_at is None:
        return "killed; nothing is recorded as done"
    if done is None:
        return "read nothing"
    if not done.items:
        return "nothing new"
    return "a whole release" if done.complete else "read, not as a whole release"


def _shortened(checkpoint: Mapping[str, str]) -> str:
    pairs = [f"{key}={_cut(value)}" for key, value in sorted(checkpoint.items())]
    more = len(pairs) - _CHECKPOINT_KEYS
    return " ".join(pairs[:_CHECKPOINT_KEYS]) + (f" and {more} more" if more > 0 else "")


def _cut(value: str) -> str:
    return value if len(value) <= _CHECKPOINT_VALUE else f"{value[:_CHECKPOINT_VALUE]}…"


@app.command("list")
def list_sources() -> None:
    """List the sources, their streams and their configuration files."""
    environment = process_environment()
    table = Table("source", "stream", "kind", "what it is", "configuration")
    for name, connector in CONNECTORS.items():
        for stream in connector.discover():
            path = str(config_file(name, environment))
            table.add_row(name, stream.name, stream.kind, stream.description, path)
    _print_table(table)


@app.command("try-file")
def run_trial(
    source: str,
    file: str,
    list_name: Annotated[
        str | None,
        typer.Option("--list", metavar="NAME", help="Which list it is, where that must be said."),
    ] = None,
    nodes: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Nodes that lines refer to, where none is beside them."),
    ] = None,
) -> None:
    """Show how well a file is read, as SOURCE reads it: rows, verdicts, fields and columns."""
    with _exit_codes():
        trial = try_file(source, file, process_environment(), list_name, nodes)
        print_trial(trial, out)
        if trial.refused is not None:
            raise typer.Exit(EXIT_SOURCE)


@app.command("sandbox")
def run_sandbox() -> None:
    """Serve the upstreams' APIs locally; settings: SANDBOX_PORT and the like."""
    # Imported here: a poll needs no web server.
    from producers.sandbox.server import serve
    from producers.sandbox.settings import SandboxSettings

    with _exit_codes():
        serve(SandboxSettings())


def _poll(name: str, options: RunOptions) -> None:
    current = settings()
    services = Services(current.kafka_bootstrap, current.schema_registry_url, current.postgres_dsn)
    with progress.shown(name, err) as reports:
        summary = run_once(
            name,
            options,
            services,
            process_environment(),
            reports.on_items,
            reports.on_download,
        )
    log.info(_sentence(summary))


def _sentence(summary: RunSummary) -> str:
    return f"{_counts(summary)}{_left_out(summary.left_out)}"


def _left_out(left_out: Mapping[str, int]) -> str:
    """What was not published, by reason; empty when there is nothing."""
    if not left_out:
        return ""
    reasons = ", ".join(f"{reason} {items:,}" for reason, items in sorted(left_out.items()))
    return f"; left out: {reasons}"


def _counts(summary: RunSummary) -> str:
    if summary.unchanged:
        return f"{summary.source}: unchanged since the last run ({summary.elapsed_seconds:.1f} s)"
    return (
        f"{summary.source}: {summary.polled} polled, {summary.already_published} of them already "
        f"published, {summary.delisted} no longer listed, "
        f"{summary.published} published and confirmed in {summary.elapsed_seconds:.1f} s"
    )


def _repeat(name: str, options: RunOptions, every: timedelta) -> None:
    """Poll again and again. What one run cannot do the next may; a wrong configuration ends it."""
    waiting = threading.Event()
    while True:
        try:
            _poll(name, options)
        except ConfigurationError:
            raise
        except InfrastructureError as error:
            log.error("%s", error)
        except Exception:
            # Nobody foresaw it: the run has recorded it, and what comes next may be read.
            log.exception("%s: this run failed", name)
        log.info("%s: next poll in %s", name, every)
        waiting.wait(every.total_seconds())


def _show_previews(name: str, options: RunOptions) -> None:
    limited = replace(options, limit=options.limit or _DRY_RUN_ITEMS)
    for preview in previews(name, limited, process_environment()):
        out.rule(f"{preview.raw.record_id}")
        typer.echo(f"raw {as_json(preview.raw.to_avro())}")
        if preview.normalized is not None:
            typer.echo(f"normalized {as_json(preview.normalized)}")
        typer.echo(f"verdict {preview.verdict}")


def _print_table(table: Table) -> None:
    # Into a pipe or a file go whole lines, whatever their width.
    console = out if out.is_terminal else Console(width=200)
    console.print(table)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except ProducerError as error:
        log.error("%s", error)
        raise typer.Exit(error.exit_code) from error
    except SettingsError as error:
        log.error("%s", error)
        raise typer.Exit(EXIT_CONFIGURATION) from error
    except InfrastructureError as error:
        log.error("%s", error)
        raise typer.Exit(EXIT_SERVICE) from error
    except KeyboardInterrupt:
        log.warning("Interrupted; the checkpoint has not moved.")
        raise typer.Exit(_EXIT_INTERRUPTED) from None


if __name__ == "__main__":
    app()
