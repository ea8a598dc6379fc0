"""Encoders and decoders of every topic the pipeline writes or reads, resolved once at start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from streams.avro.codec import Decoder, Encoder, Registry
from streams.avro.contracts import Contract, contract
from streams.core import contract_types as avro
from streams.topics import (
    CANDIDATES,
    DEAD_LETTERS,
    LNG_GAS_DAYS,
    MARKET_INFRASTRUCTURE,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    QUALITY_COUNTS,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    Topic,
)

APPLIED_SUBJECT = "state.applied-value"
"""Subject of the last entry of every batch in any changelog."""


_Record = TypeVar("_Record", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class StateCodec(Generic[_Record]):
    """Codec of one changelog's table values."""

    encoder: Encoder[_Record]
    decoder: Decoder[_Record]


@dataclass(frozen=True, slots=True)
class Encoders:
    """Encoders of the shared topics."""

    assets: Encoder[avro.NormalizedAsset]
    observations: Encoder[avro.NormalizedObservation]
    gas_days: Encoder[avro.GasDayReport]
    canonical: Encoder[avro.InfrastructureRecord]
    candidates: Encoder[avro.MatchCandidate]
    outcomes: Encoder[avro.RecordOutcome]
    dead_letters: Encoder[avro.DeadLetter]
    counts: Encoder[avro.QualityCounts]
    scores: Encoder[avro.QualityScore]


def shared_encoders(registry: Registry) -> Encoders:
    """Encoders of the shared topics.

    Raises:
        RegistryError: a subject is not registered.
    """
    return Encoders(
        assets=topic_encoder(registry, NORMALIZED_ASSETS, avro.NormalizedAsset),
        observations=topic_encoder(registry, NORMALIZED_OBSERVATIONS, avro.NormalizedObservation),
        gas_days=topic_encoder(registry, LNG_GAS_DAYS, avro.GasDayReport),
        canonical=topic_encoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord),
        candidates=topic_encoder(registry, CANDIDATES, avro.MatchCandidate),
        outcomes=topic_encoder(registry, RECORD_OUTCOMES, avro.RecordOutcome),
        dead_letters=topic_encoder(registry, DEAD_LETTERS, avro.DeadLetter),
        counts=topic_encoder(registry, QUALITY_COUNTS, avro.QualityCounts),
        scores=topic_encoder(registry, QUALITY_SCORES, avro.QualityScore),
    )


def topic_encoder(registry: Registry, topic: Topic, record: type[_Record]) -> Encoder[_Record]:
    """Encoder of one declared topic.

    Args:
        registry: Where its contract is registered.
        topic: The topic.
        record: Type of its values, named like the record of its contract.

    Raises:
        RegistryError: its subject is not registered.
        TypeError: its contract has another record (a bug).
    """
    return registry.encoder(topic.subject(), _agreed(topic, record))


def topic_decoder(registry: Registry, topic: Topic, record: type[_Record]) -> Decoder[_Record]:
    """Decoder of one declared topic.

    Args:
        registry: Where the contracts of its writers are.
        topic: The topic.
        record: Type of its values, named like the record of its contract.

    Raises:
        TypeError: its contract has another record (a bug).
    """
    # The types are generated from the contracts, so a record that was read by one has its type.
    return cast(Decoder[_Record], registry.decoder(_agreed(topic, record)))


def topic_head_decoder(
    registry: Registry, topic: Topic, last_field: str
) -> Decoder[dict[str, Any]]:
    """Decoder of the first fields of what a topic holds, as they were written."""
    return registry.head_decoder(contract(topic.contract_name), last_field)


def state_codec(registry: Registry, changelog: Topic, record: type[_Record]) -> StateCodec[_Record]:
    """Codec of one changelog; see `topic_encoder` and `topic_decoder`."""
    return StateCodec(
        topic_encoder(registry, changelog, record), topic_decoder(registry, changelog, record)
    )


def applied_codec(registry: Registry) -> StateCodec[avro.Applied]:
    """Codec of the last entry of every batch in any changelog.

    Raises:
        RegistryError: its subject is not registered.
    """
    agreed = contract("state.applied")
    return StateCodec(
        registry.encoder(APPLIED_SUBJECT, agreed),
        cast(Decoder[avro.Applied], registry.decoder(agreed)),
    )


def _agreed(topic: Topic, record: type[_Record]) -> Contract:
    agreed = contract(topic.contract_name)
    if agreed.latest["name"] != record.__name__:
        raise TypeError(
            f"{agreed.name} holds records of {agreed.latest['name']}, not of {record.__name__}."
        )
    return agreed
