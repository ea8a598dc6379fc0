"""Manual decisions as people make them: written to their compacted topic, from the command line."""

from datetime import UTC, datetime
from typing import Literal

from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_encoder
from streams.core import contract_types as avro
from streams.core.errors import SettingsError
from streams.core.reconcile.assign import ordered
from streams.core.reconcile.prepare import EntityKey
from streams.core.reconcile.score import KINDS
from streams.kafka.topic_writer import TopicWriter
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


def decide(
    settings: Settings,
    one: EntityKey,
    other: EntityKey,
    verdict: Verdict | None,
    reason: str = "",
) -> str:
    """Publish a decision, or its withdrawal (verdict None); returns its key.

    Raises:
        SettingsError: both names are the same.
        BrokerError, TopicMismatchError, RegistryError: it was not published.
    """
    if one == other:
        raise SettingsError("Both names are the same entity.")
    first, second = ordered(one, other)
    value = None
    if verdict is not None:
        with Registry(settings.schema_registry_url) as registry:
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
