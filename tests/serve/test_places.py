"""Assets of every kind by name, in a box, near a place."""

import httpx

from tests.serve.client import Api


def test_a_name_is_searched_in_every_kind(api: Api) -> None:
    assert api.data("assets?q=Lodz+polnoc")[0]["record_id"] == "plant-2"
    assert api.data("assets?q=Arkale")[0]["kind"] == "transmission_line"
    assert api.data("assets?q=Arkale")[0]["similarity"] == 1.0
    assert api.data("assets?q=Arkale&kind=power_plant") == []


def test_the_nearest_say_how_far_they_are(api: Api) -> None:
    (nearest,) = api.data("assets?near=43.29,-1.8&limit=1")
    assert (nearest["record_id"], nearest["kind"]) == ("line-1", "transmission_line")
    assert 0 < nearest["distance_km"] < 10


def test_a_box_is_paged_by_id(api: Api, server: httpx.Client) -> None:
    found: list[str] = []
    answer = api.get("assets?bbox=-30,-60,60,70&limit=20")
    while True:
        found += [row["record_id"] for row in answer.json()["data"]]
        if "next" not in answer.links:
            break
        answer = server.get(answer.links["next"]["url"])
    assert len(found) > 60
    assert found == sorted(set(found))
    features = api.get("assets?bbox=-30,-60,60,70&format=geojson").json()["features"]
    assert [feature["id"] for feature in features] == found
    assert {feature["geometry"]["type"] for feature in features} == {"Point", "LineString"}


def test_one_question_at_a_time(api: Api) -> None:
    answer = api.get("assets?q=a&near=1,1")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "near"
