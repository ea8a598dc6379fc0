"""OGC API Features: map programs find every asset by URL, and the same ones as REST."""

import math
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import httpx
import pytest

from streams.serve.addresses import API, FEATURES
from tests.serve import gdal
from tests.serve.client import Api
from tests.serve.gdal import Row

DEADLINE_SECONDS = 60.0
ITEMS = f"{FEATURES}/collections/power-plants/items"


@pytest.fixture(scope="module")
def client() -> Iterator[Executor]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield process


def read(client: Executor, server: httpx.Client, layer: str, **asked: Any) -> dict[str, Row]:
    """Every feature of a collection by id, as GDAL reads them."""
    source = f"OAPIF:{server.base_url}{FEATURES}"
    found = client.submit(gdal.rows, source, layer, asked).result(DEADLINE_SECONDS)
    return {row["id"]: row for row in found}


def test_gdal_reads_every_feature(client: Executor, server: httpx.Client, api: Api) -> None:
    found = read(client, server, "power-plants", PAGE_SIZE=137)
    rows = api.data("power-plants?limit=1000")
    assert len(found) == len(rows) > 300
    for row in rows:
        feature = found[row["record_id"]]
        assert feature["name"] == row["name"]
        if row["capacity_mw"] is None:
            assert math.isnan(feature["capacity_mw"])
        else:
            assert feature["capacity_mw"] == row["capacity_mw"]
    source = f"OAPIF:{server.base_url}{FEATURES}"
    layers = client.submit(gdal.layers, source).result(DEADLINE_SECONDS)
    assert layers["power-plants"] == "Point"
    assert layers["transmission-lines"] == "LineString"


@pytest.mark.parametrize("bbox", [(-10.0, 35.0, 5.0, 45.0), (1e-7, -60.0, 170.123456789012, 0.0)])
def test_gdal_reads_a_box_as_rest_does(
    client: Executor, server: httpx.Client, api: Api, bbox: tuple[float, ...]
) -> None:
    rows = api.data(f"power-plants?limit=1000&bbox={','.join(f'{one:.12f}' for one in bbox)}")
    assert rows
    found = read(client, server, "power-plants", bbox=bbox)
    assert set(found) == {row["record_id"] for row in rows}


def test_gdal_asks_for_pages_as_large_as_they_may_be(server: httpx.Client) -> None:
    document = server.get(f"{FEATURES}/api").json()
    (limit,) = (
        one
        for one in document["paths"]["/collections/power-plants/items"]["get"]["parameters"]
        if "$ref" in one
    )
    assert limit == {"$ref": "#/components/parameters/limit"}
    assert document["components"]["parameters"]["limit"]["schema"]["maximum"] == 10_000
    assert len(server.get(f"{ITEMS}?limit=99999999").json()["features"]) > 300


def test_a_box_may_cross_the_antimeridian(server: httpx.Client, api: Api) -> None:
    found = server.get(f"{ITEMS}?bbox=178,-20,-900,-178,-10,900").json()
    rows = api.data("power-plants?limit=1000&bbox=178,-20,-178,-10")
    assert "Suva" in {one["properties"]["name"] for one in found["features"]}
    assert {one["id"] for one in found["features"]} == {row["record_id"] for row in rows}


def test_pages_give_every_feature_once(server: httpx.Client) -> None:
    address, found = f"{ITEMS}?limit=100&datetime=2020-01-01/..", []
    while address:
        page = server.get(address).json()
        assert page["numberReturned"] == len(page["features"]) <= 100
        found += [one["id"] for one in page["features"]]
        address = next((one["href"] for one in page["links"] if one["rel"] == "next"), "")
    assert len(found) == len(set(found)) > 300
    again = server.get(f"{ITEMS}?limit=1").json()
    following = next(one["href"] for one in again["links"] if one["rel"] == "next")
    foreign = server.get(f"{following}&bbox=0,0,9,9")
    assert foreign.json()["errors"][0]["parameter"] == "cursor"


@pytest.mark.parametrize(
    ("datetime", "found"),
    [
        ("2026-01-31T12:00:00.123Z", ["plant-1"]),
        ("2026-01-31", ["plant-1"]),
        ("2026-01-30T00:00:00Z/..", ["plant-1"]),
        ("2026-01-31T13:00:00%2B02:00/2026-02-01", ["plant-1"]),
        ("../2025-12-31", []),
        ("2026-01-02/2026-01-30", []),
    ],
)
def test_features_are_found_by_when_they_became_known(
    server: httpx.Client, datetime: str, found: list[str]
) -> None:
    page = server.get(f"{ITEMS}?datetime={datetime}").json()
    assert [one["id"] for one in page["features"]] == found


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("datetime=2026-13-01", "datetime"),
        ("datetime=2026-02-01/2026-01-01", "datetime"),
        ("datetime=0001-01-01T00:00:00Z/..", "datetime"),
        ("datetime=yesterday", "datetime"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=0,50,10,40", "north"),
        ("limit=0", "limit"),
        ("colour=red", "colour"),
        ("cursor=abcd", "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(server: httpx.Client, query: str, parameter: str) -> None:
    answer = server.get(f"{ITEMS}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_a_single_feature_has_its_geometry_and_links(server: httpx.Client) -> None:
    answer = server.get(f"{ITEMS}/plant-3")
    assert answer.headers["content-type"] == "application/geo+json"
    feature = answer.json()
    assert (feature["id"], feature["properties"]["name"]) == ("plant-3", "Suva")
    assert feature["geometry"] == {"type": "Point", "coordinates": [178.44, -18.14]}
    links = {one["rel"]: one["href"] for one in feature["links"]}
    assert server.get(links["self"]).json() == feature
    assert server.get(links["collection"]).json()["id"] == "power-plants"
    for gone in ("plant-8", "plant-9", "nothing"):
        assert server.get(f"{ITEMS}/{gone}").status_code == 404
    unknown = server.get(f"{FEATURES}/collections/castles/items")
    assert (unknown.status_code, "power-plants" in unknown.json()["detail"]) == (404, True)


def test_every_link_of_the_landing_page_leads_somewhere(server: httpx.Client) -> None:
    page = server.get(FEATURES).json()
    links = {one["rel"]: one for one in page["links"]}
    assert set(links) == {"self", "service-desc", "conformance", "data"}
    for link in links.values():
        answer = server.get(link["href"])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == link["type"]
    assert len(server.get(links["conformance"]["href"]).json()["conformsTo"]) == 3
    for collection in server.get(links["data"]["href"]).json()["collections"]:
        for link in collection["links"]:
            assert server.get(link["href"]).status_code == 200


def test_an_unchanged_page_costs_no_query(server: httpx.Client) -> None:
    tag = server.get(f"{ITEMS}?limit=1").headers["etag"]
    again = server.get(f"{ITEMS}?limit=1", headers={"If-None-Match": tag})
    assert again.status_code == 304


def test_the_document_is_openapi_30(server: httpx.Client) -> None:
    """No null as a type, no list of types or examples: OpenAPI 3.0 has none of them."""

    def walk(part: object) -> None:
        if isinstance(part, list):
            for one in part:
                walk(one)
        elif isinstance(part, dict):
            assert isinstance(part.get("type", ""), (str, dict))
            assert part.get("type") != "null"
            assert not isinstance(part.get("examples"), list)
            for one in part.values():
                walk(one)

    document = server.get(f"{FEATURES}/api").json()
    walk(document)
    assert document["openapi"] == "3.0.3"
    assert document["servers"][0]["url"].endswith(f"{API}/ogc")
    for path in document["paths"]:
        assert path == "/" or server.get(f"{FEATURES}{path}".replace("{record_id}", "x")).json()
