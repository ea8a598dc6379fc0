"""Replaying history in place: with unchanged code nothing, with a changed rule what it affects."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from operator import itemgetter
from pathlib import Path

import pytest

from streams.avro.topic_codecs import topic_decoder
from streams.commands.audit import run_audit
from streams.core import contract_types as avro
from streams.kafka.topic_admin import end_offsets
from streams.kafka.topic_reader import read_all
from streams.settings import EXIT_INTERRUPTED, PROJECT_ROOT
from streams.topics import DEAD_LETTERS, MARKET_INFRASTRUCTURE, RECORD_OUTCOMES, REPLAYS
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, RAW, Load
from tests.fault.snapshot import newest_records
from tests.project_copy import copy_project

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

SENT_BEFORE_THE_END = 40
"""Copies that a replay has sent when it is killed or interrupted."""

RULES = "        odd = OddCells()\n"
CHANGED_RULES = """        if item.get("capacity_mw") == "300":
            return reject_rules.UNREADABLE_NUMBER.reject("300", field="capacity_mw", limit="less")
        if item.get("capacity_mw") == "200":
            item = {**item, "capacity_mw": "250"}
"""


@pytest.fixture
def changed_project(tmp_path: Path) -> Path:
    """The project with another mapping: plants of 200 MW have 250, those of 300 are rejected."""
    copy = copy_project(tmp_path / "changed")
    source = copy / "producers" / "sources" / f"{CONNECTOR}.py"
    text = source.read_text(encoding="utf-8")
    assert text.count(RULES) == 1
    source.write_text(text.replace(RULES, CHANGED_RULES + RULES), encoding="utf-8")
    shutil.copy(PROJECT_ROOT / "pyproject.toml", copy)
    return copy


def replay(
    cluster: Cluster, project: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return ended(started(cluster, project, "replay", *arguments, **variables))


def interrupted(cluster: Cluster, project: Path) -> subprocess.CompletedProcess[str]:
    """A replay that somebody ends with Ctrl-C when it has sent some copies."""
    hold = cluster.home / "hold"
    step = f"after_copy:{SENT_BEFORE_THE_END}:hold={hold}"
    process = started(cluster, project, "replay", FAILPOINT=step)
    cluster.wait_for(hold.exists)
    process.send_signal(signal.SIGINT)
    return ended(process)


def started(
    cluster: Cluster, project: Path, *arguments: str, **variables: str
) -> subprocess.Popen[str]:
    """A command of a project; its code, whatever is installed."""
    environment = {**os.environ, **cluster.stack.environment(), "DATA_DIR": str(cluster.home)}
    return subprocess.Popen(
        [sys.executable, "-m", "streams", *arguments],
        cwd=project,
        env={**environment, "COLUMNS": "200", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    output, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def counted(printed: str, what: str) -> int:
    """Records that a report has in the line of an effect."""
    found = re.search(rf"\b{what}\W+([\d,]+)", printed)
    return int(found[1].replace(",", "")) if found else 0


def ends(cluster: Cluster) -> dict[str, int]:
    """Offsets of each topic that a replay could write to."""
    names = [RAW.name, MARKET_INFRASTRUCTURE.name, RECORD_OUTCOMES.name, DEAD_LETTERS.name]
    found: Counter[str] = Counter()
    for (topic, _), end in end_offsets(cluster.settings.kafka_bootstrap, names).items():
        found[topic] += end
    return found


def live(cluster: Cluster) -> dict[str, tuple[float | None, int]]:
    """Capacity and version of every plant that is current, by id."""
    newest = newest_records(cluster.settings.kafka_bootstrap, cluster.registry)
    return {
        record_id: (record["power_plant"]["capacity_mw"], record["version"])
        for record_id, record in newest.items()
        if record["status"] == "current" and record["power_plant"] is not None
    }


def versions(cluster: Cluster) -> Counter[tuple[str, int]]:
    decoder = topic_decoder(cluster.registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
    records = read_all(cluster.settings.kafka_bootstrap, MARKET_INFRASTRUCTURE.name)
    found = (decoder.decode(record.value) for record in records)
    return Counter((record["record_id"], record["version"]) for record in found)


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
    plants_before = live(cluster)
    dry = replay(cluster, changed_project, "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    changed, withdrawn = (counted(dry.stdout, one) for one in ("changed", "rejected, was accepted"))
    assert changed == sum(capacity == 200 for capacity, _ in plants_before.values())
    assert withdrawn == sum(capacity == 300 for capacity, _ in plants_before.values())
    assert f"power_plant.capacity_mw changed in {changed:,}:" in dry.stdout
    assert "200.0 -> 250.0" in dry.stdout
    assert f"{withdrawn:,} are rejected now by unreadable_number." in dry.stdout
    assert ends(cluster) == before

    killed = replay(cluster, changed_project, FAILPOINT=f"after_copy:{SENT_BEFORE_THE_END}")
    assert killed.returncode == -9
    stopped = interrupted(cluster, changed_project)
    assert stopped.returncode == EXIT_INTERRUPTED, stopped.stdout + stopped.stderr
    assert "Interrupted: run the same command again" in stopped.stdout
    assert replay(cluster, changed_project).returncode == 0
    cluster.pipeline(PYTHONPATH=str(changed_project))
    cluster.wait_drained()
    assert ends(cluster)[RAW.name] == before[RAW.name] + changed + withdrawn
    plants = live(cluster)
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
    rebuilt = ended(started(cluster, changed_project, "rebuild", "--dry-run"))
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    # What has grown record by record, with a replay in its history, is what a rebuild makes.
    assert "No canonical record differs." in rebuilt.stdout
    assert f"{len(plants):,} canonical records would stay as they are" in rebuilt.stdout
