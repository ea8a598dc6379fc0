"""Queries made up from the schema: none finds a mistake of the server."""

import httpx
import hypothesis_graphql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.serve.addresses import GRAPHQL
from streams.serve.graphql.errors import MASKED
from streams.serve.graphql.route import schema

_TIMES = ("2025-10-01", "2025-10-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2149-06-07", "", "?")


def test_no_made_up_query_finds_a_mistake(
    server: httpx.Client, pytestconfig: pytest.Config
) -> None:
    times = st.sampled_from(_TIMES).map(hypothesis_graphql.nodes.String)
    queries = hypothesis_graphql.queries(schema().as_str(), custom_scalars={"Time": times})
    told: set[str] = set()

    @settings(
        max_examples=5000 if pytestconfig.getoption("--soak") else 12,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(query=queries)
    def ask(query: str) -> None:
        answer = server.post(GRAPHQL, json={"query": query})
        assert answer.status_code == 200, query
        for error in answer.json().get("errors", ()):
            assert error["message"] != MASKED, (query, error)
            told.add(error["extensions"]["type"] if "extensions" in error else "limit")

    ask()
    assert told
