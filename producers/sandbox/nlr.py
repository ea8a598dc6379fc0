"""The sandbox's NLR developer API below `/nlr`: gateway, limits and five services.

Figures follow from the position alone: more sun near the equator, a season that turns around in the
south. They have the shape of the documentation's answers, whole numbers without a fraction
included. The key is echoed wherever the service may do so. Source: developer.nlr.gov.
"""

import csv
import io
import math
import re
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from producers.sandbox.controls import refused, sent
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstream import UNLIMITED, Upstream

ROOT = "/nlr"
DEMO_KEY = "DEMO_KEY"

_HOUR_SECONDS = 3600.0
_DEMO_LIMIT = 30
_LAST_YEAR = 2024
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# Coverage as south, west, north, east.
_Box = tuple[float, float, float, float]
_UNITED_STATES: tuple[_Box, ...] = ((24.4, -125.0, 49.5, -66.9), (18.8, -160.3, 22.3, -154.7))
_WEATHER: _Box = (-60.0, -180.0, 72.0, 180.0)
_SOLAR_DATASETS: Mapping[str, tuple[_Box, int]] = {
    "nsrdb-GOES-full-disc-v4-0-0": ((-60.0, -170.0, 60.0, -20.0), 2018),
    "nsrdb-GOES-aggregated-v4-0-0": ((-21.0, -170.0, 60.0, -20.0), 1998),
    "nsrdb-msg-v1-0-0": ((-60.0, -60.0, 60.0, 60.0), 2005),
    "meteosat": ((-60.0, 20.0, 60.0, 90.0), 2017),
    "himawari": ((-60.0, 80.0, 60.0, 180.0), 2016),
}
_SITES: Mapping[str, tuple[_Box, ...]] = {
    "wtk": ((23.0, -130.0, 50.0, -64.0),),
    "mexico-wtk": ((13.0, -118.0, 33.5, -86.0),),
    "india-wind": ((5.0, 67.0, 37.0, 98.0),),
    "central-asia-wind": ((34.0, 45.0, 56.0, 88.0),),
    "philippines-wtk": ((4.0, 116.0, 21.0, 127.0),),
    "psm3": (_WEATHER,),
    "psm3-tmy": (_WEATHER,),
    "spectral-ondemand": (_WEATHER,),
}
_SITE_DEGREES = 0.02
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(slots=True)
class _Key:
    """What one key has asked in the last hour; a limit of 0 is none."""

    limit: int
    asked: deque[float] = field(default_factory=deque)

    def remaining(self, now: float) -> int:
        """Requests left; negative is none. Counts nothing."""
        while self.asked and now - self.asked[0] >= _HOUR_SECONDS:
            self.asked.popleft()
        return self.limit - len(self.asked)


class _ServiceError(Exception):
    """What a service answers with `errors` to a question it cannot take."""


class NlrUpstream(Upstream):
    """Keys, limits, coverage and controls; a limit of 0 is none, for `DEMO_KEY` neither."""

    source = "reexplorer"
    without_limits: ClassVar[Mapping[str, str]] = {"SANDBOX_NLR_REQUESTS_PER_HOUR": "0"}

    def __init__(self, settings: SandboxSettings) -> None:
        self._key = settings.nlr_key
        self._limit = settings.nlr_requests_per_hour
        self.reset()

    @staticmethod
    def variables(url: str, settings: SandboxSettings) -> dict[str, str]:
        """See `Upstream`."""
        return {
            "NLR_BASE_URL": f"{url}{ROOT}",
            "NLR_API_KEY": settings.nlr_key,
            "NLR_REQUESTS_PER_MINUTE": UNLIMITED,
        }

    def reset(self) -> None:
        """Back to the start: nothing asked, no new year, the host is there."""
        demo_limit = _DEMO_LIMIT if self._limit else 0
        self._keys = {DEMO_KEY: _Key(demo_limit), self._key: _Key(self._limit)}
        self._last_year = _LAST_YEAR
        self._gone = False

    def routes(self) -> list[Route]:
        """What the upstream answers, and its control."""
        return [
            Route(f"{ROOT}/{{path:path}}", self.answer, methods=["GET", "POST"]),
            Route("/control/nlr", self.control, methods=["POST"]),
        ]

    async def control(self, request: Request) -> JSONResponse:
        """Another newest year of the solar datasets, a host given up, or few requests left."""
        body = await sent(request)
        year, gone, left = body.get("last_year"), body.get("gone"), body.get("use_up")
        if isinstance(year, int):
            self._last_year = year
        elif isinstance(gone, bool):
            self._gone = gone
        elif isinstance(left, int) and left >= 0:
            self._leave(left)
        else:
            return refused('send {"last_year": 2025}, {"gone": true} or {"use_up": 0}')
        return JSONResponse({"status": "ok"})

    def _leave(self, left: int) -> None:
        now = time.monotonic()
        for key in self._keys.values():
            key.limit = key.limit or left + 1
            key.asked.extend([now] * max(0, key.remaining(now) - left))

    async def answer(self, request: Request) -> Response:
        """One request, through the gateway to its service."""
        path, _, form = request.path_params["path"].rpartition(".")
        if self._gone:
            return _gateway(form, 410, "GONE", "This host is given up: use developer.nlr.gov.")
        given = _given_key(request)
        if given is None:
            return _gateway(form, 403, "API_KEY_MISSING", "No api_key was supplied.")
        key = self._keys.get(given)
        if key is None:
            return _gateway(form, 403, "API_KEY_INVALID", "An invalid api_key was supplied.")
        headers: dict[str, str] = {}
        if key.limit:
            now = time.monotonic()
            remaining = key.remaining(now)
            headers = {
                "x-ratelimit-limit": str(key.limit),
                "x-ratelimit-remaining": str(max(0, remaining - 1)),
            }
            if remaining <= 0:
                words = "You have exceeded your rate limit. Try again later."
                return _gateway(form, 429, "OVER_RATE_LIMIT", words, headers)
            key.asked.append(now)
        service = _SERVICES.get(path)
        if service is None or form != "json":
            return _gateway(form, 404, "NOT_FOUND", "No such service.", headers)
        query = dict(request.query_params)
        if request.method == "POST":
            query |= {name: str(value) for name, value in (await sent(request)).items()}
        return service(self, query, given, headers)

    def solar_resource(
        self, query: Mapping[str, str], key: str, headers: Mapping[str, str]
    ) -> Response:
        """`no data` instead of each object outside the United States."""
        frame = _frame("1.0.0", {"api_key": key, **_without_key(query)})
        frame["metadata"] = {"sources": ["Perez-SUNY/NREL, 2012"]}
        try:
            latitude, longitude = _position(query)
        except _ServiceError as error:
            return _unprocessable(frame, error, headers)
        covered = any(_inside(box, latitude, longitude) for box in _UNITED_STATES)
        level = _sun(latitude, longitude)
        frame["outputs"] = {
            name: _averages(level * share, latitude) if covered else "no data"
            for name, share in (("avg_dni", 1.2), ("avg_ghi", 1.0), ("avg_lat_tilt", 1.15))
        }
        return JSONResponse(frame, headers=dict(headers))

    def pvwatts(self, query: Mapping[str, str], key: str, headers: Mapping[str, str]) -> Response:
        """422 with `errors` for missing inputs and where there are no weather data."""
        frame = _frame("8.0.0", {"api_key": key, **_without_key(query)})
        try:
            latitude, longitude = _position(query)
            capacity = _within(query, "system_capacity", 0.05, 500_000)
            losses = _within(query, "losses", -5, 99)
            _within(query, "module_type", 0, 2)
            _within(query, "array_type", 0, 4)
            _within(query, "tilt", 0, 90)
            _within(query, "azimuth", 0, 359.999)
            if not _inside(_WEATHER, latitude, longitude):
                raise _ServiceError("No climate data were found at this location.")
        except _ServiceError as error:
            return _unprocessable(frame, error, headers)
        solrad = [_sun(latitude, longitude) * share for share in _seasons(latitude)]
        poa = [value * 30.4 for value in solrad]
        dc = [value * capacity * (1 - losses / 100) for value in poa]
        ac = [value * 0.96 for value in dc]
        frame["ssc_info"] = {"version": 275, "build": "Linux 64 bit", "module": "pvwattsv8"}
        frame["station_info"] = _station(latitude, longitude)
        frame["outputs"] = {
            "ac_monthly": ac,
            "poa_monthly": poa,
            "solrad_monthly": solrad,
            "dc_monthly": dc,
            "ac_annual": sum(ac),
            "solrad_annual": sum(solrad) / 12,
            "capacity_factor": sum(ac) / (capacity * 8760) * 100,
        }
        return JSONResponse(frame, headers=dict(headers))

    def data_query(
        self, query: Mapping[str, str], key: str, headers: Mapping[str, str]
    ) -> Response:
        """Null and a warning for a dataset that has nothing near the position."""
        frame = _frame("1.4.0", {"api_key": key, **_without_key(query)})
        frame["metadata"] = {}
        try:
            latitude, longitude = _position(query)
        except _ServiceError as error:
            return _unprocessable(frame, error, headers)
        covered = _inside(_WEATHER, latitude, longitude)
        nearest = {**_station(latitude, longitude), "id": "3-G-0149190", "distance": 1750}
        frame["outputs"] = {
            "tmy2": None,
            "tmy3": None,
            "intl": None,
            "nsrdb": nearest if covered else None,
        }
        if not covered:
            frame["warnings"] = ["No nsrdb data were found near this location."]
        return JSONResponse(frame, headers=dict(headers))

    def nsrdb_data_query(
        self, query: Mapping[str, str], key: str, headers: Mapping[str, str]
    ) -> Response:
        """Datasets that hold the geometry; all of them with `show_empty`."""
        frame: dict[str, object] = {"errors": [], "inputs": _without_key(query), "outputs": []}
        try:
            west, south, east, north = _bounds(query)
        except _ServiceError as error:
            return _unprocessable(frame, error, headers)
        latitude, longitude = (south + north) / 2, (west + east) / 2
        every = query.get("show_empty") == "true"
        frame["outputs"] = [
            self._dataset(name, first, query["wkt"])
            for name, (box, first) in _SOLAR_DATASETS.items()
            if every or _inside(box, latitude, longitude)
        ]
        return JSONResponse(frame, headers=dict(headers))

    def _dataset(self, name: str, first: int, wkt: str) -> dict[str, object]:
        years: list[str | int] = ["tmy", *range(first, self._last_year + 1)]
        docs = f"https://developer.nlr.gov/docs/solar/nsrdb/{name}-download/"
        address = f"https://developer.nlr.gov/api/nsrdb/v2/solar/{name}-download.csv"
        return {
            "apiDocs": docs,
            "availableYears": years,
            "availableIntervals": [60],
            "displayName": name.replace("-", " "),
            "metadataLink": "https://nsrdb.nlr.gov",
            "name": name,
            "type": "satellite",
            "links": [
                {
                    "year": year,
                    "interval": 60,
                    "link": f"{address}?names={year}&wkt={wkt}&interval=60"
                    "&api_key=yourapikey&email=youremail",
                }
                for year in years
            ],
        }

    def site_count(
        self, query: Mapping[str, str], key: str, headers: Mapping[str, str]
    ) -> Response:
        """400 without a geometry; the key is echoed inside `inputs.query`."""
        inputs = {"body": {}, "params": {}, "query": {"api_key": key, **_without_key(query)}}
        frame: dict[str, object] = {
            "inputs": inputs,
            "metadata": {"version": "2.0.0", "resultset": {"count": 1}},
            "status": 200,
            "outputs": {},
            "errors": [],
        }
        try:
            west, south, east, north = _bounds(query)
        except _ServiceError as error:
            frame |= {"status": 400, "errors": [str(error)]}
            return JSONResponse(frame, 400, dict(headers))
        frame["outputs"] = {
            name: sum(_sites(box, (south, west, north, east)) for box in boxes)
            for name, boxes in _SITES.items()
        }
        return JSONResponse(frame, headers=dict(headers))


_SERVICES = {
    "api/solar/solar_resource/v1": NlrUpstream.solar_resource,
    "api/pvwatts/v8": NlrUpstream.pvwatts,
    "api/solar/data_query/v2": NlrUpstream.data_query,
    "api/solar/nsrdb_data_query": NlrUpstream.nsrdb_data_query,
    "api/wind-toolkit/v2/site-count": NlrUpstream.site_count,
}


def _gateway(
    form: str, status: int, code: str, words: str, headers: Mapping[str, str] | None = None
) -> Response:
    """An error of the gateway, in the format that was asked for; HTML for any other."""
    sent_headers = dict(headers or {})
    if form == "json":
        return JSONResponse({"error": {"code": code, "message": words}}, status, sent_headers)
    if form == "xml":
        body = f"<response><error><code>{code}</code><message>{words}</message></error></response>"
        return Response(body, status, sent_headers, "application/xml")
    if form == "csv":
        rows = io.StringIO()
        csv.writer(rows).writerows([("Error Code", "Error Message"), (code, words)])
        return Response(rows.getvalue(), status, sent_headers, "text/csv")
    return HTMLResponse(f"<html><h1>{code}</h1><p>{words}</p></html>", status, sent_headers)


def _unprocessable(
    frame: dict[str, object], error: _ServiceError, headers: Mapping[str, str]
) -> Response:
    frame |= {"errors": [str(error)], "outputs": {}}
    return JSONResponse(frame, 422, dict(headers))


def _frame(version: str, inputs: Mapping[str, str]) -> dict[str, object]:
    return {"version": version, "warnings": [], "errors": [], "inputs": inputs}


def _given_key(request: Request) -> str | None:
    """Key of the header, the query, or the user name of basic authentication."""
    given = request.headers.get("x-api-key") or request.query_params.get("api_key")
    if given:
        return given
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[0] or None
    except (Base64Error, UnicodeDecodeError):
        return None


def _without_key(query: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in query.items() if name != "api_key"}


def _position(query: Mapping[str, str]) -> tuple[float, float]:
    return _within(query, "lat", -90, 90), _within(query, "lon", -180, 180)


def _within(query: Mapping[str, str], name: str, least: float, most: float) -> float:
    try:
        value = float(query.get(name, ""))
    except ValueError:
        raise _ServiceError(f"{name} is required and must be a number.") from None
    if not least <= value <= most:
        raise _ServiceError(f"{name} must be between {least} and {most}.")
    return value


def _bounds(query: Mapping[str, str]) -> tuple[float, float, float, float]:
    """West, south, east, north of the `wkt` geometry."""
    numbers = [float(text) for text in _NUMBER.findall(query.get("wkt", ""))]
    if len(numbers) < 2 or len(numbers) % 2:
        raise _ServiceError("wkt is required and must be a point or a polygon.")
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])


def _inside(box: _Box, latitude: float, longitude: float) -> bool:
    south, west, north, east = box
    return south <= latitude <= north and west <= longitude <= east


def _sites(box: _Box, asked: _Box) -> int:
    """Model sites of a grid inside both boxes."""
    south, west = max(box[0], asked[0]), max(box[1], asked[1])
    north, east = min(box[2], asked[2]), min(box[3], asked[3])
    if south > north or west > east:
        return 0
    return (int((north - south) / _SITE_DEGREES) + 1) * (int((east - west) / _SITE_DEGREES) + 1)


def _sun(latitude: float, longitude: float) -> float:
    """Irradiance, kWh/m2/day: a cosine of the latitude, and a little of the longitude."""
    return 6.5 * math.cos(math.radians(latitude) * 0.9) * (1 + 0.1 * math.sin(longitude / 7))


def _seasons(latitude: float) -> list[float]:
    """Share of each month, one on average; flat at the equator, turned around in the south."""
    swing = latitude / 90
    return [1 - swing * math.cos(2 * math.pi * (month + 0.5) / 12) for month in range(12)]


def _averages(level: float, latitude: float) -> dict[str, object]:
    shares = _seasons(latitude)
    monthly = {month: _figure(level * share) for month, share in zip(_MONTHS, shares, strict=True)}
    return {"annual": _figure(level), "monthly": monthly}


def _figure(value: float) -> float | int:
    """Two decimals; whole numbers without any, as the service writes them."""
    rounded = round(value, 2)
    return int(rounded) if rounded.is_integer() else rounded


def _station(latitude: float, longitude: float) -> dict[str, object]:
    """The middle of the four-kilometre cell of the weather data."""
    return {
        "lat": round(latitude / 0.04) * 0.04,
        "lon": round(longitude / 0.04) * 0.04,
        "elev": 1635.6,
        "tz": float(round(longitude / 15)),
        "location": "149190",
        "city": "",
        "state": "",
        "solar_resource_file": "149190.csv",
        "weather_data_source": "NSRDB PSM V3 GOES tmy-2020 3.2.0",
    }
