"""The page of one asset as it is answered, without scripts."""

from html import unescape

import httpx


def test_an_asset_shows_where_its_numbers_come_from(server: httpx.Client) -> None:
    text = unescape(server.get("/assets/plant-1").text)
    for part in (
        "Barcelona Besòs",
        "only one source gives it",
        "source of power_plant",
        '<a href="/records/raw.power_plant/2/17">',
        "Their content and the decisions by hand are only in Kafka",
        "CC BY 4.0",
    ):
        assert part in text


def test_a_capacity_is_shown_with_what_it_is_rated_for(server: httpx.Client) -> None:
    rated = server.get("/assets/plant-2").text
    assert '2 <span class="unit">MW</span> <span class="unit">(DC)</span>' in rated
    assert "(DC)" not in server.get("/assets/plant-1").text


def test_an_asset_shows_what_changed(server: httpx.Client) -> None:
    text = server.get("/assets/plant-1").text.partition("What changed when")[2]
    assert "Longitude" in text
    assert "2.23" in text
    assert "2026-01-31 12:00 UTC" in text


def test_a_line_has_a_page(server: httpx.Client) -> None:
    assert "Arkale - Argia" in server.get("/assets/line-1").text


def test_a_merged_asset_leads_to_the_one_that_took_over(server: httpx.Client) -> None:
    answer = server.get("/assets/plant-9")
    assert (answer.status_code, answer.headers["location"]) == (308, "/assets/plant-1")


def test_a_withdrawn_asset_shows_what_was_said_last(server: httpx.Client) -> None:
    answer = server.get("/assets/plant-8")
    assert answer.status_code == 410
    assert "No source lists it any more." in answer.text


def test_an_unknown_asset_is_answered_with_a_page(server: httpx.Client) -> None:
    answer = server.get("/assets/none")
    assert answer.status_code == 404
    assert "No asset has the id none" in answer.text


def test_the_small_map_has_the_asset_in_its_middle(server: httpx.Client) -> None:
    layout = server.get("/figures/assets/plant-2").json()["layout"]
    assert layout["map"]["center"] == {"lat": 51.79, "lon": 19.45}
    assert server.get("/figures/assets/none").status_code == 404
