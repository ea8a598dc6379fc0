"""The OpenAPI document: every example is answered, and every answer is as it says."""

import itertools
from typing import Any

import httpx
import pytest

from tests.serve.client import DOCUMENT


@pytest.fixture(scope="module")
def document(server: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = server.get(DOCUMENT).json()
    return found


def _first(parameter: dict[str, Any]) -> Any:
    return parameter["schema"]["examples"][0]


def _queries(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The required ones alone, and with each example of each other one."""
    required = {one["name"]: _first(one) for one in parameters if one.get("required")}
    near = {one["name"]: _first(one) for one in parameters if one["name"] == "near"}
    found = [required]
    for parameter in parameters:
        for example in parameter["schema"].get("examples", ()):
            # What is said to go only with another one is shown with it.
            more = near if parameter["name"] == "within_km" else {}
            found.append(required | more | {parameter["name"]: example})
    return found


def test_every_example_is_answered(server: httpx.Client, document: dict[str, Any]) -> None:
    asked = 0
    for path, operations in document["paths"].items():
        parameters = operations["get"].get("parameters", [])
        address = path
        for parameter in parameters:
            if parameter["in"] == "path":
                address = address.replace(f"{{{parameter['name']}}}", str(_first(parameter)))
        for query in _queries([one for one in parameters if one["in"] == "query"]):
            answer = server.get(address, params=query)
            assert answer.status_code == 200, (address, query, answer.text)
            asked += 1
    assert asked > 100


def test_every_operation_says_which_problems_it_answers(document: dict[str, Any]) -> None:
    for operation in itertools.chain.from_iterable(
        operations.values() for operations in document["paths"].values()
    ):
        assert "422" not in operation["responses"]
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"]
        assert operation["summary"]
