"""Lists of a kind: filters, order, pages, sums, formats, and what a wrong parameter is told."""

import io

import httpx
import pyarrow.ipc
import pyarrow.parquet
import pytest

from streams.clickhouse.client import ClickHouse
from tests.serve.client import Api


@pytest.fixture
def listed(clickhouse: ClickHouse) -> int:
    """How many plants some source lists."""
    ((plants,),) = clickhouse.query("SELECT count() FROM power_plants").rows
    return int(plants)


def names(rows: list[dict[str, object]]) -> list[object]:
    return [row["name"] for row in rows]


def test_filters_hold_of_every_row(api: Api) -> None:
    rows = api.data("power-plants?country=es&country=FR&fuel_type=wind&min_capacity_mw=10&limit=50")
    assert rows
    for row in rows:
        assert row["country_code"] in ("ES", "FR")
        assert row["primary_fuel"] == "wind"
        assert row["capacity_mw"] >= 10


@pytest.mark.parametrize(
    ("query", "parameter", "allowed"),
    [
        ("fuel_type=win", "fuel_type", "one of biomass, coal"),
        ("min_capacity_mw=much", "min_capacity_mw", "a number"),
        ("min_capacity_mw=nan", "min_capacity_mw", "number"),
        ("colour=red", "colour", "left out"),
        ("limit=0", "limit", "1 or more"),
        ("bbox=1,2,3", "bbox", "fits"),
        ("bbox=0,50,10,40", "north", "a number from 50"),
        ("cursor=abcd", "cursor", "what an answer"),
        ("sort=colour", "sort", "one of record_id"),
        ("sort=distance_km", "sort", "one of"),
        ("within_km=5", "within_km", "near"),
        ("limit=5&limit=6", "limit", "given once"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_it_may_be(
    api: Api, query: str, parameter: str, allowed: str
) -> None:
    answer = api.get(f"power-plants?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "wrong-parameter"
    (error,) = problem["errors"]
    assert error["parameter"] == parameter
    assert allowed in error["allowed"]


def test_search_survives_accents_and_slips(api: Api) -> None:
    assert names(api.data("power-plants?q=Barcelna+besos"))[0] == "Barcelona Besòs"
    assert names(api.data("power-plants?q=lodz+polnoc"))[0] == "Łódź Północ"
    assert api.data("power-plants?q=qqqqqq") == []
    assert len(api.data("power-plants?q=norte&limit=1000")) > 5
    assert api.get("power-plants?q=norte&limit=2").json()["next"] is None
    sorted_hits = api.get("power-plants?q=norte&limit=2&sort=name").json()
    assert sorted_hits["next"]


def test_a_box_may_cross_the_antimeridian(api: Api) -> None:
    crossing = api.data("power-plants?bbox=178,-20,-178,-10&limit=100")
    assert "Suva" in names(crossing)
    assert all(abs(row["longitude"]) >= 178 for row in crossing)
    (found,) = api.data("transmission-lines?bbox=-1.8,43.29,-1.75,43.30")
    assert found["record_id"] == "line-1"


def test_the_nearest_come_first_with_their_distance(api: Api) -> None:
    rows = api.data("power-plants?near=-18.1,178.4&limit=5")
    assert rows[0]["name"] == "Suva"
    distances = [row["distance_km"] for row in rows]
    assert distances == sorted(distances)
    (row,) = api.data("power-plants?near=-18.1,178.4&within_km=20")
    assert row["distance_km"] < 20


def pages(server: httpx.Client, first: str) -> list[str]:
    """Ids of every page, by the links of the answers."""
    found: list[str] = []
    address: str | None = first
    while address:
        answer = server.get(address)
        body = answer.json()
        found += [row["record_id"] for row in body["data"]]
        address = body["next"]
        assert ("link" in answer.headers) == bool(address)
        if address:
            assert answer.links["next"]["url"] == address
    return found


def test_pages_give_every_row_once(api: Api, server: httpx.Client, listed: int) -> None:
    path = "/infrastructure/api/v1/infrastructure/power-plants"
    for sort in ("record_id", "-capacity_mw", "country_code", "capacity_mw"):
        found = pages(server, f"{path}?limit=37&sort={sort}")
        assert len(found) == len(set(found)) == listed
    near = pages(server, f"{path}?limit=37&near=10,10")
    assert len(near) == len(set(near)) == listed


def test_a_cursor_belongs_to_its_list(api: Api, server: httpx.Client) -> None:
    following = api.get("power-plants?limit=1&country=ES").json()["next"]
    assert server.get(following).status_code == 200
    other = server.get(following.replace("country=ES", "country=FR"))
    assert other.status_code == 400
    assert other.json()["errors"][0]["parameter"] == "cursor"


def test_a_total_comes_when_it_is_asked_for(api: Api, listed: int) -> None:
    assert "total" not in api.get("power-plants?limit=1").json()
    assert api.get("power-plants?limit=1&total=true").json()["total"] == listed
    assert api.get("power-plants?limit=1&total=true&format=csv").headers["x-total-count"] == str(
        listed
    )


def test_sums_keep_what_operates_apart(api: Api, clickhouse: ClickHouse, listed: int) -> None:
    rows = api.data("power-plants?group_by=country,fuel&sum=capacity_mw")
    ((operating,),) = clickhouse.query(
        "SELECT sum(capacity_mw) FROM power_plants WHERE status = 'operating'"
    ).rows
    assert sum(row["operating_capacity_mw"] or 0 for row in rows) == pytest.approx(operating)
    assert sum(row["assets"] for row in rows) == listed
    assert {"country_code", "primary_fuel", "planned_capacity_mw", "retired_capacity_mw"} <= set(
        rows[0]
    )


def test_a_whole_kind_comes_in_every_format(api: Api, listed: int) -> None:
    parquet = pyarrow.parquet.read_table(io.BytesIO(api.get("power-plants?format=parquet").content))
    assert parquet.num_rows == listed
    assert str(parquet.schema.field("capacity_mw").type) == "double"
    assert str(parquet.schema.field("observed_at").type) == "timestamp[ms, tz=UTC]"
    arrow = pyarrow.ipc.open_file(
        io.BytesIO(api.get("power-plants", Accept="application/vnd.apache.arrow.file").content)
    ).read_all()
    assert arrow.num_rows == listed
    csv = api.get("power-plants", Accept="text/csv").text.splitlines()
    assert len(csv) == listed + 1
    assert csv[0].startswith('"record_id","record_status"')
    geojson = api.get("power-plants", Accept="application/geo+json").json()
    assert len(geojson["features"]) == listed
    (suva,) = (one for one in geojson["features"] if one["properties"]["name"] == "Suva")
    assert suva["geometry"] == {"type": "Point", "coordinates": [178.44, -18.14]}
    (line,) = api.get("transmission-lines?format=geojson").json()["features"]
    assert line["geometry"]["type"] == "LineString"
    assert line["geometry"]["coordinates"][0] == [-1.85, 43.3]


def test_a_page_of_another_format_links_to_the_next(
    api: Api, server: httpx.Client, listed: int
) -> None:
    found: list[str] = []
    answer = api.get("power-plants?format=csv&limit=100&sort=-capacity_mw")
    while True:
        found += [line.split(",")[0] for line in answer.text.splitlines()[1:]]
        if "next" not in answer.links:
            break
        answer = server.get(answer.links["next"]["url"])
    assert len(found) == len(set(found)) == listed


def test_the_format_parameter_wins_over_accept(api: Api) -> None:
    assert api.get("power-plants?format=json&limit=1", Accept="text/csv").json()["data"]
    refused = api.get("power-plants", Accept="image/png")
    assert refused.status_code == 406
    assert "text/csv" in refused.json()["detail"]


def test_unchanged_answers_are_not_given_again(api: Api) -> None:
    first = api.get("power-plants?limit=1")
    tag = first.headers["etag"]
    again = api.get("power-plants?limit=1", If_None_Match=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert api.get("power-plants?limit=2", If_None_Match=tag).status_code == 200
    assert api.get("power-plants?limit=1&format=csv", If_None_Match=tag).status_code == 200


def test_the_head_of_an_answer_is_that_of_the_answer(api: Api) -> None:
    head = api.client.head("/infrastructure/api/v1/infrastructure/power-plants?limit=1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == api.get("power-plants?limit=1").headers["etag"]
    assert api.client.post("/infrastructure/api/v1/infrastructure/power-plants").status_code == 405
