"""JRC Open Power Plants Database: units of European plants in one packed CSV file."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pycountry

from producers.config import SourceConfig
from producers.connector import InfrastructureConnector, Pull, PullRequest, RawItem, StreamInfo
from producers.formats.reading import UnreadableNumberError, number
from producers.http import HttpSource
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import PlantUnit, PowerPlant
from streams.core.records import Mapped, RawRecord

FUELS = (
    ("Hydro", "hydro"),
    ("Wind", "wind"),
    ("Fossil Gas", "gas"),
    ("Fossil Coal-derived", "gas"),
    ("Fossil Oil shale", "coal"),
    ("Fossil Oil", "oil"),
    ("Fossil", "coal"),
    ("Solar", "solar"),
    ("Nuclear", "nuclear"),
    ("Biomass", "biomass"),
    ("Waste", "waste"),
    ("Geothermal", "geothermal"),
    ("Marine", "wave_and_tidal"),
)
_STATUSES = {
    "COMMISSIONED": "operating",
    "RESERVE": "operating",
    "DECOMMISSIONED": "retired",
    "MOTHBALLED": "mothballed",
    "CONSTRUCTION": "construction",
}


class JrcPpdbConfig(SourceConfig):
    """`config/jrc_ppdb.yaml`."""

    location: Path


class JrcPpdbConnector(InfrastructureConnector):
    """Units of the database; all units of a plant are one entity."""

    name = "jrc_ppdb"
    source_id = "jrc_ppdb"
    licence = "CC-BY-4.0"
    attribution = "European Commission, Joint Research Centre"
    config_model: ClassVar[type[SourceConfig]] = JrcPpdbConfig
    config: JrcPpdbConfig

    def __init__(self, config: JrcPpdbConfig) -> None:
        super().__init__(config)

    @classmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """The one list there is."""
        return (StreamInfo("units", "power_plant", "Units of European power plants."),)

    def pull_or_subscribe(
        self, http: HttpSource, request: PullRequest, pull: Pull
    ) -> Iterator[RawItem]:
        """Yield every unit of the file."""
        with gzip.open(self.config.location, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                item = {name: text or None for name, text in row.items()}
                # Neither code tells all units apart.
                record_id = f"{row['eic_p']}/{row['eic_g'] or row['name_g']}"
                yield RawItem("units", record_id, item, None, None, self.config.location.name)
        pull.complete = True

    @staticmethod
    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        """Convert one unit. Units: degrees, MW. Empty means not reported."""
        item = raw.item or {}
        name = item["name_p"] or item["name_g"] or item["eic_p"]
        if not item["eic_p"] or not name:
            return reject_rules.MISSING_ID.reject()
        try:
            latitude, longitude = number(item["lat"], "lat"), number(item["lon"], "lon")
            capacity_mw = number(item["capacity_g"], "capacity_g")
            start = number(item["year_commissioned"], "year_commissioned")
            end = number(item["year_decommissioned"], "year_decommissioned")
        except UnreadableNumberError as error:
            return reject_rules.UNREADABLE_NUMBER.reject(
                error.text, field=error.field, limit="a number"
            )
        kind = item["type_g"] or ""
        fuel = next((fuel for text, fuel in FUELS if kind.startswith(text)), "other")
        status = _STATUSES.get(item["status_g"] or "", "operating")
        start_year = None if start is None else int(start)
        unit = PlantUnit(
            raw.record_id,
            item["name_g"],
            capacity_mw,
            item["type_g"],
            None,
            status,
            start_year,
            None if end is None else int(end),
        )
        return Mapped(
            item["eic_p"],
            PowerPlant(
                name=name,
                country_code=_country_code(item["country"] or ""),
                latitude=latitude,
                longitude=longitude,
                capacity_mw=capacity_mw,
                primary_fuel=fuel,
                other_fuels=(),
                commissioning_year=start_year,
                status=status,
                owner=None,
                capacity_year=None,
                reported_by=None,
                report_url=None,
                position_source=None,
                plant_ids_wepp=(),
                generation_reported_by=None,
                generation=(),
                units=(unit,),
            ),
        )


def _country_code(name: str) -> str | None:
    try:
        return str(pycountry.countries.lookup(name).alpha_2)
    except LookupError:
        return {"Kosovo": "XK", "Turkey": "TR", "Czechia": "CZ"}.get(name)
