"""Prints count and content hash of every view of an embedded engine; one process a directory."""

import json
import sys

from streams.clickhouse.client import ClickHouse

_RUN_TIME = "published_at"
"""Kafka's clock at publication: the one column that differs between two equal runs."""


def main(path: str) -> None:
    """Print one JSON object: view name to `rows:hash`."""
    clickhouse = ClickHouse(f"chdb://{path}")
    names = clickhouse.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    ).rows
    digests = {}
    for (name,) in sorted(names):
        columns = clickhouse.query(
            "SELECT name FROM system.columns WHERE database = currentDatabase() "
            "AND table = {view:String} AND name != {run_time:String}",
            {"view": name, "run_time": _RUN_TIME},
        ).rows
        content = ", ".join(f"`{column}`" for (column,) in columns)
        ((rows, digest),) = clickhouse.query(
            f"SELECT count(), sum(cityHash64(toJSONString(tuple({content})))) FROM {name}"
        ).rows
        digests[name] = f"{rows}:{digest}"
    clickhouse.close()
    sys.stdout.write(json.dumps(digests) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
