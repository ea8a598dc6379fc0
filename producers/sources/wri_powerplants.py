"""WRI Global Power Plant Database: a CSV file of power plants, released as a zip.

Host: an S3 bucket, no key, no limits. Last release v1.3.0 of 2021-06-02, so nearly every run finds
nothing new: by ETag, or by the hash of the CSV. Source: README and release notes of the database.
"""

from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final

from pydantic import Field

from producers.config import SourceConfig
from producers.connector import (
    InfrastructureConnector,
    Pull,
    PullRequest,
    RawItem,
    StreamInfo,
    UpstreamFields,
)
from producers.errors import UnexpectedAnswerError
from producers.formats.country_names import country_code
from producers.formats.csv_release import CsvRelease, measure, read_rows
from producers.formats.fuel_words import fuel_of
from producers.formats.odd_cells import OddCells, year_in
from producers.formats.readability import check_readable, readability, report_fields
from producers.formats.reading import UnreadableNumberError, number
from producers.formats.release_files import PreviousRelease, check_rows, obtain_readable
from producers.formats.row_ids import stand_in_id
from producers.formats.text_repair import repaired
from producers.formats.tracker_columns import plain_name
from producers.formats.tracker_position import place
from producers.http import HttpSource, bare_address
from streams.core import flag_rules, reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import GenerationYear, PowerPlant
from streams.core.records import Mapped, RawRecord
from streams.core.vocabulary import FUELS

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

_KNOWN_FIELDS = ("latitude", "country_code", "commissioning_year", "owner", "generation")
"""Fields that every release fills somewhere."""

_FUEL_LIMIT = ", ".join(sorted(FUELS))

# Up to v1.1.0 the fuels were in fuel1..fuel4 and there was one estimate, for 2014 (its README).
_EARLIER_FUELS = ("fuel1", "fuel2", "fuel3", "fuel4")
_EARLIER_ESTIMATE = "estimated_generation_gwh"
_EARLIER_ESTIMATE_YEAR = 2014
_KNOWN_COLUMNS = frozenset((*COLUMNS, *_EARLIER_FUELS, _EARLIER_ESTIMATE))

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


UPSTREAM_FIELDS: Final[UpstreamFields] = {
    "power_plant": {
        "name": ("name",),
        "country_code": ("country",),
        "latitude": ("latitude",),
        "longitude": ("longitude",),
        "capacity_mw": ("capacity_mw",),
        "primary_fuel": ("primary_fuel", "fuel1"),
        "other_fuels": ("other_fuel1", "other_fuel2", "other_fuel3", *_EARLIER_FUELS[1:]),
        "commissioning_year": ("commissioning_year",),
        "status": (),
        "owner": ("owner",),
        "capacity_year": ("year_of_capacity_data",),
        "reported_by": ("source",),
        "report_url": ("url",),
        "position_source": ("geolocation_source",),
        "plant_ids_wepp": ("wepp_id",),
        "generation_reported_by": ("generation_data_source",),
        "generation": tuple(name for year in _YEAR_FIELDS for name in year[1:] if name),
    }
}


class WriConfig(SourceConfig):
    """`config/wri_powerplants.yaml`."""

    location: str = Field(
        min_length=1, description="The database: an address or a local file, packed or not."
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
    upstream_fields = UPSTREAM_FIELDS
    file_variables: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "plants": {"WRI_LOCATION": "{file}", "WRI_MINIMUM_ROWS": "0"}
    }
    also_read = frozenset({_ID, "country_long", _EARLIER_ESTIMATE})
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
        """Yield every row of the file; nothing when it is that of the checkpoint, unless `reread`.

        The row count is checked before the first row is yielded, so that a file cut short is never
        taken for a release.

        Raises:
            TruncatedError: too few rows, a damaged zip, or a last row that ends early.
            UnexpectedAnswerError: no such CSV, for example an HTML page.
            SourceError: see `HttpSource.download`.
        """
        previous = _previous(request.checkpoint)
        if request.reread:
            previous = previous.unread()
        location = bare_address(self.config.location)
        with TemporaryDirectory(prefix="wri-") as folder:
            obtained, release = obtain_readable(
                http,
                self.config.location,
                Path(folder) / "release",
                previous,
                lambda path: _measured(path, location),
            )
            if release is None:
                pull.unchanged = True
                return
            pull.checkpoint.pop("etag", None)
            if obtained.etag:
                pull.checkpoint["etag"] = obtained.etag
            if release.digest == previous.digest:
                pull.unchanged = True
                pull.checkpoint |= {"location": location}
                return
            check_rows(
                release.rows,
                location,
                least=self.config.minimum_rows,
                previous_rows=0 if request.accept_loss else previous.rows,
                largest_loss=self.config.largest_loss,
            )
            found = readability(_items(release, location), _complete)
            share = found[location].share if location in found else None
            if share is not None:
                report_fields(location, found[location], _KNOWN_FIELDS)
            if not request.accept_loss and share is not None:
                check_readable(
                    found[location], location, before=previous.readable, looked_for=(_ID,)
                )
            if share is not None:
                pull.checkpoint["readable"] = f"{share:.4f}"
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
        is real (pumped storage, own use). What is no number, and a capacity of zero, is null and
        flags the plant. Source: README of the database, v1.1.0 to v1.3.0.
        """
        item = raw.item or {}
        if not item.get(_ID):
            return reject_rules.MISSING_ID.reject()
        odd = OddCells()
        plant = _plant(item, odd)
        return plant if isinstance(plant, Rejected) else Mapped(raw.record_id, plant, odd.flags)


def _complete(raw: RawRecord) -> Mapped | Rejected:
    """A row as it should be: the database holds plants of a known capacity only.

    One row without a capacity is a plant without one, but many are a column with another name.
    """
    mapped = WriPowerPlantsConnector.map_to_schema(raw)
    if isinstance(mapped, Mapped) and getattr(mapped.payload, "capacity_mw", None) is None:
        return reject_rules.UNREADABLE_NUMBER.reject(field="capacity_mw", limit="a number")
    return mapped


def _previous(checkpoint: Mapping[str, str]) -> PreviousRelease:
    """The release of the checkpoint; a blank one before the first."""
    return PreviousRelease(
        checkpoint.get("location", ""),
        checkpoint.get("release", ""),
        int(checkpoint.get("rows", "0")),
        checkpoint.get("etag"),
        float(checkpoint["readable"]) if "readable" in checkpoint else None,
    )


def _measured(path: Path, location: str) -> CsvRelease:
    """The file, whole and with the id's column: another page has few rows and is not cut short.

    Raises:
        UnexpectedAnswerError: it is another page.
        TruncatedError: it is damaged.
    """
    release = measure(path, location)
    header = _header(next(read_rows(release), []))
    if _ID not in header:
        raise UnexpectedAnswerError(
            f"{location} is no plant database: no column {_ID}, but it starts with "
            f"{','.join(header)[:100]!r}. Check `location`."
        )
    return release


def _header(names: list[str]) -> list[str]:
    """The header; columns that are read have their own names, however they are written."""
    return [plain if (plain := plain_name(name)) in _KNOWN_COLUMNS else name for name in names]


def _items(release: CsvRelease, location: str) -> Iterator[RawItem]:
    rows = read_rows(release)
    header = _header(next(rows, []))
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
        yield RawItem("plants", item[_ID] or stand_in_id(row), item, None, release.digest, location)


def _plant(item: Mapping[str, Any], odd: OddCells) -> PowerPlant | Rejected:
    name = _clean(item["name"])
    if name is None:
        return reject_rules.MISSING_NAME.reject(item["name"])
    fuels = _fuels(item)
    if isinstance(fuels, Rejected):
        return fuels
    wepp = item["wepp_id"]
    capacity = odd.number(item["capacity_mw"], flag_rules.CAPACITY_UNREADABLE)
    where = place(
        odd.number(item["latitude"], flag_rules.POSITION_UNREADABLE),
        odd.number(item["longitude"], flag_rules.POSITION_UNREADABLE),
        country_code(item["country"]),
    )
    return PowerPlant(
        name=name,
        country_code=where.country_code,
        latitude=where.latitude,
        longitude=where.longitude,
        capacity_mw=odd.above_zero(capacity),
        primary_fuel=fuels[0],
        other_fuels=fuels[1:],
        commissioning_year=_year(item["commissioning_year"], odd),
        status="operating",
        owner=_clean(item["owner"]),
        capacity_year=_whole_year(item["year_of_capacity_data"], odd),
        reported_by=_clean(item["source"]),
        report_url=_clean(item["url"]),
        position_source=_clean(item["geolocation_source"]),
        plant_ids_wepp=_split(wepp) if wepp else (),
        generation_reported_by=_clean(item["generation_data_source"]),
        generation=_generation(item, odd),
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
    primary = fuel_of(names[0])
    if primary is None:
        return reject_rules.UNKNOWN_FUEL.reject(names[0], limit=_FUEL_LIMIT)
    others = set()
    for name in names[1:]:
        if name:
            fuel = fuel_of(name)
            if fuel is None:
                return reject_rules.UNKNOWN_FUEL.reject(
                    name, field="other_fuels", limit=_FUEL_LIMIT
                )
            others.add(fuel)
    return (primary, *sorted(others - {primary}))


def _generation(item: Mapping[str, Any], odd: OddCells) -> tuple[GenerationYear, ...]:
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
        reported = odd.number(reported_text, flag_rules.FIGURE_UNREADABLE)
        estimate = odd.number(estimate_text, flag_rules.FIGURE_UNREADABLE)
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


def _year(text: str | None, odd: OddCells) -> float | None:
    """A year, with its part where it is a mean of units; the one year among words."""
    try:
        return number(text, "year")
    except UnreadableNumberError:
        year = year_in(text or "")
        if year is None:
            odd.note(flag_rules.YEAR_UNREADABLE)
        return year


def _whole_year(text: str | None, odd: OddCells) -> int | None:
    year = _year(text, odd)
    if year is None:
        return None
    if year % 1 or abs(year) > 9999:
        odd.note(flag_rules.YEAR_UNREADABLE)
        return None
    return int(year)
