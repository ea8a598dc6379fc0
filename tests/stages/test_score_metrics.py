"""The metrics of quality follow the last verdicts, also down to zero."""

from datetime import UTC, datetime

from prometheus_client import REGISTRY

from streams.avro.topic_codecs import shared_encoders, state_codec, topic_decoder, topic_encoder
from streams.core import contract_types as avro
from streams.engine.overlay import Overlay
from streams.kafka.batch import Batch
from streams.stages.score import Score, Windows
from streams.topics import QUALITY_COUNTS
from streams.topology import SCORE
from tests.core.series import TOLERANCES
from tests.stages.chain import OfflineRegistry, Record

SOURCE = "source_of_these_tests"
DAY = datetime(2026, 5, 3, tzinfo=UTC)


def counts(partition: int, failed: dict[str, int], day: datetime = DAY) -> avro.QualityCounts:
    return {
        "source_id": SOURCE,
        "window_start": day,
        "partition": partition,
        "changes": 10,
        "record_count": 10,
        "failed_count": max(failed.values(), default=0),
        "dimensions": {"validity": sum(failed.values())} if failed else {},
        "rules": failed,
    }


def failures(rule_id: str, severity: str = "reject") -> float | None:
    labels = {"source_id": SOURCE, "validation_type": rule_id, "severity": severity}
    return REGISTRY.get_sample_value("connector_validation_failures", labels)


def processed() -> float | None:
    return REGISTRY.get_sample_value("connector_records_processed", {"source_id": SOURCE})


def total() -> float | None:
    return REGISTRY.get_sample_value("connector_data_quality_score", {"source_id": SOURCE})


def test_metrics_follow_the_windows_and_survive_a_restart() -> None:
    registry = OfflineRegistry()
    state = state_codec(registry, SCORE.changelog("test"), avro.ScoreState)
    encoders = shared_encoders(registry)
    encoder = topic_encoder(registry, QUALITY_COUNTS, avro.QualityCounts)
    decoder = topic_decoder(registry, QUALITY_COUNTS, avro.QualityCounts)
    table: dict[bytes, bytes] = {}

    def stage() -> Windows:
        score = Score(decoder, state, encoders, 1, TOLERANCES.quality.weights)
        return score.derive(0, table.items())

    def feed(score: Windows, *events: avro.QualityCounts) -> None:
        overlay = Overlay(table.get)
        records = [
            Record(QUALITY_COUNTS.name, offset, b"", encoder.encode(event))
            for offset, event in enumerate(events)
        ]
        score(Batch(QUALITY_COUNTS.name, 0, records), overlay)
        table.update({key: value for key, value in overlay.changes.items() if value is not None})

    first = stage()
    earlier = datetime(2026, 5, 1, tzinfo=UTC)
    feed(first, counts(0, {"bad_avro": 4}), counts(3, {}), counts(1, {"bad_avro": 1}, earlier))
    assert failures("bad_avro") == 5
    assert processed() == 30
    assert total() == 100 - 25 * 4 / 20

    first.close()
    assert failures("bad_avro") is processed() is None
    assert total() is None

    restarted = stage()
    assert failures("bad_avro") == 5
    assert processed() == 30
    assert total() == 100 - 25 * 4 / 20
    feed(restarted, counts(0, {}), counts(1, {}, earlier))
    assert failures("bad_avro") == 0
    assert total() == 100

    feed(restarted, counts(0, {"start_year_conflict": 2, "rule_of_a_later_version": 1}))
    assert failures("start_year_conflict", "flag") == 2
    assert failures("rule_of_a_later_version", "unknown") == 1
    assert processed() == 30
    restarted.close()
