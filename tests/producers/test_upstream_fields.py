"""Every canonical field that a source fills says which fields of the source it is read from."""

import json

import pytest

from producers.connector import InfrastructureConnector
from producers.connectors import CONNECTORS
from streams.clickhouse.tables import kinds
from tests.producers.golden import GOLDEN

DERIVED_ELSEWHERE = {"terminal_id", "virtual"}
"""Filled by the contract's defaults too, whatever the source says."""


@pytest.mark.parametrize("connector", CONNECTORS.values(), ids=lambda one: one.name)
def test_every_field_a_source_fills_has_its_upstream_fields(
    connector: type[InfrastructureConnector],
) -> None:
    filled: dict[str, set[str]] = {}
    for path in GOLDEN.joinpath(connector.name).glob("*.expected.json"):
        for line in json.loads(path.read_text(encoding="utf-8")):
            for kind, payload in line.items():
                if kind in kinds() and isinstance(payload, dict):
                    values = {name for name, value in payload.items() if value not in (None, [])}
                    filled.setdefault(kind, set()).update(values)
    assert filled
    for kind, fields in filled.items():
        assert fields - set(connector.upstream_fields[kind]) - DERIVED_ELSEWHERE == set(), kind


@pytest.mark.parametrize("connector", CONNECTORS.values(), ids=lambda one: one.name)
def test_only_fields_of_kinds_the_source_gives_are_named(
    connector: type[InfrastructureConnector],
) -> None:
    assert set(connector.upstream_fields) == {stream.kind for stream in connector.discover()}
    for kind, fields in connector.upstream_fields.items():
        assert set(fields) <= {column.name for column in kinds()[kind].payload}
