"""From a field that a source begins to send to the contract's version that has it, step by step.

The steps of "When a source changes its form" in the page of the producers.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from producers.checkpoint import open_store
from streams.avro.codec import AvroRecord, Registry
from streams.avro.compatibility import check, freeze
from streams.avro.contracts import load_contract
from streams.kafka.topic_admin import delete_topics, ensure_topics
from streams.kafka.topic_reader import read_all
from streams.local.stack import LocalStack
from streams.settings import settings
from streams.topics import SCHEMA_IDS, raw_topic
from tests.producers.live import fresh_database

pytestmark = pytest.mark.integration

SOURCE = "wri_powerplants"
RAW = raw_topic(SOURCE)
ROW = {
    "country": "NOR",
    "country_long": "Norway",
    "name": "Toy Falls",
    "gppd_idnr": "TOY0000001",
    "capacity_mw": "33.0",
    "latitude": "61.1234",
    "longitude": "8.5",
    "primary_fuel": "Hydro",
}
NEXT_CONNECTOR = """
import runpy
from producers.sources import wri_powerplants as connector
connector.COLUMNS = (*connector.COLUMNS, "owner_lei")
runpy.run_module("producers", run_name="__main__", alter_sys=True)
"""
"""The connector of the next version of the product: it reads the column."""


def poll(environment: Mapping[str, str], table: Path, *how: str, **columns: str) -> None:
    """Poll a table of one plant with these columns more."""
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*ROW, *columns])
        writer.writeheader()
        writer.writerow(ROW | columns)
    ended = subprocess.run(
        [sys.executable, *(how or ("-m", "producers")), SOURCE, "--whole"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_from_drift_seen_to_a_version_released(stack: LocalStack, tmp_path: Path) -> None:
    delete_topics(stack.kafka.bootstrap, [RAW.name])
    ensure_topics(stack.kafka.bootstrap, [RAW, SCHEMA_IDS], 1)
    avro_dir = tmp_path / "avro"
    shutil.copytree(settings().avro_dir, avro_dir)
    table = tmp_path / "plants.csv"
    with fresh_database(stack) as dsn, Registry(stack.registry.url) as registry:
        environment = {
            **stack.environment(),
            "POSTGRES_DSN": dsn,
            "AVRO_DIR": str(avro_dir),
            "WRI_LOCATION": str(table),
            "WRI_MINIMUM_ROWS": "0",
        }

        def drift() -> list[tuple[str, str, int]]:
            with open_store(dsn) as store:
                return [(one.field, one.change, one.records) for one in store.drift()]

        def items() -> list[AvroRecord]:
            decoder = registry.decoder(load_contract(avro_dir / RAW.name))
            records = read_all(stack.kafka.bootstrap, RAW.name)
            found = sorted(records, key=lambda record: record.offset)
            return [decoder.decode(record.value)["item"] for record in found]

        first = load_contract(avro_dir / RAW.name)
        registry.register(RAW.subject(), first)
        poll(environment, table)
        assert drift() == []

        # 1. Seen: by name, and nothing of it is lost.
        poll(environment, table, owner_lei="5493001")
        poll(environment, table, owner_lei="5493002")
        assert drift() == [("owner_lei", "new", 2)]
        assert [one["extra"] for one in items()] == [
            {},
            {"owner_lei": "5493001"},
            {"owner_lei": "5493002"},
        ]

        # 2. The next version of the contract, checked before it is frozen.
        second = json.loads(json.dumps(first.latest))
        item = next(one for one in second["fields"] if one["name"] == "item")["type"][1]
        added = {"name": "owner_lei", "type": ["null", "string"], "default": None}
        item["fields"].append(added)
        path = avro_dir / RAW.name / f"v{len(first.versions) + 1}.avsc"
        path.write_text(json.dumps(second))
        assert {one.problem for one in check(avro_dir)} == {"undocumented", "unfrozen"}
        added["doc"] = "Legal entity identifier of the owner. Null: not reported."
        path.write_text(json.dumps(second))
        assert {one.problem for one in check(avro_dir)} == {"unfrozen"}
        assert freeze(avro_dir) == (f"{RAW.name} {path.stem}",)
        assert check(avro_dir) == ()

        # 3. Registered; readers first: old records are read by the new version.
        with Registry(stack.registry.url) as other:
            other.register(RAW.subject(), load_contract(avro_dir / RAW.name))
        assert [one["owner_lei"] for one in items()] == [None, None, None]
        assert [one["extra"] for one in items()][1] == {"owner_lei": "5493001"}

        # 4. Released: the connector reads the column, and it is no drift any more.
        poll(environment, table, "-c", NEXT_CONNECTOR, owner_lei="5493003")
        assert (items()[-1]["owner_lei"], items()[-1]["extra"]) == ("5493003", {})
        assert drift() == []
    delete_topics(stack.kafka.bootstrap, [RAW.name])
