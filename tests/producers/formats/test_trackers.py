"""Which tracker a row, a sheet or a file is of, by names, technologies and columns."""

import pytest

from producers.formats.power_columns import tracker_of_rows
from producers.formats.trackers import (
    is_lng_tracker,
    is_other_tracker,
    tracker_code,
    tracker_of_technology,
)

NAMES = {
    "GSPT": ("GSPT", "gspt", "GSPT-Africa", "Solar", "utility-scale solar", "solar power plant"),
    "GWPT": ("GWPT-eu", "Wind", "Global Wind Power Tracker", "wind farm"),
    "GOGPT": ("oil/gas", "oil-gas-plant", "Oil & Gas Plants", "oil & gas power station"),
    "GCPT": ("coal-plant", "Coal Plants", "coal power station"),
    "GGTPT": ("GGPT", "Geothermal", "geothermal power plant"),
    "GHPT": ("hydropower", "Hydropower plant"),
    "GNPT": ("Nuclear",),
    "GBPT": ("bioenergy", "bioenergy-plant", "bioenergy power station"),
}
OTHERS = (
    *("GCMT", "GCTT", "GGIT", "GGIT-lng", "GGIT - import", "GOGET - oil", "GOIT", "EGT-gas"),
    *("Coal Mines", "coal terminal", "Oil & Gas Extraction", "Gas Pipelines", "LNG Terminals"),
)


@pytest.mark.parametrize(
    ("name", "code"), [(name, code) for code, names in NAMES.items() for name in names]
)
def test_a_tracker_is_known_by_every_name_it_is_called(name: str, code: str) -> None:
    assert tracker_code(name) == code
    assert not is_other_tracker(name)


@pytest.mark.parametrize("name", OTHERS)
def test_trackers_of_other_things_are_none_of_power(name: str) -> None:
    assert is_other_tracker(name)
    assert tracker_code(name) is None


@pytest.mark.parametrize("name", [None, "", "flash steam", "20 MW+", "Below Threshold", "Data"])
def test_what_names_no_tracker_says_nothing(name: str | None) -> None:
    assert tracker_code(name) is None
    assert not is_other_tracker(name)
    assert not is_lng_tracker(name)


@pytest.mark.parametrize("name", ["GGIT-lng", "GGIT - import", "LNG Terminals", "EGT-term"])
def test_the_lng_layer_has_several_names(name: str) -> None:
    assert is_lng_tracker(name)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("flash steam - single", "GGTPT"),
        ("pressurized water reactor", "GNPT"),
        ("Offshore hard mount", "GWPT"),
        ("Assumed PV", "GSPT"),
        ("combined cycle", "GOGPT"),
        ("pumped storage", "GHPT"),
        ("ultra-supercritical", "GCPT"),
        ("Floating", None),
        ("Unknown", None),
        ("wind and solar", None),
    ],
)
def test_words_for_a_technology_are_of_one_tracker(text: str, code: str | None) -> None:
    assert tracker_of_technology(text) == code


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([{"Reactor Type": ""}], "GNPT"),
        ([{"Installation Type": "Unknown"}], "GWPT"),
        ([{"technology": "binary cycle"}, {"technology": "unknown"}], "GGTPT"),
        ([{"technology": "binary cycle"}, {"technology": "pumped storage"}], None),
        ([{"tracker": "GSPT", "Installation Type": ""}], None),
        ([{"sheet": "Coal Plants", "Combustion technology": "CFB"}], None),
        ([{"fuel": "coal"}], None),
        ([], None),
    ],
)
def test_a_file_without_a_column_for_it_is_of_the_tracker_whose_columns_it_has(
    rows: list[dict[str, str]], code: str | None
) -> None:
    """Where rows say theirs, the file as a whole says nothing."""
    assert tracker_of_rows(rows) == code
