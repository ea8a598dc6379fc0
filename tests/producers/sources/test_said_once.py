"""What is wrong with the place of a plant, terminal or project is said once, not of each unit."""

from collections.abc import Sequence
from pathlib import Path

from producers.config import load_config
from producers.connector import InfrastructureConnector, RawItem
from producers.run import Envelope
from producers.sources.gem_transmission.config import GemConfig
from producers.sources.gem_transmission.connector import GemTransmissionConnector
from streams.core.records import Mapped
from streams.core.validate import validate
from tests.producers.golden import TOLERANCES
from tests.producers.sources.test_gem_transmission import Lists
from tests.producers.sources.test_reexplorer import Run, Service, connector

HEADER = "gem_location_id,gem_unit_id,country,plant_name,fuel,capacity_mw,status,latitude,longitude"
GEM = GemTransmissionConnector(load_config("gem_transmission", GemConfig, {}))
OUTSIDE, INSIDE = "40.0,-100.0", "46.5,2.5"
"""Of France."""


def table(*rows: tuple[str, str, str, str, str]) -> str:
    """Rows of a location, a unit, a fuel, a status and a position."""
    lines = [
        f"{site},{unit},France,Plant {site},{fuel},50,{status},{position}"
        for site, unit, fuel, status, position in rows
    ]
    return "\n".join([HEADER, *lines, ""])


def verdicts(source: InfrastructureConnector, items: Sequence[RawItem]) -> dict[str, Mapped]:
    """What becomes of every item that is accepted."""
    envelope = Envelope(source, "test")
    found = {}
    for item in items:
        raw = envelope.observed(item)
        mapped = source.map_to_schema(raw)
        if isinstance(mapped, Mapped):
            accepted = validate(mapped, raw, TOLERANCES)
            assert isinstance(accepted, Mapped)
            found[item.record_id] = accepted
    return found


def flags(found: dict[str, Mapped]) -> dict[str, tuple[str, ...]]:
    return {record_id: mapped.flags for record_id, mapped in found.items()}


def test_a_wrong_position_of_a_plant_flags_the_first_unit_that_can_be_read(tmp_path: Path) -> None:
    lists = Lists(tmp_path, GEM_STREAMS="power_units")
    lists.write(
        "units.csv",
        table(
            ("L1", "G0", "coal", "no such status", OUTSIDE),
            ("L1", "G1", "coal", "operating", OUTSIDE),
            ("L1", "G2", "coal", "operating", OUTSIDE),
            ("L1", "G3", "coal", "operating", "40.1,-100.0"),
            ("L2", "G4", "coal", "operating", OUTSIDE),
            ("L2", "G5", "coal", "operating", INSIDE),
        ),
    )
    items, _ = lists.pull()
    found = flags(verdicts(GEM, items))
    outside = ("position_outside_country",)
    assert found == {"G1": outside, "G2": (), "G3": outside, "G4": outside, "G5": ()}


def test_every_unit_is_put_where_it_belongs(tmp_path: Path) -> None:
    lists = Lists(tmp_path, GEM_STREAMS="power_units")
    swapped = [("L1", f"G{number}", "coal", "operating", "2.5,46.5") for number in range(3)]
    lists.write("units.csv", table(*swapped))
    items, _ = lists.pull()
    found = verdicts(GEM, items)
    assert [mapped.flags for mapped in found.values()] == [("position_swapped",), (), ()]
    for mapped in found.values():
        assert getattr(mapped.payload, "latitude", None) == 46.5
        assert {one.rule_id for one in mapped.corrections} == {"position_swapped"}


def test_a_wrong_position_of_a_project_flags_one_phase(tmp_path: Path) -> None:
    path = tmp_path / "projects.csv"
    path.write_text(
        table(
            ("L1", "G1", "wind", "announced", OUTSIDE),
            ("L1", "G2", "wind", "announced", OUTSIDE),
            ("L1", "G3", "solar", "announced", OUTSIDE),
        )
    )
    source = connector(points=[], project_files=[str(path)])
    found = flags(verdicts(source, Run(source, Service()).items))
    outside = ("position_outside_country",)
    assert found == {"G1": outside, "G2": (), "G3": outside}
