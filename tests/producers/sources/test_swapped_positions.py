"""Latitude and longitude swapped beyond 90 degrees: put right alike in every source."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from producers.sources.gem_transmission.grid_network import grid_line, grid_node
from producers.sources.gem_transmission.grid_projects import grid_project
from producers.sources.gem_transmission.lng_terminals import lng_unit
from producers.sources.gem_transmission.power_units import power_unit
from producers.sources.reexplorer.projects import project
from producers.sources.wri_powerplants import COLUMNS, WriPowerPlantsConnector
from streams.core.errors import Rejected
from streams.core.records import Mapped
from streams.core.validate import validate
from tests.core.builders import raw
from tests.core.series import TOLERANCES

LATITUDE, LONGITUDE = 34.4, 135.2
"""In Japan."""

TRACKER = {
    "id": "G1",
    "combo_id": "T000101",
    "name": "Toy",
    "country": "Japan",
    "fuel": "wind",
    "status": "announced",
}
NODE = {"bus_id": "1", "country": "JP", "symbol": "substation"}


def read(latitude: float, longitude: float) -> Iterator[Mapped | Rejected]:
    """The same place in each source, for assets and for ends of lines."""
    row = {**TRACKER, "latitude": str(latitude), "longitude": str(longitude)}
    yield power_unit("G1", row, "GWPT", None)
    yield lng_unit("T1", row, None)
    yield project("G1", row, None)
    node = {**NODE, "x": str(longitude), "y": str(latitude)}
    yield grid_node(node)
    right = {**NODE, "bus_id": "2", "x": "135.5", "y": "34.7"}
    line = {"line_id": "1", "bus0": "1", "bus1": "2", "length": "50000"}
    yield grid_line(line, node, right, link=False)
    yield grid_line(line, right, node, link=False)
    ends = {"x0": str(longitude), "y0": str(latitude), "x1": "135.5", "y1": "34.7"}
    names = {"bus0": "One (JP)", "bus1": "Two (JP)", "project_status": "confirmed"}
    yield grid_project({"": "P1", **ends, **names}, "manual_new_lines")
    plant: dict[str, object] = {
        **dict.fromkeys(COLUMNS),
        **{"gppd_idnr": "TOY1", "name": "Toy", "country": "JPN", "primary_fuel": "Wind"},
        **{"capacity_mw": "5", "latitude": str(latitude), "longitude": str(longitude)},
        "extra": {},
    }
    yield WriPowerPlantsConnector.map_to_schema(replace(raw(), item=plant))


def test_swapped_positions_are_put_right_in_every_source() -> None:
    for swapped, right in zip(read(LONGITUDE, LATITUDE), read(LATITUDE, LONGITUDE), strict=True):
        assert isinstance(swapped, Mapped)
        assert isinstance(right, Mapped)
        found = validate(swapped, raw(), TOLERANCES)
        expected = validate(right, raw(), TOLERANCES)
        assert isinstance(found, Mapped)
        assert isinstance(expected, Mapped)
        assert found.payload == expected.payload
        assert set(found.flags) == {*expected.flags, "position_swapped"}
        assert {one.rule_id for one in found.corrections} == {"position_swapped"}
        assert len(found.corrections) == 2


@pytest.mark.parametrize("position", [(135.2, 95.0), (95.0, 200.0), (330310.39, 1075744.39)])
def test_a_position_that_no_slip_explains_is_rejected_in_every_source(
    position: tuple[float, float],
) -> None:
    for found in read(*position):
        assert isinstance(found, Mapped)
        verdict = validate(found, raw(), TOLERANCES)
        assert isinstance(verdict, Rejected)
        assert verdict.rule_id == "position_out_of_range"
