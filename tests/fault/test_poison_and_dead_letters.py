"""Poison never stops the rest, floods pause one source, and dead letters come back after a fix."""

import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterable

import httpx
import pytest
from confluent_kafka import KafkaException, Producer

from streams.avro.codec import Encoder
from streams.avro.contracts import AvroSchema, Contract, canonical_json, contract, parse
from streams.avro.topic_codecs import APPLIED_SUBJECT, topic_encoder
from streams.commands.audit import run_audit
from streams.commands.dead_letters import find_dead_letters
from streams.core import contract_types as avro
from streams.core.dead_letters import Choice, DeadLetter
from streams.core.redrive import REDRIVEN_FROM
from streams.engine.applied import Applied
from streams.kafka.topic_reader import read_all
from streams.local.workers import LocalWorker
from streams.topics import MARKET_INFRASTRUCTURE, RECORD_OUTCOMES, raw_topic
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, RAW, plant_record

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

ALSI = raw_topic("alsi_lng")
STOP_SECONDS = 10.0


def publish(cluster: Cluster, topic: str, values: Iterable[bytes | None], partition: int) -> None:
    producer = Producer({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    for number, value in enumerate(values):
        producer.produce(topic, value, f"key {number}".encode(), partition)
    assert producer.flush(60) == 0


def dead_letters(cluster: Cluster, *, resolved: bool = True) -> list[DeadLetter]:
    return find_dead_letters(cluster.settings, Choice(resolved=resolved))


def command(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **cluster.stack.environment(), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def problems(cluster: Cluster) -> tuple[str, ...]:
    sources = {CONNECTOR: CONNECTOR, "alsi_lng": "alsi_lng_inventory"}
    return run_audit(cluster.settings, sources).problems


def plant_ids(cluster: Cluster) -> set[str]:
    decoder = cluster.registry.decoder(contract(MARKET_INFRASTRUCTURE.contract_name))
    return {
        member["record_id"]
        for record in read_all(cluster.settings.kafka_bootstrap, MARKET_INFRASTRUCTURE.name)
        for member in decoder.decode(record.value)["members"]
    }


def registered_later(cluster: Cluster, name: str) -> tuple[Contract, Encoder[avro.RawRecord]]:
    """A version of a contract that the registry will know later, and its writer.

    The registry counts its ids up, so that of the next schema is known before.
    """
    declared = contract(name)
    fields = declared.latest["fields"]
    note = {"name": "note", "type": ["null", "string"], "default": None, "doc": "Null: none."}
    before = cluster.registry.register(
        "before-value", _test_only({**declared.latest, "doc": "Before."})
    )
    schema = {**declared.latest, "fields": [*fields, note]}
    return _test_only(schema), Encoder(parse(canonical_json(schema)), before + 1)


def _test_only(schema: AvroSchema) -> Contract:
    return Contract("raw.of_these_tests", (schema,))


def test_poison_becomes_dead_letters_and_a_fix_brings_them_back(cluster: Cluster) -> None:
    encoder = topic_encoder(cluster.registry, RAW, avro.RawRecord)
    good = [encoder.encode(plant_record(f"GOOD{number}").to_avro()) for number in range(50)]
    one = good[0]
    name = one.index(b"Plant GOOD0")
    later, later_encoder = registered_later(cluster, RAW.contract_name)
    unknown = later_encoder.encode(plant_record("LATER").to_avro())
    huge = encoder.encode(plant_record("HUGE", name="x" * 900_000).to_avro())
    applied = cluster.registry.encoder(APPLIED_SUBJECT, contract("state.applied")).encode(
        Applied("t", "u", 0, 1, None, 1).to_avro()
    )
    poison: list[tuple[str, bytes | None]] = [
        ("bad_framing", None),
        ("bad_framing", b""),
        ("bad_framing", b"\x00\x00"),
        ("bad_framing", b"\x01" + one[1:]),
        ("bad_framing", bytes(range(255, 155, -1))),
        ("unknown_schema_id", struct.pack(">bI", 0, 4_000_000) + one[5:]),
        ("unknown_schema_id", unknown),
        ("bad_avro", one[: len(one) // 2]),
        ("bad_avro", one + b"\x00"),
        ("bad_avro", one[:name] + b"\xff\xfe" + one[name + 2 :]),
        ("bad_avro", applied),
        ("unreadable_number", encoder.encode(plant_record("NAN", capacity="NaN").to_avro())),
        ("unreadable_number", encoder.encode(plant_record("INF", capacity="inf").to_avro())),
        ("unreadable_number", encoder.encode(plant_record("NEG", latitude="-Infinity").to_avro())),
    ]
    with pytest.raises(KafkaException, match="size"):
        publish(cluster, RAW.name, [b"x" * 2_000_000], 0)
    mixed = [
        value
        for pair in zip(good, [poisoned for _, poisoned in poison], strict=False)
        for value in pair
    ]
    publish(cluster, RAW.name, [*mixed, *good[len(poison) :], huge], 1)
    worker = cluster.pipeline()
    cluster.wait_drained()
    worker.process.stop(15)

    found = dead_letters(cluster)
    assert [(each.rule_id, each.content.value) for each in found] == poison
    assert {each.raw.partition for each in found} == {1}
    assert not any(each.resolved for each in found)
    assert {f"GOOD{number}" for number in range(50)} | {"HUGE"} == plant_ids(cluster)
    assert problems(cluster) == ()

    # The fix: the registry gets what was missing.
    assert cluster.registry.register("later-value", later) == later_encoder.schema_id
    cluster.pipeline()
    dry = command(cluster, "dlq-redrive", "--rule", "unknown_schema_id", "--dry-run")
    assert "Stopped at" in dry.stdout
    assert dry.returncode == 1
    dropped = ("dlq-redrive", "--rule", "unknown_schema_id", "--policy", "drop")
    assert "1 dead letters would be redriven" in command(cluster, *dropped, "--dry-run").stdout
    assert "1 dead letters were redriven" in command(cluster, *dropped).stdout
    again = command(cluster, "dlq-redrive", "--rule", "bad_avro", "--policy", "reinsert")
    assert "4 dead letters were redriven" in again.stdout
    cluster.wait_drained()
    assert "LATER" in plant_ids(cluster)
    attempts = {letter.rule_id: letter.attempts for letter in dead_letters(cluster, resolved=False)}
    assert attempts["bad_avro"] == 2
    assert [letter.content.value for letter in dead_letters(cluster) if letter.resolved] == [
        unknown
    ]
    assert all(
        name != REDRIVEN_FROM
        for letter in dead_letters(cluster)
        for name, _ in letter.content.headers
    )
    assert problems(cluster) == ()
    listed = command(cluster, "dlq", "--all")
    assert "14 dead letters, 13 of them open." in listed.stdout
    assert "0 dead letters were redriven" in command(cluster, *dropped).stdout


def test_a_flood_of_rejections_pauses_one_source_until_it_is_resumed(cluster: Cluster) -> None:
    encoder = topic_encoder(cluster.registry, RAW, avro.RawRecord)
    bad = [
        encoder.encode(plant_record(f"BAD{number}", capacity="-5").to_avro())
        for number in range(150)
    ]
    good = [encoder.encode(plant_record(f"GOOD{number}").to_avro()) for number in range(150)]
    publish(cluster, RAW.name, [*bad, *good], 2)
    worker = cluster.pipeline(PAUSE_REJECTED_CONSECUTIVE="100", STAGES="")
    cluster.wait_for(lambda: bool(paused(worker)))
    (place,) = paused(worker)
    assert place == f"{RAW.name}/2"
    assert "make resume SOURCE=wri_powerplants" in paused(worker)[place]
    metrics = httpx.get(f"{worker.url}/metrics", timeout=10).text
    assert 'connector_paused{partition="2",source_id="wri_powerplants"} 1.0' in metrics

    publish(cluster, ALSI.name, [b"of another source"], 0)
    cluster.wait_for(lambda: len(cluster.values_of(RECORD_OUTCOMES)) > 0)
    assert [dead_letter.raw.topic for dead_letter in dead_letters(cluster)] == [ALSI.name]

    began = time.monotonic()
    worker.process.stop(15)
    assert time.monotonic() - began < STOP_SECONDS
    worker = cluster.pipeline(PAUSE_REJECTED_CONSECUTIVE="100", STAGES="")
    cluster.wait_for(lambda: bool(paused(worker)))
    resumed = command(cluster, "resume", "wri_powerplants")
    assert f"{RAW.name}/2 resumed up to offset 299" in resumed.stdout
    cluster.wait_drained()
    assert paused(worker) == {}
    assert len(dead_letters(cluster)) == 151
    assert {f"GOOD{number}" for number in range(150)} <= plant_ids(cluster)
    assert problems(cluster) == ()


def paused(worker: LocalWorker) -> dict[str, str]:
    """What `/ready` says is paused; nothing while the worker does not answer."""
    try:
        answer = httpx.get(f"{worker.url}/ready", timeout=10)
    except httpx.TransportError:
        return {}
    found: dict[str, str] = answer.json()["paused"]
    return found
