"""Fuel words by whole words: words that begin like others, codes, every word of real files."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from producers.errors import SourceError
from producers.formats.fuel_words import fuel_of, fuels_of
from producers.formats.tracker_columns import plain_name
from producers.formats.tracker_files import columns_of, measure, read_rows
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


_FUEL_COLUMN = re.compile(r"(primary_|other_)?fuel_?\d?|fueltype|type_g")
_OTHER_COLUMN = re.compile(r"(count|capacity_gw)_.*|fuel_type_code")
"""Sums by fuel, and what vehicles fill up with."""


def _real_words(folder: Path) -> Iterator[str]:
    """Words of every column for fuels in every file there is, whatever the folder has by then."""
    for path in sorted(folder.rglob("*")):
        try:
            columns = columns_of(path) if path.is_file() else frozenset[str]()
        except SourceError:
            continue  # a page about the files, or an answer of another service
        fuels = {name for name in columns if _FUEL_COLUMN.fullmatch(name)}
        strange = {name for name in columns - fuels if "fuel" in name}
        assert all(map(_OTHER_COLUMN.fullmatch, strange)), (path, strange)
        if fuels:
            for row in read_rows(measure(path)):
                yield from _entries(
                    [text for name, text in row.items() if plain_name(name) in fuels]
                )


def _entries(texts: list[str]) -> Iterator[str]:
    for text in texts:
        yield from (part for part in (text or "").split(", ") if part.strip())
