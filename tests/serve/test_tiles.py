"""Vector tiles: what a map client shows of the assets."""

import httpx
import pytest

from streams.clickhouse.client import ClickHouse, StatementError
from streams.serve.addresses import TILES
from streams.serve.problems import ProblemError
from streams.serve.tiles import without_tiles
from tests.serve import gdal
from tests.serve.client import Api
from tests.serve.gdal import Row


def features(server: httpx.Client, tile: str) -> list[Row]:
    """Features of a tile, as GDAL reads them."""
    answer = server.get(f"{TILES}/{tile}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    return gdal.rows(answer.content, "assets", {})


def test_the_tile_of_the_world_has_every_asset(server: httpx.Client, api: Api) -> None:
    found = features(server, "0/0/0.mvt")
    plants = {row["record_id"] for row in api.data("power-plants?limit=1000")}
    assert {one["record_id"] for one in found} == plants | {"line-1"}
    assert "name" not in found[0]


def test_a_tile_has_what_is_in_it_with_names(server: httpx.Client) -> None:
    # 41.42 N, 3.7 W.
    found = {one["record_id"]: one for one in features(server, "8/125/95.mvt")}
    assert found["plant-1"]["name"] == "Barcelona Besòs"
    assert found["plant-1"]["country_code"] == "ES"
    assert "plant-3" not in found
    assert server.get(f"{TILES}/8/0/0.mvt").content == b""


def test_a_line_is_in_the_tiles_it_meets_and_kinds_may_be_chosen(server: httpx.Client) -> None:
    for tile in ("11/1013/750.mvt", "11/1014/750.mvt"):
        found = features(server, f"{tile}?kind=transmission_line")
        assert [one["record_id"] for one in found] == ["line-1"]
    assert server.get(f"{TILES}/11/1013/750.mvt?kind=substation").content == b""


@pytest.mark.parametrize(
    ("tile", "parameter"),
    [("2/4/0.mvt", "x"), ("2/0/4.mvt", "y"), ("23/0/0.mvt", "z"), ("0/0/0.mvt?kind=cat", "kind")],
)
def test_there_is_no_such_tile(server: httpx.Client, tile: str, parameter: str) -> None:
    answer = server.get(f"{TILES}/{tile}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_a_clickhouse_that_cannot_write_tiles_is_named(clickhouse: ClickHouse) -> None:
    for sql in ("SELECT MVTNothing(1)", "SELECT MVTNothing('layer')(1)"):
        with pytest.raises(StatementError) as raised:
            clickhouse.query(sql)
        problem = without_tiles(raised.value)
        assert isinstance(problem, ProblemError)
        assert (problem.status, problem.type) == (501, "no-tiles")
    with pytest.raises(StatementError) as raised:
        clickhouse.query("SELECT nothing FROM nowhere")
    assert without_tiles(raised.value) is raised.value
