"""Normalize: raw records of one source to typed, unit-clean records, or dead letters."""

from collections.abc import Sequence
from hashlib import sha256

from streams.avro.topic_codecs import Encoders, StateCodec
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.normalize import Location, NormalizeOutcome, normalize
from streams.core.quality_counts import UNKNOWN_KIND
from streams.core.record_size import MOST_BYTES, fits
from streams.core.records import (
    OrderKey,
    RawCoordinates,
    RawRecord,
    source_key,
)
from streams.core.reject_rules import TOO_LARGE
from streams.core.rejection_limits import RecentVerdicts, RejectionLimits
from streams.core.succession import Normalized
from streams.engine.overlay import Overlay
from streams.engine.pause import PauseRequest
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch, ConsumedRecord
from streams.stages.outcomes import (
    coordinates_of,
    dead_letter,
    kafka_time,
    outcome,
    was_redriven,
)
from streams.stages.raw_reading import RawReader
from streams.topics import NORMALIZED_ASSETS, NORMALIZED_OBSERVATIONS

STAGE = "normalize"


class Normalize:
    """Work of the normalize stage for one connector."""

    def __init__(
        self,
        reader: RawReader,
        state: StateCodec[avro.Location],
        encoders: Encoders,
        generation: int,
        limits: RejectionLimits,
    ) -> None:
        self._reader = reader
        self._state = state
        self._encoders = encoders
        self._generation = generation
        self._limits = limits
        self._recent: dict[int, RecentVerdicts] = {}
        self._let_pass: dict[int, int] = {}

    def let_pass(self, partition: int, offset: int) -> None:
        """Ask for no pause up to this offset: somebody has looked."""
        self._let_pass[partition] = offset

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Decide on every record of a batch; one outcome now or at the next stage for each.

        Raises:
            PauseRequest: so many were rejected that something else is wrong than the data.
        """
        outputs: list[Outgoing] = []
        rejected: list[bool] = []
        for record in batch.records:
            raw = self._reader.read(record)
            if isinstance(raw, Rejected):
                outputs += self._unreadable(record, raw)
                failed = True
            else:
                published, failed = self._normalize(record, raw, overlay)
                outputs += published
            if not was_redriven(record):  # whoever redrives has looked
                rejected.append(failed)
        self._keep_within_limits(batch, rejected)
        return outputs

    def _keep_within_limits(self, batch: Batch, rejected: list[bool]) -> None:
        recent = self._recent.get(batch.partition) or RecentVerdicts(self._limits)
        if any(rejected) and batch.last_offset > self._let_pass.get(batch.partition, -1):
            reason = recent.exceeded_by(rejected)
            if reason is not None:
                raise PauseRequest(
                    self._reader.source_id,
                    f"{self._reader.source_id}: {reason}, up to offset {batch.last_offset}. "
                    "Nothing of this batch is published. Look at what the source sends "
                    f"(`make inspect TOPIC={batch.topic}`), fix the connector and restart, or let "
                    f"it become dead letters with `make resume SOURCE={self._reader.source_id}`.",
                )
        self._recent[batch.partition] = recent.after(rejected)

    def _unreadable(self, record: ConsumedRecord, rejected: Rejected) -> list[Outgoing]:
        source_id = self._reader.source_id
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
                again=was_redriven(record),
            ),
        ]

    def _normalize(
        self, record: ConsumedRecord, raw: RawRecord, overlay: Overlay
    ) -> tuple[list[Outgoing], bool]:
        coordinates = coordinates_of(record)
        assert record.value is not None
        order = OrderKey(raw.source_updated_at, raw.fetched_at, sha256(record.value).hexdigest())
        key = raw.record_id.encode()
        stored = overlay.get(key)
        previous = (
            None if stored is None else Location.from_avro(self._state.decoder.decode(stored))
        )
        mapped = self._reader.evaluate(raw)
        again = was_redriven(record)
        kind = self._reader.kind(raw)
        found = normalize(raw, mapped, kind, order, coordinates, previous)
        outputs = [self._outgoing(normalized, again=again) for normalized in found.normalized]
        if not all(fits(output.key, output.value) for output in outputs):
            largest = max(len(output.value or b"") for output in outputs)
            mapped = TOO_LARGE.reject(f"{largest} bytes", limit=f"{MOST_BYTES} bytes")
            found = normalize(raw, mapped, kind, order, coordinates, previous)
            outputs = [self._outgoing(normalized, again=again) for normalized in found.normalized]
        if found.location is not None:
            overlay.put(key, self._state.encoder.encode(found.location.to_avro()))
        if found.rejected is not None:
            outputs.append(
                dead_letter(
                    self._encoders,
                    record,
                    found.rejected,
                    source_id=raw.source_id,
                    record_id=raw.record_id,
                    stage=STAGE,
                )
            )
        if found.outcome is not None:
            outputs.append(self._outcome(raw, coordinates, found, again=again))
        return outputs, found.rejected is not None

    def _outcome(
        self, raw: RawRecord, coordinates: RawCoordinates, found: NormalizeOutcome, *, again: bool
    ) -> Outgoing:
        assert found.outcome is not None
        return outcome(
            self._encoders,
            coordinates,
            source_id=raw.source_id,
            record_id=raw.record_id,
            kind=found.kind,
            result=found.outcome,
            stage=STAGE,
            generation=self._generation,
            record_time=raw.fetched_at,
            rule_id=found.rejected.rule_id if found.rejected else None,
            again=again,
        )

    def _outgoing(self, normalized: Normalized, *, again: bool) -> Outgoing:
        if "region" in normalized:
            key = source_key(normalized["source_id"], normalized["record_id"])
            return Outgoing(
                NORMALIZED_ASSETS.name,
                key.encode(),
                self._encoders.assets.encode({**normalized, "again": again}),
                normalized["region"],
            )
        key = source_key(normalized["source_id"], normalized["entity_id"])
        return Outgoing(
            NORMALIZED_OBSERVATIONS.name,
            key.encode(),
            self._encoders.observations.encode({**normalized, "again": again}),
        )
