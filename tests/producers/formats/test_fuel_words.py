"""Fuel words by whole words: words that begin like others, codes, every word of real files."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from producers.formats.fuel_words import fuel_of, fuels_of
from streams.core.vocabulary import FUELS

WORDS = {
    "coalbed methane": "gas",
    "coal mine methane": "gas",
    "fossil gas: coalbed methane": "gas",
    "gasoline": "oil",
    "gas oil": "oil",
    "Gasoil": "oil",
    "oil shale": "oil",
    "waste heat": "other",
    "waste oil": "oil",
    "waste coal": "coal",
    "Fossil Brown coal/Lignite": "coal",
    "fossil liquids: petroleum coke": "petcoke",
    "fossil liquids: waste/other oil": "oil",
    "bioenergy: refuse (landfill gas)": "waste",
    "bioenergy: wastewater and sewage sludge (solids or biogas)": "biomass",
    "industrial by-product: ": "other",
    "other: hydrogen (green) [35%]": "other",
    "Utility-scale solar": "solar",
    "Wave and Tidal": "wave_and_tidal",
    "NG": "gas",
    "LNG": "gas",
    "FO": "oil",
    "HFO": "oil",
    "D": "oil",
    "Solid Biomass": "biomass",
    "bioenergy - refuse (municipal and industrial wastes)": "waste",
    "bioenergy - agricultural waste (solids)": "biomass",
    "CR": "oil",
    "COKE": "petcoke",
    "CM": "gas",
}


@pytest.mark.parametrize(("text", "fuel"), WORDS.items())
def test_a_word_is_the_fuel_that_it_names_not_the_one_it_begins_like(text: str, fuel: str) -> None:
    assert fuel_of(text) == fuel


@pytest.mark.parametrize(
    ("text", "fuels"),
    [
        ("NG, FO", ("gas", "oil")),
        ("NG/FO", ("gas", "oil")),
        ("NG, S", ("gas", "solar")),
        ("HFO; D; LNG", ("oil", "gas")),
        ("fossil gas: natural gas [65%], other: hydrogen (green) [35%]", ("gas", "other")),
        ("Coal and biomass", ("coal", "biomass")),
        ("fossil gas: natural gas, unknown", ("gas",)),
        ("bioenergy: refuse (wood & waste), bioenergy: wood & other biomass", ("waste", "biomass")),
    ],
)
def test_lists_of_fuels_keep_their_order(text: str, fuels: tuple[str, ...]) -> None:
    assert fuels_of(text) == (fuels, None)


@pytest.mark.parametrize("text", ["moonshine", "gasket", "coaltar", "windmilling", "oily"])
def test_a_word_that_only_begins_like_a_fuel_is_none(text: str) -> None:
    assert fuels_of(text) == ((), text)


REAL = {
    "bioenergy": "biomass",
    "bioenergy: refuse": "waste",
    "biogas": "biomass",
    "biomass": "biomass",
    "coal": "coal",
    "cogeneration": "cogeneration",
    "fossil brown coal": "coal",
    "fossil coal-derived gas": "other",
    "fossil gas": "gas",
    "fossil hard coal": "coal",
    "fossil liquids": "oil",
    "fossil liquids: petroleum coke": "petcoke",
    "fossil oil": "oil",
    "fossil oil shale": "oil",
    "fossil peat": "other",
    "gas": "gas",
    "geothermal": "geothermal",
    "hard coal": "coal",
    "hydro": "hydro",
    "industrial by-product": "other",
    "lignite": "coal",
    "marine": "wave_and_tidal",
    "natural gas": "gas",
    "nuclear": "nuclear",
    "oil": "oil",
    "other": "other",
    "petcoke": "petcoke",
    "solar": "solar",
    "solid biomass": "biomass",
    "storage": "storage",
    "waste": "waste",
    "wave and tidal": "wave_and_tidal",
    "wind": "wind",
}
"""Beginnings of the words in the real files; the longest that fits says what a word is."""


@pytest.mark.real_data
def test_every_fuel_word_of_the_real_files_is_the_fuel_that_it_names(real_data: Path) -> None:
    words = set(_real_words(real_data))
    assert len(words) > 100
    expected = {
        word: REAL[max((name for name in REAL if word.lower().startswith(name)), key=len)]
        for word in words
    }
    assert {word: fuel_of(word) for word in words} == expected
    assert set(expected.values()) == FUELS


def _real_words(folder: Path) -> Iterator[str]:
    columns = {
        "gem/gem_units_complete.csv.gz": ["fuel"],
        "reconcile/gem_units.csv.gz": ["fuel"],
        "reconcile/gppd_plants.csv.gz": ["primary_fuel", "other_fuel1", "other_fuel2"],
        "reconcile/jrc_ppdb_units.csv.gz": ["type_g"],
        "reconcile/ppm_silver_clusters.csv.gz": ["Fueltype"],
        "wri/global_power_plant_database_v1.1.0.csv.gz": ["fuel1", "fuel2", "fuel3", "fuel4"],
    }
    for name, fields in columns.items():
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield from _entries(row[field] for field in fields)
    with (folder / "wri/global_power_plant_database.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield from _entries(row[name] for name in ("primary_fuel", "other_fuel1"))
    with gzip.open(folder / "gem/africa_energy_2024-11-05.geojson.gz", "rt") as file:
        for feature in json.load(file)["features"]:
            yield from _entries([feature["properties"]["fuel"]])


def _entries(texts: Iterator[str] | list[str]) -> Iterator[str]:
    for text in texts:
        yield from (part for part in (text or "").split(", ") if part.strip())
