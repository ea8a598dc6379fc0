"""The pages about LNG as they are answered, without scripts."""

import httpx


def test_europe_at_a_glance_has_every_series(server: httpx.Client) -> None:
    text = server.get("/lng").text
    assert "newest gas day 2025-10-05" in text
    assert '<a href="/lng/ES_BARCELONA">Barcelona</a>' in text
    assert "last 2021-03-31" in text


def test_a_terminal_has_its_days_and_what_was_published_first(server: httpx.Client) -> None:
    text = server.get("/lng/ES_BARCELONA").text
    assert "Gas days from 2025-10-01 to 2025-10-05" in text
    assert "1 of these gas days was revised" in text
    assert "+100.0" in text
    assert "/infrastructure/api/v1/infrastructure/lng-inventory/ES_BARCELONA?start_date=" in text


def test_a_terminal_is_shown_as_it_was_known(server: httpx.Client) -> None:
    day = "start=2025-10-01&end=2025-10-01"
    assert "1,100.0" in server.get(f"/lng/ES_BARCELONA?{day}").text
    then = server.get(f"/lng/ES_BARCELONA?{day}&known_at=2025-10-10").text
    assert "As it was known at the end of 2025-10-10" in then
    assert '<td class="right">1,000.0</td>' in then.partition("First published, and now")[0]
    before = server.get(f"/lng/ES_BARCELONA?{day}&known_at=2025-10-01").text
    assert "Nothing was known" in before


def test_empty_fields_of_the_form_ask_for_nothing(server: httpx.Client) -> None:
    assert server.get("/lng/ES_BARCELONA?start=&end=&known_at=").status_code == 200


def test_a_wrong_range_is_answered_with_a_page(server: httpx.Client) -> None:
    answer = server.get("/lng/ES_BARCELONA?start=2025-10-03&end=2025-10-01")
    assert answer.status_code == 400
    assert "start must be no later than the end" in answer.text


def test_an_unknown_terminal_is_answered_with_a_page(server: httpx.Client) -> None:
    answer = server.get("/lng/XX_NOWHERE")
    assert answer.status_code == 404
    assert "No series is named XX_NOWHERE" in answer.text


def test_figures_have_the_same_days(server: httpx.Client) -> None:
    for name, days in (("inventory", 5), ("send-out", 5), ("fullness", 5), ("revisions", 1)):
        figure = server.get(f"/figures/lng/ES_BARCELONA/{name}").json()
        assert len(figure["data"][-1]["x"]) == days, name
