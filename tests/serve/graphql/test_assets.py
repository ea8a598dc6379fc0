"""Assets by GraphQL: every kind as REST lists it, and where values come from."""

import httpx
import pytest

from streams.serve.addresses import LISTS
from tests.serve.client import Api
from tests.serve.graphql.client import data, parameter

PLANTS = """
query ($first: Int! = 20, $after: String, $filter: PowerPlantFilter) {
  powerPlants(first: $first, after: $after, filter: $filter) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage endCursor }
    edges { cursor node { id recordId name capacityMw countryCode knownAt } }
  }
}"""


def test_every_kind_is_listed(server: httpx.Client, api: Api) -> None:
    for address in LISTS:
        name = address.replace("-", " ").title().replace(" ", "")
        name = name[0].lower() + name[1:]
        found = data(server, f"{{ {name} {{ totalCount edges {{ node {{ recordId }} }} }} }}")[name]
        assert found["totalCount"] == api.get(f"{address}?total=true").json()["total"]
        assert [one["node"]["recordId"] for one in found["edges"]] == [
            row["record_id"] for row in api.data(f"{address}?limit=20")
        ]


def test_filters_and_order_are_those_of_rest(server: httpx.Client, api: Api) -> None:
    asked = {"country": ["es", "FR"], "fuelType": ["wind"], "minCapacityMw": 10}
    found = data(server, PLANTS, filter=asked | {"sort": "-capacity_mw"})["powerPlants"]
    rows = api.data(
        "power-plants?country=es&country=FR&fuel_type=wind&min_capacity_mw=10&sort=-capacity_mw"
    )
    assert found["edges"]
    assert found["totalCount"] == len(rows)
    for edge, row in zip(found["edges"], rows, strict=False):
        node = edge["node"]
        assert node["recordId"] == row["record_id"]
        assert (node["capacityMw"], node["knownAt"]) == (row["capacity_mw"], row["known_at"])
    hits = data(server, PLANTS, first=1, filter={"q": "Barcelna besos"})["powerPlants"]
    assert hits["edges"][0]["node"]["name"] == "Barcelona Besòs"
    assert not hits["pageInfo"]["hasNextPage"]


def test_pages_give_every_row_once_and_cursors_are_those_of_rest(
    server: httpx.Client, api: Api
) -> None:
    found: list[str] = []
    after = None
    asked = {"sort": "-capacity_mw"}
    while True:
        page = data(server, PLANTS, first=90, after=after, filter=asked)["powerPlants"]
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        found += [one["node"]["recordId"] for one in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(found) == len(set(found)) == page["totalCount"]
    rest = api.data(f"power-plants?sort=-capacity_mw&limit=5&cursor={page['edges'][0]['cursor']}")
    assert [row["record_id"] for row in rest] == found[271:276]


def test_an_asset_has_its_records_reasons_and_versions(server: httpx.Client, api: Api) -> None:
    (plant,) = api.data("power-plants?limit=1&fuel_type=wind&min_capacity_mw=1&source=jrc_ppdb")
    source = "sourceId recordId rawTopic rawPartition rawOffset upstreamFields licence"
    asset = data(
        server,
        f"""query ($id: String!) {{ asset(recordId: $id) {{
            kind recordStatus
            members {{ {source} }}
            provenance {{ field rule }}
            why(field: "capacityMw") {{ value rule source {{ {source} }}
                losing {{ value source {{ sourceId }} }} }}
            history {{ version knownAt partition offset body }}
            ... on PowerPlant {{ name capacityMw }}
        }} }}""",
        id=plant["record_id"],
    )["asset"]
    rest = api.get(f"assets/{plant['record_id']}/why?field=capacity_mw").json()
    assert (asset["kind"], asset["capacityMw"]) == ("power_plant", plant["capacity_mw"])
    assert asset["why"]["value"] == rest["value"]
    assert asset["why"]["source"]["rawOffset"] == str(rest["source"]["raw_offset"])
    assert asset["why"]["source"]["upstreamFields"] == rest["source"]["upstream_fields"]
    assert asset["why"]["losing"][0]["value"] == rest["losing"][0]["value"]
    assert {"field": "name", "rule": "priority"} in asset["provenance"]
    assert len(asset["members"]) == 3
    (version,) = asset["history"]
    assert version["body"]["record_id"] == plant["record_id"]


def test_an_asset_is_answered_as_it_was_known_and_whatever_its_status(
    server: httpx.Client,
) -> None:
    query = """query ($id: String!, $at: Time) {
        asset(recordId: $id, knownAt: $at)
        { flags recordStatus replacedBy history { version } } }"""
    then = data(server, query, id="plant-1", at="2026-01-15T00:00:00Z")["asset"]
    assert then["flags"] == ["capacity_odd"]
    now = data(server, query, id="plant-1")["asset"]
    assert now["flags"] == ["second"]
    assert [one["version"] for one in now["history"]] == ["2", "1"]
    assert data(server, query, id="plant-8")["asset"]["recordStatus"] == "withdrawn"
    merged = data(server, query, id="plant-9")["asset"]
    assert merged["replacedBy"] == "plant-1"
    # Both became known at one moment.
    assert [one["version"] for one in merged["history"]] == ["2"]
    query = """{ asset(recordId: "plant-9") { history(interim: true) { version } } }"""
    assert [one["version"] for one in data(server, query)["asset"]["history"]] == ["2", "1"]


def test_assets_are_found_again_by_their_ids(server: httpx.Client) -> None:
    found = data(
        server, '{ assets(ids: ["plant-3", "nothing", "line-1"]) { id recordId __typename } }'
    )["assets"]
    assert [one and one["__typename"] for one in found] == ["PowerPlant", None, "TransmissionLine"]
    node = data(
        server,
        "query ($id: ID!) { node(id: $id) { id ... on PowerPlant { name } } }",
        id=found[0]["id"],
    )["node"]
    assert node == {"id": found[0]["id"], "name": "Suva"}
    for foreign in ("plant-3", "?", "TG5nOjE="):
        assert parameter(server, f'{{ node(id: "{foreign}") {{ id }} }}')[0] == "id"


@pytest.mark.parametrize(
    ("arguments", "name", "allowed"),
    [
        ("first: 0", "first", "a whole number from 1 to 500"),
        ("first: 501", "first", "from 1 to 500"),
        ('filter: {fuelType: ["win"]}', "fuelType", "one of biomass, coal"),
        ('filter: {bbox: "1,2,3"}', "bbox", "fits"),
        ("filter: {withinKm: 5}", "withinKm", "near"),
        ('filter: {sort: "colour"}', "sort", "one of record_id"),
        ('after: "abcd"', "after", "what an answer"),
        ('after: "?"', "after", "fits"),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_may_be(
    server: httpx.Client, arguments: str, name: str, allowed: str
) -> None:
    found = parameter(server, f"{{ powerPlants({arguments}) {{ totalCount }} }}")
    assert found[0] == name
    assert allowed in found[1]
