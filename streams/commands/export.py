"""`make export`: every view as Parquet with a data dictionary, as a Frictionless data package."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import track

from producers.connectors import CONNECTORS
from streams.clickhouse.client import embedded_path, holder_of
from streams.clickhouse.data_package import FILE_NAME, Credit, Resource, data_package, parquet_name
from streams.clickhouse.export_reader import ExportReader
from streams.clickhouse.views import View, views
from streams.commands.sink_process import ask_sink
from streams.core.errors import SinkError
from streams.settings import Settings
from streams.tolerance_file import load_tolerances

_ANSWER_SECONDS = 600.0

Read = Callable[[str], bytes]


def export(settings: Settings, folder: Path, console: Console) -> list[Resource]:
    """Write every view and the dictionary into a folder; files of an earlier export are replaced.

    The embedded engine is read through the sink's worker while that has it open. While the sink
    loads, a view may be newer than the one before it.

    Raises:
        SinkError: no data, or nobody answers; nothing is half written, `datapackage.json` comes
            last.
    """
    weights = load_tolerances(settings.tolerances_file).quality.weights
    with _reading(settings) as read:
        shown = track(views(weights), "Views", console=console, transient=True)
        return write_package(read, shown, folder)


def write_package(read: Read, shown: Iterable[View], folder: Path) -> list[Resource]:
    """Write views and their dictionary; the same data give the same bytes.

    Args:
        read: Gives a view as Parquet.
        shown: The views.
        folder: Where to; made when it is not there.

    Raises:
        SinkError: a view cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / FILE_NAME
    package.unlink(missing_ok=True)
    resources = []
    for view in shown:
        content = read(view.name)
        _write(folder / parquet_name(view.name), content)
        resources.append(Resource.of(view, content))
    credits = [
        Credit(connector.source_id, connector.licence, connector.attribution)
        for connector in CONNECTORS.values()
    ]
    _write(package, data_package(resources, credits))
    return resources


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


@contextmanager
def _reading(settings: Settings) -> Iterator[Read]:
    url = settings.clickhouse_url()
    path = embedded_path(url)
    if path and not path.is_dir():
        raise SinkError(f"There are no data in {path} yet: `make run` loads some.")
    if path and (holder := holder_of(path)):
        held = f"{path} is in use by {holder}"
        yield lambda view: _from_the_sink(settings.sink_port, held, view)
        return
    with ExportReader(url) as reader:
        yield reader.parquet


def _from_the_sink(port: int, held: str, view: str) -> bytes:
    answer = ask_sink(port, held, "GET", f"/views/{view}", seconds=_ANSWER_SECONDS)
    if answer.status_code != httpx.codes.OK:
        raise SinkError(
            f"The process on port {port} does not export {view} ({answer.status_code}): "
            f"{answer.text}"
        )
    return answer.content
