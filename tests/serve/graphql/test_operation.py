"""Quality, sources and changes by GraphQL."""

import httpx

from tests.serve.client import Api
from tests.serve.graphql.client import data, parameter


def test_sources_and_quality_are_those_of_rest(server: httpx.Client, api: Api) -> None:
    found = data(
        server,
        """{ sources { name licence attribution streams { kind } lastRun { items } recordCount }
        dataQuality(dimensions: ["total"]) { sourceId score recordCount windowStart }
        ruleFailures(first: 5) { ruleId failedCount } }""",
    )
    rest = api.data("sources")
    assert [one["name"] for one in found["sources"]] == [one["name"] for one in rest]
    assert [one["licence"] for one in found["sources"]] == [one["licence"] for one in rest]
    scores = api.data("data-quality?dimension=total&limit=100")
    assert [one["score"] for one in found["dataQuality"]] == [one["score"] for one in scores]


def test_a_page_of_changes_goes_on_where_one_of_rest_ends(server: httpx.Client, api: Api) -> None:
    rest = api.get("changes?limit=100&kind=power_plant").json()
    found = data(
        server,
        """query ($since: String) { changes(since: $since, kinds: ["power_plant"], first: 100)
        { changes cursor more } }""",
        since=rest["cursor"],
    )["changes"]
    following = api.get(f"changes?since={rest['cursor']}&limit=100&kind=power_plant").json()
    assert found["changes"] == following["data"]
    assert (found["cursor"], found["more"]) == (following["cursor"], following["more"])


def test_a_wrong_argument_is_named(server: httpx.Client) -> None:
    for query, name in (
        ('{ changes(since: "?") { cursor } }', "since"),
        ('{ changes(kinds: ["cat"]) { cursor } }', "kinds"),
        ('{ dataQuality(dimensions: ["beauty"]) { score } }', "dimensions"),
        ('{ dataQuality(startDate: "2026-13-01") { score } }', "startDate"),
        (
            '{ ruleFailures(startDate: "2026-02-01", endDate: "2026-01-01") { ruleId } }',
            "startDate",
        ),
        ("{ ruleFailures(first: 2000) { ruleId } }", "first"),
    ):
        assert parameter(server, query)[0] == name
