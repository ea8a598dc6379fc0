"""What a run has left behind, in a form that two runs can be compared by."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.commands.audit import run_audit
from streams.core import contract_types as avro
from streams.engine.store import APPLIED_KEY
from streams.kafka.topic_reader import Record, read_all
from streams.settings import Settings
from streams.topics import (
    DEAD_LETTERS,
    MARKET_INFRASTRUCTURE,
    NORMALIZED_ASSETS,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    Topic,
)
from streams.topology import changelogs
from tests.fault.load import CONNECTOR


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Read-committed content of the topics after a run.

    Attributes:
        published: Every canonical value with how often it was published.
        normalized: Every normalized value with how often it was published.
        outcomes: Every outcome value with how often it was published.
        dead_letters: Every dead letter with how often it was published.
        state: Last value of every key of every changelog, but for the applied offsets.
        problems: Where conservation does not close.
    """

    published: Counter[bytes]
    normalized: Counter[bytes]
    outcomes: Counter[bytes]
    dead_letters: Counter[bytes]
    state: dict[tuple[str, bytes], bytes]
    problems: tuple[str, ...]

    def published_twice(self) -> int:
        """Canonical values, outcomes and normalized values that are in a topic more than once."""
        return sum(
            1
            for values in (self.published, self.normalized, self.outcomes, self.dead_letters)
            for count in values.values()
            if count > 1
        )


def take_snapshot(settings: Settings) -> Snapshot:
    """Read everything the pipeline wrote."""
    written = (MARKET_INFRASTRUCTURE, NORMALIZED_ASSETS, RECORD_OUTCOMES, DEAD_LETTERS)
    stores = changelogs(settings.app_id, [CONNECTOR])
    found = _read(settings, [*written, *stores])
    values = {
        topic.name: Counter(record.value or b"" for record in found[topic.name])
        for topic in written
    }
    return Snapshot(
        values[MARKET_INFRASTRUCTURE.name],
        values[NORMALIZED_ASSETS.name],
        values[RECORD_OUTCOMES.name],
        values[DEAD_LETTERS.name],
        _state(record for topic in stores for record in found[topic.name]),
        run_audit(settings, {CONNECTOR: CONNECTOR}).problems,
    )


def _read(settings: Settings, topics: Iterable[Topic]) -> dict[str, list[Record]]:
    """Records of each topic; at once, because a short topic is mostly waiting for the broker."""

    def read(topic: Topic) -> tuple[str, list[Record]]:
        return topic.name, list(read_all(settings.kafka_bootstrap, topic.name))

    with ThreadPoolExecutor() as pool:
        return dict(pool.map(read, topics))


def _state(entries: Iterable[Record]) -> dict[tuple[str, bytes], bytes]:
    state: dict[tuple[str, bytes], bytes] = {}
    for record in entries:
        key = (f"{record.topic}/{record.partition}", record.key or b"")
        if record.key == APPLIED_KEY:
            continue
        if record.value is None:
            state.pop(key, None)
        else:
            state[key] = record.value
    return state


def newest_records(
    bootstrap: str, registry: Registry, topic: str = MARKET_INFRASTRUCTURE.name
) -> dict[str, avro.InfrastructureRecord]:
    """Every canonical record by id, at its highest version."""
    newest: dict[str, avro.InfrastructureRecord] = {}
    decoder = topic_decoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
    for record in read_all(bootstrap, topic):
        asset = decoder.decode(record.value)
        if asset["version"] >= newest.get(asset["record_id"], asset)["version"]:
            newest[asset["record_id"]] = asset
    return newest


def newest_scores(
    bootstrap: str, registry: Registry
) -> dict[tuple[str, str, str], avro.QualityScore]:
    """Every score by source, dimension and start of its window, at its highest version."""
    newest: dict[tuple[str, str, str], avro.QualityScore] = {}
    decoder = topic_decoder(registry, QUALITY_SCORES, avro.QualityScore)
    for record in read_all(bootstrap, QUALITY_SCORES.name):
        score = decoder.decode(record.value)
        key = (score["source_id"], score["dimension"], score["window_start"].isoformat())
        if score["version"] >= newest.get(key, score)["version"]:
            newest[key] = score
    return newest


def clickhouse_content(path: Path) -> dict[str, str]:
    """Digest of every table of an embedded engine that no process has open."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.fault.clickhouse_digest", str(path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    digests: dict[str, str] = json.loads(answer.stdout.splitlines()[-1])
    return digests
