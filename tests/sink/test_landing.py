import copy
from collections.abc import Mapping
from typing import Any

import pytest

from streams.avro.contracts import contract
from streams.core.errors import Rejected
from streams.sink.landing import INCOMPATIBLE_SCHEMA, TOPICS, Landing, Route, route
from tests.sink.records import kind_schema

CANONICAL = "market.infrastructure"


def schema(topic: str = CANONICAL) -> dict[str, Any]:
    return copy.deepcopy(contract(topic).parsed())


def landings(topic: str, writer_schema: dict[str, Any]) -> Mapping[str, Landing]:
    result = route(topic, writer_schema)
    assert isinstance(result, Route)
    return result.landings


@pytest.mark.parametrize("topic", TOPICS)
def test_the_same_schema_always_has_the_same_landing(topic: str) -> None:
    assert route(topic, schema(topic)) == route(topic, schema(topic))


def test_another_schema_version_has_a_landing_of_its_own() -> None:
    """Two versions of the sink write side by side during an update: none may change the other's."""
    newer = schema()
    newer["fields"].append({"name": "note", "type": ["null", "string"], "default": None})
    names = {landing.name for landing in landings(CANONICAL, schema()).values()}
    assert names.isdisjoint(landing.name for landing in landings(CANONICAL, newer).values())


def test_a_field_the_writer_does_not_know_is_not_selected() -> None:
    older = schema()
    fields = kind_schema(older["fields"], "power_plant")["fields"]
    fields[:] = [field for field in fields if field["name"] != "owner"]
    statements = " ".join(landings(CANONICAL, older)["power_plant"].statements)
    assert "'owner'" not in statements
    assert "'capacity_mw'" in statements


@pytest.mark.parametrize("topic", TOPICS)
def test_the_schema_of_another_topic_is_rejected(topic: str) -> None:
    other = TOPICS[TOPICS.index(topic) - 1]
    result = route(topic, schema(other))
    assert isinstance(result, Rejected)
    assert result.rule_id == INCOMPATIBLE_SCHEMA


def test_a_schema_without_a_required_field_is_rejected() -> None:
    broken = schema()
    broken["fields"] = [field for field in broken["fields"] if field["name"] != "version"]
    result = route(CANONICAL, broken)
    assert isinstance(result, Rejected)
    assert "version" in result.message


def test_a_schema_with_a_type_clickhouse_lacks_is_rejected() -> None:
    foreign = schema()
    foreign["fields"].append({"name": "extra", "type": ["null", "int", "string"], "default": None})
    result = route(CANONICAL, foreign)
    assert isinstance(result, Rejected)
    assert result.rule_id == INCOMPATIBLE_SCHEMA


def test_a_topic_the_sink_does_not_read_is_a_bug() -> None:
    with pytest.raises(KeyError):
        route("raw.wri_powerplants", schema())
