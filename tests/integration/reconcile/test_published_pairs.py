"""The published pairs, through the real pipeline: raw records, three workers, exported members.

By default a few countries and all terminals; `--soak` takes everything. The JRC records come from
a source that was added as the page says.
"""

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.commands.members import current_assets
from streams.core import contract_types as avro
from streams.core.regions import EUROPE
from streams.kafka.topic_reader import read_all
from streams.local.stack import LocalStack
from streams.topics import (
    NORMALIZED_ASSETS,
)
from streams.topology import pipeline
from tests.core.reconcile.regions import Regions
from tests.fault.cluster import Cluster, fresh_cluster
from tests.few_countries import PAIRS, cut_down_pairs
from tests.producers.sandbox_server import running_sandbox
from tests.project_copy import copy_project, register, run

pytestmark = [pytest.mark.integration, pytest.mark.real_data, pytest.mark.timeout(900)]

SOURCE = Path(__file__).parent / "jrc_source"
SOURCES = ("alsi_lng", "gem_transmission", "jrc_ppdb", "wri_powerplants")
REGISTRATION = """
from producers.sources.jrc_ppdb import JrcPpdbConnector

    JrcPpdbConnector.name: JrcPpdbConnector,
"""
POLL_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What is asked of the outcome, by the size of the data.

    Attributes:
        bars: Lowest precision, recall, F1 and F1 where positions differ, of each pair of sources.
        members: Fewest live assets of all regions, and of Europe.
    """

    bars: Mapping[str, tuple[float, float, float, float]]
    members: tuple[int, int]


EVERYTHING = Expected(
    {
        "GEM-GPPD": (0.963, 0.955, 0.96, 0.885),
        "GPPD-JRC": (0, 0, 0.895, 0),
        "GEM-JRC": (0, 0, 0.92, 0),
    },
    (40_000, 10_000),
)
FEW_COUNTRIES = Expected(
    {
        # Lower: most pairs of these two are in the United States and have one position.
        "GEM-GPPD": (0.89, 0.87, 0.88, 0.79),
        "GPPD-JRC": (0.9, 0.9, 0.9, 0.87),
        "GEM-JRC": (0.94, 0.9, 0.92, 0.93),
    },
    (2_500, 1_200),
)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the pipeline made of the development data.

    Attributes:
        members: Source records of every live asset, by asset id.
        exported: The export of `make members`.
        normalized: What the workers reconciled, in the order of the topic.
    """

    members: dict[str, frozenset[tuple[str, str]]]
    exported: Path
    normalized: Sequence[avro.NormalizedAsset]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the source of these tests."""
    copy = copy_project(tmp_path_factory.mktemp("jrc"))
    (copy / "avro/raw.jrc_ppdb").mkdir()
    shutil.copy(SOURCE / "raw.jrc_ppdb.avsc", copy / "avro/raw.jrc_ppdb/v1.avsc")
    shutil.copy(SOURCE / "jrc_ppdb.yaml", copy / "producers/config/jrc_ppdb.yaml")
    shutil.copy(SOURCE / "jrc_ppdb.py", copy / "producers/sources/jrc_ppdb.py")
    register(copy, REGISTRATION)
    run(copy, "python -m streams schemas-freeze", {})
    return copy


@pytest.fixture(scope="module")
def expected(pytestconfig: pytest.Config) -> Expected:
    return EVERYTHING if pytestconfig.getoption("--soak") else FEW_COUNTRIES


@pytest.fixture(scope="module")
def folder(real_data: Path, expected: Expected, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The development files of the run."""
    everything = real_data / "reconcile"
    if expected is EVERYTHING:
        return everything
    return cut_down_pairs(everything, tmp_path_factory.mktemp("files") / "few countries")


@pytest.fixture(scope="module")
def reconciled(
    stack: LocalStack,
    project: Path,
    real_data: Path,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Reconciled]:
    """Everything polled and reconciled by three workers that share the regions."""
    home = tmp_path_factory.mktemp("pipeline")
    plants = home / "gppd_plants.csv"
    plants.write_bytes(gzip.decompress((folder / "gppd_plants.csv.gz").read_bytes()))
    with fresh_cluster(stack, home) as cluster, running_sandbox(real_data) as sandbox:
        variables = {
            **stack.environment(),
            **sandbox.environment(),
            "ALSI_GRANULARITY": "terminal",
            "ALSI_DETAIL_BACKFILL_DAYS": "2",
            "WRI_LOCATION": str(plants),
            "WRI_MINIMUM_ROWS": "1000",
            "GEM_STREAMS": "lng_terminals power_units",
            "GEM_ASSET_TYPES": "none",
            "GEM_LNG_FILE": str(folder / "gem_lng_europe_units.csv"),
            "GEM_POWER_FILE": str(folder / "gem_units.csv.gz"),
            "JRC_LOCATION": str(folder / "jrc_ppdb_units.csv.gz"),
        }
        for command in ("topics", "schemas-register"):
            run(project, f"python -m streams {command}", variables)
        for name in SOURCES:
            run(project, f"python -m producers {name}", variables, POLL_SECONDS)
        for worker in ("a", "b", "c"):
            cluster.pipeline(worker, PYTHONPATH=str(project))
        _wait_drained(cluster)
        exported = home / "members.csv"
        run(project, f"python -m streams members {exported}", variables)
        cluster.stop_all()
        members = {
            canonical["record_id"]: frozenset(
                (member["source_id"], member["record_id"]) for member in canonical["members"]
            )
            for canonical in current_assets(cluster.settings)
            if canonical["kind"] != "lng_inventory"
        }
        yield Reconciled(members, exported, _normalized(cluster))


def _wait_drained(cluster: Cluster) -> None:
    inputs = [stage.input.name for stage in pipeline(SOURCES)]
    cluster.wait_for(lambda: cluster.lag(inputs) == 0)


def _normalized(cluster: Cluster) -> list[avro.NormalizedAsset]:
    with Registry(cluster.settings.schema_registry_url) as registry:
        decoder = topic_decoder(registry, NORMALIZED_ASSETS, avro.NormalizedAsset)
        return [
            decoder.decode(record.value)
            for record in read_all(cluster.settings.kafka_bootstrap, NORMALIZED_ASSETS.name)
        ]


@pytest.fixture(scope="module")
def scores(
    reconciled: Reconciled, scoring: Path, folder: Path, figures: list[str]
) -> dict[str, Any]:
    """What the scoring script that belongs to the data says."""
    printed = subprocess.check_output(
        [sys.executable, scoring, reconciled.exported, "--truth", folder / PAIRS, "--json"],
        text=True,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(printed)
    for pair, score in found["pairs"].items():
        shown = ", ".join(f"{name} {score[name]}" for name in ("precision", "recall", "F1"))
        figures.append(f"{pair} through the pipeline: {shown}")
    return found


def test_published_pairs_are_found(scores: dict[str, Any], expected: Expected) -> None:
    for sources, bars in expected.bars.items():
        pair = scores["pairs"][sources]
        found = (pair["precision"], pair["recall"], pair["F1"], pair["hard"]["F1"])
        assert all(one >= bar for one, bar in zip(found, bars, strict=True)), (sources, found)
    assert scores["clusters"]["purity"] >= 0.99


def test_terminals_meet_their_facts_and_a_virtual_tank_stays_alone(scores: dict[str, Any]) -> None:
    lng = scores["lng"]
    assert lng["wrong"] == 0
    assert lng["missed"] <= 1
    assert lng["alone"] == lng["must_stay_alone"]


def test_three_workers_end_as_one_owner_would_in_another_order(
    reconciled: Reconciled, expected: Expected
) -> None:
    """The records of Europe, where all sources meet, in reverse and in one process."""
    everywhere, in_europe = expected.members
    assert len(reconciled.members) > everywhere
    here = [record for record in reconciled.normalized if record["region"] == EUROPE]
    by_one = Regions().apply_all(reversed(here)).members()
    assert len(by_one) > in_europe
    assert by_one.items() <= reconciled.members.items()
    found = {source for members in by_one.values() for source, _ in members}
    assert found == {"alsi_lng_inventory", *SOURCES} - {"alsi_lng"}
