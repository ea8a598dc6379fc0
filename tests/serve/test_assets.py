"""One asset: now, as it was known, every version, and why a field has its value."""

from tests.serve.client import Api


def test_an_asset_has_members_and_provenance(api: Api) -> None:
    found = api.get("assets/plant-2").json()
    assert (found["kind"], found["name"], found["country_code"]) == (
        "power_plant",
        "Łódź Północ",
        "PL",
    )
    assert found["members"][0]["lineage"] == {
        "topic": "raw.power_plant",
        "partition": 2,
        "offset": 17,
    }
    assert found["provenance"][0]["rule"] == "only_source"


def test_an_asset_is_answered_as_it_was_known(api: Api) -> None:
    def flags(known_at: str) -> object:
        return api.get(f"assets/plant-1?known_at={known_at}").json()["flags"]

    assert flags("2026-01-15T00:00:00Z") == ["capacity_odd"]
    assert flags("2026-03-01T00:00:00%2B01:00") == ["second"]
    unknown = api.get("assets/plant-1?known_at=2025-01-01T00:00:00Z")
    assert unknown.status_code == 404


def test_every_version_and_vintage_is_listed(api: Api) -> None:
    versions = api.data("assets/plant-1?revisions=all")
    assert [one["flags"] for one in versions] == [["second"], ["capacity_odd"]]
    vintages = api.data("assets/plant-1/vintages")
    assert [one["version"] for one in vintages] == ["2", "1"]
    assert [one["partition"] for one in vintages] == [1, 1]
    assert vintages[0]["known_at"] > vintages[1]["known_at"]


def test_of_what_became_known_at_once_the_last_is_a_vintage(api: Api) -> None:
    def statuses(path: str) -> list[object]:
        return [one["record_status"] for one in api.data(f"assets/plant-9{path}")]

    assert statuses("?revisions=all") == ["merged", "current"]
    assert statuses("/vintages") == ["merged"]


def test_unknown_merged_and_withdrawn_ids_are_told_apart(api: Api) -> None:
    unknown = api.get("assets/nothing")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "not-found")
    merged = api.get("assets/plant-9?known_at=2100-01-01T00:00:00Z")
    assert merged.status_code == 308
    assert merged.headers["location"].endswith("/assets/plant-1?known_at=2100-01-01T00:00:00Z")
    why = api.get("assets/plant-9/why?field=name")
    assert why.headers["location"].endswith("/assets/plant-1/why?field=name")
    withdrawn = api.get("assets/plant-8")
    assert (withdrawn.status_code, withdrawn.json()["type"]) == (410, "withdrawn")
    assert withdrawn.json()["last_version"]["record_id"] == "plant-8"


def test_a_value_is_followed_to_its_raw_record_and_the_values_that_lost(api: Api) -> None:
    (plant,) = api.data("power-plants?limit=1&fuel_type=wind&min_capacity_mw=1&source=jrc_ppdb")
    why = api.get(f"assets/{plant['record_id']}/why?field=capacity_mw").json()
    assert why["value"] == plant["capacity_mw"]
    assert why["rule"] == "priority"
    assert (why["source"]["raw_topic"], why["source"]["raw_offset"]) == ("raw.power_plant", 17)
    (lost,) = why["losing"]
    assert lost["value"].startswith("another value")
    assert lost["source"]["source_id"] != why["source"]["source_id"]
    sources = [why["source"], *(one["source"] for one in why["losing"])]
    for source in sources:
        known = source["source_id"] in ("gem_transmission", "wri_powerplants")
        assert ("capacity_mw" in source["upstream_fields"]) == known
    assert api.get("assets/plant-2/why?field=owner").status_code == 404
    assert api.get("assets/plant-2/why?field=no_field").status_code == 404
    assert api.get("assets/plant-2/why").json()["errors"][0]["parameter"] == "field"


def test_health_says_how_far_data_are_stored(api: Api) -> None:
    assert api.client.get("/live").json() == {"live": True}
    ready = api.client.get("/ready")
    assert ready.status_code == 200
    # Tests of decisions and raw records load some more.
    assert ready.json()["stored_up_to"]["1"] >= 8
