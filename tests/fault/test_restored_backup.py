"""What is built from restored raw records equals what the original ones gave."""

from pathlib import Path

import pytest
from rich.console import Console

from streams.commands.export_raw import export_raw
from streams.commands.import_raw import import_raw
from streams.kafka.topic_reader import read_all
from tests.fault.cluster import Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.load import RAW
from tests.fault.test_worker_faults import finish

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]


def test_a_deployment_built_from_a_backup_equals_the_original(
    cluster: Cluster, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    console = Console(quiet=True)
    bootstrap = cluster.settings.kafka_bootstrap
    cluster.load(undisturbed.load)
    before = {(one.partition, one.offset): one for one in read_all(bootstrap, RAW.name)}
    export_raw(cluster.settings, [RAW], tmp_path / "backup", console)
    cluster.recreate([RAW])
    import_raw(cluster.settings, tmp_path / "backup", console)
    assert {(one.partition, one.offset): one for one in read_all(bootstrap, RAW.name)} == before
    cluster.pipeline()
    finish(cluster, undisturbed)
