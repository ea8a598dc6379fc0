"""Cells with words where a number belongs: null with a reason, or taken from where it is."""

import pytest

from producers.formats.odd_cells import OddCells, decimal_number, grouped_number, year_in
from producers.formats.reading import UnreadableNumberError
from producers.formats.tracker_columns import Columns
from producers.sources.gem_transmission.lng_terminals import lng_unit
from producers.sources.gem_transmission.power_units import power_unit
from producers.sources.reexplorer.projects import project
from streams.core import flag_rules
from streams.core.payloads import LngTerminal, PowerPlant, RenewableProject
from streams.core.records import Mapped

PLANT = {
    "GEM unit/phase ID": "G1",
    "GEM location ID": "L1",
    "Plant name": "Toy",
    "Country/area": "India",
    "Fuel": "coal",
    "Status": "operating",
    "Capacity (MW)": "50",
    "Latitude": "20",
    "Longitude": "80",
}
TERMINAL = {
    "ComboID": "T000101",
    "TerminalID": "T0001",
    "TerminalName": "Toy",
    "Country": "Japan",
    "Status": "operating",
}


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2025", 2025),
        ("2025.0", 2025),
        ("2025-2026", 2025),
        ("2025?", 2025),
        ("2025-07-01T00:00:00", 2025),
        ("Presumed 2025", 2025),
        ("c. 2025", 2025),
        ("Q3 2025", 2025),
        ("between 2025 and 2026", None),
        ("Presumed", None),
        ("soon", None),
        ("45658", None),
        ("1", None),
    ],
)
def test_a_year_is_read_where_there_is_one(text: str, year: int | None) -> None:
    assert year_in(text) == year


@pytest.mark.parametrize(
    ("text", "number"), [("1,234.5", 1234.5), ("1,234", 1234.0), ("12,5", 12.5), ("-3", -3.0)]
)
def test_commas_part_thousands_or_are_the_decimal_point(text: str, number: float) -> None:
    assert grouped_number(text, "capacity") == number
    with pytest.raises(UnreadableNumberError):
        grouped_number("12,34,5", "capacity")
    assert decimal_number("48,123", "latitude") == 48.123


@pytest.mark.parametrize("word", ["Presumed", "soon", "to be decided"])
def test_words_in_a_year_cost_the_year_not_the_unit(word: str) -> None:
    for name, unit in (("Start year", PLANT), ("Retired year", PLANT)):
        found = power_unit("G1", {**unit, name: word}, "GCPT", None)
        assert isinstance(found, Mapped)
        assert isinstance(found.payload, PowerPlant)
        assert (found.flags, found.payload.capacity_mw) == (("year_unreadable",), 50.0)
        assert found.payload.units[0].start_year is None
    terminal = lng_unit("T1", {**TERMINAL, "StartYear1": word}, None)
    assert isinstance(terminal, Mapped)
    assert terminal.flags == ("year_unreadable",)
    phase = {**PLANT, "Fuel": "wind", "Status": "announced", "Start year": word}
    planned = project("G1", phase, None)
    assert isinstance(planned, Mapped)
    assert planned.flags == ("year_unreadable",)


def test_of_two_countries_of_a_plant_the_first_counts() -> None:
    columns = {**PLANT, "Country/Area 1": "Brazil", "Country/Area 2": "Paraguay"}
    del columns["Country/area"]
    found = power_unit("G1", {**columns, "Latitude": "", "Longitude": ""}, "GHPT", None)
    assert isinstance(found, Mapped)
    assert isinstance(found.payload, PowerPlant)
    assert found.payload.country_code == "BR"


def test_words_in_other_figures_cost_the_figure_not_the_unit() -> None:
    found = power_unit("G1", {**PLANT, "Capacity (MW)": "50-60"}, "GCPT", None)
    assert isinstance(found, Mapped)
    assert found.flags == ("capacity_unreadable",)
    found = power_unit("G1", {**PLANT, "Latitude": "unclear"}, "GCPT", None)
    assert isinstance(found, Mapped)
    assert isinstance(found.payload, PowerPlant)
    assert (found.flags, found.payload.longitude) == (("position_unreadable",), None)
    phase = {**PLANT, "Fuel": "wind", "Status": "announced", "Capacity (MW)": "about 50"}
    planned = project("G1", phase, None)
    assert isinstance(planned, Mapped)
    assert isinstance(planned.payload, RenewableProject)
    assert (planned.flags, planned.payload.capacity_mw) == (("capacity_unreadable",), None)


@pytest.mark.parametrize(
    ("columns", "capacity_mtpa", "flags"),
    [
        ({"Capacity": "900000", "CapacityUnits": "gal/day", "CapacityInMtpa": "0.5"}, 0.5, ()),
        ({"Capacity": "TBD", "CapacityUnits": "bcm/y", "CapacityInMtpa": "2"}, 2.0, ()),
        ({"Capacity": "1.36", "CapacityUnits": "bcm/y", "CapacityInMtpa": "2"}, 1.0, ()),
        ({"Capacity": "", "CapacityInBcm/y": "1.36"}, 1.0, ()),
        ({"Capacity": "900000", "CapacityUnits": "gal/day"}, None, ("capacity_unreadable",)),
        ({"Capacity": "7", "capacity-text": "7 barrels"}, None, ("capacity_unreadable",)),
        ({"Capacity": "some"}, None, ("capacity_unreadable",)),
        ({"Capacity": "3.7"}, 3.7, ()),
        ({"capacity-text": "1,000.0 MTPA of natural gas", "Capacity": "1000"}, 1000.0, ()),
    ],
)
def test_a_capacity_is_taken_from_the_column_that_has_it(
    columns: dict[str, str], capacity_mtpa: float | None, flags: tuple[str, ...]
) -> None:
    found = lng_unit("T1", {**TERMINAL, **columns}, None)
    assert isinstance(found, Mapped)
    assert isinstance(found.payload, LngTerminal)
    assert (found.payload.capacity_mtpa, found.flags) == (capacity_mtpa, flags)


def test_a_column_with_words_is_passed_over_for_one_with_a_number() -> None:
    row = Columns({"capacity_mw": "see note", "capacity": "12"})
    assert row.capacity("capacity_mw", "capacity") == 12.0
    assert row.flags == ()
    odd = OddCells()
    assert odd.number("many", flag_rules.FIGURE_UNREADABLE) is None
    assert odd.flags == ("figure_unreadable",)


def test_a_capacity_of_zero_costs_the_capacity_not_the_unit() -> None:
    plant = power_unit("G1", {**PLANT, "Capacity (MW)": "0"}, "GCPT", None)
    terminal = lng_unit("T1", {**TERMINAL, "Capacity": "0.0"}, None)
    phase = {**PLANT, "Fuel": "wind", "Status": "announced", "Capacity (MW)": "-1"}
    for found in (plant, terminal, project("G1", phase, None)):
        assert isinstance(found, Mapped)
        assert found.flags == ("capacity_not_positive",)
        for field in {"capacity_mw", "capacity_mtpa"} & set(found.payload.field_names()):
            assert getattr(found.payload, field) is None


@pytest.mark.parametrize(
    ("text", "count", "flagged"),
    [("2", 2, False), ("2.0", 2, False), ("-", None, False), (None, None, False)]
    + [(text, None, True) for text in ("1.5", "-1", "3000000000", "1e308", "two")],
)
def test_a_count_is_a_whole_number_that_a_contract_has_room_for(
    text: str | None, count: int | None, flagged: bool
) -> None:
    odd = OddCells()
    assert odd.count(text, flag_rules.FIGURE_UNREADABLE) == count
    assert bool(odd.flags) == flagged


@pytest.mark.parametrize("column", ["OtherEnglishNames", "other-names", "LocalNames"])
def test_other_names_of_a_terminal_are_read_from_every_spelling(column: str) -> None:
    found = lng_unit("T1", {**TERMINAL, column: "Toy Two; Toy Three"}, None)
    assert isinstance(found, Mapped)
    assert isinstance(found.payload, LngTerminal)
    assert found.payload.aliases == ("Toy Three", "Toy Two")
