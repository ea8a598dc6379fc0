"""Commands of a project with another mapping rule, and the plants that it is about."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from confluent_kafka.admin import AdminClient

from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.kafka.topic_reader import read_all
from streams.settings import PROJECT_ROOT
from streams.topics import MARKET_INFRASTRUCTURE
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR
from tests.fault.snapshot import newest_records
from tests.project_copy import copy_project

RULES = "        odd = OddCells()\n"
CHANGED_RULES = """        if item.get("capacity_mw") == "300":
            return reject_rules.UNREADABLE_NUMBER.reject("300", field="capacity_mw", limit="less")
        if item.get("capacity_mw") == "200":
            item = {**item, "capacity_mw": "250"}
"""


def change_project(folder: Path) -> Path:
    """The project with another mapping: plants of 200 MW have 250, those of 300 are rejected."""
    copy = copy_project(folder)
    source = copy / "producers" / "sources" / f"{CONNECTOR}.py"
    text = source.read_text(encoding="utf-8")
    assert text.count(RULES) == 1
    source.write_text(text.replace(RULES, CHANGED_RULES + RULES), encoding="utf-8")
    shutil.copy(PROJECT_ROOT / "pyproject.toml", copy)
    return copy


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


def live_plants(cluster: Cluster) -> dict[str, tuple[float | None, int]]:
    """Capacity and version of every plant that is current, by id."""
    newest = newest_records(cluster.settings.kafka_bootstrap, cluster.registry)
    return {
        record_id: (record["power_plant"]["capacity_mw"], record["version"])
        for record_id, record in newest.items()
        if record["status"] == "current" and record["power_plant"] is not None
    }


def left_of_the_next(cluster: Cluster) -> list[str]:
    """Topics, groups and folders that only a next generation has."""
    admin = AdminClient({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    groups = admin.list_consumer_groups().result().valid
    names = [*admin.list_topics(timeout=30).topics, *(group.group_id for group in groups)]
    names += [folder.name for folder in (cluster.home / "state").iterdir()]
    mark = cluster.settings.next_app_id
    return [name for name in names if name.startswith(("next.", mark))]


def versions(cluster: Cluster) -> Counter[tuple[str, int]]:
    decoder = topic_decoder(cluster.registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
    records = read_all(cluster.settings.kafka_bootstrap, MARKET_INFRASTRUCTURE.name)
    found = (decoder.decode(record.value) for record in records)
    return Counter((record["record_id"], record["version"]) for record in found)
