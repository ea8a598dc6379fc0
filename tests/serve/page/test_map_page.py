"""The map's page as it is answered, without scripts."""

import re
from html import unescape

import httpx
import pytest

from streams.serve.page.files_sent import address_of
from streams.serve.page.rendering import CONTENT_POLICY


def test_the_page_is_whole_without_scripts(server: httpx.Client) -> None:
    answer = server.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == CONTENT_POLICY
    assert "unsafe-eval" not in CONTENT_POLICY
    for text in ("Łódź", "Power plant", "304", "Transmission line", "1 to 50 of 304"):
        assert text in answer.text


def test_nothing_is_loaded_from_elsewhere(server: httpx.Client) -> None:
    text = server.get("/").text
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', text)
    assert loaded
    assert all(one.startswith(("/", "data:")) for one in loaded)


def test_filters_are_in_the_address_and_stay_chosen(server: httpx.Client) -> None:
    text = server.get("/?kind=transmission_line").text
    assert re.search(r'value="transmission_line" checked', text)
    assert "Arkale - Argia" in text
    assert "<strong>1</strong> asset ·" in text


def test_search_forgives_a_slip(server: httpx.Client) -> None:
    text = server.get("/?q=barcelonna besos").text
    assert "Barcelona Besòs" in text
    assert "like “barcelonna besos”" in text


def test_the_list_goes_on_where_it_ended(server: httpx.Client) -> None:
    following = re.search(r'href="([^"]+)" data-live>Next', server.get("/").text)
    assert following is not None
    assert "51 to 100 of 304" in server.get(unescape(following[1])).text


def test_an_open_asset_is_shown_beside_the_map(server: httpx.Client) -> None:
    text = server.get("/?open=plant-2").text
    assert 'id="opened" data-place="51.79,19.45"' in text
    assert '2<span class="unit"> MW (DC)</span>' in text


def test_a_selection_without_assets_says_what_to_do(server: httpx.Client) -> None:
    answer = server.get("/?source=nobody")
    assert answer.status_code == 200
    assert "Nothing fits" in answer.text


def test_a_wrong_address_is_answered_with_a_page(server: httpx.Client) -> None:
    answer = server.get("/?page=x")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "page must be a whole number." in answer.text


def test_names_are_text_never_markup(server: httpx.Client) -> None:
    answer = server.get("/", params={"q": "<script>alert(1)</script>"})
    assert "<script>alert" not in answer.text


def test_the_figure_has_what_the_page_counts(server: httpx.Client) -> None:
    figure = server.get("/figures/map?kind=transmission_line&theme=dark").json()
    assert [one["mode"] for one in figure["data"]] == ["lines"]


def test_every_download_is_answered(server: httpx.Client) -> None:
    text = server.get("/?status=operating&fuel=wind&bbox=-20,30,40,70&q=barcelona").text
    links = [unescape(one) for one in re.findall(r'<a href="([^"]+format=\w+)"', text)]
    assert len(links) == 3
    for link in links:
        assert server.get(link).status_code == 200, link


@pytest.mark.parametrize("name", ["page.css", "page.js", "plotly.js", "world.geojson"])
def test_files_are_kept_for_ever_and_sent_compressed(server: httpx.Client, name: str) -> None:
    answer = server.get(address_of(name))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 1_600_000


def test_an_old_file_is_not_there(server: httpx.Client) -> None:
    assert server.get("/page/files/0/page.js").status_code == 404
