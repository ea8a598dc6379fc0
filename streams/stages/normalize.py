"""Normalize: raw records of one source to typed, unit-clean records, or dead letters."""

from collections.abc import Sequence
from hashlib import sha256

from producers.connector import InfrastructureConnector
from streams.batch import Batch, ConsumedRecord
from streams.codec import Decoder, UndecodableError
from streams.core.errors import Rejected
from streams.core.normalize import Decision, Location, decide
from streams.core.payloads import ASSET_KINDS
from streams.core.records import (
    AvroRecord,
    Mapped,
    OrderKey,
    RawCoordinates,
    RawRecord,
    source_key,
)
from streams.core.tally import UNKNOWN_KIND
from streams.core.tolerances import Tolerances
from streams.core.validate import validate
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.stages.encoders import Encoders, StateCodec
from streams.stages.outcomes import coordinates_of, dead_letter, kafka_time, outcome
from streams.topics import NORMALIZED_ASSETS, NORMALIZED_OBSERVATIONS

STAGE = "normalize"


class Normalize:
    """Work of the normalize stage for one connector."""

    def __init__(
        self,
        connector: type[InfrastructureConnector],
        decoder: Decoder,
        state: StateCodec,
        encoders: Encoders,
        generation: int,
        tolerances: Tolerances,
    ) -> None:
        self._connector = connector
        self._decoder = decoder
        self._state = state
        self._encoders = encoders
        self._generation = generation
        self._tolerances = tolerances
        self._kinds = {stream.name: stream.kind for stream in connector.discover()}

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Decide on every record of a batch; one outcome now or at the next stage for each."""
        outputs: list[Outgoing] = []
        for record in batch.records:
            raw = self._read(record)
            if isinstance(raw, Rejected):
                outputs += self._unreadable(record, raw)
            else:
                outputs += self._normalize(record, raw, overlay)
        return outputs

    def _read(self, record: ConsumedRecord) -> RawRecord | Rejected:
        try:
            raw = RawRecord.from_avro(self._decoder.decode(record.value))
        except UndecodableError as error:
            return Rejected(error.rule_id, str(error))
        if raw.source_id != self._connector.source_id:
            return Rejected(
                "bad_envelope",
                "The record belongs to another source: look at what writes to this topic.",
                "source_id",
                raw.source_id[:200],
                self._connector.source_id,
            )
        if raw.stream not in self._kinds:
            return Rejected(
                "bad_envelope",
                "The connector has no such stream: look at what writes to this topic.",
                "stream",
                raw.stream[:200],
                ", ".join(self._kinds),
            )
        if (raw.item is None) != (raw.event == "no_longer_listed"):
            return Rejected(
                "bad_envelope", "Only a no_longer_listed record has no item.", "event", raw.event
            )
        return raw

    def _unreadable(self, record: ConsumedRecord, rejected: Rejected) -> list[Outgoing]:
        source_id = self._connector.source_id
        return [
            dead_letter(
                self._encoders, record, rejected, source_id=source_id, record_id=None, stage=STAGE
            ),
            outcome(
                self._encoders,
                coordinates_of(record),
                source_id=source_id,
                record_id=None,
                kind=UNKNOWN_KIND,
                result="rejected",
                stage=STAGE,
                generation=self._generation,
                record_time=kafka_time(record),
                rule_id=rejected.rule_id,
            ),
        ]

    def _normalize(
        self, record: ConsumedRecord, raw: RawRecord, overlay: Overlay
    ) -> list[Outgoing]:
        coordinates = coordinates_of(record)
        assert record.value is not None
        order = OrderKey(raw.source_updated_at, raw.fetched_at, sha256(record.value).hexdigest())
        key = raw.record_id.encode()
        stored = overlay.get(key)
        held = None if stored is None else Location.from_avro(self._state.decoder.decode(stored))
        mapped = None if raw.item is None else self._connector.map_to_schema(raw)
        if isinstance(mapped, Mapped):
            mapped = validate(mapped, raw, self._tolerances)
        decision = decide(raw, mapped, self._kinds[raw.stream], order, coordinates, held)
        if decision.location is not None:
            overlay.put(key, self._state.encoder.encode(decision.location.to_avro()))
        outputs = [self._outgoing(normalized) for normalized in decision.normalized]
        if decision.rejected is not None:
            outputs.append(
                dead_letter(
                    self._encoders,
                    record,
                    decision.rejected,
                    source_id=raw.source_id,
                    record_id=raw.record_id,
                    stage=STAGE,
                )
            )
        if decision.outcome is not None:
            outputs.append(self._outcome(raw, coordinates, decision))
        return outputs

    def _outcome(self, raw: RawRecord, coordinates: RawCoordinates, decision: Decision) -> Outgoing:
        assert decision.outcome is not None
        return outcome(
            self._encoders,
            coordinates,
            source_id=raw.source_id,
            record_id=raw.record_id,
            kind=decision.kind,
            result=decision.outcome,
            stage=STAGE,
            generation=self._generation,
            record_time=raw.fetched_at,
            rule_id=decision.rejected.rule_id if decision.rejected else None,
        )

    def _outgoing(self, normalized: AvroRecord) -> Outgoing:
        if normalized["kind"] in ASSET_KINDS:
            key = source_key(normalized["source_id"], normalized["record_id"])
            return Outgoing(
                NORMALIZED_ASSETS.name,
                key.encode(),
                self._encoders.assets.encode(normalized),
                normalized["region"],
            )
        key = source_key(normalized["source_id"], normalized["entity_id"])
        return Outgoing(
            NORMALIZED_OBSERVATIONS.name,
            key.encode(),
            self._encoders.observations.encode(normalized),
        )
