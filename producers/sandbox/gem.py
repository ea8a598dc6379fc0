"""The sandbox's Global Energy Monitor and transmission lists.

GET  /gem/assets                        units of one asset type, at most 500 a page
GET  /gem/catalog/metadata              trackers and their copyright notes
GET  /gem/files/units.csv.gz            power units of every tracker
GET  /gem/files/lng.csv.gz              units of LNG terminals
GET  /gem/grid/{buses,lines,links}.csv  grid extract
GET  /gem/projects/{list}.csv           project lists

Files are the real ones of the data folder, or made up in the same shape. Their ETag is their MD5.
The API gives the units of the same power file, so both forms agree.
"""

import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from producers.sandbox import gem_made_up
from producers.sandbox.controls import ids, refused, sent
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstream import UNLIMITED, Upstream
from producers.sources.gem_transmission.grid_projects import PROJECT_FILES

LARGEST_PAGE = 500

_TRACKER_OF_TYPE = {
    "bioenergy-plant": "GBPT",
    "coal-plant": "GCPT",
    "oil-gas-plant": "GOGPT",
}
_GROUPS = {
    "operating": "operating",
    "mothballed": "operating",
    "retired": "retired",
    "cancelled": "cancelled",
    "shelved": "cancelled",
}
_TYPE_FIELDS = (
    "fuel",
    "technology",
    "start_year",
    "retired_year",
    "plant_name_local",
    "plant_name_other",
    "location_accuracy",
    "city",
)

_Maker = Callable[[], bytes]


class GemUpstream(Upstream):
    """The lists, and what a new release does to the power units."""

    source = "gem_transmission"

    def __init__(self, settings: SandboxSettings) -> None:
        gem, transmission = settings.data_dir / "gem", settings.data_dir / "transmission"
        wanted: list[tuple[str, Path, _Maker]] = [
            ("files/units.csv.gz", gem / "gem_units_complete.csv.gz", gem_made_up.units),
            ("files/lng.csv.gz", gem / "gem_lng_units_complete.csv.gz", gem_made_up.lng_units),
        ]
        for name, maker in gem_made_up.GRID.items():
            wanted.append((f"grid/{name}.csv", transmission / f"entsoegridkit/{name}.csv", maker))
        for name in PROJECT_FILES:
            path = transmission / f"projects/{name}.csv"
            wanted.append((f"projects/{name}.csv", path, gem_made_up.projects_of(name)))
        self._original = {name: _content(path, maker) for name, path, maker in wanted}
        self._files: dict[str, bytes] = {}
        self._units: dict[str, list[dict[str, str]]] = {}
        self.reset()

    @staticmethod
    def variables(url: str, settings: SandboxSettings) -> dict[str, str]:
        """See `Upstream`. Made-up lists are short."""
        return {
            "GEM_LNG_FILE": f"{url}/gem/files/lng.csv.gz",
            "GEM_LNG_MINIMUM_ROWS": "100",
            "GEM_BASE_URL": f"{url}/gem",
            "GEM_POWER_FILE": f"{url}/gem/files/units.csv.gz",
            "GEM_GEOTHERMAL_FILE": "none",
            "GEM_AFRICA_FILE": "none",
            "GEM_GRID_LOCATION": f"{url}/gem/grid/<file>.csv",
            "GEM_GRID_MINIMUM_ROWS": "100",
            "GEM_PROJECTS_LOCATION": f"{url}/gem/projects/<plan>_<work>.csv",
            "GEM_REQUESTS_PER_MINUTE": UNLIMITED,
        }

    def routes(self) -> list[Route]:
        """What the upstream answers, and its control."""
        return [
            Route("/gem/assets", self.assets),
            Route("/gem/catalog/metadata", self.metadata),
            Route("/gem/{name:path}", self.file),
            Route("/control/gem", self.control, methods=["POST"]),
        ]

    async def control(self, request: Request) -> JSONResponse:
        """`POST /control/gem`: the next release of every list."""
        body = await sent(request)
        change, drop = ids(body.get("change")), ids(body.get("drop"))
        found = await run_in_threadpool(self.publish, change, drop)
        if found != change | drop:
            return refused(f"unknown ids: {sorted((change | drop) - found)[:5]}")
        return JSONResponse({"touched": len(found)})

    async def assets(self, request: Request) -> JSONResponse:
        """One page of units; an unknown type is answered like an empty one."""
        query = request.query_params
        try:
            limit, offset = int(query.get("limit", "100")), int(query.get("offset", "0"))
        except ValueError:
            return _refused("Input should be a valid integer")
        if limit > LARGEST_PAGE:
            return _refused(f"Input should be less than or equal to {LARGEST_PAGE}")
        tracker = _TRACKER_OF_TYPE.get(query.get("asset_type", ""), "")
        units = self._units.get(tracker, [])
        if country := query.get("country"):
            units = [unit for unit in units if unit["country"] == country]
        page = units[offset : offset + limit]
        full = query.get("include_type_fields") == "true"
        results = [_asset(unit, with_type_fields=full) for unit in page]
        return JSONResponse({"total": len(units), "count": len(page), "results": results})

    async def metadata(self, request: Request) -> JSONResponse:
        """The trackers; the month of their release is in the copyright note."""
        trackers = [
            {
                "slug": asset_type,
                "citation": {"copyright": "Copyright © Global Energy Monitor, January 2025."},
            }
            for asset_type in _TRACKER_OF_TYPE
        ]
        return JSONResponse({"trackers": trackers})

    async def file(self, request: Request) -> Response:
        """A file, or 304 when the client has this very version."""
        content = self._files.get(request.path_params["name"])
        if content is None:
            return Response("Not Found", status_code=404)
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return Response(content, media_type="application/octet-stream", headers={"etag": etag})

    def publish(self, change: frozenset[str], drop: frozenset[str]) -> frozenset[str]:
        """Make the next release of every list; returns the ids that exist.

        Args:
            change: Units whose capacity grows by a tenth.
            drop: Units, lines or nodes that disappear; an id as the list has it.
        """
        found: set[str] = set()
        for name, content in self._files.items():
            packed = name.endswith(".gz")
            text = (gzip.decompress(content) if packed else content).decode()
            changed = _changed(text, change, drop, found, quote="'" if "grid" in name else '"')
            if changed is not None:
                body = changed.encode()
                self._files[name] = gzip.compress(body, mtime=0) if packed else body
        self._load_units()
        return frozenset(found)

    def reset(self) -> None:
        """Back to the first release."""
        self._files = dict(self._original)
        self._load_units()

    def _load_units(self) -> None:
        text = gzip.decompress(self._files["files/units.csv.gz"]).decode()
        self._units = {tracker: [] for tracker in _TRACKER_OF_TYPE.values()}
        for row in csv.DictReader(io.StringIO(text, newline="")):
            if row["tracker"] in self._units:
                self._units[row["tracker"]].append(row)


def _content(path: Path, make: _Maker) -> bytes:
    if path.is_file():
        return path.read_bytes()
    content = make()
    return gzip.compress(content, mtime=0) if path.suffix == ".gz" else content


def _changed(
    text: str, change: frozenset[str], drop: frozenset[str], found: set[str], *, quote: str
) -> str | None:
    """The list after the change; None when it has none of the ids."""
    reader = csv.reader(io.StringIO(text, newline=""), quotechar=quote)
    header = next(reader)
    id_column = next((header.index(name) for name in gem_made_up.ID_COLUMNS if name in header), 0)
    capacity = header.index("capacity_mw") if "capacity_mw" in header else None
    rows: list[Sequence[str]] = [header]
    touched = False
    for row in reader:
        if row[id_column] in drop | change:
            touched = True
            found.add(row[id_column])
        if row[id_column] in drop:
            continue
        if row[id_column] in change and capacity is not None:
            row[capacity] = f"{float(row[capacity] or 1) * 1.1:.3f}"
        rows.append(row)
    return gem_made_up.csv_text(rows, quote) if touched else None


def _asset(unit: Mapping[str, str], *, with_type_fields: bool) -> dict[str, Any]:
    """A unit as the API shows it: numbers as numbers, owners as a list, nulls where empty."""
    status = unit["status"]
    group = _GROUPS.get(status.split(" - ")[0], "planned")
    asset: dict[str, Any] = {
        "asset_id": unit["gem_unit_id"],
        "location_id": unit["gem_location_id"],
        "asset_name": unit["plant_name"],
        "unit_name": unit["unit_name"] or None,
        "project_name": unit["plant_name"],
        "country": unit["country"],
        "state_province": unit["state_province"] or None,
        "latitude": _number(unit["latitude"]),
        "longitude": _number(unit["longitude"]),
        "capacity_value": _number(unit["capacity_mw"]),
        "capacity_unit": "MW",
        "operating_status": group,
        "operating_sub_status": status,
        "owners": [{"name": unit["owner"], "ownership_share": None}] if unit["owner"] else [],
        "wiki_url": None,
    }
    if with_type_fields:
        asset["type_fields"] = {name: unit[name] or None for name in _TYPE_FIELDS}
    return asset


def _number(text: str) -> float | int | None:
    if not text or text == "not found":
        return None
    return float(text) if "." in text else int(text)


def _refused(message: str) -> JSONResponse:
    return JSONResponse({"detail": [{"msg": message}]}, status_code=422)
