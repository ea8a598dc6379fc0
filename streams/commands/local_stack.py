"""The local stack for a command that needs it for a moment, when `make run` does not have it up."""

from contextlib import ExitStack

from rich.console import Console

from streams.settings import Settings


def start_local_stack(
    settings: Settings, console: Console, running: ExitStack, *, new: bool = False
) -> None:
    """Start it where its data are, unless the broker that is meant is another one or runs.

    Args:
        settings: Name the broker that is meant.
        console: Says so.
        running: What ends it.
        new: Also where there are no data yet.

    Raises:
        ComponentFailedError, DataDirectoryInUseError: it did not start.
    """
    from streams.local.ports import HOST, StackPorts, is_listening
    from streams.local.stack import LocalStack  # an extra of a laptop

    port = StackPorts.from_environment().kafka_port
    is_local = settings.kafka_bootstrap == f"{HOST}:{port}"
    if is_local and not is_listening(port) and (new or (settings.data_dir / "kafka").is_dir()):
        console.print(f"Starting the local stack in {settings.data_dir.absolute()}")
        running.enter_context(LocalStack(settings.data_dir))
