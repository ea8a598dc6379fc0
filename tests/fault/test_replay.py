"""Replaying history in place: with unchanged code nothing, with a changed rule what it affects."""

import signal
import subprocess
from collections import Counter
from operator import itemgetter
from pathlib import Path

import pytest

from streams.avro.topic_codecs import topic_decoder
from streams.commands.audit import run_audit
from streams.core import contract_types as avro
from streams.kafka.topic_admin import end_offsets
from streams.kafka.topic_reader import read_all
from streams.settings import EXIT_FAILED, EXIT_INTERRUPTED, PROJECT_ROOT
from streams.topics import DEAD_LETTERS, MARKET_INFRASTRUCTURE, RECORD_OUTCOMES, REPLAYS
from tests.fault.changed_project import (
    counted,
    ended,
    left_of_the_next,
    live_plants,
    started,
    versions,
)
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, RAW, Load
from tests.fault.runbook import Runbook
from tests.fault.snapshot import newest_scores

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

SENT_BEFORE_THE_END = 40
"""Copies that a replay has sent when it is killed or interrupted."""


def replay(
    cluster: Cluster, project: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return ended(started(cluster, project, "replay", *arguments, **variables))


def interrupted(cluster: Cluster, project: Path) -> subprocess.CompletedProcess[str]:
    """A replay that somebody ends with Ctrl-C when it has sent some copies."""
    hold = cluster.home / "hold"
    step = f"after_copy:{SENT_BEFORE_THE_END}:hold={hold}"
    process = started(cluster, project, "replay", "--accept-loss", FAILPOINT=step)
    cluster.wait_for(hold.exists)
    process.send_signal(signal.SIGINT)
    return ended(process)


def ends(cluster: Cluster) -> dict[str, int]:
    """Offsets of each topic that a replay could write to."""
    names = [RAW.name, MARKET_INFRASTRUCTURE.name, RECORD_OUTCOMES.name, DEAD_LETTERS.name]
    found: Counter[str] = Counter()
    for (topic, _), end in end_offsets(cluster.settings.kafka_bootstrap, names).items():
        found[topic] += end
    return found


def recorded(cluster: Cluster) -> list[avro.Replay]:
    """The last record of every replay, by when it began."""
    decoder = topic_decoder(cluster.registry, REPLAYS, avro.Replay)
    last = {
        record.key: decoder.decode(record.value)
        for record in read_all(cluster.settings.kafka_bootstrap, REPLAYS.name)
    }
    return sorted(last.values(), key=itemgetter("started_at"))


def test_a_changed_rule_reaches_what_it_affects_and_nothing_else(
    cluster: Cluster, changed_project: Path
) -> None:
    cluster.load(Load(1_000, plants=300))
    worker = cluster.pipeline()
    cluster.wait_drained()
    before = ends(cluster)
    unchanged = replay(cluster, PROJECT_ROOT, "--source", CONNECTOR)
    assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr
    assert "0 raw records were sent" in unchanged.stdout
    assert "No canonical record differs." in unchanged.stdout
    assert counted(unchanged.stdout, "unchanged") > 200
    assert ends(cluster) == before

    worker.process.stop(15)
    plants_before = live_plants(cluster)
    dry = replay(cluster, changed_project, "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    changed, withdrawn = (counted(dry.stdout, one) for one in ("changed", "rejected, was accepted"))
    assert changed == sum(capacity == 200 for capacity, _ in plants_before.values())
    assert withdrawn == sum(capacity == 300 for capacity, _ in plants_before.values())
    assert f"power_plant.capacity_mw changed in {changed:,}:" in dry.stdout
    assert "200.0 -> 250.0" in dry.stdout
    assert f"{withdrawn:,} are rejected now by unreadable_number." in dry.stdout
    assert ends(cluster) == before

    unaccepted = replay(cluster, changed_project)
    assert unaccepted.returncode == EXIT_FAILED
    # Those that the source delisted, or that were rejected all along, are none of them.
    assert f"{withdrawn:,} of {len(plants_before):,} records of {RAW.name} " in unaccepted.stdout
    assert ends(cluster) == before
    step = f"after_copy:{SENT_BEFORE_THE_END}"
    killed = replay(cluster, changed_project, "--accept-loss", FAILPOINT=step)
    assert killed.returncode == -9
    stopped = interrupted(cluster, changed_project)
    assert stopped.returncode == EXIT_INTERRUPTED, stopped.stdout + stopped.stderr
    assert "Interrupted: run the same command again" in stopped.stdout
    fixed = Runbook(
        cluster.home / "clone",
        {**cluster.stack.environment(), "DATA_DIR": str(cluster.home)},
        changed_project,
    )
    fixed.follow(
        "Replay after a bad deploy",
        {
            "kubectl scale statefulset/pipeline --replicas=0": cluster.stop_all,
            "kubectl scale statefulset/pipeline --replicas=2": lambda: cluster.pipeline(
                PYTHONPATH=str(changed_project)
            ),
        },
        before={"make audit": cluster.wait_drained},
    )
    assert ends(cluster)[RAW.name] == before[RAW.name] + changed + withdrawn
    plants = live_plants(cluster)
    assert plants.keys() == {
        record_id for record_id, (capacity, _) in plants_before.items() if capacity != 300
    }
    for record_id, (capacity, version) in plants.items():
        capacity_before, version_before = plants_before[record_id]
        if capacity_before == 200:
            assert (capacity, version) == (250, version_before + 1)
        else:
            assert (capacity, version) == (capacity_before, version_before)
    assert set(versions(cluster).values()) == {1}
    assert run_audit(cluster.settings, {CONNECTOR: CONNECTOR}).problems == ()
    none, cut_short, partial, complete = recorded(cluster)
    assert (none["status"], none["sent_count"], none["source_ids"]) == ("complete", 0, [CONNECTOR])
    assert (cut_short["status"], cut_short["ended_at"]) == ("running", None)
    assert (partial["status"], partial["sent_count"]) == ("interrupted", SENT_BEFORE_THE_END)
    assert complete["status"] == "complete"
    assert complete["sent_count"] + complete["undecided_count"] == changed + withdrawn
    again = replay(cluster, changed_project, "--dry-run")
    assert "0 raw records would be replayed" in again.stdout
    end = ends(cluster)
    scores = newest_scores(cluster.settings.kafka_bootstrap, cluster.registry)
    rebuilt = ended(started(cluster, changed_project, "rebuild", "--diff"))
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    # What has grown record by record, with a replay in its history, is what a rebuild makes.
    assert "No canonical record differs." in rebuilt.stdout
    assert f"{len(plants):,} canonical records are the same in both" in rebuilt.stdout
    # Dropped, it leaves no trace.
    assert left_of_the_next(cluster) != []
    assert ended(started(cluster, changed_project, "rebuild", "--drop")).returncode == 0
    assert left_of_the_next(cluster) == []
    assert ends(cluster) == end
    assert newest_scores(cluster.settings.kafka_bootstrap, cluster.registry) == scores
