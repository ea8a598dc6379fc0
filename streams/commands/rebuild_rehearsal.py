"""What a rebuild with the code of today would change: `make rebuild DRY_RUN=1`.

A new generation with fresh state grows in this process from every raw record and every decision,
beside the pipeline that runs, and is compared with what is current. Nothing is published.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from producers.connectors import CONNECTORS
from streams.avro.topic_codecs import topic_decoder
from streams.commands.differences import print_differences
from streams.commands.input_logs import raw_input_logs
from streams.commands.record_progress import advancing, record_progress
from streams.commands.redriven import copy_of
from streams.commands.rehearsal import Rehearsal, empty_tables
from streams.core import contract_types as avro
from streams.core.differences import Differences
from streams.core.records import RawCoordinates
from streams.core.redrive import original_of
from streams.kafka.decoded_reader import read_decoded
from streams.kafka.topic_admin import end_offsets, require_topics
from streams.kafka.topic_reader import Record, read_all
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.stages.works import Making
from streams.tolerance_file import load_tolerances
from streams.topics import DECISIONS, MARKET_INFRASTRUCTURE, raw_topic
from streams.topology import COUNT, SCORE, pipeline


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild would change.

    Attributes:
        differences: Canonical records, compared with what is current.
        undecided: Raw records that the pipeline has not read yet: they show as differences.
    """

    differences: Differences
    undecided: int


def rehearse_rebuild(settings: Settings, console: Console) -> RebuildReport:
    """Compare what a rebuild would publish with what is current.

    Raises:
        BrokerError, TopicMismatchError, RegistryError, SettingsError: a service or a setting.
    """
    bootstrap = settings.kafka_bootstrap
    inputs = [raw_topic(name) for name in CONNECTORS]
    require_topics(bootstrap, inputs)
    stages = [stage for stage in pipeline(CONNECTORS) if stage not in (COUNT, SCORE)]
    with (
        open_registry(bootstrap, settings.schema_registry_url) as registry,
        record_progress(console) as progress,
    ):
        decoder = topic_decoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        tolerances = load_tolerances(settings.tolerances_file)
        making = Making.of(settings, registry, tolerances, settings.generation)
        undecided = sum(
            log.high - max(log.read_offset + 1, log.low)
            for log in raw_input_logs(settings, registry)
        )
        rehearsal = Rehearsal(making, stages, empty_tables(stages))
        grown: dict[str, bytes] = {}
        for record in _inputs(bootstrap, progress):
            for value in rehearsal.decided(record):
                grown[decoder.decode(value)["record_id"]] = value
        current: dict[str, tuple[int, bytes]] = {}
        task = progress.add_task("Canonical records", total=None)
        published = read_decoded(bootstrap, MARKET_INFRASTRUCTURE.name, decoder)
        for record, canonical in advancing(progress, task, published):
            known = current.get(canonical["record_id"])
            if known is None or known[0] < canonical["version"]:
                assert record.value is not None  # it was decoded
                current[canonical["record_id"]] = canonical["version"], record.value
        differences = Differences()
        for record_id in sorted(current.keys() | grown.keys()):
            before, after = current.get(record_id), grown.get(record_id)
            differences.add(
                None if before is None else decoder.decode(before[1]),
                None if after is None else decoder.decode(after),
            )
    return RebuildReport(differences, undecided)


def print_rebuild(report: RebuildReport, console: Console) -> None:
    """What would change, for people."""
    print_differences(report.differences, console)
    unchanged = report.differences.unchanged.total()
    console.print(f"{unchanged:,} canonical records would stay as they are; nothing was published.")
    if report.undecided:
        console.print(
            f"{report.undecided:,} raw records are not decided yet: they show as differences."
        )


def _inputs(bootstrap: str, progress: Progress) -> Iterator[Record]:
    """Every decision and raw record, as a stage that has read nothing gets them."""
    names = [DECISIONS.name, *(raw_topic(name).name for name in CONNECTORS)]
    total = sum(end_offsets(bootstrap, names).values())
    task = progress.add_task("Raw records", total=total)
    for name in names:
        for record in advancing(progress, task, read_all(bootstrap, name)):
            own = RawCoordinates(record.topic, record.partition, record.offset)
            if name == DECISIONS.name:
                yield record
            elif not isinstance(original_of(own, record.headers), RawCoordinates):
                yield copy_of(record)  # what is redriven pauses nothing
