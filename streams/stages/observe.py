"""Observe: points of time series to canonical records, evaluated among their neighbours."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from streams.avro.codec import Decoder
from streams.avro.topic_codecs import Encoders, StateCodec
from streams.core import contract_types as avro
from streams.core.aggregates import Report
from streams.core.canonical import canonical_record
from streams.core.observe import Observed, Point, Reevaluated, observe
from streams.core.records import RawCoordinates, source_key
from streams.core.succession import StoredRecord
from streams.core.tolerances import Tolerances
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch
from streams.stages.outcomes import outcome
from streams.stages.reading import readable
from streams.topics import LNG_GAS_DAYS, MARKET_INFRASTRUCTURE

STAGE = "observe"

_DECODED_POINTS = 8192
"""Points kept decoded: the neighbourhood of what a batch brings."""


class Observe:
    """Work of the observe stage."""

    def __init__(
        self,
        decoder: Decoder[avro.NormalizedObservation],
        state: StateCodec[avro.ObservationState],
        encoders: Encoders,
        generation: int,
        tolerances: Tolerances,
    ) -> None:
        self._decoder = decoder
        self._state = state
        self._encoders = encoders
        self._generation = generation
        self._tolerances = tolerances
        # A point is a function of its bytes, so what is kept cannot grow old.
        self._point = lru_cache(maxsize=_DECODED_POINTS)(self._decode_point)

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Apply every event of a batch, in order."""
        outputs: list[Outgoing] = []
        for record, event in readable(batch, self._decoder, self._encoders, outputs, stage=STAGE):
            assert record.value is not None
            outputs += self._apply(event, record.value, overlay)
        return outputs

    def _apply(
        self, event: avro.NormalizedObservation, framed: bytes, overlay: Overlay
    ) -> list[Outgoing]:
        source_id = event["source_id"]

        def points(record_id: str) -> Point | None:
            stored = overlay.get(source_key(source_id, record_id).encode())
            return None if stored is None else self._point(stored)

        observed = observe(event, framed, points, self._generation, self._tolerances)
        outputs = []
        for change in observed.changes:
            key = source_key(source_id, change.record_id).encode()
            if change.stored is None:
                overlay.delete(key)
                continue
            state = change.stored.to_avro()
            state["aggregate_flags"] = list(change.aggregate_flags)
            state["aggregate_known_at"] = change.aggregate_known_at
            overlay.put(key, self._state.encoder.encode(state))
            if change.published is not None:
                outputs.append(self._canonical(change.stored, change.published, change.known_at))
            if change.reevaluated is not None:
                identity = change.stored.canonical_id
                outputs.append(self._reevaluated(change.reevaluated, identity))
        if observed.report is not None:
            outputs.append(self._report(observed.report))
        if observed.outcome is not None:
            outputs.append(self._outcome(event, observed))
        return outputs

    def _decode_point(self, value: bytes) -> Point:
        state = self._state.decoder.decode(value)
        stored = StoredRecord.from_avro(state)
        normalized = self._decoder.decode(stored.record)
        return Point.of(
            stored,
            normalized,
            tuple(state["aggregate_flags"]),
            state["aggregate_known_at"],
            self._tolerances,
        )

    def _canonical(
        self, stored: StoredRecord, normalized: avro.NormalizedObservation, known_at: datetime
    ) -> Outgoing:
        return Outgoing(
            MARKET_INFRASTRUCTURE.name,
            stored.canonical_id.encode(),
            self._encoders.canonical.encode(canonical_record(stored, normalized, known_at)),
        )

    def _report(self, report: Report) -> Outgoing:
        value = self._encoders.gas_days.encode(report.to_avro())
        return Outgoing(LNG_GAS_DAYS.name, report.gas_day.isoformat().encode(), value)

    def _reevaluated(self, reevaluated: Reevaluated, canonical_id: str) -> Outgoing:
        brought = reevaluated.brought
        return outcome(
            self._encoders,
            RawCoordinates.from_avro(brought["lineage"]),
            source_id=brought["source_id"],
            record_id=brought["record_id"],
            kind=brought["kind"],
            result="changed",
            stage=STAGE,
            generation=self._generation,
            record_time=brought["order"]["fetched_at"],
            canonical=[(canonical_id, reevaluated.version)],
            flags=reevaluated.flags,
            again=True,
        )

    def _outcome(self, event: avro.NormalizedObservation, observed: Observed) -> Outgoing:
        assert observed.outcome is not None
        published = observed.published
        return outcome(
            self._encoders,
            RawCoordinates.from_avro(event["lineage"]),
            source_id=event["source_id"],
            record_id=event["record_id"],
            kind=event["kind"],
            result=observed.outcome,
            stage=STAGE,
            generation=self._generation,
            record_time=event["order"]["fetched_at"],
            canonical=[(published.canonical_id, published.version)] if published else [],
            flags=observed.flags,
            again=event["again"],
        )
