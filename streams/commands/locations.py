"""Where the normalize stages last sent each source record, read from their changelogs."""

from collections.abc import Iterator

from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.core.foreign import ForeignRecords
from streams.core.regions import REGION_NAMES
from streams.kafka.decoded_reader import read_value
from streams.kafka.topic_reader import read_all
from streams.settings import Settings
from streams.topology import normalize_stage, pipeline


def listed_assets(
    settings: Settings, registry: Registry, connector_name: str, foreign: ForeignRecords
) -> Iterator[tuple[str, avro.Location]]:
    """Record id and location of each asset record that a source lists and that was accepted last.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: they could not be read.
    """
    stages = {stage.name: stage for stage in pipeline([connector_name])}
    changelog = stages[normalize_stage(connector_name)].changelog(settings.app_id)
    decoder = topic_decoder(registry, changelog, avro.Location)
    last = {record.key: record for record in read_all(settings.kafka_bootstrap, changelog.name)}
    for key, record in last.items():
        if key is None or key.startswith(b"\x00") or record.value is None:
            continue
        location = read_value(record, decoder, foreign)
        if location is not None and location["listed"] and location["region"] in _REGIONS:
            yield key.decode(), location


_REGIONS = range(len(REGION_NAMES))
