"""What the tests on the real engine share: loaders, batches, and what the tables show."""

import copy
from collections.abc import Sequence
from typing import Any

from streams.avro.contracts import contract
from streams.clickhouse.bound_query import READ_SETTINGS, BoundQuery
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.kind_queries import list_kind, list_rows
from streams.clickhouse.tables import KINDS, tables
from streams.core.rejection_limits import RejectionLimits
from streams.kafka.batch import Batch
from streams.sink.loader import Loader
from tests.sink.records import batch, framed, kind_schema, plant, schemas

CANONICAL = "market.infrastructure"
LIMITS = RejectionLimits(share=0.9, of_records=1000, consecutive=100)
OLDER_ID, NEWER_ID = 101, 102


def loader_of(clickhouse: ClickHouse, topic_id: str) -> Loader:
    known = schemas() | {OLDER_ID: older_schema(), NEWER_ID: newer_schema()}
    return Loader(clickhouse, known.get, lambda topic: topic_id, LIMITS)


def empty_tables(clickhouse: ClickHouse) -> None:
    """Take every row out of every table."""
    for table in tables():
        clickhouse.command(f"TRUNCATE TABLE {table.name}")


def older_schema() -> dict[str, Any]:
    """Of a time when plants had no owner and LNG was unknown."""
    schema = copy.deepcopy(contract(CANONICAL).parsed())
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "lng_inventory"]
    fields = kind_schema(schema["fields"], "power_plant")["fields"]
    fields[:] = [field for field in fields if field["name"] != "owner"]
    return schema


def newer_schema() -> dict[str, Any]:
    """Of a time when plants have a height."""
    schema = copy.deepcopy(contract(CANONICAL).parsed())
    schema["fields"].insert(0, {"name": "note", "type": ["null", "string"], "default": None})
    kind_schema(schema["fields"], "power_plant")["fields"].insert(
        1, {"name": "height_m", "type": ["null", "double"], "default": None}
    )
    return schema


def plants(numbers: Sequence[int], **changes: Any) -> Batch:
    return batch(CANONICAL, [framed(CANONICAL, plant(number, **changes)) for number in numbers])


def stored_rows(clickhouse: ClickHouse, table: str = "store_power_plants_versions") -> int:
    """Rows a table holds, repeats that are not merged yet included."""
    ((count,),) = clickhouse.query(f"SELECT count() FROM {table}").rows
    return int(count)


def texts(clickhouse: ClickHouse, query: BoundQuery[Any], output_format: str) -> list[bytes]:
    """Lines of an answer, with times as the API writes them."""
    answer = clickhouse.formatted(query.sql, output_format, query.parameters, READ_SETTINGS)
    return answer.splitlines()


def prepared_rows(clickhouse: ClickHouse, kind: str, **asked: Any) -> list[bytes]:
    """Rows of a list as they were prepared, which are what the columns say."""
    rows = texts(clickhouse, list_rows(kind, **asked), "LineAsString")
    assert rows == texts(clickhouse, list_kind(kind, **asked), "JSONEachRow")
    return rows


def content(clickhouse: ClickHouse) -> dict[str, Sequence[tuple[Any, ...]]]:
    """Everything analysts can see, but for the life of the topic it was read from."""
    names = [view for kind in KINDS.values() for view in (kind, f"{kind}_history")]
    found = {
        name: clickhouse.query(f"SELECT * EXCEPT (topic_id) FROM {name} ORDER BY ALL").rows
        for name in names
    }
    names = ["infrastructure", "assets", "record_outcomes", "dead_letters"]
    names += ["quality_scores", "pipeline_replays", "reconcile_candidates"]
    return found | {
        name: clickhouse.query(f"SELECT * FROM {name} ORDER BY ALL").rows for name in names
    }
