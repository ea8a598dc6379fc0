"""Command line: `python -m streams COMMAND`. Workers are started with Faust's own command."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.core.errors import InfrastructureError
from streams.settings import settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
out = Console()

_EXIT_FAILED = 3


@app.callback()
def prepare() -> None:
    """Run, deploy and look into the stream processing of energy infrastructure."""
    logging.basicConfig(level=settings().log_level.upper(), format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Exit after the account.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Poll the real sources instead of the sandbox.")
    ] = False,
) -> None:
    """Start everything on this machine, poll every source, print the account."""
    from streams.local.run import run as run_locally  # the local stack is an extra of a laptop

    raise typer.Exit(run_locally(once=once, live=live, console=out))


@app.command()
def topics() -> None:
    """Create the declared topics that are missing; check the others."""
    from streams.deploy import all_topics, create_topics

    with _explained():
        create_topics(settings())
        table = Table("topic", "partitions", "clean-up", "contract")
        for topic in all_topics(settings()):
            table.add_row(topic.name, str(topic.partitions), topic.cleanup, topic.contract_name)
        out.print(table)


@app.command("schemas-register")
def schemas_register() -> None:
    """Register every contract; refuses what is incompatible with an earlier version."""
    from streams.deploy import register_schemas

    with _explained():
        table = Table("subject", "schema id")
        for subject, schema_id in register_schemas(settings()).items():
            table.add_row(subject, str(schema_id))
        out.print(table)


@app.command()
def account() -> None:
    """Recompute from the topics what became of every raw record; exit code 1 if a count is open."""
    from producers.connectors import CONNECTORS
    from streams.summary import account_table, count_published, take_account

    with _explained():
        sources = {name: connector.source_id for name, connector in CONNECTORS.items()}
        found = take_account(settings(), sources)
        out.print(account_table(found, count_published(settings()), {}))
        for problem in found.problems:
            out.print(f"[red]Not accounted for: {problem}[/red]")
        raise typer.Exit(1 if found.problems else 0)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except InfrastructureError as error:
        out.print(f"[red]{error}[/red]")
        raise typer.Exit(_EXIT_FAILED) from error


if __name__ == "__main__":
    app()
