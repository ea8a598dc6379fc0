"""Count: outcomes to the number of raw records and failed checks of each source and window.

Outcomes are partitioned by their raw record, so each partition counts whole records; the score
stage adds the partitions up.
"""

from collections.abc import Sequence
from datetime import datetime

from streams.avro.codec import Decoder
from streams.avro.topic_codecs import Encoders, StateCodec
from streams.core import contract_types as avro
from streams.core.quality import failed_dimensions
from streams.core.quality_counts import NOTHING, QualityCounts, Verdict, after_outcome
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch
from streams.stages.reading import readable
from streams.topics import QUALITY_COUNTS

STAGE = "count"

_Window = tuple[str, datetime]
"""Source id and start."""


class Count:
    """Work of the count stage."""

    def __init__(
        self,
        decoder: Decoder[avro.RecordOutcome],
        state: StateCodec[avro.CountState],
        encoders: Encoders,
    ) -> None:
        self._decoder = decoder
        self._state = state
        self._encoders = encoders

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Count every outcome; publish each window that differs, once."""
        outputs: list[Outgoing] = []
        counts_by_window: dict[_Window, QualityCounts] = {}
        for record, event in readable(batch, self._decoder, self._encoders, outputs, stage=STAGE):
            key = b"v:" + (record.key or b"")
            stored = overlay.get(key)
            previous = None
            if stored is not None:
                known = self._state.decoder.decode(stored)["verdict"]
                assert known is not None
                previous = Verdict.from_avro(known)
            verdict = after_outcome(previous, event)
            if verdict is previous:
                continue
            entry: avro.CountState = {"verdict": verdict.to_avro(), "counts": None}
            overlay.put(key, self._state.encoder.encode(entry))
            if previous is not None:
                window = (previous.source_id, previous.window_start)
                if (*window, previous.rules) == (
                    verdict.source_id,
                    verdict.window_start,
                    verdict.rules,
                ):
                    continue
                counts = self._stored_counts(window, counts_by_window, overlay)
                counts_by_window[window] = counts.without_record(
                    previous.rules, failed_dimensions(previous.rules)
                )
            window = (verdict.source_id, verdict.window_start)
            counts = self._stored_counts(window, counts_by_window, overlay)
            counts_by_window[window] = counts.with_record(
                verdict.rules, failed_dimensions(verdict.rules)
            )
        outputs += (
            self._counts(window, counts_by_window[window], batch.partition, overlay)
            for window in sorted(counts_by_window)
        )
        return outputs

    def _stored_counts(
        self, window: _Window, counts_by_window: dict[_Window, QualityCounts], overlay: Overlay
    ) -> QualityCounts:
        if window in counts_by_window:
            return counts_by_window[window]
        stored = overlay.get(_key(window))
        if stored is None:
            return NOTHING
        counts = self._state.decoder.decode(stored)["counts"]
        assert counts is not None
        return QualityCounts.from_avro(counts)

    def _counts(
        self, window: _Window, counts: QualityCounts, partition: int, overlay: Overlay
    ) -> Outgoing:
        source_id, start = window
        window_counts = counts.to_avro(source_id, start)
        entry: avro.CountState = {"verdict": None, "counts": window_counts}
        overlay.put(_key(window), self._state.encoder.encode(entry))
        return Outgoing(
            QUALITY_COUNTS.name,
            f"{source_id}:{start.isoformat()}:{partition}".encode(),
            self._encoders.counts.encode({**window_counts, "partition": partition}),
        )


def _key(window: _Window) -> bytes:
    source_id, start = window
    return f"t:{source_id}:{start.isoformat()}".encode()
