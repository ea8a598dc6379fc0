"""Reconcile: normalized assets of one region to canonical ones, one asset for what several report.

The resolver of a partition is an index in memory, derived from the restored table whenever the
partition is acquired. Computing changes it before the transaction commits; that is safe because a
batch is computed once: any error ends the process.
"""

from collections.abc import Iterable, Sequence

from streams.avro.codec import Decoder
from streams.avro.topic_codecs import Encoders, StateCodec
from streams.core import contract_types as avro
from streams.core.reconcile.resolver import Resolution, Resolver
from streams.core.reconcile.state import StateEntry, entry_from_avro
from streams.core.record_size import fits, shortened
from streams.core.records import RawCoordinates
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch
from streams.stages.outcomes import outcome
from streams.stages.reading import readable
from streams.topics import CANDIDATES, MARKET_INFRASTRUCTURE

STAGE = "reconcile"


class OverlayTable:
    """The typed view of one batch's overlay."""

    def __init__(self, overlay: Overlay, state: StateCodec[avro.AssetState]) -> None:
        self._overlay = overlay
        self._state = state

    def get(self, key: str) -> StateEntry | None:
        """Entry of a key."""
        stored = self._overlay.get(key.encode())
        return None if stored is None else entry_from_avro(self._state.decoder.decode(stored))

    def put(self, key: str, entry: StateEntry) -> None:
        """Set an entry."""
        self._overlay.put(key.encode(), self._state.encoder.encode(entry.to_avro()))

    def delete(self, key: str) -> None:
        """Remove an entry."""
        self._overlay.delete(key.encode())


class Reconcile:
    """Work of the reconcile stage: derives the resolver of each partition from its table."""

    def __init__(
        self,
        decoder: Decoder[avro.NormalizedAsset],
        state: StateCodec[avro.AssetState],
        encoders: Encoders,
        generation: int,
    ) -> None:
        self._decoder = decoder
        self._state = state
        self._encoders = encoders
        self._generation = generation

    def derive(self, partition: int, entries: Iterable[tuple[bytes, bytes]]) -> "Region":
        """The index of one region, from its whole table."""
        resolver = Resolver(partition, self._generation, self._decoder.decode)
        resolver.load(
            (key.decode(), entry_from_avro(self._state.decoder.decode(value)))
            for key, value in entries
        )
        return Region(resolver, self._decoder, self._state, self._encoders, self._generation)


class Region:
    """Work on the batches of one region, with its resolver."""

    def __init__(
        self,
        resolver: Resolver,
        decoder: Decoder[avro.NormalizedAsset],
        state: StateCodec[avro.AssetState],
        encoders: Encoders,
        generation: int,
    ) -> None:
        self._resolver = resolver
        self._decoder = decoder
        self._state = state
        self._encoders = encoders
        self._generation = generation

    def close(self) -> None:
        """Nothing of it is visible outside."""

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Apply every event of a batch, in order."""
        table = OverlayTable(overlay, self._state)
        outputs: list[Outgoing] = []
        for record, event in readable(batch, self._decoder, self._encoders, outputs, stage=STAGE):
            assert record.value is not None
            resolution = self._resolver.apply(event, record.value, table)
            outputs += self._outgoing(event, resolution)
        return outputs

    def _outgoing(self, event: avro.NormalizedAsset, resolution: Resolution) -> list[Outgoing]:
        outputs = [self._canonical(canonical) for canonical in resolution.published]
        outputs += (
            Outgoing(
                CANDIDATES.name,
                key.encode(),
                None if candidate is None else self._encoders.candidates.encode(candidate),
            )
            for key, candidate in resolution.candidates.items()
        )
        if resolution.outcome is not None:
            outputs.append(
                outcome(
                    self._encoders,
                    RawCoordinates.from_avro(event["lineage"]),
                    source_id=event["source_id"],
                    record_id=event["record_id"],
                    kind=event["kind"],
                    result=resolution.outcome,
                    stage=STAGE,
                    generation=self._generation,
                    record_time=event["order"]["fetched_at"],
                    canonical=[(one["record_id"], one["version"]) for one in resolution.published],
                    flags=event["flags"] if resolution.outcome in ("changed", "unchanged") else (),
                    again=event["again"],
                )
            )
        return outputs

    def _canonical(self, canonical: avro.InfrastructureRecord) -> Outgoing:
        """A canonical record, shortened where Kafka would not take it."""
        encode = self._encoders.canonical.encode
        value = encode(canonical)
        if not fits(None, value):
            value = encode(shortened(canonical, lambda record: len(encode(record))))
        return Outgoing(MARKET_INFRASTRUCTURE.name, canonical["record_id"].encode(), value)
