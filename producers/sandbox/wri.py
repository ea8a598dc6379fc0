"""The sandbox's WRI bucket: `/wri/global_power_plant_database_v_1_3.zip`.

The CSV is the real one of the data folder (`wri/global_power_plant_database.csv`), or made up in
the same shape. The zip is built once for each release; its ETag is its MD5, as S3 does it.
"""

import csv
import hashlib
import io
import random
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from producers.sandbox.controls import ids, refused, sent
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstream import Upstream
from producers.sources.wri_powerplants import COLUMNS

PATH = "/wri/global_power_plant_database_v_1_3.zip"
REAL_FILE = Path("wri") / "global_power_plant_database.csv"

_MEMBER_TIME = (2021, 6, 2, 0, 0, 0)
_README = b"Global Power Plant Database, sandbox copy. Licence of the original: CC BY 4.0.\r\n"
_SEED = 20210602

_ID = COLUMNS.index("gppd_idnr")
_NAME = COLUMNS.index("name")
_CAPACITY = COLUMNS.index("capacity_mw")
_LATITUDE, _LONGITUDE = COLUMNS.index("latitude"), COLUMNS.index("longitude")
_NAMELESS_EVERY = 25
"""Of so many rows of a bad release one has lost its name."""
_PLACE = (
    COLUMNS.index("country"),
    COLUMNS.index("country_long"),
    COLUMNS.index("latitude"),
    COLUMNS.index("longitude"),
)

_Place = tuple[str, str, float, float]

# Countries with a point well inside; made-up plants lie within half a degree of it.
_PLACES: tuple[_Place, ...] = (
    ("ARG", "Argentina", -34.0, -64.0),
    ("AUS", "Australia", -25.0, 134.0),
    ("BRA", "Brazil", -10.0, -52.0),
    ("CAN", "Canada", 55.0, -106.0),
    ("CHN", "China", 34.0, 104.0),
    ("DEU", "Germany", 51.0, 10.0),
    ("EGY", "Egypt", 27.0, 29.5),
    ("ESP", "Spain", 40.2, -3.7),
    ("FRA", "France", 46.6, 2.5),
    ("GBR", "United Kingdom", 52.4, -1.5),
    ("IND", "India", 22.0, 79.0),
    ("ITA", "Italy", 43.3, 11.8),
    ("KEN", "Kenya", 0.5, 37.8),
    ("KOS", "Kosovo", 42.6, 20.9),
    ("MEX", "Mexico", 23.6, -102.5),
    ("NGA", "Nigeria", 9.1, 8.0),
    ("POL", "Poland", 52.0, 19.3),
    ("TUR", "Turkey", 39.0, 34.0),
    ("USA", "United States of America", 39.8, -98.6),
    ("ZAF", "South Africa", -29.5, 24.5),
)
_NEW_PLACE: _Place = ("NZL", "New Zealand", -38.7, 175.8)

# Fuel, weight, largest capacity in MW, method of the estimate.
_FUELS: tuple[tuple[str, int, float, str], ...] = (
    ("Solar", 10_665, 60, "SOLAR-V1"),
    ("Hydro", 7_156, 900, "HYDRO-V1"),
    ("Wind", 5_344, 120, "WIND-V1"),
    ("Gas", 3_998, 1_200, "CAPACITY-FACTOR-V1"),
    ("Coal", 2_330, 2_400, "CAPACITY-FACTOR-V1"),
    ("Oil", 2_320, 150, "CAPACITY-FACTOR-V1"),
    ("Biomass", 1_430, 40, "CAPACITY-FACTOR-V1"),
    ("Waste", 1_068, 30, "CAPACITY-FACTOR-V1"),
    ("Nuclear", 195, 4_000, "CAPACITY-FACTOR-V1"),
    ("Geothermal", 189, 120, "CAPACITY-FACTOR-V1"),
    ("Storage", 135, 40, "NO-ESTIMATION"),
    ("Wave and Tidal", 10, 20, "NO-ESTIMATION"),
)


@dataclass(frozen=True, slots=True)
class ServedRelease:
    """One built release."""

    body: bytes
    etag: str

    @property
    def headers(self) -> dict[str, str]:
        """What S3 sends along."""
        return {
            "etag": self.etag,
            "last-modified": "Wed, 02 Jun 2021 00:00:00 GMT",
            "accept-ranges": "bytes",
        }


@dataclass(frozen=True, slots=True)
class ReleaseChange:
    """What a new release does to the plants of these ids.

    Attributes:
        change: Capacity grows by a tenth.
        drop: The row disappears.
        move: Country and position become another's.
    """

    change: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    move: frozenset[str] = frozenset()

    @property
    def ids(self) -> frozenset[str]:
        """Every id that is touched."""
        return self.change | self.drop | self.move


class WriUpstream(Upstream):
    """The current release and how to make the next one."""

    source = "wri_powerplants"

    def __init__(self, settings: SandboxSettings) -> None:
        path = settings.data_dir / REAL_FILE
        self._original = path.read_bytes() if path.is_file() else _made_up_csv(settings.plants)
        self._csv = self._original
        self._release = _built(self._csv)

    @staticmethod
    def variables(url: str, settings: SandboxSettings) -> dict[str, str]:
        """See `Upstream`."""
        return {"WRI_LOCATION": f"{url}{PATH}"}

    def routes(self) -> list[Route]:
        """The zip and its control; Starlette adds HEAD to GET."""
        return [
            Route(PATH, self.answer),
            Route("/control/wri", self.control, methods=["POST"]),
        ]

    async def answer(self, request: Request) -> Response:
        """The zip, or 304 when the client has this very release."""
        release = self._release
        tags = {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}
        if release.etag in tags or "*" in tags:
            return Response(status_code=304, headers=release.headers)
        return Response(release.body, media_type="application/zip", headers=release.headers)

    async def control(self, request: Request) -> JSONResponse:
        """`POST /control/wri`: the next release."""
        body = await sent(request)
        if "spoil" in body:
            await run_in_threadpool(self.spoil if body["spoil"] else self.restore)
            return JSONResponse({"status": "ok"})
        change = ReleaseChange(*(ids(body.get(key)) for key in ("change", "drop", "move")))
        found = await run_in_threadpool(self.publish, change)
        if found != change.ids:
            return refused(f"unknown ids: {sorted(change.ids - found)[:5]}")
        return JSONResponse({"touched": len(found)})

    def publish(self, change: ReleaseChange) -> frozenset[str]:
        """Make the next release; returns the ids of `change` that exist."""
        lines = self._csv.decode("utf-8").split("\r\n")
        found = set()
        kept = [lines[0]]
        for line in lines[1:]:
            record_id = _id_of(line)
            if record_id not in change.ids:
                kept.append(line)
                continue
            found.add(record_id)
            if record_id not in change.drop:
                kept.append(_changed(line, record_id, change))
        self._csv = "\r\n".join(kept).encode()
        self._release = _built(self._csv)
        return frozenset(found)

    def spoil(self) -> None:
        """Publish a bad copy of the release: GW for MW, latitude for longitude, names lost."""
        rows = list(csv.reader(io.StringIO(self._csv.decode(), newline="")))
        spoilt = [rows[0], *(_spoilt(row, index) for index, row in enumerate(rows[1:]))]
        self._release = _built(_csv_text(spoilt).encode())

    def restore(self) -> None:
        """Publish the good copy again."""
        self._release = _built(self._csv)

    def reset(self) -> None:
        """Back to the first release."""
        self._csv = self._original
        self._release = _built(self._csv)


def _id_of(line: str) -> str:
    # Only names, the third column, hold quotes before the id: the common line needs no parser.
    if not line:
        return ""
    cells = line.split(",", _ID + 1) if '"' not in line else next(csv.reader([line]))
    return cells[_ID]


def _changed(line: str, record_id: str, change: ReleaseChange) -> str:
    cells = next(csv.reader([line]))
    if record_id in change.change:
        cells[_CAPACITY] = f"{float(cells[_CAPACITY]) * 1.1:.3f}"
    if record_id in change.move:
        place = _NEW_PLACE if cells[_PLACE[0]] != _NEW_PLACE[0] else _PLACES[0]
        for index, value in zip(_PLACE, place, strict=True):
            cells[index] = value if isinstance(value, str) else f"{value:.4f}"
    return _csv_text([cells]).removesuffix("\r\n")


def _spoilt(row: Sequence[str], index: int) -> list[str]:
    cells = list(row)
    cells[_CAPACITY] = f"{float(cells[_CAPACITY]) / 1000:.6f}"
    cells[_LATITUDE], cells[_LONGITUDE] = cells[_LONGITUDE], cells[_LATITUDE]
    if not index % _NAMELESS_EVERY:
        cells[_NAME] = ""
    return cells


def _built(content: bytes) -> ServedRelease:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, body in (("global_power_plant_database.csv", content), ("README.txt", _README)):
            archive.writestr(zipfile.ZipInfo(name, _MEMBER_TIME), body, zipfile.ZIP_DEFLATED)
    body = target.getvalue()
    return ServedRelease(body, f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')


def _csv_text(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _made_up_csv(plants: int) -> bytes:
    rng = random.Random(_SEED)  # noqa: S311  reproducible, not secret
    fuels = rng.choices(_FUELS, [fuel[1] for fuel in _FUELS], k=plants)
    rows = (_made_up_row(rng, index, fuel) for index, fuel in enumerate(fuels))
    return (_csv_text([COLUMNS]) + _csv_text(rows)).encode()


def _made_up_row(
    rng: random.Random, index: int, fuel: tuple[str, int, float, str]
) -> tuple[str, ...]:
    name, _, largest, method = fuel
    code, country, latitude, longitude = _PLACES[index % len(_PLACES)]
    capacity = round(1 + rng.random() ** 3 * (largest - 1), 1)
    year = rng.randint(1950, 2019)
    estimated = method != "NO-ESTIMATION"
    hours = rng.uniform(1_000, 6_000)
    cells = {
        "country": code,
        "country_long": country,
        "name": f"{country} {name} {index:05d}",
        "gppd_idnr": f"SBX{index:07d}",
        "capacity_mw": str(capacity),
        "latitude": f"{latitude + rng.uniform(-0.5, 0.5):.4f}",
        "longitude": f"{longitude + rng.uniform(-0.5, 0.5):.4f}",
        "primary_fuel": name,
        "other_fuel1": "Oil" if name == "Gas" and index % 7 == 0 else "",
        "commissioning_year": str(year + 0.5) if index % 11 == 0 else str(year),
        "owner": f"Owner {index % 500:03d}" if index % 3 else "",
        "source": "Sandbox",
        "url": "https://example.org/plants",
        "geolocation_source": "Sandbox",
        "wepp_id": f"{index}|{index + 1}" if index % 5 == 0 else "",
        "year_of_capacity_data": "2019" if index % 2 else "",
        "generation_gwh_2019": f"{capacity * hours / 1000:.3f}" if index % 4 == 0 else "",
        "generation_data_source": "Sandbox" if index % 4 == 0 else "",
    }
    for estimate_year in range(2013, 2018):
        estimate = f"{capacity * hours / 1000:.2f}" if estimated else ""
        cells[f"estimated_generation_gwh_{estimate_year}"] = estimate
        cells[f"estimated_generation_note_{estimate_year}"] = method
    return tuple(cells.get(column, "") for column in COLUMNS)
