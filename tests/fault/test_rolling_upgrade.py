"""Producers, workers and sinks of two versions of the contracts at once, and one taken back."""

import json
import shutil
from collections import Counter
from copy import deepcopy
from pathlib import Path

import pytest

from streams.avro.codec import Registry
from streams.avro.contracts import Contract, contract_names, load_contract
from streams.commands.audit import run_audit
from streams.commands.deploy import all_subjects
from streams.settings import settings
from streams.topics import MARKET_INFRASTRUCTURE, RECORD_OUTCOMES
from tests.fault import load as loads
from tests.fault.cluster import Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.load import CONNECTOR, RAW

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

ADDED = {"name": "added_later", "type": ["null", "string"], "default": None, "doc": "Null: new."}


@pytest.fixture
def next_contracts(cluster: Cluster, tmp_path: Path) -> Path:
    """The contracts of the next version, registered: every record has a field more."""
    folder = tmp_path / "avro"
    shutil.copytree(settings().avro_dir, folder)
    for name in contract_names():
        known = load_contract(folder / name)
        version = deepcopy(known.latest)
        version["fields"].append(ADDED)
        path = folder / name / f"v{len(known.versions) + 1}.avsc"
        path.write_text(json.dumps(version), encoding="utf-8")
    for subject, known in all_subjects(cluster.settings).items():
        cluster.registry.register(subject, load_contract(folder / known.name))
    return folder


def decoded(registry: Registry, known: Contract, values: Counter[bytes]) -> Counter[str]:
    """What readers of today see of values, whichever version wrote them."""
    decoder = registry.decoder(known)
    found: Counter[str] = Counter()
    for value, count in values.items():
        found[json.dumps(decoder.decode(value), default=str, sort_keys=True)] += count
    return found


@pytest.mark.parametrize("old_first", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_old_and_new_work_together_in_both_orders(
    cluster: Cluster,
    undisturbed: Undisturbed,
    next_contracts: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    *,
    old_first: bool,
) -> None:
    """One begins, the other joins and acquires its state, then the first takes all of it back."""
    versions = [{}, {"AVRO_DIR": str(next_contracts)}]
    first, second = versions if old_first else versions[::-1]
    parts = undisturbed.load.split(3)
    grown = cluster.growth(RECORD_OUTCOMES.name)
    soak = request.config.getoption("--soak")
    cluster.load(parts[0])
    stays = cluster.pipeline("stays", **first)
    if soak:
        cluster.sink(**second)
    cluster.wait_for_growth(grown, 500)
    joins = cluster.pipeline("joins", **second)
    cluster.wait_for(lambda: cluster.assigned(stays) > 0 and cluster.assigned(joins) > 0)
    with monkeypatch.context() as patch:
        # A producer that was upgraded before everybody else.
        raw = load_contract(next_contracts / RAW.name)
        newer = cluster.registry.encoder(RAW.subject(), raw)
        patch.setattr(loads, "topic_encoder", lambda *_: newer)
        cluster.load(parts[1])
    cluster.wait_drained()
    joins.process.stop(15)
    cluster.load(parts[2])
    cluster.wait_drained(sink=soak)
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
        found = decoded(cluster.registry, known, values)
        assert found == decoded(cluster.registry, known, expected)
