"""The sandbox's NLR and tracker behave as the upstreams do."""

import csv
import io
from collections.abc import Iterator

import httpx
import pytest

from producers.sandbox.nlr import DEMO_KEY
from producers.sandbox.trackers import PATH
from tests.producers.sandbox_server import KEY, Sandbox

pytestmark = pytest.mark.processes

SOLAR = "/nlr/api/solar/solar_resource/v1"
PVWATTS = "/nlr/api/pvwatts/v8.json"
DATA_QUERY = "/nlr/api/solar/data_query/v2.json"
NSRDB = "/nlr/api/solar/nsrdb_data_query.json"
SITES = "/nlr/api/wind-toolkit/v2/site-count.json"
BOULDER = {"lat": "40.01", "lon": "-105.27"}
POLE = {"lat": "-89.99", "lon": "0"}
SYSTEM = {
    "system_capacity": "4",
    "module_type": "0",
    "array_type": "0",
    "losses": "14",
    "tilt": "40",
    "azimuth": "180",
}
SQUARE = "POLYGON((-100.5 32.4,-100.3 32.4,-100.3 32.6,-100.5 32.6,-100.5 32.4))"


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client of the sandbox as at its start."""
    with httpx.Client(base_url=sandbox.url, trust_env=False) as client:
        yield client


def ask(client: httpx.Client, path: str, **query: str) -> httpx.Response:
    return client.get(path, params=query, headers={"X-Api-Key": KEY})


@pytest.mark.parametrize(
    ("given", "code"), [({}, "API_KEY_MISSING"), ({"X-Api-Key": "wrong"}, "API_KEY_INVALID")]
)
def test_a_refused_key_is_403_in_the_format_asked_for(
    client: httpx.Client, given: dict[str, str], code: str
) -> None:
    answers = {
        form: client.get(f"{SOLAR}.{form}", headers=given) for form in ("json", "xml", "csv")
    }
    assert {answer.status_code for answer in answers.values()} == {403}
    assert answers["json"].json()["error"]["code"] == code
    assert f"<code>{code}</code>" in answers["xml"].text
    assert answers["csv"].text.startswith(f"Error Code,Error Message\r\n{code},")
    assert f"<h1>{code}</h1>" in client.get(f"{SOLAR}.pdf", headers=given).text


def test_the_key_may_come_as_header_query_or_user_name(client: httpx.Client) -> None:
    asked = (
        client.get(f"{SOLAR}.json", params=BOULDER, headers={"X-Api-Key": KEY}),
        client.get(f"{SOLAR}.json", params={**BOULDER, "api_key": KEY}),
        client.get(f"{SOLAR}.json", params=BOULDER, auth=(KEY, "")),
    )
    assert [answer.status_code for answer in asked] == [200, 200, 200]
    assert all(answer.json()["inputs"]["api_key"] == KEY for answer in asked)


def test_every_answer_counts_the_limit_down_until_it_is_refused(client: httpx.Client) -> None:
    demo = {"X-Api-Key": DEMO_KEY}
    for left in range(29, -1, -1):
        answer = client.get(f"{SOLAR}.json", params=BOULDER, headers=demo)
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "30"
        assert answer.headers["X-RateLimit-Remaining"] == str(left)
    refused = client.get(f"{SOLAR}.json", params=BOULDER, headers=demo)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "OVER_RATE_LIMIT")
    assert ask(client, f"{SOLAR}.json", **BOULDER).status_code == 200, "another key's limit"


def test_irradiance_is_a_text_outside_the_united_states(
    client: httpx.Client,
) -> None:
    inside = ask(client, f"{SOLAR}.json", **BOULDER).json()["outputs"]
    outside = ask(client, f"{SOLAR}.json", lat="52.5", lon="13.4").json()["outputs"]
    assert list(inside["avg_dni"]["monthly"])[::11] == ["jan", "dec"]
    assert inside["avg_ghi"]["monthly"]["jun"] > inside["avg_ghi"]["monthly"]["dec"]
    assert set(outside.values()) == {"no data"}


def test_whole_figures_have_no_fraction(client: httpx.Client) -> None:
    figures: list[object] = []
    for step in range(90):
        answer = ask(client, f"{SOLAR}.json", lat=f"{30 + step / 10}", lon="-105.27").json()
        figures += answer["outputs"]["avg_dni"]["monthly"].values()
    assert {type(figure) for figure in figures} == {int, float}


def test_pvwatts_needs_its_inputs_and_weather_data(client: httpx.Client) -> None:
    answer = ask(client, PVWATTS, **BOULDER, **SYSTEM).json()
    assert len(answer["outputs"]["ac_monthly"]) == 12
    assert answer["outputs"]["ac_annual"] == pytest.approx(sum(answer["outputs"]["ac_monthly"]))
    assert answer["inputs"]["api_key"] == KEY
    for query in (BOULDER, {**BOULDER, **SYSTEM, "losses": "100"}, {**POLE, **SYSTEM}):
        refused = ask(client, PVWATTS, **query)
        assert refused.status_code == 422
        assert refused.json()["errors"]


def test_nearest_data_are_null_with_a_warning_where_there_are_none(
    client: httpx.Client,
) -> None:
    inside, outside = (ask(client, DATA_QUERY, **where).json() for where in (BOULDER, POLE))
    assert (inside["outputs"]["nsrdb"]["distance"], inside["warnings"]) == (1750, [])
    assert outside["outputs"]["nsrdb"] is None
    assert outside["warnings"]


def test_datasets_hold_a_point_or_are_all_shown_and_gain_a_year(client: httpx.Client) -> None:
    previous = ask(client, NSRDB, wkt="POINT(-105.27 40.01)").json()["outputs"]
    every = ask(client, NSRDB, wkt="POINT(-105.27 40.01)", show_empty="true").json()["outputs"]
    assert 0 < len(previous) < len(every)
    assert ask(client, NSRDB, wkt="POINT(0 -89.99)").json()["outputs"] == []
    assert previous[0]["availableYears"][0] == "tmy"
    client.post("/control/nlr", json={"last_year": 2025})
    later = ask(client, NSRDB, wkt="POINT(-105.27 40.01)").json()["outputs"]
    assert later[0]["availableYears"] == [*previous[0]["availableYears"], 2025]


def test_sites_are_counted_inside_the_geometry_and_the_key_is_echoed_deep(
    client: httpx.Client,
) -> None:
    answer = ask(client, SITES, wkt=SQUARE).json()
    assert answer["outputs"]["wtk"] == 121
    assert answer["outputs"]["india-wind"] == 0
    assert answer["inputs"]["query"]["api_key"] == KEY
    assert ask(client, SITES).status_code == 400
    posted = client.post(SITES, json={"wkt": SQUARE}, headers={"X-Api-Key": KEY})
    assert posted.json()["outputs"] == answer["outputs"]


def test_controls_end_the_host_or_the_limit_and_refuse_nonsense(client: httpx.Client) -> None:
    assert client.post("/control/nlr", json={"gone": "yes"}).status_code == 422
    client.post("/control/nlr", json={"use_up": 1})
    asked = [ask(client, f"{SOLAR}.json", **BOULDER).status_code for _ in range(2)]
    assert asked == [200, 429]
    client.post("/control/nlr", json={"gone": True})
    assert ask(client, f"{SOLAR}.json", **BOULDER).status_code == 410


def rows(client: httpx.Client) -> dict[str, dict[str, str]]:
    text = client.get(PATH).text
    return {row["gem_unit_id"]: row for row in csv.DictReader(io.StringIO(text))}


def test_the_tracker_has_phases_of_both_kinds_in_every_status(client: httpx.Client) -> None:
    found = rows(client)
    assert len(found) == 300
    assert {row["fuel"] for row in found.values()} == {"solar", "wind"}
    assert {"announced", "construction", "operating"} <= {row["status"] for row in found.values()}
    etag = client.get(PATH).headers["etag"]
    assert client.get(PATH, headers={"if-none-match": etag}).status_code == 304


def test_the_next_tracker_release_changes_what_was_asked_for(client: httpx.Client) -> None:
    runs, gone = "G900000000000", "G900000000001"
    client.post("/control/trackers", json={"operate": [runs], "drop": [gone]})
    after = rows(client)
    assert after[runs]["status"] == "operating"
    assert gone not in after
    assert client.post("/control/trackers", json={"drop": ["nobody"]}).status_code == 422
