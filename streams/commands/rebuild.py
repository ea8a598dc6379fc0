"""Rebuilding: a next generation grows beside the running one, is compared, switched or dropped.

make rebuild            it grows until it has read every raw record and every decision
make rebuild DIFF=1     the same, and what readers would see differently
make rebuild SWITCH=1   one that grows becomes the running one, in one transaction
make rebuild DROP=1     it is thrown away
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.commands.differences import print_differences
from streams.commands.generation_comparison import compared
from streams.commands.generation_switch import Switched, end_writing, switched
from streams.commands.local_stack import start_local_stack
from streams.commands.next_generation import drain, drop, end_switch, grown
from streams.commands.record_progress import record_progress
from streams.core.accepted_loss import require_accepted
from streams.core.differences import Differences
from streams.engine.failpoints import failpoint
from streams.engine.generations import generations
from streams.kafka.groups import require_stopped
from streams.kafka.topic_admin import lag
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.topics import raw_topic


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild changes, or would change.

    Attributes:
        generation: Number of the next generation.
        differences: Canonical records, compared with what is current.
        unread: Raw records that only one of both has read: they show as differences.
    """

    generation: int
    differences: Differences
    unread: int


def grow(settings: Settings, console: Console) -> int:
    """Let the next generation read what there is; returns its number.

    Raises:
        StateError: the one that grows was begun with other code, or another command lets it grow.
        InfrastructureError: its worker failed, or a service; run it again.
    """
    with _opened(settings, console) as (registry, progress):
        return grown(settings, registry, progress)["generation"]


def compare(settings: Settings, console: Console) -> RebuildReport:
    """The same, and what it has otherwise than the running one; errors as those of `grow`."""
    with _opened(settings, console) as (registry, progress):
        entry = grown(settings, registry, progress)
        drain(settings, progress)
        differences = compared(settings, registry, progress).differences
        return RebuildReport(entry["generation"], differences, _unread(settings))


def switch(settings: Settings, console: Console, *, accept_loss: bool) -> RebuildReport | None:
    """Let the next generation take the place of the running one, whose workers are stopped.

    Everything is one transaction: killed before its end, nothing has changed, and run again it is
    done; killed afterwards, run again it clears away.

    Args:
        settings: Where the services are.
        console: Shows progress.
        accept_loss: A person has said that what is gone is really gone.

    Returns:
        What has changed; None when it was switched already and only cleared away.

    Raises:
        StateError: workers are running, none grows, or more is gone than anybody has accepted.
        InfrastructureError: as for `grow`.
    """
    bootstrap = settings.kafka_bootstrap
    with _opened(settings, console) as (registry, progress):
        require_stopped(bootstrap, settings.app_id)
        if "next" not in generations(bootstrap, registry):
            drop(settings)
            return None
        end_switch(settings)
        written = end_writing(settings)
        entry = grown(settings, registry, progress)
        drain(settings, progress)
        comparison = compared(settings, registry, progress)
        if not accept_loss:
            require_accepted(comparison.differences)
        switched(Switched(settings, registry, entry, comparison, written, progress))
        failpoint("after_switch")
        drop(settings)
        return RebuildReport(entry["generation"], comparison.differences, 0)


def throw_away(settings: Settings, console: Console) -> None:
    """Throw the next generation away; again, it changes nothing.

    Raises:
        StateError: another command lets it grow.
        InfrastructureError: a service; run it again.
    """
    with ExitStack() as running:
        start_local_stack(settings, console, running)
        drop(settings)


def print_comparison(report: RebuildReport, console: Console) -> None:
    """What would change, for people."""
    _print(report, console)
    console.print(
        f"Generation {report.generation} grows; nothing was published. `make rebuild SWITCH=1` "
        "lets it run, `make rebuild DROP=1` throws it away."
    )
    if report.unread:
        console.print(
            f"{report.unread:,} raw records came meanwhile, or the running generation has not "
            "read them: they show as differences."
        )


def print_switch(report: RebuildReport | None, console: Console) -> None:
    """What has changed, for people."""
    if report is None:
        console.print("No next generation grows: nothing was switched.")
        return
    _print(report, console)
    console.print(f"Generation {report.generation} runs now: start the workers, with this code.")


def _print(report: RebuildReport, console: Console) -> None:
    print_differences(report.differences, console)
    unchanged = report.differences.unchanged.total()
    console.print(f"{unchanged:,} canonical records are the same in both generations.")


@contextmanager
def _opened(settings: Settings, console: Console) -> Iterator[tuple[Registry, Progress]]:
    with ExitStack() as running:
        start_local_stack(settings, console, running)
        registry = open_registry(settings.kafka_bootstrap, settings.schema_registry_url)
        running.enter_context(registry)
        yield registry, running.enter_context(record_progress(console))


def _unread(settings: Settings) -> int:
    raw = [raw_topic(name).name for name in CONNECTORS]
    groups = (settings.app_id, settings.next_app_id)
    return max(sum(lag(settings.kafka_bootstrap, group, raw).values()) for group in groups)
