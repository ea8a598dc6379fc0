"""What every process of the product does first: commands, producers and workers alike."""

import os
from collections.abc import Mapping
from typing import Final

from streams.credentials import use_credentials
from streams.open_files import raise_open_files
from streams.proxies import prepare_proxies
from streams.settings import Settings

_OPEN_FILES: Final = 128


def prepare_process(
    settings: Settings,
    environment: Mapping[str, str] = os.environ,
    *,
    open_files: int = _OPEN_FILES,
) -> None:
    """Make the process ready for what its machine is like.

    Args:
        settings: Of this process.
        environment: Its variables; those of a file may be with them.
        open_files: How many it has open at most, connections included.

    Raises:
        SettingsError: a variable or a limit of the machine must be changed first.
    """
    use_credentials(settings)
    raise_open_files(open_files)
    prepare_proxies((settings.schema_registry_url, settings.clickhouse_dsn, *environment.values()))
