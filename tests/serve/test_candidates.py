"""Undecided pairs by REST, GraphQL and on the page of an asset."""

from html import unescape

import httpx

from tests.serve.client import Api
from tests.serve.graphql.client import data, parameter


def test_pairs_nearest_to_the_threshold_come_first_in_pages(server: httpx.Client, api: Api) -> None:
    first = api.get("candidates?limit=2").json()
    assert [one["match_score"] for one in first["data"]] == [-0.125, 0.25]
    second = server.get(first["next"]).json()
    assert [one["match_score"] for one in second["data"]] == [0.5]
    assert second["next"] is None
    assert server.get(first["next"] + "&kind=power_plant").status_code == 400


def test_the_pairs_of_an_asset_say_what_decides_them(api: Api) -> None:
    (found,) = api.data("candidates?asset_id=plant-2")
    assert found["one_asset_id"] == "plant-1"
    assert found["parts"][0] == {"evidence": "name", "weight": 5.8}
    assert found["would_decide"] == ["years"]
    for verdict in ("must", "cannot"):
        command = found[f"{verdict}_link_command"]
        assert f"decide {verdict}-link power_plant 'gem_transmission:entity of plant-1'" in command
    assert api.data("candidates?asset_id=none") == []
    assert api.data("candidates?kind=lng_terminal") == []


def test_graphql_has_the_same_pages(server: httpx.Client, api: Api) -> None:
    query = """query ($after: String) { candidates(assetId: "plant-1", first: 2, after: $after)
        { candidates { key matchScore parts { evidence } mustLinkCommand } cursor } }"""
    first = data(server, query)["candidates"]
    second = data(server, query, after=first["cursor"])["candidates"]
    found = [*first["candidates"], *second["candidates"]]
    rest = api.data("candidates?asset_id=plant-1")
    assert [one["key"] for one in found] == [one["key"] for one in rest]
    assert [one["mustLinkCommand"] for one in found] == [one["must_link_command"] for one in rest]
    assert second["cursor"] is None


def test_a_wrong_argument_of_graphql_is_named_as_it_is_there(server: httpx.Client) -> None:
    for argument, name in (
        ('after: "?"', "after"),
        ('kind: "cat"', "kind"),
        ('assetId: ""', "assetId"),
    ):
        assert parameter(server, f"{{ candidates({argument}) {{ cursor }} }}")[0] == name


def test_the_page_of_an_asset_shows_them_in_words(server: httpx.Client) -> None:
    text = unescape(server.get("/assets/plant-1").text).partition("May be the same as")[2]
    for part in (
        '<a href="/assets/plant-2"><code>wri_powerplants:entity of plant-2</code></a>',
        '<a href="/assets/plant-3"><code>gem_transmission:entity of plant-3</code></a>',
        "joined for now",
        "score 0.12 below the threshold",
        "names +5.80, capacity \N{MINUS SIGN}5.55",
        "It would be decided by: years of first operation",
        "decide must-link power_plant 'gem_transmission:entity of plant-1'",
    ):
        assert part in text
    assert "May be the same as" not in server.get("/assets/line-1").text
