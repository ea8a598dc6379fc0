"""What is built from restored raw records equals what the original ones gave."""

import pytest
from rich.console import Console

from streams.commands.deploy import all_topics
from streams.commands.export_raw import export_raw
from streams.kafka.topic_admin import delete_topics
from streams.kafka.topic_reader import read_all
from tests.fault.cluster import Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.load import RAW
from tests.fault.runbook import Runbook
from tests.fault.test_worker_faults import finish

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]


def test_a_deployment_built_from_a_backup_equals_the_original(
    cluster: Cluster, undisturbed: Undisturbed, runbook: Runbook
) -> None:
    bootstrap = cluster.settings.kafka_bootstrap
    cluster.load(undisturbed.load)
    before = {(one.partition, one.offset): one for one in read_all(bootstrap, RAW.name)}
    export_raw(cluster.settings, [RAW], runbook.home / "backup", Console(quiet=True))
    delete_topics(bootstrap, [topic.name for topic in all_topics(cluster.settings)])
    runbook.follow(
        "Restoring from the raw export",
        {"kubectl scale statefulset/pipeline --replicas=2": cluster.pipeline},
        before={"make audit": cluster.wait_drained},
    )
    assert {(one.partition, one.offset): one for one in read_all(bootstrap, RAW.name)} == before
    finish(cluster, undisturbed)
