"""How well one file is read: rows, verdicts, fields and columns, before a source reads it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from rich.console import Console

from producers.config import HttpConfig, load_config
from producers.connector import FileToTry, InfrastructureConnector, Pull, PullRequest, RawItem
from producers.errors import ConfigurationError, SourceError
from producers.formats.release_files import obtain
from producers.formats.tracker_columns import plain_name
from producers.http import HttpSource
from producers.run import Envelope, connector_class_of
from streams.core.errors import Rejected
from streams.core.validate import validate
from streams.settings import settings
from streams.tolerance_file import load_tolerances

_RUN_ID = "try-file"


@dataclass(slots=True)
class FileTrial:
    """What became of the rows of a file, read as one stream of a source.

    Attributes:
        refused: Why a poll would refuse the file; None when it would not.
        accepted: Rows that become records.
        rejected: Rows by rule and field that rejects them.
        left_out: Rows that are no items of the source on purpose, by reason.
        flagged: Accepted rows that a rule flags.
        flags: The same by rule; a row may have several.
        filled: Accepted rows with something in a field.
        unread: Rows with something in a column that nothing is read from.
    """

    stream: str
    refused: SourceError | None = None
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    flagged: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Rows read, whatever became of them."""
        return self.accepted + self.rejected.total() + self.left_out.total()


def try_file(
    name: str,
    location: str,
    environment: Mapping[str, str],
    list_name: str | None = None,
    nodes: str | None = None,
) -> FileTrial:
    """Read a file as a source would, and nothing else; where it may be several things, the best.

    Args:
        name: The source.
        location: Address or path.
        environment: Variables of the source's configuration.
        list_name: Which list of the source it is, where its content cannot tell.
        nodes: Path of the list of nodes that lines refer to; None for the one beside them.

    Raises:
        ConfigurationError: no such source, one that reads no files, or it must be said which list
            this is.
        SourceError: there is no such file, or it cannot be read.
    """
    connector_class = connector_class_of(name)
    if not connector_class.file_variables:
        raise ConfigurationError(f"{name} reads no files.")
    with TemporaryDirectory(prefix="try-") as folder, HttpSource(HttpConfig()) as http:
        path = _obtained(http, location, Path(folder) / "file")
        beside = None if nodes is None else _obtained(http, nodes, Path(folder) / "nodes")
        file = FileToTry(location, path, Path(folder), list_name, beside)
        return max(
            (
                _trial(connector_class, stream, variables, location, environment)
                for stream, variables in connector_class.variables_for(file).items()
            ),
            key=lambda trial: (trial.accepted, trial.rows),
        )


def _obtained(http: HttpSource, location: str, target: Path) -> Path:
    obtained = obtain(http, location, target, None)
    assert obtained.path is not None
    return obtained.path


def print_trial(trial: FileTrial, console: Console) -> None:
    """The trial for people."""

    def show(title: str, counts: Mapping[str, int], of: int, rows: int | None = None) -> None:
        inside = "" if rows is None else f" {rows:,} rows ({rows / max(1, of):.1%})"
        console.print(f"{title}:" + (inside if counts else " none"), markup=False)
        for one, rows in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
            console.print(f"  {one}: {rows:,} ({rows / max(1, of):.1%})", markup=False)

    console.print(f"Read as {trial.stream}: {trial.rows:,} rows, {trial.accepted:,} accepted")
    show("Rejected", trial.rejected, trial.rows)
    show("Left out", trial.left_out, trial.rows)
    show("Flagged", trial.flags, trial.accepted, trial.flagged)
    show("Fields filled", trial.filled, trial.accepted)
    show("Columns nothing is read from", trial.unread, trial.rows)
    if trial.refused is not None:
        console.print(f"A poll refuses it: {trial.refused}", style="red", markup=False)


def _trial(
    connector_class: type[InfrastructureConnector],
    stream: str,
    variables: Mapping[str, str],
    file: str,
    environment: Mapping[str, str],
) -> FileTrial:
    config = load_config(
        connector_class.name, connector_class.config_model, {**environment, **variables}
    )
    connector = connector_class(config)
    trial = FileTrial(stream)
    items, pull = _pulled(connector, stream, file, accept_loss=False)
    trial.refused = pull.failures.get(stream)
    if trial.refused is not None:
        # What it would be like, so that a person sees why.
        items, pull = _pulled(connector, stream, file, accept_loss=True)
    trial.left_out = pull.left_out
    _read(connector, items, trial)
    return trial


def _pulled(
    connector: InfrastructureConnector, stream: str, file: str, *, accept_loss: bool
) -> tuple[list[RawItem], Pull]:
    request = PullRequest({}, datetime.now(UTC).date(), accept_loss=accept_loss)
    pull = Pull({})
    items: list[RawItem] = []
    remote = file.startswith(("http://", "https://"))
    transport = None if remote else httpx.MockTransport(_offline)
    with HttpSource(connector.config.http, transport=transport) as http:
        try:
            pulled = connector.pull_or_subscribe(http, request, pull)
            items.extend(item for item in pulled if item.stream == stream)
        except SourceError as error:
            pull.failures.setdefault(stream, error)
    return items, pull


def _offline(request: httpx.Request) -> httpx.Response:
    raise httpx.UnsupportedProtocol("a file is tried without any network")


def _read(connector: InfrastructureConnector, items: list[RawItem], trial: FileTrial) -> None:
    tolerances = load_tolerances(settings().tolerances_file)
    envelope = Envelope(connector, _RUN_ID)
    kind = next(one.kind for one in connector.discover() if one.name == trial.stream)
    read = {plain_name(name) for name in connector.also_read}
    for names in connector.upstream_fields.get(kind, {}).values():
        # Of a column with many tags, some are named.
        read.update(plain_name(name.partition(".")[0]) for name in names)
        read.update(map(plain_name, names))
    for item in items:
        trial.unread.update(name for name in _columns(item) if plain_name(name) not in read)
        raw = envelope.observed(item)
        verdict = connector.map_to_schema(raw)
        if not isinstance(verdict, Rejected):
            verdict = validate(verdict, raw, tolerances)
        if isinstance(verdict, Rejected):
            where = f" ({verdict.field})" if verdict.field else ""
            trial.rejected[f"{verdict.rule_id}{where}"] += 1
            continue
        trial.accepted += 1
        trial.flagged += bool(verdict.flags)
        trial.flags.update(verdict.flags)
        payload = verdict.payload
        trial.filled.update(
            name for name in payload.field_names() if getattr(payload, name) not in (None, (), "")
        )


def _columns(item: RawItem) -> Iterator[str]:
    """Columns of a row with something in them."""
    row = item.item.get("columns") or item.item.get("row") or item.item
    for name, text in {**row, **(row.get("extra") or {})}.items():
        if text and name != "extra":
            yield name
