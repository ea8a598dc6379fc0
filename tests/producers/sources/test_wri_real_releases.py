"""The real releases v1.3.0 and v1.1.0 with every defect that is known of them."""

import gzip
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from producers.connector import Pull, PullRequest, RawItem
from producers.formats.text_repair import repaired
from producers.http import HttpSource
from producers.run import Envelope, RunOptions
from producers.sources.wri_powerplants import WriConfig, WriPowerPlantsConnector
from streams.core.errors import Rejected
from streams.core.payloads import PowerPlant
from streams.core.records import Mapped
from streams.core.validate import validate
from tests.producers.golden import FALSE_ALARMS, TOLERANCES, doubted

pytestmark = pytest.mark.real_data

HOURS_OF_A_LEAP_YEAR = 8784


@dataclass(frozen=True)
class Release:
    """Items of a file and what became of them."""

    items: Sequence[RawItem]
    plants: dict[str, PowerPlant]
    rejected: dict[str, Rejected]
    flags: Counter[str]
    doubted: int

    def raw(self, record_id: str) -> RawItem:
        """One item."""
        return next(item for item in self.items if item.record_id == record_id)


def read(path: Path) -> Release:
    config = WriConfig(location=str(path))
    connector = WriPowerPlantsConnector(config)
    request = RunOptions().request({})
    pull = Pull({})
    with HttpSource(config.http) as http:
        items = list(connector.pull_or_subscribe(http, PullRequest({}, request.today), pull))
    assert pull.complete
    envelope = Envelope(connector, "run")
    plants, rejected = {}, {}
    flags: Counter[str] = Counter()
    doubts = 0
    for item in items:
        raw = envelope.observed(item)
        mapped = connector.map_to_schema(raw)
        if isinstance(mapped, Mapped):
            mapped = validate(mapped, raw, TOLERANCES)
        if isinstance(mapped, Mapped):
            flags.update(mapped.flags)
            doubts += bool(doubted(mapped))
            assert isinstance(mapped.payload, PowerPlant)
            plants[item.record_id] = mapped.payload
        else:
            rejected[item.record_id] = mapped
    return Release(items, plants, rejected, flags, doubts)


@pytest.fixture(scope="module")
def v1_3_0(real_data: Path) -> Release:
    return read(real_data / "wri" / "global_power_plant_database.csv")


@pytest.fixture(scope="module")
def v1_1_0(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    packed = real_data / "wri" / "global_power_plant_database_v1.1.0.csv.gz"
    path = tmp_path_factory.mktemp("release") / "v1_1_0.csv"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return read(path)


def test_every_plant_of_every_country_can_be_read(v1_3_0: Release) -> None:
    assert (len(v1_3_0.items), len(v1_3_0.plants), v1_3_0.rejected) == (34_936, 34_936, {})
    assert len({plant.country_code for plant in v1_3_0.plants.values()}) == 167
    assert all(plant.country_code for plant in v1_3_0.plants.values()), "XK included"


def test_hardly_any_plant_is_doubted(v1_3_0: Release) -> None:
    assert v1_3_0.doubted <= len(v1_3_0.items) * FALSE_ALARMS


def test_capacity_stays_what_the_database_says_in_total(v1_3_0: Release) -> None:
    total_mw = sum(plant.capacity_mw or 0 for plant in v1_3_0.plants.values())
    assert total_mw / 1000 == pytest.approx(5706.98, abs=0.01)


def test_generation_above_what_a_plant_can_make_is_kept_to_be_flagged(v1_3_0: Release) -> None:
    """AUS0000306 Eraring has the capacity of one unit and the generation of the plant."""
    years = Counter(
        plant_id
        for plant_id, plant in v1_3_0.plants.items()
        for year in plant.generation
        if (year.generation_gwh or 0) * 1000 > (plant.capacity_mw or 0) * HOURS_OF_A_LEAP_YEAR
    )
    assert (len(years), sum(years.values())) == (87, 198)
    assert years["AUS0000306"]


def test_rows_that_share_a_place_or_all_but_the_id_stay_plants_of_their_own(
    v1_3_0: Release,
) -> None:
    twins = Counter(
        (plant.country_code, plant.name, plant.latitude, plant.longitude)
        for plant in v1_3_0.plants.values()
    )
    assert sum(count > 1 for count in twins.values()) >= 95, "repaired names make one more"
    places = Counter((plant.latitude, plant.longitude) for plant in v1_3_0.plants.values())
    assert sum(count for count in places.values() if count > 1) >= 1_038


def test_damaged_names_are_repaired_and_stay_damaged_in_the_raw_record(v1_3_0: Release) -> None:
    changed = {
        item.record_id: (item.item["name"], repaired(item.item["name"]))
        for item in v1_3_0.items
        if repaired(item.item["name"]) != item.item["name"]
    }
    assert changed["WRI1022045"] == ("SvanemÃ¸lle", "Svanemølle")
    assert changed["WRI1022043"] == ("H.C. Ã˜rsted", "H.C. Ørsted")
    assert sum("\x96" in damaged for damaged, _ in changed.values()) == 7
    assert len(changed) == 12
    for plant_id, (damaged, repaired_name) in changed.items():
        assert v1_3_0.plants[plant_id].name == repaired_name.strip()
        assert v1_3_0.raw(plant_id).item["name"] == damaged
    strange = re.compile("[\x00-\x1f\x80-\x9f]|^ | $")
    assert not [plant.name for plant in v1_3_0.plants.values() if strange.search(plant.name)]


def test_portuguese_capitals_only_look_like_damage(v1_3_0: Release) -> None:
    assert v1_3_0.plants["BRA0032788"].name == "SÃO BERNARDO PLAZA"
    assert v1_3_0.plants["BRA0033180"].name == "CEUMA - ASSOCIAÇÃO DE ENSINO SUPERIOR"


def test_damaged_owners_are_repaired(v1_3_0: Release) -> None:
    owners = {plant.owner or "" for plant in v1_3_0.plants.values()}
    assert "Société Algérienne de Production de l’Electricité (SPE)" in owners
    assert "RÜTGERS InfraTec GmbH" in owners
    assert not [owner for owner in owners if "Ã©" in owner or "Ãœ" in owner]


def test_a_space_that_was_encoded_twice_is_a_space_again(v1_3_0: Release) -> None:
    damaged = v1_3_0.raw("WRI1029832").item["source"]
    assert damaged == "Shunde Sheng Power Plant Â Co Ltd"
    assert v1_3_0.plants["WRI1029832"].reported_by == "Shunde Sheng Power Plant \xa0Co Ltd"


def test_negative_generation_is_real_and_zero_is_not_empty(v1_3_0: Release) -> None:
    by_year = Counter(
        year.year
        for plant in v1_3_0.plants.values()
        for year in plant.generation
        if year.generation_gwh is not None and year.generation_gwh < 0
    )
    assert set(by_year) == set(range(2013, 2020))
    assert (min(by_year.values()), max(by_year.values())) == (113, 216)
    zeros = sum(
        year.generation_gwh == 0 for plant in v1_3_0.plants.values() for year in plant.generation
    )
    assert zeros > 0


def test_float_noise_is_kept_as_text_and_read_as_the_number_it_is(v1_3_0: Release) -> None:
    """The notes say that generation is cut to few decimals; it is not."""
    noisy = [
        (item, field)
        for item in v1_3_0.items
        for field in ("generation_gwh_2017", "generation_gwh_2018")
        if re.search(r"\.\d{10,}$", item.item[field] or "")
    ]
    assert noisy
    item, field = noisy[0]
    year = next(
        year
        for year in v1_3_0.plants[item.record_id].generation
        if year.year == int(field.rpartition("_")[2])
    )
    assert year.generation_gwh == float(item.item[field])


def test_years_weighted_by_capacity_keep_their_fraction(v1_3_0: Release) -> None:
    fractions = [
        plant
        for plant in v1_3_0.plants.values()
        if plant.commissioning_year is not None and not plant.commissioning_year.is_integer()
    ]
    assert len(fractions) == 3_048


def test_the_earlier_release_is_read_by_its_own_column_names(v1_1_0: Release) -> None:
    assert len(v1_1_0.items) == 28_664
    assert all(plant.primary_fuel for plant in v1_1_0.plants.values())


def test_a_position_that_is_not_on_earth_is_rejected(v1_1_0: Release) -> None:
    """WRI1071478 is at latitude 330310.39, longitude 1075744.39."""
    rejected = v1_1_0.rejected["WRI1071478"]
    assert (rejected.rule_id, rejected.observed) == ("position_out_of_range", "330310.39")
    assert Counter(one.rule_id for one in v1_1_0.rejected.values())["position_out_of_range"] == 4


def test_plants_with_latitude_and_longitude_in_each_others_place_are_put_right(
    v1_1_0: Release, v1_3_0: Release
) -> None:
    """Thirteen were beyond the pole in v1.1.0, three in the wrong hemisphere in v1.3.0."""
    assert (v1_1_0.flags["position_swapped"], v1_3_0.flags["position_swapped"]) == (13, 3)
    assert v1_3_0.flags["position_sign_lost"] == 0
