"""The sandbox's tracker of solar and wind phases: `/trackers/solar_wind.csv`.

Real rows come from `gem/gem_units_complete.csv.gz` of the data folder; without it, rows of the same
columns are made up. About half of them are planned or under construction.
"""

import csv
import gzip
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from producers.sandbox.controls import ids, refused, sent
from producers.sandbox.gem_made_up import UNIT_COLUMNS
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstream import Upstream

PATH = "/trackers/solar_wind.csv"
REAL_FILE = Path("gem") / "gem_units_complete.csv.gz"

_MADE_UP_ROWS = 300
_TRACKERS = ("GSPT", "GWPT")
_STATUSES = (
    "announced",
    "pre-construction",
    "construction",
    "operating",
    "shelved - inferred 2 y",
    "cancelled",
)
_PLACES = (
    ("Kenya", 0.5, 37.8),
    ("South Africa", -29.5, 24.5),
    ("Morocco", 31.8, -7.1),
    ("Egypt", 27.0, 29.5),
    ("DR Congo", -2.9, 23.7),
)

_Row = dict[str, str]


class TrackerUpstream(Upstream):
    """The tracker's file and how the next release differs."""

    source = "reexplorer"

    def __init__(self, settings: SandboxSettings) -> None:
        path = settings.data_dir / REAL_FILE
        self._original = _real_rows(path) if path.is_file() else _made_up_rows()
        self.reset()

    @staticmethod
    def variables(url: str, settings: SandboxSettings) -> dict[str, str]:
        """See `Upstream`."""
        return {"RENEWABLE_PROJECTS_LOCATION": f"{url}{PATH}"}

    def routes(self) -> list[Route]:
        """The file and its control."""
        return [
            Route(PATH, self.answer),
            Route("/control/trackers", self.control, methods=["POST"]),
        ]

    def reset(self) -> None:
        """Back to the first release."""
        self._publish(self._original)

    async def answer(self, request: Request) -> Response:
        """The file, or 304 when the client has this very release."""
        headers = {"etag": self._etag}
        if request.headers.get("if-none-match") == self._etag:
            return Response(status_code=304, headers=headers)
        return Response(self._body, media_type="text/csv", headers=headers)

    async def control(self, request: Request) -> JSONResponse:
        """The next release: `operate` puts phases into operation, `drop` takes them out."""
        body = await sent(request)
        operate, drop = ids(body.get("operate")), ids(body.get("drop"))
        unknown = (operate | drop) - {row["gem_unit_id"] for row in self._rows}
        if unknown or not operate | drop:
            return refused(f"unknown ids: {sorted(unknown)[:5]}")
        self._publish(
            [
                row | {"status": "operating"} if row["gem_unit_id"] in operate else row
                for row in self._rows
                if row["gem_unit_id"] not in drop
            ]
        )
        return JSONResponse({"status": "ok"})

    def _publish(self, rows: Sequence[_Row]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, UNIT_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._rows = list(rows)
        self._body = text.getvalue().encode()
        self._etag = f'"{hashlib.md5(self._body, usedforsecurity=False).hexdigest()}"'


def _real_rows(path: Path) -> list[_Row]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [dict(row) for row in csv.DictReader(file) if row["tracker"].startswith(_TRACKERS)]


def _made_up_rows() -> list[_Row]:
    return [_made_up_row(index) for index in range(_MADE_UP_ROWS)]


def _made_up_row(index: int) -> _Row:
    """Two phases a location; every technology in every status."""
    solar = index // 2 % 2 == 0
    country, latitude, longitude = _PLACES[index // 4 % len(_PLACES)]
    filled: Mapping[str, str] = {
        "tracker": "GSPT-Africa" if solar else "GWPT-Africa",
        "gem_location_id": f"L9000{index // 2:08d}",
        "gem_unit_id": f"G9000{index:08d}",
        "country": country,
        "plant_name": f"{country} {'solar' if solar else 'wind'} farm {index // 2:04d}",
        "unit_name": str(index % 2 + 1),
        "fuel": "solar" if solar else "wind",
        "technology": "PV" if solar else "Onshore",
        "capacity_mw": str(20 + index % 9 * 15),
        "capacity_rating": "MWac" if solar else "",
        "status": _STATUSES[index // 4 % len(_STATUSES)],
        "start_year": str(2026 + index % 5) if index % 3 else "",
        "owner": f"Owner {index % 40:02d}",
        "latitude": f"{latitude + index % 7 * 0.1:.4f}",
        "longitude": f"{longitude + index % 11 * 0.1:.4f}",
        "location_accuracy": "approximate" if index % 2 else "exact",
    }
    return {column: filled.get(column, "") for column in UNIT_COLUMNS}
