"""Members of every live asset, for the scoring of reconciliation and for people."""

import csv
from collections.abc import Iterator, Mapping
from typing import TextIO

from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.kafka.decoded_reader import read_decoded
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.topics import MARKET_INFRASTRUCTURE

COLUMNS = ("asset_id", "source", "source_id")

_SOURCES: Mapping[tuple[str, str], str] = {
    ("power_plant", "wri_powerplants"): "GPPD",
    ("power_plant", "gem_transmission"): "GEM",
    ("power_plant", "jrc_ppdb"): "JRC",
    ("power_plant", "jrc_hydro"): "JRCHYDRO",
    ("lng_terminal", "alsi_lng_inventory"): "ALSI",
    ("lng_terminal", "gem_transmission"): "GEMLNG",
}
"""Names that published lists of pairs use, by kind and source."""


def current_assets(settings: Settings) -> Iterator[avro.InfrastructureRecord]:
    """The highest version of every live canonical record.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: they could not be read.
    """
    newest: dict[str, tuple[int, bytes | None]] = {}
    with open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry:
        decoder = topic_decoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        for record, canonical in read_decoded(
            settings.kafka_bootstrap, MARKET_INFRASTRUCTURE.name, decoder
        ):
            live = record.value if canonical["status"] == "current" else None
            found = (canonical["version"], live)
            known = newest.get(canonical["record_id"])
            if known is None or known[0] < found[0]:
                newest[canonical["record_id"]] = found
        for _, value in newest.values():
            if value is not None:
                yield decoder.decode(value)


def member_rows(canonical: avro.InfrastructureRecord) -> list[tuple[str, str, str]]:
    """Asset id, source and source id of every member entity, each once.

    A unit is listed as its plant: the entity of a source with units is what pairs are published
        for.
    """
    rows = {
        (canonical["record_id"], source, _published_id(source, member))
        for member in canonical["members"]
        if (source := _SOURCES.get((canonical["kind"], member["source_id"])))
    }
    return sorted(rows)


def write_members(settings: Settings, out: TextIO) -> int:
    """Write the members of every live asset as CSV; returns the number of rows."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = sorted(row for canonical in current_assets(settings) for row in member_rows(canonical))
    writer.writerows(rows)
    return len(rows)


def _published_id(source: str, member: avro.Member) -> str:
    """What published pairs call an entity: GEM the site, ALSI the facility, others as they are."""
    entity_id = member["entity_id"] or member["record_id"]
    return entity_id.split("/")[0] if source in ("GEM", "ALSI") else entity_id
