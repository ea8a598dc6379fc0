"""The sink under faults: ClickHouse ends as in an undisturbed run."""

from random import Random

import pytest

from streams.topics import MARKET_INFRASTRUCTURE, RECORD_OUTCOMES
from tests.fault.cluster import Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.snapshot import clickhouse_content

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]


def test_killed_at_random_moments_and_between_insert_and_acknowledgement(
    cluster: Cluster, undisturbed: Undisturbed, kills: int
) -> None:
    random = Random(7)
    cluster.load(undisturbed.load)
    cluster.pipeline()
    for kill in range(kills):
        # Every other time between the insert and its acknowledgement.
        if kill % 2:
            worker = cluster.sink(FAILPOINT="after_insert:2")
            cluster.wait_ended(worker)
        else:
            worker = cluster.sink()
            cluster.wait_for_rows(worker, random.randrange(1, 2000))
            worker.process.kill()
    cluster.sink()
    cluster.wait_drained(sink=True)
    cluster.stop_all()
    assert clickhouse_content(cluster.clickhouse_dir) == undisturbed.clickhouse


def test_recreated_topics_with_clickhouse_kept(cluster: Cluster, undisturbed: Undisturbed) -> None:
    """Offsets start again at 0; insert tokens of the old topic must not swallow the new records."""
    cluster.load(undisturbed.load)
    cluster.pipeline()
    cluster.sink()
    cluster.wait_drained(sink=True)
    cluster.stop_all()
    values = cluster.values_of(MARKET_INFRASTRUCTURE), cluster.values_of(RECORD_OUTCOMES)
    cluster.recreate([MARKET_INFRASTRUCTURE, RECORD_OUTCOMES], [cluster.settings.sink_app_id])
    cluster.publish_again(MARKET_INFRASTRUCTURE, values[0][:10])
    cluster.sink()
    cluster.wait_drained(pipeline=False, sink=True)
    cluster.stop_all()
    found = clickhouse_content(cluster.clickhouse_dir)
    assert without_feed(found) == without_feed(undisturbed.clickhouse)
    cluster.publish_again(MARKET_INFRASTRUCTURE, values[0][10:])
    cluster.publish_again(RECORD_OUTCOMES, values[1])
    cluster.sink()
    cluster.wait_drained(pipeline=False, sink=True)
    cluster.stop_all()
    found = clickhouse_content(cluster.clickhouse_dir)
    assert without_feed(found) == without_feed(undisturbed.clickhouse)
    # The feed has both lives of the topic, each under its id.
    assert rows_of(found["changes"]) == 2 * rows_of(undisturbed.clickhouse["changes"])
    assert rows_of(found["loaded"]) == 2 * rows_of(undisturbed.clickhouse["loaded"])


def without_feed(content: dict[str, str]) -> dict[str, str]:
    """Digests of the views that do not depend on which topic a record came from."""
    return {view: digest for view, digest in content.items() if view not in ("changes", "loaded")}


def rows_of(digest: str) -> int:
    return int(digest.partition(":")[0])
