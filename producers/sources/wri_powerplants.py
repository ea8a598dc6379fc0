"""WRI Global Power Plant Database: a CSV file of power plants, released as a zip.

Host: an S3 bucket, no key, no limits. Last release v1.3.0 of 2021-06-02, so nearly every run finds
nothing new: by ETag, or by the hash of the CSV. Source: README and release notes of the database.
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pycountry
from pydantic import Field

from producers.config import SourceConfig
from producers.connector import InfrastructureConnector, Pull, PullRequest, RawItem, StreamInfo
from producers.errors import UnexpectedAnswerError
from producers.formats.csv_release import CsvRelease, measure, read_rows
from producers.formats.reading import UnreadableNumberError, number
from producers.formats.release_files import PreviousRelease, check_rows, obtain
from producers.formats.text_repair import repaired
from producers.http import HttpSource, bare_address
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import GenerationYear, PowerPlant
from streams.core.records import Mapped, RawRecord

_REPORTED_YEARS = range(2013, 2020)
_ESTIMATED_YEARS = range(2013, 2018)

COLUMNS = (
    "country",
    "country_long",
    "name",
    "gppd_idnr",
    "capacity_mw",
    "latitude",
    "longitude",
    "primary_fuel",
    "other_fuel1",
    "other_fuel2",
    "other_fuel3",
    "commissioning_year",
    "owner",
    "source",
    "url",
    "geolocation_source",
    "wepp_id",
    "year_of_capacity_data",
    *(f"generation_gwh_{year}" for year in _REPORTED_YEARS),
    "generation_data_source",
    *(f"estimated_generation_gwh_{year}" for year in _ESTIMATED_YEARS),
    *(f"estimated_generation_note_{year}" for year in _ESTIMATED_YEARS),
)
"""Columns of v1.3.0 in their order."""

_ID = "gppd_idnr"

_FUELS = {
    name: name.lower().replace(" ", "_")
    for name in (
        "Biomass",
        "Coal",
        "Cogeneration",
        "Gas",
        "Geothermal",
        "Hydro",
        "Nuclear",
        "Oil",
        "Other",
        "Petcoke",
        "Solar",
        "Storage",
        "Waste",
        "Wave and Tidal",
        "Wind",
    )
}
_FUEL_LIMIT = ", ".join(_FUELS)

# Up to v1.1.0 the fuels were in fuel1..fuel4 and there was one estimate, for 2014 (its README).
_EARLIER_FUELS = ("fuel1", "fuel2", "fuel3", "fuel4")
_EARLIER_ESTIMATE = "estimated_generation_gwh"
_EARLIER_ESTIMATE_YEAR = 2014

# The one code of the database that is not in ISO 3166-1.
_OWN_COUNTRY_CODES = {"KOS": "XK"}

# Field names, composed once instead of for every row.
_YEAR_FIELDS = tuple(
    (
        year,
        f"generation_gwh_{year}",
        f"estimated_generation_gwh_{year}" if year in _ESTIMATED_YEARS else None,
        f"estimated_generation_note_{year}" if year in _ESTIMATED_YEARS else None,
    )
    for year in _REPORTED_YEARS
)


class WriConfig(SourceConfig):
    """`config/wri_powerplants.yaml`."""

    location: str = Field(
        min_length=1, description="The database: an address or a local file, zipped or not."
    )
    minimum_rows: int = Field(25_000, ge=0, description="Fewer rows mean a file cut short.")
    largest_loss: float = Field(0.2, ge=0, le=1)


class WriPowerPlantsConnector(InfrastructureConnector):
    """Power plants of the world, a complete list in every release."""

    name = "wri_powerplants"
    source_id = "wri_powerplants"
    licence = "CC-BY-4.0"
    attribution = (
        "Global Energy Observatory, Google, KTH Royal Institute of Technology in Stockholm, "
        "Enipedia, World Resources Institute: Global Power Plant Database"
    )
    config_model: ClassVar[type[SourceConfig]] = WriConfig
    config: WriConfig

    def __init__(self, config: WriConfig) -> None:
        super().__init__(config)

    @classmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """The one file there is."""
        return (StreamInfo("plants", "power_plant", "Operating power plants of the world."),)

    def pull_or_subscribe(
        self, http: HttpSource, request: PullRequest, pull: Pull
    ) -> Iterator[RawItem]:
        """Yield every row of the file, or nothing when the file is the one of the checkpoint.

        The row count is checked before the first row is yielded, so that a file cut short is never
        taken for a release.

        Raises:
            TruncatedError: too few rows, a damaged zip, or a last row that ends early.
            UnexpectedAnswerError: no such CSV, for example an HTML page.
            SourceError: see `HttpSource.download`.
        """
        previous = _previous(request.checkpoint)
        location = bare_address(self.config.location)
        with TemporaryDirectory(prefix="wri-") as folder:
            obtained = obtain(http, self.config.location, Path(folder) / "release", previous)
            if obtained.path is None:
                pull.unchanged = True
                return
            pull.checkpoint.pop("etag", None)
            if obtained.etag:
                pull.checkpoint["etag"] = obtained.etag
            release = measure(obtained.path)
            if release.digest == previous.digest:
                pull.unchanged = True
                pull.checkpoint |= {"location": location}
                return
            check_rows(
                release.rows,
                location,
                least=self.config.minimum_rows,
                previous_rows=previous.rows,
                largest_loss=self.config.largest_loss,
            )
            pull.expected = release.rows
            items = 0
            for item in _items(release, location):
                yield item
                items += 1
                if request.limit is not None and items >= request.limit:
                    pull.checkpoint = dict(request.checkpoint)
                    return
            pull.checkpoint |= {
                "location": location,
                "release": release.digest,
                "rows": str(items),
            }
            pull.complete = True

    @staticmethod
    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        """Convert one row to a power plant.

        Units: MW, GWh a year, degrees. Empty means not reported, never zero; negative generation
        is real (pumped storage, own use). Source: README of the database, v1.1.0 to v1.3.0.
        """
        item = raw.item or {}
        if not item.get(_ID):
            return reject_rules.MISSING_ID.reject()
        try:
            plant = _plant(item)
        except UnreadableNumberError as error:
            return reject_rules.UNREADABLE_NUMBER.reject(
                error.text, field=error.field, limit="a number, or empty for not reported"
            )
        return plant if isinstance(plant, Rejected) else Mapped(raw.record_id, plant)


def _previous(checkpoint: Mapping[str, str]) -> PreviousRelease:
    """The release of the checkpoint; a blank one before the first."""
    return PreviousRelease(
        checkpoint.get("location", ""),
        checkpoint.get("release", ""),
        int(checkpoint.get("rows", "0")),
        checkpoint.get("etag"),
    )


def _items(release: CsvRelease, location: str) -> Iterator[RawItem]:
    rows = read_rows(release)
    header = next(rows, [])
    if _ID not in header:
        raise UnexpectedAnswerError(
            f"{location} is no plant database: no column {_ID}, but it starts with "
            f"{','.join(header)[:100]!r}. Check `location`."
        )
    width = len(header)
    # Cells in the order of COLUMNS; a column this release lacks points at a blank put at the end.
    in_order = itemgetter(*(header.index(name) if name in header else -1 for name in COLUMNS))
    others = [(index, name) for index, name in enumerate(header) if name not in COLUMNS]
    for row in rows:
        if len(row) < width:
            row.extend([""] * (width - len(row)))
        surplus = row[width:]
        row[width:] = [""]
        item: dict[str, Any] = {
            name: text or None for name, text in zip(COLUMNS, in_order(row), strict=True)
        }
        extra = {name: row[index] for index, name in others if row[index]}
        for index, text in enumerate(surplus, start=width + 1):
            extra[f"column_{index}"] = text
        item["extra"] = extra
        yield RawItem("plants", item[_ID] or _row_id(row), item, None, release.digest, location)


def _row_id(row: list[str]) -> str:
    """Stands in for a missing id, so that the row can be kept and rejected."""
    return "row-" + hashlib.sha256("\0".join(row).encode()).hexdigest()[:16]


def _plant(item: Mapping[str, Any]) -> PowerPlant | Rejected:
    name = _clean(item["name"])
    if name is None:
        return reject_rules.MISSING_NAME.reject(item["name"])
    capacity = number(item["capacity_mw"], "capacity_mw")
    if capacity is None or capacity <= 0:
        return reject_rules.CAPACITY_NOT_POSITIVE.reject(item["capacity_mw"], limit="> 0 MW")
    fuels = _fuels(item)
    if isinstance(fuels, Rejected):
        return fuels
    wepp = item["wepp_id"]
    return PowerPlant(
        name=name,
        country_code=_country_code(item["country"]),
        latitude=number(item["latitude"], "latitude"),
        longitude=number(item["longitude"], "longitude"),
        capacity_mw=capacity,
        primary_fuel=fuels[0],
        other_fuels=fuels[1:],
        commissioning_year=number(item["commissioning_year"], "commissioning_year"),
        status="operating",
        owner=_clean(item["owner"]),
        capacity_year=_whole(item["year_of_capacity_data"], "year_of_capacity_data"),
        reported_by=_clean(item["source"]),
        report_url=_clean(item["url"]),
        position_source=_clean(item["geolocation_source"]),
        plant_ids_wepp=_split(wepp) if wepp else (),
        generation_reported_by=_clean(item["generation_data_source"]),
        generation=_generation(item),
    )


def _fuels(item: Mapping[str, Any]) -> tuple[str, ...] | Rejected:
    """The primary fuel, then the others, sorted; their order in the source has no meaning."""
    extra = item["extra"]
    if item["primary_fuel"] is None and extra:
        names = [extra.get(field) for field in _EARLIER_FUELS]
    else:
        names = [
            item["primary_fuel"],
            item["other_fuel1"],
            item["other_fuel2"],
            item["other_fuel3"],
        ]
    primary = _FUELS.get(names[0] or "")
    if primary is None:
        return reject_rules.UNKNOWN_FUEL.reject(names[0], limit=_FUEL_LIMIT)
    others = set()
    for name in names[1:]:
        if name:
            fuel = _FUELS.get(name)
            if fuel is None:
                return reject_rules.UNKNOWN_FUEL.reject(
                    name, field="other_fuels", limit=_FUEL_LIMIT
                )
            others.add(fuel)
    return (primary, *sorted(others - {primary}))


def _generation(item: Mapping[str, Any]) -> tuple[GenerationYear, ...]:
    """An entry for every year with a figure; a method without an estimate is none."""
    years = []
    earlier = item["extra"].get(_EARLIER_ESTIMATE)
    for year, reported_field, estimate_field, method_field in _YEAR_FIELDS:
        reported_text = item[reported_field]
        estimate_text = item[estimate_field] if estimate_field else None
        if earlier and year == _EARLIER_ESTIMATE_YEAR:
            estimate_text = estimate_text or earlier
        if reported_text is None and estimate_text is None:
            continue
        reported = number(reported_text, reported_field)
        estimate = number(estimate_text, estimate_field or _EARLIER_ESTIMATE)
        if reported is not None or estimate is not None:
            method = item[method_field] if method_field and estimate is not None else None
            years.append(GenerationYear(year, reported, estimate, method))
    return tuple(years)


def _clean(text: str | None) -> str | None:
    if text is None:
        return None
    return repaired(text).strip() or None


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in text.split("|")) if part)


def _whole(text: str | None, field: str) -> int | None:
    value = number(text, field)
    if value is None:
        return None
    if not value.is_integer() or abs(value) > 9999:
        raise UnreadableNumberError(field, text or "")
    return int(value)


@lru_cache(maxsize=1024)
def _country_code(code: str | None) -> str | None:
    """ISO 3166-1 alpha-2 of an alpha-3 code; None when there is no such country."""
    if code is None:
        return None
    if code in _OWN_COUNTRY_CODES:
        return _OWN_COUNTRY_CODES[code]
    country = pycountry.countries.get(alpha_3=code)
    return None if country is None else country.alpha_2
