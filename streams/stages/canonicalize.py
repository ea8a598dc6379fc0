"""Observe: normalized points of time series to canonical ones, one to one, with versions."""

from collections.abc import Sequence

from streams.batch import Batch, ConsumedRecord
from streams.codec import Decoder, Encoder, UndecodableError
from streams.core.canonical import canonical_record
from streams.core.errors import Rejected
from streams.core.records import AvroRecord, RawCoordinates, source_key
from streams.core.succession import CanonicalId, Held, Succession, succeed
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.stages.encoders import Encoders, StateCodec
from streams.stages.outcomes import dead_letter, outcome
from streams.topics import MARKET_INFRASTRUCTURE

STAGE = "observe"


class Canonicalize:
    """Work of the observe stage."""

    def __init__(
        self,
        decoder: Decoder,
        state: StateCodec,
        encoders: Encoders,
        generation: int,
        canonical_id: CanonicalId,
    ) -> None:
        self._decoder = decoder
        self._state = state
        self._encoders = encoders
        self._canonical: Encoder = encoders.canonical
        self._generation = generation
        self._canonical_id = canonical_id

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Apply every event of a batch, in order."""
        outputs: list[Outgoing] = []
        for record in batch.records:
            try:
                event = self._decoder.decode(record.value)
            except UndecodableError as error:
                outputs.append(self._unreadable(record, Rejected(error.rule_id, str(error))))
            else:
                assert record.value is not None
                outputs += self._apply(event, record.value, overlay)
        return outputs

    def _unreadable(self, record: ConsumedRecord, rejected: Rejected) -> Outgoing:
        return dead_letter(
            self._encoders, record, rejected, source_id="", record_id=None, stage=STAGE
        )

    def _apply(self, event: AvroRecord, framed: bytes, overlay: Overlay) -> list[Outgoing]:
        key = source_key(event["source_id"], event["record_id"]).encode()
        stored = overlay.get(key)
        held = None if stored is None else Held.from_avro(self._state.decoder.decode(stored))
        succession = succeed(event, framed, held, self._generation, self._canonical_id)
        if succession.held is not held:
            if succession.held is None:
                overlay.delete(key)
            else:
                overlay.put(key, self._state.encoder.encode(succession.held.to_avro()))
        outputs = []
        published = succession.published
        if published is not None:
            upsert = event["event"] == "upsert"
            normalized = event if upsert else self._decoder.decode(published.record)
            outputs.append(
                Outgoing(
                    MARKET_INFRASTRUCTURE.name,
                    published.canonical_id.encode(),
                    self._canonical.encode(canonical_record(published, normalized)),
                )
            )
        if succession.outcome is not None:
            outputs.append(self._outcome(event, succession))
        return outputs

    def _outcome(self, event: AvroRecord, succession: Succession) -> Outgoing:
        assert succession.outcome is not None
        published = succession.published
        return outcome(
            self._encoders,
            RawCoordinates.from_avro(event["lineage"]),
            source_id=event["source_id"],
            record_id=event["record_id"],
            kind=event["kind"],
            result=succession.outcome,
            stage=STAGE,
            generation=self._generation,
            record_time=event["order"]["fetched_at"],
            canonical=[(published.canonical_id, published.version)] if published else [],
        )
