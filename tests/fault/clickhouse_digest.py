"""Count and content hash of every view; printed for an embedded engine, one process a directory."""

import json
import sys

from streams.clickhouse.client import ClickHouse

_OF_A_RUN = ("published_at", "topic_id", "partition", "offset", "body")
"""When and where a run published, by itself and in the text of a version: no two runs agree."""


def digests_of_views(clickhouse: ClickHouse) -> dict[str, str]:
    """`rows:hash` of every view."""
    names = clickhouse.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    ).rows
    digests = {}
    for (name,) in sorted(names):
        columns = clickhouse.query(
            "SELECT name FROM system.columns WHERE database = currentDatabase() "
            "AND table = {view:String} AND name NOT IN {of_a_run:Array(String)}",
            {"view": name, "of_a_run": list(_OF_A_RUN)},
        ).rows
        content = ", ".join(f"`{column}`" for (column,) in columns)
        ((rows, digest),) = clickhouse.query(
            f"SELECT count(), sum(cityHash64(toJSONString(tuple({content})))) FROM {name}"
        ).rows
        digests[name] = f"{rows}:{digest}"
    return digests


def main(path: str) -> None:
    """Print one JSON object."""
    clickhouse = ClickHouse(f"chdb://{path}")
    digests = digests_of_views(clickhouse)
    clickhouse.close()
    sys.stdout.write(json.dumps(digests) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
