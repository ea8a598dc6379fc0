"""What is next to what, whoever comes first and whatever goes away again."""

from hypothesis import given
from hypothesis import strategies as st

from streams.core import contract_types as avro
from streams.core.keys import asset_id
from streams.core.regions import EUROPE
from tests.core.reconcile.builders import (
    NLR,
    alsi_terminal,
    cell,
    gem_terminal,
    gppd,
    line,
    substation,
    withdrawal,
)
from tests.core.reconcile.real_records import ALSI, GEM, GPPD
from tests.core.reconcile.regions import Regions

SOLAR_ID = asset_id("power_plant", GPPD, "WRI1")
SOLAR = gppd("WRI1", "Sunny", primary_fuel="solar")
WIND = gppd("WRI2", "Windy", primary_fuel="wind", latitude=50.3)
COAL = gppd("WRI3", "Sooty", latitude=50.6)
FAR, NEAR = cell("far", 50.05), cell("near", 50.01)


def links(regions: Regions, record: str) -> dict[str, str]:
    return {link["relation"]: link["record_id"] for link in regions.current[record]["links"]}


def all_links(regions: Regions) -> dict[str, dict[str, str]]:
    """Of every live asset; ids that were merged or withdrawn on the way depend on the way."""
    return {record: links(regions, record) for record in regions.members()}


def of(record_id: str) -> str:
    return asset_id("renewable_resource", NLR, record_id, EUROPE)


def test_solar_and_wind_plants_name_the_nearest_cell_of_their_kind() -> None:
    wind_cell = cell("wind", 50.31, "wind_dataset")
    regions = Regions().apply_all([SOLAR, WIND, COAL, FAR, NEAR, wind_cell])
    assert links(regions, SOLAR_ID) == {"resource_solar": of("near")}
    assert links(regions, asset_id("power_plant", GPPD, "WRI2")) == {
        "resource_wind_dataset": of("wind")
    }
    assert links(regions, asset_id("power_plant", GPPD, "WRI3")) == {}


def test_a_cell_outside_coverage_or_out_of_reach_is_none() -> None:
    outside, beyond = cell("outside", 50.0, coverage="outside"), cell("beyond", 52.5)
    regions = Regions().apply_all([outside, beyond, SOLAR])
    assert links(regions, SOLAR_ID) == {}


def test_a_cell_that_goes_away_gives_way_to_the_next_one() -> None:
    regions = Regions().apply_all([SOLAR, NEAR, FAR])
    before = regions.current[SOLAR_ID]["version"]
    regions.apply(withdrawal(NEAR, 600_000))
    assert links(regions, SOLAR_ID) == {"resource_solar": of("far")}
    assert regions.current[SOLAR_ID]["version"] > before


def test_a_terminal_has_one_series_for_each_operator_and_the_facts_of_the_tracker() -> None:
    former, present = alsi_terminal("59W1", "26X1", "retired"), alsi_terminal("59W1", "59X1")
    regions = Regions().apply_all(
        [former, gem_terminal("LNG1", "Panigaglia LNG Terminal"), present]
    )
    (terminal,) = [one for one in regions.current.values() if one["status"] == "current"]
    series = [link["record_id"] for link in terminal["links"] if link["relation"] == "time_series"]
    assert series == [f"{ALSI}:59W1/26X1", f"{ALSI}:59W1/59X1"]
    content = terminal["lng_terminal"]
    assert (content["capacity_mtpa"], content["status"], content["start_year"]) == (
        2.5,
        "operating",
        1971,
    )
    assert content["dtmi_gwh"] == 600.0
    assert content["operator"] == "59X1"


events = st.permutations(
    [
        SOLAR,
        WIND,
        FAR,
        NEAR,
        withdrawal(FAR, 600_000),
        cell("wind", 50.31, "wind_dataset"),
        substation("S1", 50.02, 10.0),
        substation("S2", 50.0, 10.5),
        line("T1", "S1", (50.0, 10.5)),
        alsi_terminal("59W1", "26X1", "retired"),
        alsi_terminal("59W1", "59X1"),
        gem_terminal("LNG1", "Panigaglia LNG Terminal"),
    ]
)


@given(events, events)
def test_links_do_not_depend_on_the_order(
    one: list[avro.NormalizedAsset], other: list[avro.NormalizedAsset]
) -> None:
    found = all_links(Regions().apply_all(one))
    assert found == all_links(Regions().apply_all(other))
    assert found[SOLAR_ID] == {
        "nearest_substation": asset_id("substation", GEM, "S1", EUROPE),
        "resource_solar": of("near"),
    }
    ends = found[asset_id("transmission_line", GEM, "T1", EUROPE)]
    assert ends == {
        "from_substation": asset_id("substation", GEM, "S1", EUROPE),
        "to_substation": asset_id("substation", GEM, "S2", EUROPE),
    }
