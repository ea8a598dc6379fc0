"""What the next generation has otherwise than the running one, canonical record by record."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.progress import Progress

from streams.avro.codec import Decoder, Registry
from streams.avro.topic_codecs import topic_decoder
from streams.commands.record_progress import advancing
from streams.core import contract_types as avro
from streams.core.differences import Differences, is_news
from streams.core.foreign import ForeignRecords
from streams.core.left_behind import LeftBehind
from streams.kafka.decoded_reader import read_value
from streams.kafka.topic_reader import read
from streams.settings import Settings
from streams.topics import MARKET_INFRASTRUCTURE, of_next_generation


@dataclass(slots=True)
class Comparison:
    """What readers would see differently, and what they would be sent.

    Attributes:
        differences: Counts and examples.
        news: Key and framed value of each record that the next generation has otherwise.
        left: Records that it does not have.
        shown_versions: Version under which readers have what is unchanged, by the id and version
            that the next generation has it under.
    """

    differences: Differences = field(default_factory=Differences)
    news: list[tuple[bytes, bytes]] = field(default_factory=list)
    left: LeftBehind = field(default_factory=LeftBehind)
    shown_versions: dict[tuple[str, int], int] = field(default_factory=dict)


def compared(settings: Settings, registry: Registry, progress: Progress) -> Comparison:
    """Compare both, partition by partition: a record is in the same one of both topics.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: they could not be read.
    """
    decoder = topic_decoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
    names = MARKET_INFRASTRUCTURE.name, of_next_generation(MARKET_INFRASTRUCTURE).name
    comparison = Comparison()
    for partition in range(MARKET_INFRASTRUCTURE.partitions):
        before, after = (_newest(settings, name, partition, decoder, progress) for name in names)
        for record_id in sorted(before.keys() | after.keys()):
            _compare(comparison, decoder, before.get(record_id), after.get(record_id))
    return comparison


def _compare(
    comparison: Comparison,
    decoder: Decoder[avro.InfrastructureRecord],
    before: bytes | None,
    after: bytes | None,
) -> None:
    was = None if before is None else decoder.decode(before)
    now = None if after is None else decoder.decode(after)
    comparison.differences.add(was, now)
    if now is None:
        assert was is not None  # one of both has it
        comparison.left.leave(was)
        return
    comparison.left.keep(now)
    identity = now["record_id"], now["version"]
    if is_news(was, now):
        assert after is not None
        comparison.news.append((now["record_id"].encode(), after))
        comparison.shown_versions[identity] = now["version"]
    elif was is not None:
        comparison.shown_versions[identity] = was["version"]


def _newest(
    settings: Settings,
    topic: str,
    partition: int,
    decoder: Decoder[avro.InfrastructureRecord],
    progress: Progress,
) -> dict[str, bytes]:
    """Framed value of every record of a partition at its highest version, by id."""
    newest: dict[str, tuple[int, bytes]] = {}
    for record_id, version, value in _versions(settings, topic, partition, decoder, progress):
        known = newest.get(record_id)
        if known is None or known[0] < version:
            newest[record_id] = version, value
    return {record_id: value for record_id, (_, value) in newest.items()}


def _versions(
    settings: Settings,
    topic: str,
    partition: int,
    decoder: Decoder[avro.InfrastructureRecord],
    progress: Progress,
) -> Iterator[tuple[str, int, bytes]]:
    task = progress.add_task("Canonical records", total=None)
    foreign = ForeignRecords()
    records = read(settings.kafka_bootstrap, topic, partition=partition)
    for record in advancing(progress, task, records):
        canonical = read_value(record, decoder, foreign)
        if canonical is not None:
            assert record.value is not None  # it was decoded
            yield canonical["record_id"], canonical["version"], record.value
    progress.remove_task(task)
