"""A sink in a process of its own, to be killed: loads numbered batches and says after each one.

    python -m tests.sink.loading_process DIRECTORY FIRST_BATCH END [API_PORT]

Prints `loaded <batch>` for each batch and at the end `content <JSON>`: a fingerprint of what
analysts see. With a port it serves the API, too, and ends when nothing more is typed to it.
"""

import json
import sys

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.schema import ensure_schema
from streams.core.rejection_limits import NO_LIMITS
from streams.serve.server import ApiThread
from streams.settings import Settings
from streams.sink.loader import Loader
from tests.sink.records import WEIGHTS, batch, framed, outcome, plant, schemas

BATCH_RECORDS = 200
RECORD_IDS = 1_500
"""Fewer than records, so that later batches bring new versions."""

VIEWS = ("power_plants", "power_plants_history", "infrastructure", "record_outcomes")


def main(directory: str, first: int, end: int, api_port: int | None = None) -> None:
    clickhouse = ClickHouse(f"chdb://{directory}")
    ensure_schema(clickhouse, WEIGHTS)
    api = _api(directory, api_port) if api_port is not None else None
    loader = Loader(clickhouse, schemas().get, lambda topic: "uuid", NO_LIMITS)
    for number in range(first, end):
        offsets = range(number * BATCH_RECORDS, (number + 1) * BATCH_RECORDS)
        records = [plant(offset % RECORD_IDS, version=offset) for offset in offsets]
        values = {
            "market.infrastructure": [
                framed("market.infrastructure", record) for record in records
            ],
            "record.outcomes": [framed("record.outcomes", outcome(offset)) for offset in offsets],
        }
        for topic, framed_values in values.items():
            result = loader.load(batch(topic, framed_values, first_offset=offsets.start))
            assert result.rejected == 0
        print("loaded", number, flush=True)  # noqa: T201
    content = {
        view: clickhouse.query(
            f"SELECT count(), sum(cityHash64(toString(tuple(*)))) FROM {view}"
        ).rows[0]
        for view in VIEWS
    }
    print("content", json.dumps(content), flush=True)  # noqa: T201
    if api is not None:
        sys.stdin.read()
        api.stop()
    clickhouse.close()


def _api(directory: str, port: int) -> ApiThread:
    api = ApiThread(Settings(clickhouse_dsn=f"chdb://{directory}", api_port=port))
    api.start()
    return api


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:]))
