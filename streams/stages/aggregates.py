"""Aggregates: what all entities report for a gas day, evaluated together.

Verdicts go back to observe, which owns the canonical records, as records of its own input.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache

from streams.avro.codec import Decoder
from streams.avro.topic_codecs import Encoders, StateCodec
from streams.core import contract_types as avro
from streams.core.aggregates import (
    EMPTY,
    Day,
    Report,
    changed_verdicts,
    evaluate_totals,
    neighbour_days,
)
from streams.core.history import ONE_DAY
from streams.core.records import OrderKey, source_key
from streams.core.tolerances import Tolerances
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch, ConsumedRecord
from streams.stages.outcomes import coordinates_of
from streams.stages.reading import readable
from streams.topics import NORMALIZED_OBSERVATIONS

STAGE = "aggregates"

_DECODED_DAYS = 1024


class Aggregates:
    """Work of the aggregates stage."""

    def __init__(
        self,
        decoder: Decoder[avro.GasDayReport],
        state: StateCodec[avro.GasDayAggregates],
        encoders: Encoders,
        tolerances: Tolerances,
    ) -> None:
        self._decoder = decoder
        self._state = state
        self._encoders = encoders
        self._tolerances = tolerances
        self._day = lru_cache(maxsize=_DECODED_DAYS)(self._decode_day)

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Apply every report of a batch, in order."""
        outputs: list[Outgoing] = []
        for record, report in readable(batch, self._decoder, self._encoders, outputs, stage=STAGE):
            outputs += self._apply(Report.from_avro(report), record, overlay)
        return outputs

    def _apply(
        self, report: Report, record: ConsumedRecord, overlay: Overlay
    ) -> Iterator[Outgoing]:
        source_id, gas_day = report.source_id, report.gas_day
        day = self._stored_day(source_id, gas_day, overlay)
        changed = day.with_report(report)
        if changed is day:
            return
        self._put(source_id, gas_day, changed, overlay)
        # Days around it are compared with this one; each is read once for all comparisons.
        reach = neighbour_days(self._tolerances)
        near = {
            distance: self._stored_day(source_id, gas_day + distance * ONE_DAY, overlay)
            for distance in range(-2 * reach, 2 * reach + 1)
            if distance
        } | {0: changed}
        for distance in range(-reach, reach + 1):
            day = near[distance]
            if day is EMPTY:
                continue
            before = [near[distance - step] for step in range(1, reach + 1)]
            after = [near[distance + step] for step in range(1, reach + 1)]
            verdicts = evaluate_totals(day, before, after, self._tolerances, report)
            if verdicts == day.verdicts:
                continue
            known_at = max(one.fetched_at for one in (day, *before, *after))
            for record_id, flags in changed_verdicts(day.verdicts, verdicts):
                yield self._verdict(day.reports[record_id], flags, known_at, record)
            evaluated = Day(day.reports, verdicts)
            self._put(source_id, gas_day + distance * ONE_DAY, evaluated, overlay)

    def _stored_day(self, source_id: str, gas_day: date, overlay: Overlay) -> Day:
        stored = overlay.get(_key(source_id, gas_day))
        return EMPTY if stored is None else self._day(stored)

    def _put(self, source_id: str, gas_day: date, day: Day, overlay: Overlay) -> None:
        overlay.put(_key(source_id, gas_day), self._state.encoder.encode(day.to_avro()))

    def _decode_day(self, stored: bytes) -> Day:
        return Day.from_avro(self._state.decoder.decode(stored))

    def _verdict(
        self, report: Report, flags: Sequence[str], known_at: datetime, record: ConsumedRecord
    ) -> Outgoing:
        verdict: avro.NormalizedObservation = {
            "source_id": report.source_id,
            "record_id": report.record_id,
            "entity_id": report.entity_id,
            "kind": "lng_inventory",
            "event": "verdict",
            "move_count": 0,
            "order": OrderKey(None, known_at, "").to_avro(),
            "lineage": coordinates_of(record).to_avro(),
            "licence": "",
            "attribution": "",
            "flags": list(flags),
        }
        key = source_key(report.source_id, report.entity_id)
        value = self._encoders.observations.encode(verdict)
        return Outgoing(NORMALIZED_OBSERVATIONS.name, key.encode(), value)


def _key(source_id: str, gas_day: date) -> bytes:
    return source_key(source_id, gas_day.isoformat()).encode()
