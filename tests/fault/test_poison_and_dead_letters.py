"""Poison never stops the rest, floods pause one source, and dead letters come back after a fix."""

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

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
from streams.worker_pages import pages
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, RAW, plant_record
from tests.fault.runbook import Runbook

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

ALSI = raw_topic("alsi_lng")
STOP_SECONDS = 10.0


def publish(cluster: Cluster, topic: str, values: Iterable[bytes | None], partition: int) -> None:
    producer = Producer({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    for number, value in enumerate(values):
        producer.produce(topic, value, f"key {number}".encode(), partition)
    assert producer.flush(60) == 0


def publish_awkward(cluster: Cluster, topic: str, good: bytes, partition: int) -> list[str]:
    """Records that are odd around their values; returns the rules that reject them."""
    bootstrap = cluster.settings.kafka_bootstrap
    headers: list[tuple[str, bytes]] = [(REDRIVEN_FROM, f"{topic}:{partition}:999999".encode())]
    records: list[tuple[str, str, dict[str, Any]]] = [
        *(
            ("bad_framing", codec, {"value": b"x" * 5_000_000, "key": codec.encode()})
            for codec in ("gzip", "snappy", "lz4", "zstd")
        ),
        ("bad_framing", "none", {"value": b"x" * 1_040_000}),
        ("bad_framing", "none", {"value": None, "timestamp": -(10**15)}),
        ("bad_framing", "zstd", {"value": None, "key": b"k" * 2_000_000}),
        ("bad_redrive", "none", {"value": good, "headers": headers}),
        ("bad_framing", "zstd", {"value": None, "headers": [("h", b"x" * 2_000_000)]}),
    ]
    for _, codec, record in records:
        settings = {"compression.type": codec, "message.max.bytes": 10_000_000}
        producer = Producer({"bootstrap.servers": bootstrap, **settings})
        failures: list[object] = []
        producer.produce(
            topic,
            partition=partition,
            on_delivery=lambda error, _, failures=failures: failures.append(error),
            **record,
        )
        assert producer.flush(60) == 0
        assert failures == [None]
    return [rule_id for rule_id, _, _ in records]


def dead_letters(cluster: Cluster, *, resolved: bool = True) -> list[DeadLetter]:
    return find_dead_letters(cluster.settings, Choice(resolved=resolved))


def command(
    cluster: Cluster, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        **cluster.stack.environment(),
        "DATA_DIR": str(cluster.home),
        "COLUMNS": "200",
        **variables,
    }
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

    The registry counts its ids up, so that of the next schema is known before. Neither was there
    before, whatever other tests of the process have registered.
    """
    declared = contract(name)

    def with_note(name: str) -> AvroSchema:
        note = {"name": name, "type": ["null", "string"], "default": None, "doc": "Null: none."}
        return {**declared.latest, "fields": [*declared.latest["fields"], note]}

    unique = uuid4().hex
    before = cluster.registry.register("before-value", _test_only(with_note(f"before_{unique}")))
    schema = with_note(f"later_{unique}")
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
        ("missing_name", encoder.encode(plant_record("BLANK", name=" ").to_avro())),
        ("position_out_of_range", encoder.encode(plant_record("FAR", latitude="1e99").to_avro())),
        ("position_out_of_range", encoder.encode(plant_record("NEG", latitude="-95").to_avro())),
    ]
    with pytest.raises(KafkaException, match="size"):
        publish(cluster, RAW.name, [b"x" * 2_000_000], 0)
    mixed = [
        value
        for pair in zip(good, [poisoned for _, poisoned in poison], strict=False)
        for value in pair
    ]
    publish(cluster, RAW.name, [*mixed, *good[len(poison) :], huge], 1)
    awkward_rules = publish_awkward(cluster, RAW.name, one, 3)
    worker = cluster.pipeline()
    cluster.wait_drained()
    worker.process.stop(15)

    found = [each for each in dead_letters(cluster) if each.raw.partition == 1]
    awkward = [each for each in dead_letters(cluster) if each.raw.partition == 3]
    assert [each.rule_id for each in awkward] == awkward_rules
    assert [(cut.part, cut.whole_bytes) for each in awkward for cut in each.content.cuts] == [
        *[("value", 5_000_000)] * 4,
        ("value", 1_040_000),
        ("key", 2_000_000),
        ("headers", 2_000_001),
    ]
    assert [(each.rule_id, each.content.value) for each in found] == poison
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
    without_header = command(cluster, "dlq-redrive", "--rule", "bad_redrive")
    assert "1 dead letters were redriven" in without_header.stdout
    cluster.wait_drained()
    assert "LATER" in plant_ids(cluster)
    attempts = {letter.rule_id: letter.attempts for letter in dead_letters(cluster, resolved=False)}
    assert attempts["bad_avro"] == 2
    resolved = [letter for letter in dead_letters(cluster) if letter.resolved]
    assert [(letter.rule_id, letter.content.value) for letter in resolved] == [
        ("unknown_schema_id", unknown),
        ("bad_redrive", one),
    ]
    assert all(
        name != REDRIVEN_FROM
        for letter in dead_letters(cluster)
        for name, _ in letter.content.headers
        if letter.rule_id != "bad_redrive"
    )
    assert problems(cluster) == ()
    assert_the_trace_shows_both_attempts(cluster, unknown)
    listed = command(cluster, "dlq", "--all")
    assert "23 dead letters, 21 of them open." in listed.stdout
    assert "0 dead letters were redriven" in command(cluster, *dropped).stdout


def assert_the_trace_shows_both_attempts(cluster: Cluster, value: bytes) -> None:
    """Followed by its raw coordinates, by those of its copy, and by the id it had all along."""
    (letter,) = [each for each in dead_letters(cluster) if each.content.value == value]
    at = f"{letter.raw.topic}/{letter.raw.partition}/{letter.raw.offset}"
    followed = json.loads(command(cluster, "trace", at, "--json").stdout)
    (raw,) = followed["raw"]
    assert (raw["source_id"], raw["record_id"]) == ("wri_powerplants", "LATER")
    stages = [step["stage"] for step in raw["steps"]]
    assert stages == [
        "polled", "raw", "dead letter", "outcome", "redriven", "normalized", "outcome"
    ]  # fmt: skip
    rejected, decided_again = (step for step in raw["steps"] if step["stage"] == "outcome")
    assert rejected["detail"]["rule_id"] == "unknown_schema_id"
    assert (decided_again["detail"]["outcome"], decided_again["detail"]["again"]) == (
        "changed",
        True,
    )
    (asset,) = followed["canonical"]
    assert asset["steps"][0]["detail"]["members"][0]["record_id"] == "LATER"
    assert any("ClickHouse was not asked" in note for note in followed["notes"])
    copy = next(step["place"] for step in raw["steps"] if step["stage"] == "redriven")
    assert json.loads(command(cluster, "trace", copy, "--json").stdout)["raw"] == [raw]
    printed = command(cluster, "trace", asset["record_id"]).stdout
    # Found by the lineage of its member: its key is not that of the record.
    assert "unknown_schema_id" in printed
    assert "market.infrastructure/" in printed


def test_a_flood_of_rejections_pauses_one_source_until_it_is_resumed(
    cluster: Cluster, runbook: Runbook
) -> None:
    encoder = topic_encoder(cluster.registry, RAW, avro.RawRecord)
    bad = [
        encoder.encode(plant_record(f"BAD{number}", name=" ").to_avro()) for number in range(150)
    ]
    good = [encoder.encode(plant_record(f"GOOD{number}").to_avro()) for number in range(150)]
    publish(cluster, RAW.name, [*bad, *good], 2)
    worker = cluster.pipeline(PAUSE_REJECTED_CONSECUTIVE="100", STAGES="")
    cluster.wait_for(lambda: bool(paused(worker)))
    (place,) = paused(worker)
    assert place == f"{RAW.name}/2"
    assert "make resume SOURCE=wri_powerplants" in paused(worker)[place]
    metrics = pages().get(f"{worker.url}/metrics", timeout=10).text
    assert 'connector_paused{partition="2",source_id="wri_powerplants"} 1.0' in metrics

    publish(cluster, ALSI.name, [b"of another source"], 0)
    cluster.wait_for(lambda: len(cluster.values_of(RECORD_OUTCOMES)) > 0)
    assert [dead_letter.raw.topic for dead_letter in dead_letters(cluster)] == [ALSI.name]

    began = time.monotonic()
    worker.process.stop(15)
    assert time.monotonic() - began < STOP_SECONDS
    worker = cluster.pipeline(PAUSE_REJECTED_CONSECUTIVE="100", STAGES="")
    cluster.wait_for(lambda: bool(paused(worker)))
    printed = runbook.follow(
        "Poison release of a source", before={"make audit": cluster.wait_drained}
    )
    assert "GOOD149" in printed[f'make inspect TOPIC={RAW.name} ARGS="--last 2"']
    resumed = printed[f"make resume SOURCE={CONNECTOR}"]
    assert f"{RAW.name}/2 resumed up to offset 299" in resumed
    (redriven,) = (said for typed, said in printed.items() if "dlq-redrive" in typed)
    assert "0 dead letters were redriven" in redriven
    assert paused(worker) == {}
    assert len(dead_letters(cluster)) == 151
    assert {f"GOOD{number}" for number in range(150)} <= plant_ids(cluster)
    assert problems(cluster) == ()


def paused(worker: LocalWorker) -> dict[str, str]:
    """What `/ready` says is paused; nothing while the worker does not answer."""
    try:
        answer = pages().get(f"{worker.url}/ready", timeout=10)
    except httpx.TransportError:
        return {}
    found: dict[str, str] = answer.json()["paused"]
    return found
