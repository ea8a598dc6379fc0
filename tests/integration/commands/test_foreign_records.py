"""What others write to our topics: commands count it, name it and go on."""

import csv
import io
import json
import struct
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from rich.console import Console

from producers.connectors import CONNECTORS
from producers.known_plants import known_plants
from streams.avro.contracts import contract
from streams.commands.audit import print_audit, run_audit
from streams.commands.dead_letters import find_dead_letters
from streams.commands.members import COLUMNS, write_members
from streams.core.dead_letters import Choice
from streams.engine.resumes import resumed_offset
from streams.local.stack import LocalStack
from streams.topics import (
    DEAD_LETTERS,
    MARKET_INFRASTRUCTURE,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    RECORD_OUTCOMES,
    RESUMES,
    Topic,
)
from streams.topology import RECONCILE
from tests.avro.examples import folder, to_record
from tests.fault.cluster import Cluster, fresh_cluster

pytestmark = pytest.mark.integration

FOREIGN = (
    None,
    b"",
    b"of somebody else",
    struct.pack(">bI", 0, 4_000_000) + b"unknown",
)
TOPICS = (
    MARKET_INFRASTRUCTURE,
    RECORD_OUTCOMES,
    DEAD_LETTERS,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    RESUMES,
)


def plant(cluster: Cluster) -> bytes:
    """The example of a plant, as the pipeline would publish it."""
    declared = contract(MARKET_INFRASTRUCTURE.contract_name)
    path = folder(declared.name, "valid") / "power_plant_of_one_source.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    encoder = cluster.registry.encoder(MARKET_INFRASTRUCTURE.subject(), declared)
    return encoder.encode(to_record(declared.latest, value, complete=True))


@pytest.fixture(scope="module")
def cluster(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A deployment without workers: each topic holds foreign records, one also one of ours."""
    with fresh_cluster(stack, tmp_path_factory.mktemp("foreign")) as running:
        producer = Producer({"bootstrap.servers": running.settings.kafka_bootstrap})

        def write(topic: str, value: bytes | None, key: bytes = b"somebody's") -> None:
            producer.produce(topic, value, key, partition=0)

        for topic in TOPICS:
            for value in FOREIGN:
                write(topic.name, value)
        write(MARKET_INFRASTRUCTURE.name, plant(running), b"ours")
        # As a tombstone of what was read it would hide how far that was.
        changelog: Topic = RECONCILE.changelog(running.settings.app_id)
        write(changelog.name, None, b"\x00applied")
        assert producer.flush(30) == 0
        yield running


def test_the_audit_goes_on_and_shows_how_many_there_are_and_where(cluster: Cluster) -> None:
    sources = {name: connector.source_id for name, connector in CONNECTORS.items()}
    audit = run_audit(cluster.settings, sources)
    (problem,) = audit.problems  # the plant comes from nowhere here
    assert "of live assets that no source lists" in problem
    assert audit.published.current == {"power_plant": 1}
    console = Console(file=io.StringIO(), width=300)
    print_audit(audit, {}, cluster.settings, console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "Foreign records: 20" in said
    for topic in TOPICS[:-1]:
        assert f"4 records of {topic.name} not written by this product" in said
        assert f"{topic.name}:0:0 (bad_framing)" in said


def test_other_commands_and_a_poll_go_on_and_name_them(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    settings = cluster.settings
    assert find_dead_letters(settings, Choice()) == []
    assert "4 records of dead_letters not written by this product" in caplog.text
    written = io.StringIO()
    write_members(settings, written)
    assert next(csv.reader(io.StringIO(written.getvalue()))) == list(COLUMNS)
    assert "market.infrastructure:0:1 (bad_framing)" in caplog.text
    caplog.clear()
    known_plants(settings.kafka_bootstrap, settings.schema_registry_url)
    assert "4 records of market.infrastructure not written by this product" in caplog.text
    assert resumed_offset(settings.kafka_bootstrap, cluster.registry, "raw.alsi_lng", 0) == -1
