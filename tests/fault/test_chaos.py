"""Real records of all sources, revised for rounds, while faults strike or workers join.

What readers have in the end equals what an undisturbed run of the same raw records leaves, record
by record: current records, the last outcome and flags of every raw record, scores. Only what
depends on how topics interleave may differ:

- `version`: how often an asset was published on the way.
- `known_at`: a record that came and went while another one was on its way is part of what could be
  known, or is not.
- Ids that are not current: an asset that existed only until another source was heard.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from producers.connectors import CONNECTORS
from producers.run import RunOptions, Services, run_once
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import connector_environment, environment_without_limits
from streams.avro.topic_codecs import topic_decoder
from streams.commands.audit import run_audit
from streams.commands.deploy import all_topics
from streams.commands.next_generation import drop
from streams.commands.rebuild import compare
from streams.commands.replay import replay
from streams.core import contract_types as avro
from streams.core.replay import REPLAYED, Selection
from streams.kafka.topic_reader import Record, read_all
from streams.local.stack import LocalStack
from streams.topics import RECORD_OUTCOMES, raw_topic
from tests.fault.chaos import Chaos
from tests.fault.cluster import READY_SECONDS, Cluster, fresh_cluster
from tests.fault.real_load import RealLoad, publish, publish_again
from tests.fault.snapshot import newest_records, newest_scores
from tests.producers.live import fresh_database
from tests.producers.sandbox_server import KEY, running_sandbox

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
    pytest.mark.real_data,
    pytest.mark.soak,
    pytest.mark.timeout(7_200),
]

SEED = int(os.environ.get("CHAOS_SEED", "1"))
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "30"))
JOINS = 4
RELEASE_ROWS = 3_000
_OF_THE_WAY = frozenset({"version", "known_at"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What readers have in the end.

    Attributes:
        records: Current canonical records by id, without what depends on the way.
        outcomes: Last outcome and flags by raw coordinates and kind.
        scores: Counts and score by source, dimension and window.
    """

    records: dict[str, dict[str, Any]]
    outcomes: dict[tuple[str, int, int, str], tuple[str, tuple[str, ...]]]
    scores: dict[tuple[str, str, str], tuple[int, int, float]]


def seen(cluster: Cluster) -> Seen:
    bootstrap, registry = cluster.settings.kafka_bootstrap, cluster.registry
    outcomes: dict[tuple[str, int, int, str], tuple[str, tuple[str, ...]]] = {}
    decoder = topic_decoder(registry, RECORD_OUTCOMES, avro.RecordOutcome)
    for record in read_all(bootstrap, RECORD_OUTCOMES.name):
        one = decoder.decode(record.value)
        raw = one["raw"]
        key = (raw["topic"], raw["partition"], raw["offset"], one["output_kind"])
        outcomes[key] = (one["outcome"], tuple(one["flags"]))
    return Seen(
        {
            identity: {name: value for name, value in asset.items() if name not in _OF_THE_WAY}
            for identity, asset in newest_records(bootstrap, registry).items()
            if asset["status"] == "current"
        },
        outcomes,
        {
            at: (one["record_count"], one["failed_count"], round(one["score"], 9))
            for at, one in newest_scores(bootstrap, registry).items()
        },
    )


def differences(what: str, found: dict[Any, Any], expected: dict[Any, Any]) -> list[str]:
    """What differs, the first ones with the parts that do."""
    keys = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    shown = [f"{key}: {_parts(found.get(key), expected.get(key))}" for key in keys[:20]]
    return [f"{len(keys)} {what} differ", *shown] if keys else []


def _parts(found: object, expected: object) -> str:
    if isinstance(found, dict) and isinstance(expected, dict):
        names = [name for name in found if found[name] != expected.get(name)]
        return "; ".join(f"{name} {found[name]} instead of {expected[name]}" for name in names)
    return f"{found} instead of {expected}"


@pytest.fixture
def deployment(stack: LocalStack, tmp_path: Path) -> Iterator[Cluster]:
    with fresh_cluster(stack, tmp_path) as cluster:
        cluster.connectors = tuple(CONNECTORS)
        yield cluster


def polled(cluster: Cluster, real_data: Path) -> RealLoad:
    """What the first poll of every source has brought."""
    with running_sandbox(real_data) as sandbox, fresh_database(cluster.stack) as dsn:
        environment = {
            **cluster.stack.environment(),
            **connector_environment(sandbox.url, SandboxSettings(alsi_key=KEY, nlr_key=KEY)),
            **environment_without_limits(),
            "WRI_MINIMUM_ROWS": "1000",  # there may be a few countries only
        }
        services = Services(
            cluster.settings.kafka_bootstrap, cluster.settings.schema_registry_url, dsn
        )
        for name in CONNECTORS:
            cluster.expect(run_once(name, RunOptions(), services, environment, None).published)
    return RealLoad.read(cluster.settings.kafka_bootstrap, cluster.registry, CONNECTORS)


def undisturbed(cluster: Cluster, raw: list[Record]) -> Seen:
    """The same raw records at the same offsets, through one worker."""
    groups = [cluster.settings.app_id, cluster.settings.sink_app_id]
    cluster.recreate(all_topics(cluster.settings), groups)
    publish_again(cluster.settings.kafka_bootstrap, raw)
    cluster.pipeline("undisturbed")
    cluster.wait_drained()
    cluster.stop_all()
    return seen(cluster)


def assert_undisturbed(cluster: Cluster, figures: list[str], what: str) -> None:
    """Nothing is missing, and everything is as an undisturbed run leaves it."""
    bootstrap = cluster.settings.kafka_bootstrap
    sources = {name: source.source_id for name, source in CONNECTORS.items()}
    assert run_audit(cluster.settings, sources).problems == (), what
    quiet = Console(quiet=True)
    replayed = replay(
        cluster.settings,
        tuple(CONNECTORS),
        Selection(),
        dry_run=True,
        accept_loss=False,
        console=quiet,
    )
    assert not REPLAYED & replayed.counts.effects.keys(), replayed.counts
    rebuilt = compare(cluster.settings, quiet)
    assert (rebuilt.differences.count, rebuilt.unread) == (0, 0), rebuilt.differences
    drop(cluster.settings)
    found = seen(cluster)
    raw = [one for name in CONNECTORS for one in read_all(bootstrap, raw_topic(name).name)]
    expected = undisturbed(cluster, raw)
    figures.append(f"{what}, {len(raw):,} raw records, {len(found.records):,} current records")
    found_otherwise = [
        *differences("records", found.records, expected.records),
        *differences("outcomes", found.outcomes, expected.outcomes),
        *differences("scores", found.scores, expected.scores),
    ]
    assert not found_otherwise, "\n".join(found_otherwise)


def test_what_readers_have_after_chaos_is_what_an_undisturbed_run_leaves(
    deployment: Cluster, real_data: Path, figures: list[str]
) -> None:
    bootstrap = deployment.settings.kafka_bootstrap
    random = Random(SEED)
    load = polled(deployment, real_data)
    chaos = Chaos(deployment, random)
    chaos.start()
    for _ in range(ROUNDS):
        polls = load.next_round(random)
        deployment.expect(publish(bootstrap, deployment.registry, polls))
        for _ in range(random.randrange(1, 4)):
            chaos.strike()
        chaos.wake()
    chaos.finish()
    faults = ", ".join(f"{count} {name}" for name, count in sorted(Counter(chaos.done).items()))
    what = f"chaos with seed {SEED}: {ROUNDS} rounds, {len(chaos.done)} faults ({faults})"
    assert_undisturbed(deployment, figures, what)


def test_workers_that_join_while_others_build_their_index_change_nothing(
    deployment: Cluster, real_data: Path, figures: list[str]
) -> None:
    bootstrap = deployment.settings.kafka_bootstrap
    random = Random(SEED)
    load = polled(deployment, real_data)
    deployment.pipeline("a")
    deployment.wait_drained()
    deployment.stop_all()
    for _ in range(JOINS):
        release = load.next_release("wri_powerplants", RELEASE_ROWS, random)
        deployment.expect(publish(bootstrap, deployment.registry, release))
        deployment.pipeline("a").wait_ready(READY_SECONDS)
        deployment.pipeline("b")
        deployment.wait_drained()
        deployment.stop_all()
    assert_undisturbed(deployment, figures, f"{JOINS} joins in {RELEASE_ROWS:,} changed records")
