"""Manual decisions as people make them: written to their compacted topic, from the command line."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal

from producers.connectors import CONNECTORS
from streams.avro.topic_codecs import topic_encoder
from streams.commands.locations import listed_assets
from streams.core import contract_types as avro
from streams.core.errors import SettingsError
from streams.core.foreign import ForeignRecords
from streams.core.reconcile.assign import ordered
from streams.core.reconcile.prepare import EntityKey
from streams.core.reconcile.score import KINDS
from streams.core.regions import REGION_NAMES
from streams.kafka.topic_writer import TopicWriter
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.topics import DECISIONS

Verdict = Literal["must-link", "cannot-link"]


def entity_key(kind: str, text: str) -> EntityKey:
    """Entity named as `source:entity id`.

    Raises:
        SettingsError: no such kind, or not of that form.
    """
    if kind not in KINDS:
        raise SettingsError(f"{kind!r} is not matched across sources; one of {sorted(KINDS)}.")
    source_id, _, entity_id = text.partition(":")
    if not (source_id and entity_id):
        raise SettingsError(
            f"{text!r} names no entity: write SOURCE:ENTITY, for example "
            "wri_powerplants:WRI1000001 or gem_transmission:L100000100090/GCPT."
        )
    return kind, source_id, entity_id


def verdict_of(text: str) -> Verdict | None:
    """The verdict of a word; None for `withdraw`.

    Raises:
        SettingsError: another word.
    """
    match text:
        case "must-link" | "cannot-link":
            return text
        case "withdraw":
            return None
    raise SettingsError(f"{text!r} is no verdict: must-link, cannot-link or withdraw.")


def pair_key(one: EntityKey, other: EntityKey) -> str:
    """Message key of a decision: the same in whichever order the two are named."""
    first, second = ordered(one, other)
    return f"{first[0]}|{first[1]}:{first[2]}|{second[1]}:{second[2]}"


def require_one_region(
    one: EntityKey, one_regions: Collection[int], other: EntityKey, other_regions: Collection[int]
) -> None:
    """Refuse what could never take effect: assets are resolved within a region.

    Args:
        one: An entity of a must-link.
        one_regions: Where it has listed records; none: nobody knows it yet.
        other: The other entity.
        other_regions: The same of that one.

    Raises:
        SettingsError: no region is common to both.
    """
    if one_regions and other_regions and set(one_regions).isdisjoint(other_regions):
        raise SettingsError(
            f"{_placed(one, one_regions)}, {_placed(other, other_regions)}. Only entities of one "
            "region can be one asset: have the source correct the position that is wrong."
        )


def _placed(entity: EntityKey, regions: Collection[int]) -> str:
    names = " and ".join(REGION_NAMES[region] for region in sorted(regions))
    return f"{entity[1]}:{entity[2]} lies in {names}"


def _regions_of(settings: Settings, entity: EntityKey) -> set[int]:
    """Regions in which an entity has listed records."""
    kind, source_id, entity_id = entity
    names = [name for name, source in CONNECTORS.items() if source.source_id == source_id]
    with open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry:
        return {
            location["region"]
            for name in names
            for _, location in listed_assets(settings, registry, name, ForeignRecords())
            if (location["kind"], location["entity_id"]) == (kind, entity_id)
        }


def decide(
    settings: Settings,
    one: EntityKey,
    other: EntityKey,
    verdict: Verdict | None,
    reason: str = "",
) -> str:
    """Publish a decision, or its withdrawal (verdict None); returns its key.

    Raises:
        SettingsError: both names are the same, or a must-link of entities in different regions.
        BrokerError, TopicMismatchError, RegistryError: it was not published.
    """
    if one == other:
        raise SettingsError("Both names are the same entity.")
    first, second = ordered(one, other)
    if verdict == "must-link":
        regions = [_regions_of(settings, entity) for entity in (first, second)]
        require_one_region(first, regions[0], second, regions[1])
    value = None
    if verdict is not None:
        with open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry:
            value = topic_encoder(registry, DECISIONS, avro.ManualDecision).encode(
                {
                    "verdict": verdict,
                    "kind": first[0],
                    "one_source_id": first[1],
                    "one_entity_id": first[2],
                    "other_source_id": second[1],
                    "other_entity_id": second[2],
                    "reason": reason,
                    "decided_at": datetime.now(UTC),
                }
            )
    key = pair_key(one, other)
    with TopicWriter(settings.kafka_bootstrap, [DECISIONS.name]) as writer:
        writer.send(DECISIONS.name, key.encode(), value)
        writer.finish()
    return key
