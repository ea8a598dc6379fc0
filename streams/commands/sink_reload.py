"""Loading ClickHouse again from Kafka: `make sink-reload`, for a new server or a lost directory."""

from contextlib import ExitStack

from rich.console import Console

from streams.commands.local_stack import start_local_stack
from streams.kafka.groups import forget_offsets, require_stopped
from streams.settings import Settings


def reload_sink(settings: Settings, console: Console) -> None:
    """Let the next start of the sink read its topics from the beginning.

    What ClickHouse has already stays as it is: loading it again changes nothing. When nothing runs
    here, the local stack is started for as long as this takes.

    Raises:
        StateError: a sink is running.
        BrokerError: no answer.
        ComponentFailedError, DataDirectoryInUseError: the local stack did not start.
    """
    with ExitStack() as running:
        start_local_stack(settings, console, running)
        require_stopped(settings.kafka_bootstrap, settings.sink_app_id)
        forget_offsets(settings.kafka_bootstrap, settings.sink_app_id)
