"""Asking GraphQL of these tests."""

from typing import Any

import httpx

from streams.serve.addresses import GRAPHQL

Answer = dict[str, Any]


def ask(server: httpx.Client, query: str, **variables: object) -> Answer:
    """The whole answer to a query."""
    answer = server.post(GRAPHQL, json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


def data(server: httpx.Client, query: str, **variables: object) -> Answer:
    """What a query without errors is answered."""
    found = ask(server, query, **variables)
    assert "errors" not in found, found["errors"]
    answered: Answer = found["data"]
    return answered


def error(server: httpx.Client, query: str, **variables: object) -> Answer:
    """The only error of a query."""
    (found,) = ask(server, query, **variables)["errors"]
    told: Answer = found
    return told


def parameter(server: httpx.Client, query: str, **variables: object) -> tuple[str, str]:
    """Name of the only wrong argument and what it may be."""
    (wrong,) = error(server, query, **variables)["extensions"]["errors"]
    return wrong["parameter"], wrong["allowed"]
