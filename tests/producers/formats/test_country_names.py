"""Names of countries as files spell them, from one table."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pycountry
import pytest

from producers.formats.country_names import country_code

NAMES = {
    "UAE": "AE",
    "United Arab Emirates (UAE)": "AE",
    "Congo, Dem. Rep.": "CD",
    "Congo, Rep.": "CG",
    "Democratic Republic of the Congo": "CD",
    "DR Congo": "CD",
    "Republic of the Congo": "CG",
    "Congo": "CG",
    "Türkiye": "TR",
    "Turkiye": "TR",
    "Turkey": "TR",
    "Kosovo": "XK",
    "KOS": "XK",
    "Côte d’Ivoire": "CI",
    "Cote d'Ivoire": "CI",
    "Ivory Coast": "CI",
    "Korea, Rep.": "KR",
    "South Korea": "KR",
    "North Korea": "KP",
    "Korea, Dem. People's Rep.": "KP",
    "Iran, Islamic Rep.": "IR",
    "Gambia, The": "GM",
    "The Bahamas": "BS",
    "Czech Republic": "CZ",
    "Hong Kong SAR, China": "HK",
    "Venezuela, RB": "VE",
    "Egypt, Jordan;": "EG",
    "Bosnia & Herzegovina": "BA",
    "U.S.A.": "US",
    "U.S. Virgin Islands": "VI",
    "Viet Nam": "VN",
    "Lao PDR": "LA",
    "SOUTH AFRICA": "ZA",
    "Congo, DR": "CD",
    "D.R. Congo": "CD",
    "U. K.": "GB",
    "P.R. China": "CN",
    "China, Hong Kong SAR": "HK",
    "Taiwan (China)": "TW",
    "Myanmar (Burma)": "MM",
    "Kosovo (UNSCR 1244/99)": "XK",
    "Côte d´Ivoire": "CI",
    "Cote d Ivoire": "CI",
    "St. Lucia": "LC",
    "Dominican Rep.": "DO",
    "Bosnia and Herz.": "BA",
    "Occupied Palestinian Territory": "PS",
    "Holy See": "VA",
    "Thailand-Malaysia": "TH",
    "Brazil & Paraguay": "BR",
    "Argentina/Paraguay": "AR",
    "Guinea-Bissau": "GW",
    "Tanzania, United Rep. of": "TZ",
    "DEU": "DE",
}


@pytest.mark.parametrize(("name", "code"), NAMES.items())
def test_usual_variants_name_their_country(name: str, code: str) -> None:
    assert country_code(name) == code


def test_every_name_and_code_of_iso_3166_names_its_own_country() -> None:
    for country in pycountry.countries:
        for field in ("alpha_2", "alpha_3", "name", "official_name", "common_name"):
            text = getattr(country, field, None)
            if text:
                assert country_code(text) == country.alpha_2, text


@pytest.mark.parametrize(
    "name", ["", "Atlantis", "Unknown", ";", "Europe", "Congo, somewhere", "South China Sea"]
)
def test_what_is_no_country_has_no_code(name: str) -> None:
    assert country_code(name) is None


@pytest.mark.real_data
def test_every_country_of_the_real_files_is_known(real_data: Path) -> None:
    names = set(_real_names(real_data))
    assert len(names) > 200
    assert {name for name in names if country_code(name) is None} == set()


def _real_names(folder: Path) -> Iterator[str]:
    packed = {
        "gem/gem_units_complete.csv.gz": "country",
        "gem/gem_lng_units_complete.csv.gz": "country",
        "reconcile/gem_units.csv.gz": "country",
        "reconcile/jrc_ppdb_units.csv.gz": "country",
        "reconcile/ppm_silver_clusters.csv.gz": "Country",
        "wri/global_power_plant_database_v1.1.0.csv.gz": "country_long",
    }
    for name, column in packed.items():
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            yield from (row[column] for row in csv.DictReader(file))
    plain = {
        "gem/geothermal_2025-03-18.csv": "country/area",
        "wri/global_power_plant_database.csv": "country",
    }
    for name, column in plain.items():
        with (folder / name).open(encoding="utf-8-sig") as file:
            yield from (row[column] for row in csv.DictReader(file))
    with gzip.open(folder / "gem/africa_energy_2024-11-05.geojson.gz", "rt") as file:
        for feature in json.load(file)["features"]:
            yield from filter(None, [feature["properties"]["areas"]])
