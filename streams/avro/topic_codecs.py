"""Encoders and decoders of every topic the pipeline writes or reads, resolved once at start."""

from dataclasses import dataclass

from streams.avro.codec import Decoder, Encoder, Registry
from streams.avro.contracts import contract
from streams.topics import (
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


@dataclass(frozen=True, slots=True)
class StateCodec:
    """Codec of one changelog's table values."""

    encoder: Encoder
    decoder: Decoder


@dataclass(frozen=True, slots=True)
class Encoders:
    """Encoders of the shared topics."""

    assets: Encoder
    observations: Encoder
    gas_days: Encoder
    canonical: Encoder
    outcomes: Encoder
    dead_letters: Encoder
    counts: Encoder
    scores: Encoder


def shared_encoders(registry: Registry) -> Encoders:
    """Encoders of the shared topics.

    Raises:
        RegistryError: a subject is not registered.
    """
    return Encoders(
        assets=topic_encoder(registry, NORMALIZED_ASSETS),
        observations=topic_encoder(registry, NORMALIZED_OBSERVATIONS),
        gas_days=topic_encoder(registry, LNG_GAS_DAYS),
        canonical=topic_encoder(registry, MARKET_INFRASTRUCTURE),
        outcomes=topic_encoder(registry, RECORD_OUTCOMES),
        dead_letters=topic_encoder(registry, DEAD_LETTERS),
        counts=topic_encoder(registry, QUALITY_COUNTS),
        scores=topic_encoder(registry, QUALITY_SCORES),
    )


def topic_encoder(registry: Registry, topic: Topic) -> Encoder:
    """Encoder of one declared topic."""
    return registry.encoder(topic.subject(), contract(topic.contract_name))


def topic_decoder(registry: Registry, topic: Topic) -> Decoder:
    """Decoder of one declared topic."""
    return registry.decoder(contract(topic.contract_name))


def state_codec(registry: Registry, changelog: Topic) -> StateCodec:
    """Codec of one changelog."""
    return StateCodec(topic_encoder(registry, changelog), topic_decoder(registry, changelog))
