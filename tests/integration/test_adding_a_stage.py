"""The page "Adding a stage", followed to the letter in a copy of the project, and run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streams.avro.contracts import contract
from streams.kafka.topic_admin import delete_topics
from streams.local.stack import LocalStack
from streams.settings import PROJECT_ROOT
from streams.topics import MARKET_INFRASTRUCTURE
from tests.avro.examples import folder, to_record
from tests.fault.cluster import Cluster, fresh_cluster
from tests.project_copy import blocks, change_file, copy_project, run, write_file

pytestmark = pytest.mark.integration

PAGE = PROJECT_ROOT / "streams" / "stages" / "README.md"
BLOCKS = blocks(PAGE.read_text(encoding="utf-8"))
TYPES, COMMANDS = [block["text"].splitlines() for block in BLOCKS if block["kind"] == "sh"]
CURRENT = "power_plant_of_one_source"
WITHDRAWN = "withdrawn_keeps_its_last_members"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with everything the page adds."""
    copy = copy_project(tmp_path_factory.mktemp("project"))
    for block in BLOCKS:
        if block["kind"] == "diff":
            change_file(copy, block)
        elif block["file"]:
            write_file(copy, block)
    for command in TYPES:
        run(copy, command, {})
    return copy


def canonical(cluster: Cluster, name: str) -> tuple[bytes, bytes]:
    """Key and value of an example."""
    declared = contract(MARKET_INFRASTRUCTURE.contract_name)
    path = folder(declared.name, "valid") / f"{name}.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    record = to_record(declared.latest, value, complete=True)
    encoder = cluster.registry.encoder(MARKET_INFRASTRUCTURE.subject(), declared)
    return record["record_id"].encode(), encoder.encode(record)


def test_the_new_stage_publishes_each_asset_once(
    stack: LocalStack, project: Path, tmp_path: Path
) -> None:
    variables = {**stack.environment(), "DATA_DIR": str(tmp_path)}
    with fresh_cluster(stack, tmp_path) as cluster:
        try:
            shown = [run(project, line, variables) for line in COMMANDS]
            assert "state.arrivals v1" in shown[0]
            assert "Publish each asset once" in shown[2]
            assert "market.arrivals" in shown[3]
            records = [canonical(cluster, name) for name in (CURRENT, WITHDRAWN, CURRENT)]
            cluster.publish_again(MARKET_INFRASTRUCTURE, records)
            cluster.pipeline(PYTHONPATH=str(project), STAGES="arrivals")
            cluster.wait_for(lambda: cluster.lag([MARKET_INFRASTRUCTURE.name]) == 0)
            cluster.stop_all()
            found = run(project, "python -m streams inspect market.arrivals", variables)
            (arrival,) = [json.loads(line)["value"] for line in found.splitlines()]
            assert arrival == {"record_id": records[0][0].decode(), "kind": "power_plant"}
        finally:
            names = ["market.arrivals", f"{cluster.settings.app_id}-arrivals-changelog"]
            delete_topics(cluster.settings.kafka_bootstrap, names)


def test_the_code_of_the_page_is_clean_and_typed(project: Path) -> None:
    files = [block["file"] for block in BLOCKS if block["file"] and block["file"].endswith(".py")]
    settings = ["--config", str(PROJECT_ROOT / "pyproject.toml")]
    for arguments in (
        ["ruff", "check", *settings, *files],
        ["ruff", "format", "--check", *settings, *files],
        ["mypy", "--config-file", str(PROJECT_ROOT / "pyproject.toml"), "-p", "streams.app"],
    ):
        ended = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
