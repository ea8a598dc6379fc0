"""Producers, workers and sinks of two versions at once, and one taken back."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from pathlib import Path
from zlib import crc32

import pytest

from streams.avro.codec import Encoder, Registry
from streams.avro.contracts import Contract, contract_names, load_contract
from streams.avro.topic_codecs import topic_decoder
from streams.clickhouse.client import ClickHouse
from streams.commands.audit import run_audit
from streams.commands.deploy import all_subjects
from streams.commands.stored_records import compare_stored
from streams.core import contract_types as avro
from streams.core.reject_rules import UNKNOWN_FUEL
from streams.kafka.topic_writer import TopicWriter
from streams.local.workers import LocalWorker, Program
from streams.settings import PROJECT_ROOT
from streams.topics import DEAD_LETTERS, MARKET_INFRASTRUCTURE, PARTITIONS, RECORD_OUTCOMES
from streams.worker_pages import pages
from tests.fault import load as loads
from tests.fault.changed_project import ended, started
from tests.fault.clickhouse_digest import digests_of_views
from tests.fault.cluster import READY_SECONDS, Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.load import CONNECTOR, RAW, Load, plant_record
from tests.fault.snapshot import newest_records
from tests.free_ports import free_ports
from tests.project_copy import copy_project

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

ADDED = {"name": "added_later", "type": ["null", "string"], "default": None, "doc": "Null: new."}

WORD, FUEL = "Fusion", "fusion"
"""What the source calls a fuel, and what the vocabulary does, from the next version on."""

_OFFSET = re.compile(r'"offset": \d+')
"""Raw records that only this run has lie between the others."""

_PLACES = (("DEU", 53.0, 10.0), ("USA", 35.0, -97.0), ("CHN", 26.0, 114.0), ("IND", 26.0, 78.0))
"""One in each region, far from the plants of the load."""

_PASSWORD = "s3cret"


@pytest.fixture
def next_version(cluster: Cluster, tmp_path: Path) -> Path:
    """The project of the next version: every record has a field more, the vocabulary a word.

    Its schemas are registered.
    """
    project = copy_project(tmp_path / "next")
    folder = project / "avro"
    for name in contract_names():
        known = load_contract(folder / name)
        version = deepcopy(known.latest)
        version["fields"].append(ADDED)
        path = folder / name / f"v{len(known.versions) + 1}.avsc"
        path.write_text(json.dumps(version), encoding="utf-8")
    for subject, known in all_subjects(cluster.settings).items():
        cluster.registry.register(subject, load_contract(folder / known.name))
    for file, before, line in (
        ("streams/core/vocabulary.py", '        "gas",\n', f'        "{FUEL}",\n'),
        (
            "producers/formats/fuel_words.py",
            '    "other": "other; ',
            f'    "{FUEL}": "{WORD.lower()}",\n',
        ),
    ):
        path = project / file
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1
        path.write_text(text.replace(before, line + before), encoding="utf-8")
    return project


@pytest.fixture
def clickhouse_dsn(cluster: Cluster) -> Iterator[str]:
    """Address of a server, so that sinks of both versions can load it side by side."""
    port = next(free_ports())
    module = ("-m", "tests.integration.security.clickhouse_server")
    arguments = (*module, str(cluster.clickhouse_dir), str(port))
    server = LocalWorker(
        Program("ClickHouse", "clickhouse", arguments, port, "_", "/ping"),
        cluster.home,
        {"CLICKHOUSE_PASSWORD": _PASSWORD, "PYTHONPATH": str(PROJECT_ROOT)},
    )
    server.start(READY_SECONDS)
    yield f"clickhouse://reader:{_PASSWORD}@127.0.0.1:{port}/default"
    server.process.kill()


@pytest.fixture
def newer(cluster: Cluster, next_version: Path) -> Encoder[avro.RawRecord]:
    """What a producer writes with that was upgraded before everybody else."""
    return cluster.registry.encoder(RAW.subject(), load_contract(next_version / "avro" / RAW.name))


def say_the_word(cluster: Cluster, encoder: Encoder[avro.RawRecord]) -> set[str]:
    """Publish a plant of the new fuel in every raw partition and region; their ids."""
    published: set[str] = set()
    with TopicWriter(cluster.settings.kafka_bootstrap, [RAW.name]) as writer:
        for partition in range(PARTITIONS):
            ids = (f"W{number:06d}" for number in count(len(published)))
            own = (one for one in ids if crc32(one.encode()) % PARTITIONS == partition)
            for (country, latitude, longitude), record_id in zip(_PLACES, own, strict=False):
                record = plant_record(
                    record_id,
                    country=country,
                    latitude=str(latitude + 0.3 * partition),
                    longitude=str(longitude),
                    fuel=WORD,
                )
                value = encoder.encode(record.to_avro())
                writer.send(RAW.name, record_id.encode(), value, partition=partition)
                published.add(record_id)
        writer.finish()
    cluster.expect(len(published))
    return published


def accepted_words(cluster: Cluster) -> set[str]:
    """Source ids of the current plants of the new fuel."""
    newest = newest_records(cluster.settings.kafka_bootstrap, cluster.registry).values()
    return {
        record["members"][0]["record_id"]
        for record in newest
        if record["power_plant"] is not None and record["power_plant"]["primary_fuel"] == FUEL
    }


def rejected_words(cluster: Cluster) -> set[str | None]:
    """Source ids of the dead letters of plants whose fuel nobody knew."""
    decoder = topic_decoder(cluster.registry, DEAD_LETTERS, avro.DeadLetter)
    found = (decoder.decode(value) for _, value in cluster.values_of(DEAD_LETTERS))
    return {one["record_id"] for one in found if one["rule_id"] == UNKNOWN_FUEL.id}


def stored_words(cluster: Cluster, sink: LocalWorker) -> int:
    """Plants of the new fuel that readers of ClickHouse see."""
    sql = f"SELECT count() FROM power_plants WHERE primary_fuel = '{FUEL}'"
    answer = pages().post(f"{sink.url}/query", params={"format": "csv"}, content=sql)
    return int(answer.text.splitlines()[1])


def said(registry: Registry, known: Contract, values: Counter[bytes]) -> Counter[str]:
    """What readers of today see of values, whichever version wrote them, but for the new fuel."""
    decoder = registry.decoder(known)
    found: Counter[str] = Counter()
    for value, times in values.items():
        text = json.dumps(decoder.decode(value), default=str, sort_keys=True)
        if '"record_id": "W' not in text:
            found[_OFFSET.sub("", text)] += times
    return found


def require_all_words_after_the_upgrade(
    cluster: Cluster, next_version: Path, words: set[str], sink: LocalWorker | None = None
) -> None:
    """What nobody knew is a dead letter until then."""
    chosen = ("--source", CONNECTOR, "--rule", UNKNOWN_FUEL.id)
    redriven = ended(started(cluster, next_version, "dlq-redrive", *chosen))
    assert redriven.returncode == 0, redriven.stdout + redriven.stderr
    cluster.wait_drained(sink=sink is not None)
    assert accepted_words(cluster) == words
    if sink is not None:
        assert stored_words(cluster, sink) == len(words)


@pytest.mark.soak
@pytest.mark.parametrize("old_first", [False, True])
def test_old_and_new_work_together_in_both_orders(
    cluster: Cluster,
    undisturbed: Undisturbed,
    next_version: Path,
    newer: Encoder[avro.RawRecord],
    monkeypatch: pytest.MonkeyPatch,
    *,
    old_first: bool,
) -> None:
    """One begins, the other joins and acquires its state, then the first takes all of it back.

    Where that is the new one, producers have a word that the old one does not know.
    """
    versions: list[dict[str, str]] = [{}, {"PYTHONPATH": str(next_version)}]
    first, second = versions if old_first else versions[::-1]
    parts = undisturbed.load.split(3)
    grown = cluster.growth(RECORD_OUTCOMES.name)
    cluster.load(parts[0])
    stays = cluster.pipeline("stays", **first)
    cluster.wait_for_growth(grown, 500)
    joins = cluster.pipeline("joins", **second)
    cluster.wait_for(lambda: cluster.assigned(stays) > 0 and cluster.assigned(joins) > 0)
    with monkeypatch.context() as patch:
        patch.setattr(loads, "topic_encoder", lambda *_: newer)
        cluster.load(parts[1])
    words: set[str] = set() if old_first else say_the_word(cluster, newer)
    cluster.wait_drained()
    # Who knows the word passes it on, and who does not know it takes it from there.
    accepted, rejected = accepted_words(cluster), rejected_words(cluster)
    assert (accepted | rejected, accepted & rejected) == (words, set())
    assert not words or (accepted and rejected)
    joins.process.stop(15)
    cluster.load(parts[2])
    cluster.wait_drained()
    if words:
        require_all_words_after_the_upgrade(cluster, next_version, words)
    cluster.stop_all()

    assert run_audit(cluster.settings, {CONNECTOR: CONNECTOR}).problems == ()
    for topic, expected in (
        (MARKET_INFRASTRUCTURE, undisturbed.snapshot.published),
        (RECORD_OUTCOMES, undisturbed.snapshot.outcomes),
    ):
        known = all_subjects(cluster.settings)[topic.subject()]
        values = Counter(value for _, value in cluster.values_of(topic))
        # Both have written.
        assert len({value[:5] for value in values}) == 2
        found = said(cluster.registry, known, values)
        assert found == said(cluster.registry, known, expected)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_sinks_of_both_versions_load_what_workers_of_both_write(
    undisturbed_clickhouse: dict[str, str],
    load: Load,
    cluster: Cluster,
    next_version: Path,
    newer: Encoder[avro.RawRecord],
    clickhouse_dsn: str,
) -> None:
    """They share the partitions, then the new one takes over, the old one takes it back, and last
    the new one goes on alone."""
    new = {"PYTHONPATH": str(next_version)}
    into = {"CLICKHOUSE_DSN": clickhouse_dsn}
    most, rest = load.but_last(load.records // 4)
    workers = [
        cluster.pipeline("old"),
        cluster.pipeline("new", **new),
        old_sink := cluster.sink("old-sink", **into),
        new_sink := cluster.sink("new-sink", **into, **new),
    ]
    cluster.wait_for(lambda: all(cluster.assigned(worker) > 0 for worker in workers))
    cluster.load(most)
    cluster.wait_drained(sink=True)
    old_sink.process.stop(15)
    cluster.load(rest)
    cluster.wait_drained(sink=True)
    clickhouse = ClickHouse(clickhouse_dsn)
    assert digests_of_views(clickhouse) == undisturbed_clickhouse
    clickhouse.close()

    new_sink.process.stop(15)
    old_sink = cluster.sink("old-sink", **into)
    words = say_the_word(cluster, newer)
    cluster.wait_drained(sink=True)
    assert 0 < stored_words(cluster, old_sink) == len(words) - len(rejected_words(cluster))
    for worker in (workers[0], old_sink):
        worker.process.stop(15)
    new_sink = cluster.sink("new-sink", **into, **new)
    require_all_words_after_the_upgrade(cluster, next_version, words, new_sink)
    audit = run_audit(cluster.settings, {CONNECTOR: CONNECTOR})
    assert audit.problems == ()
    asking = cluster.settings.model_copy(update={"clickhouse_dsn": clickhouse_dsn})
    stored = compare_stored(asking, audit.published)
    assert (stored.problems, stored.not_compared) == ((), None)
