"""LNG inventory by GraphQL: gas days of a range, as known at a time, and every version."""

import httpx
import pytest

from tests.serve.client import Api
from tests.serve.graphql.client import data, error, parameter

QUERY = """query ($id: String!, $start: Time, $end: Time, $at: Time) {
    lngInventory(terminalId: $id, startTime: $start, endTime: $end, knownAt: $at)
        { ts gasDay inventoryGwh fullnessPct sendOutGwh } }"""


def test_the_days_of_a_terminal(server: httpx.Client, api: Api) -> None:
    found = data(
        server,
        """{ lngInventory(terminalId: "ES_BARCELONA", startTime: "2025-10-01T00:00:00Z",
        endTime: "2025-10-03T12:00:00Z") { ts inventoryGwh fullnessPct sendOutGwh } }""",
    )["lngInventory"]
    rows = api.data("lng-inventory/ES_BARCELONA?start_date=2025-10-01&end_date=2025-10-03")
    assert found == [
        {
            "ts": row["gas_day_start"].replace(".000Z", "Z"),
            "inventoryGwh": row["inventory_gwh"],
            "fullnessPct": row["fullness_pct"],
            "sendOutGwh": row["send_out_gwh_per_day"],
        }
        for row in rows
    ]
    assert len(found) == 3


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2025-10-01", "2025-10-02", ["01", "02"]),
        ("2025-10-01T05:00:00Z", "2025-10-02T05:00:00Z", ["01", "02"]),
        ("2025-10-01T05:00:01Z", "2025-10-02T04:59:59Z", []),
        ("2025-10-01T07:00:00+02:00", "2025-10-01", ["01"]),
        ("2025-10-04", None, ["04", "05"]),
        (None, "2025-10-02", ["01", "02"]),
        (None, None, ["01", "02", "03", "04", "05"]),
    ],
)
def test_a_range_has_the_gas_days_that_begin_in_it(
    server: httpx.Client, start: str | None, end: str | None, days: list[str]
) -> None:
    found = data(server, QUERY, id="es_barcelona", start=start, end=end)["lngInventory"]
    assert [one["gasDay"] for one in found] == [f"2025-10-{day}" for day in days]


def test_a_revised_day_has_both_values_each_at_its_time(server: httpx.Client) -> None:
    def inventory(at: str | None) -> list[float]:
        found = data(server, QUERY, id="ES_BARCELONA", start="2025-10-01", end="2025-10-01", at=at)
        return [one["inventoryGwh"] for one in found["lngInventory"]]

    assert inventory("2025-10-02T19:45:00Z") == [1000.0]
    assert inventory("2025-10-20T19:45:00Z") == [1100.0]
    assert inventory(None) == [1100.0]
    found = data(
        server,
        """{ lngInventoryRevisions(terminalId: "ES_BARCELONA", startTime: "2025-10-01",
        endTime: "2025-10-01") { inventoryGwh knownAt version recordStatus publishedAt }
        lngInventoryVintages(terminalId: "ES_BARCELONA") { knownAt firstGasDay versions }
        lngSeries { seriesId lastGasDay } }""",
    )
    assert [one["inventoryGwh"] for one in found["lngInventoryRevisions"]] == [1000.0, 1100.0]
    assert found["lngInventoryVintages"][0] == {
        "knownAt": "2025-10-20T19:45:00Z",
        "firstGasDay": "2025-10-01",
        "versions": 1,
    }
    assert {"seriesId": "ES_BARCELONA", "lastGasDay": "2025-10-05"} in found["lngSeries"]


@pytest.mark.parametrize(
    ("start", "end", "at", "name", "allowed"),
    [
        ("2025-10-02", "2025-10-01", None, "startTime", "2025-10-01"),
        ("yesterday", None, None, "startTime", "or a day"),
        ("0028-01-01", None, None, "startTime", "a day from 1970"),
        ("2025-10-01", "2025-10-02T00:00:00", None, "endTime", "a time with a zone"),
        ("2024-01-01", "2025-02-04", None, "endTime", "2025-02-03 or earlier"),
        (None, None, "now", "knownAt", "a time with a zone"),
    ],
)
def test_a_wrong_time_is_named(
    server: httpx.Client, start: str, end: str, at: str, name: str, allowed: str
) -> None:
    found = parameter(server, QUERY, id="ES_BARCELONA", start=start, end=end, at=at)
    assert found[0] == name
    assert allowed in found[1]


def test_an_unknown_terminal_is_named(server: httpx.Client) -> None:
    told = error(server, QUERY, id="ES_NOWHERE")
    assert told["extensions"]["type"] == "not-found"
    assert "ES_NOWHERE" in told["message"]
