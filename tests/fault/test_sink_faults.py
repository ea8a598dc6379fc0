"""The sink under faults: ClickHouse ends as in an undisturbed run."""

from random import Random

import pytest

from streams.topics import MARKET_INFRASTRUCTURE, RECORD_OUTCOMES
from tests.fault.cluster import Cluster
from tests.fault.load import Load
from tests.fault.snapshot import clickhouse_content

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]


def test_killed_at_random_moments_and_between_insert_and_acknowledgement(
    cluster: Cluster, load: Load, undisturbed_clickhouse: dict[str, str], kills: int
) -> None:
    random = Random(7)
    *parts, last = load.split(kills + 1)
    cluster.pipeline()
    for kill, part in enumerate(parts):
        cluster.load(part)
        # Every other time between the insert and its acknowledgement.
        if kill % 2:
            worker = cluster.sink(FAILPOINT="after_insert:1")
            cluster.wait_ended(worker)
        else:
            worker = cluster.sink()
            cluster.wait_for_rows(worker, random.randrange(1, part.records))
            worker.process.kill()
    cluster.load(last)
    cluster.sink()
    cluster.wait_drained(sink=True)
    cluster.stop_all()
    assert clickhouse_content(cluster.clickhouse_dir) == undisturbed_clickhouse


@pytest.mark.soak
def test_recreated_topics_with_clickhouse_kept(
    cluster: Cluster, load: Load, undisturbed_clickhouse: dict[str, str]
) -> None:
    """Offsets start again at 0; what the old topic left must not swallow the new records."""
    cluster.load(load)
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
    assert without_feed(found) == without_feed(undisturbed_clickhouse)
    cluster.publish_again(MARKET_INFRASTRUCTURE, values[0][10:])
    cluster.publish_again(RECORD_OUTCOMES, values[1])
    cluster.sink()
    cluster.wait_drained(pipeline=False, sink=True)
    cluster.stop_all()
    found = clickhouse_content(cluster.clickhouse_dir)
    assert without_feed(found) == without_feed(undisturbed_clickhouse)
    # The feed has both lives of the topic, each under its id.
    assert rows_of(found["changes"]) == 2 * rows_of(undisturbed_clickhouse["changes"])
    assert rows_of(found["loaded"]) == 2 * rows_of(undisturbed_clickhouse["loaded"])


def without_feed(content: dict[str, str]) -> dict[str, str]:
    """Digests of the views that do not depend on which topic a record came from."""
    return {view: digest for view, digest in content.items() if view not in ("changes", "loaded")}


def rows_of(digest: str) -> int:
    return int(digest.partition(":")[0])
