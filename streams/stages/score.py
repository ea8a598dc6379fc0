"""Score: the counts of all partitions to the quality scores of each source and window.

The topic has one partition, so one worker sees every window; it exports the metrics of quality.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from streams.avro.codec import Decoder
from streams.avro.topic_codecs import Encoders, StateCodec
from streams.core import contract_types as avro
from streams.core.all_rules import RULES
from streams.core.quality import TOTAL, Weights, scores
from streams.core.quality_counts import WINDOW, QualityCounts, total
from streams.core.versions import first_version
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch
from streams.metrics import QUALITY_SCORE, RECORDS_PROCESSED, VALIDATION_FAILURES
from streams.stages.reading import readable
from streams.topics import QUALITY_SCORES

STAGE = "score"

UNKNOWN_SEVERITY = "unknown"
"""Severity of a rule that only another version of the code knows."""

_Parts = dict[int, avro.PartitionCounts]
"""Counts of a window by partition."""


@dataclass(frozen=True, slots=True)
class Score:
    """Work of the score stage: derives the sum of every window from its table.

    Attributes:
        decoder: Of the counts.
        state: Codec of the table.
        encoders: Of the shared topics.
        generation: High part of every version.
        weights: Of the dimensions in a score.
    """

    decoder: Decoder[avro.QualityCounts]
    state: StateCodec[avro.ScoreState]
    encoders: Encoders
    generation: int
    weights: Weights

    def derive(self, partition: int, entries: Iterable[tuple[bytes, bytes]]) -> "Windows":
        """The sums of all windows of the restored table; they are exported from here on."""
        windows = Windows(self)
        for _, stored in entries:
            windows.add(stored)
        windows.export()
        return windows


class Windows:
    """Work on the batches of counts, with the sum of every window in memory for the metrics."""

    def __init__(self, score: Score) -> None:
        self._decoder = score.decoder
        self._state = score.state
        self._encoders = score.encoders
        self._generation = score.generation
        self._weights = score.weights
        self._windows: dict[str, dict[datetime, QualityCounts]] = {}
        self._exported_rules: dict[str, set[str]] = {}

    def add(self, stored: bytes) -> None:
        """Take a window as it is stored."""
        self._remember(self._parts(stored))

    def export(self) -> None:
        """Set the metrics of every source."""
        for source_id in self._windows:
            self._export(source_id)

    def close(self) -> None:
        """Stop exporting: another worker may do it now."""
        RECORDS_PROCESSED.clear()
        QUALITY_SCORE.clear()
        VALIDATION_FAILURES.clear()

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Apply every count; publish the scores of each window that differs, once."""
        outputs: list[Outgoing] = []
        before: dict[bytes, QualityCounts] = {}
        after: dict[bytes, _Parts] = {}
        for _, counts in readable(batch, self._decoder, self._encoders, outputs, stage=STAGE):
            key = f"{counts['source_id']}:{counts['window_start'].isoformat()}".encode()
            if key not in after:
                after[key] = self._parts(overlay.get(key))
                before[key] = _sum(after[key])
            after[key][counts["partition"]] = _stored_form(counts)
        for key, parts in after.items():
            entry: avro.ScoreState = {"partitions": [parts[number] for number in sorted(parts)]}
            overlay.put(key, self._state.encoder.encode(entry))
            self._remember(parts)
            if not _sum(parts).same_figures(before[key]):
                outputs += self._scores(parts)
        for source_id in {next(iter(parts.values()))["source_id"] for parts in after.values()}:
            self._export(source_id)
        return outputs

    def _parts(self, stored: bytes | None) -> _Parts:
        if stored is None:
            return {}
        counted = self._state.decoder.decode(stored)["partitions"]
        return {counts["partition"]: counts for counts in counted}

    def _scores(self, parts: _Parts) -> list[Outgoing]:
        counts = _sum(parts)
        window = next(iter(parts.values()))
        source_id, start = window["source_id"], window["window_start"]
        return [
            Outgoing(
                QUALITY_SCORES.name,
                f"{source_id}:{score.dimension}:{start.isoformat()}".encode(),
                self._encoders.scores.encode(
                    {
                        "source_id": source_id,
                        "dimension": score.dimension,
                        "window_start": start,
                        "window_end": start + WINDOW,
                        "version": first_version(self._generation, 0) + counts.changes,
                        "record_count": score.record_count,
                        "failed_count": score.failed_count,
                        "score": score.score,
                    }
                ),
            )
            for score in scores(counts, self._weights)
        ]

    def _remember(self, parts: _Parts) -> None:
        window = next(iter(parts.values()))
        self._windows.setdefault(window["source_id"], {})[window["window_start"]] = _sum(parts)

    def _export(self, source_id: str) -> None:
        windows = self._windows[source_id]
        filled = [start for start, counts in windows.items() if counts.record_count]
        if filled:
            *_, newest = scores(windows[max(filled)], self._weights)
            assert newest.dimension == TOTAL
            QUALITY_SCORE.labels(source_id).set(newest.score)
        failures: Counter[str] = Counter()
        for counts in windows.values():
            failures.update(counts.rules)
        records = sum(counts.record_count for counts in windows.values())
        RECORDS_PROCESSED.labels(source_id).set(records)
        exported = self._exported_rules.setdefault(source_id, set())
        exported.update(failures)
        for rule_id in exported:  # one that nothing fails any more is 0 now
            severity = RULES[rule_id].severity if rule_id in RULES else UNKNOWN_SEVERITY
            VALIDATION_FAILURES.labels(source_id, rule_id, severity).set(failures[rule_id])


def _stored_form(counts: avro.QualityCounts) -> avro.PartitionCounts:
    """Counts as the table has them, whose record need not have every field of the topic's."""
    figures = QualityCounts.from_avro(counts)
    window = figures.to_avro(counts["source_id"], counts["window_start"])
    return {**window, "partition": counts["partition"]}


def _sum(parts: _Parts) -> QualityCounts:
    return total(QualityCounts.from_avro(counts) for counts in parts.values())
