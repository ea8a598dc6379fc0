"""How fast the API answers, and what limits it: wrk asks a process like the sink's.

Clients that think for a while make a steady load, clients that do not make the greatest one. Lists
are asked by a wrk of their own beside the others, because it tells apart no answers of one run.
"""

import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

import pyarrow.parquet
import pyogrio

from streams.core.errors import InfrastructureError
from streams.serve.addresses import FEATURES, PREFIX, TILES
from tests.bench.serving_control import ServingProcess, Spent, filled, one_process
from tests.bench.serving_data import (
    FIRST_DAY,
    Size,
    asset_ids,
    terminal_id,
)
from tests.bench.serving_process import ROWS_PER_SECOND

GET_WRK: Final = "wrk is missing: install Debian's package wrk."

_SCRIPT: Final = Path(__file__).with_name("serving.lua")
_CLIENTS: Final = 50
_LIST_CLIENTS: Final = 10
_THINK_MS: Final = 490
"""With the time of an answer, two requests a second of each client."""
_PATHS: Final = 2_000
_KNOWN: Final = 500
_WARM_SECONDS: Final = 3
_TIMES: Final = 10
_LIST: Final = f"{PREFIX}/power-plants"


@dataclass(frozen=True, slots=True)
class Served:
    """One figure.

    Attributes:
        load: Who asks what, whether caches were cold and the sink was writing.
        reached: None: it has no goal.
        limit: Where the time went.
    """

    what: str
    load: str
    measured: str
    goal: str
    reached: bool | None
    limit: str


@dataclass(frozen=True, slots=True)
class _Load:
    """What wrk says of a run; times in ms."""

    answers: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    def text(self) -> str:
        """For people."""
        failed = f", {self.failed} failed" if self.failed else ""
        times = f"p50 {self.p50_ms:.0f} ms, p99 {self.p99_ms:.0f} ms"
        return f"{self.rate:,.0f} requests/s, {times}{failed}"


def served(home: Path, size: Size, seconds: int) -> Iterator[str | Served]:
    """Fill an engine, serve it and ask for everything; says what it does meanwhile.

    Args:
        home: Directory of the data.
        size: How much there is.
        seconds: Of each run of wrk.

    Raises:
        InfrastructureError: merges do not come down to a few parts, or the process has ended.
    """
    home.mkdir(parents=True, exist_ok=True)
    directory = home / "clickhouse"
    with one_process() as filling:
        yield filling.submit(filled, directory, size).result()
    with ServingProcess(directory) as server, one_process() as gdal:
        # First, while the engine's caches are cold; those of Linux are not.
        yield from _whole(server, gdal, size)
        loads, limit = _mixed_loads(server, size, seconds)
        yield from _mixed(loads, "sink idle", (50, 100), limit)
        yield from _fastest(server, size, seconds)
        server.write()
        loads, limit = _mixed_loads(server, size, seconds)
        writing = f"sink writing {server.idle():,.0f} rows/s of {ROWS_PER_SECOND:,}"
        yield from _mixed(loads, writing, (120, 120), limit)


def _whole(server: ServingProcess, gdal: Executor, size: Size) -> Iterator[Served]:
    def parquet() -> int:
        answer = server.client.get(_LIST, params={"format": "parquet"}).raise_for_status()
        return int(pyarrow.parquet.read_metadata(BytesIO(answer.content)).num_rows)

    def geojson(encoding: str = "identity") -> int:
        answer = server.client.get(
            _LIST, params={"format": "geojson"}, headers={"accept-encoding": encoding}
        ).raise_for_status()
        return answer.content.count(b'"type":"Feature",')

    def features() -> int:
        return gdal.submit(_features, f"OAPIF:{server.url}{FEATURES}").result()

    def tile(zoom: int, x: int, y: int) -> int:
        address = f"{TILES}/{zoom}/{x}/{y}.mvt"
        return len(server.client.get(address).raise_for_status().content)

    gdal.submit(_features, "").result()
    asset_count = f"{size.assets:,} assets"
    whole = partial(_repeated, server)
    yield from whole(f"{asset_count} as Parquet", parquet, size.assets, 1.0)
    yield from whole(f"{asset_count} as GeoJSON", geojson, size.assets, 1.0)
    zipped = partial(geojson, "gzip")
    yield from whole(f"{asset_count} as GeoJSON, gzip", zipped, size.assets, None)
    yield from whole(f"{asset_count} by GDAL, OGC API Features", features, size.assets, 3.0)
    yield from whole("tile at zoom 0, of all assets", partial(tile, 0, 0, 0), None, 0.15)
    yield from whole("tile at zoom 4", partial(tile, 4, 8, 6), None, 0.04)


def _features(source: str) -> int:
    """How many features GDAL reads; with an empty address it only starts."""
    return len(pyogrio.raw.read(source, layer="power-plants")[2]) if source else 0


def _repeated(
    server: ServingProcess,
    what: str,
    ask: Callable[[], int],
    expected: int | None,
    goal: float | None,
) -> Iterator[Served]:
    times: list[float] = []
    spent, limits = Spent(server), list[str]()
    for number in range(1 + _TIMES):
        began = time.perf_counter()
        found = ask()
        times.append(time.perf_counter() - began)
        if number == 0:
            limits.append(spent.limit())
            spent = Spent(server)
        if not found or expected not in (None, found):
            raise InfrastructureError(f"{what}: {found:,} came instead of {expected}.")
    limits.append(spent.limit())
    warm = statistics.median(times[1:])
    bound = "" if goal is None else f"under {_seconds(goal)}"
    for state, measured, limit in zip(("cold", "warm"), (times[0], warm), limits, strict=True):
        reached = None if goal is None else measured < goal
        load = f"one client, sink idle, caches {state}"
        yield Served(what, load, _seconds(measured), bound, reached, limit)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _mixed_loads(server: ServingProcess, size: Size, seconds: int) -> tuple[Sequence[_Load], str]:
    """Points and series, and lists; and what limited them."""
    paths, clients = (_mixed_paths(size), _list_paths()), (_CLIENTS - _LIST_CLIENTS, _LIST_CLIENTS)
    _asked(server, paths, clients, _WARM_SECONDS, _THINK_MS)
    spent = Spent(server)
    return _asked(server, paths, clients, seconds, _THINK_MS), spent.limit()


def _mixed(
    loads: Sequence[_Load], state: str, goals: tuple[float, float], limit: str
) -> Iterator[Served]:
    rate = sum(load.rate for load in loads)
    asked = f"{rate:.0f} requests/s of {_CLIENTS} clients, {state}, caches warm"
    parts = ("40 % assets, 30 % series of 60 days, 10 % of 5 years", "20 % lists of 100")
    for part, load, goal in zip(parts, loads, goals, strict=True):
        reached = load.p99_ms < goal and not load.failed
        yield Served(f"mixed: {part}", asked, load.text(), f"p99 under {goal} ms", reached, limit)


def _fastest(server: ServingProcess, size: Size, seconds: int) -> Iterator[Served]:
    random = Random(2)
    assets = _asset_paths(size, random, _PATHS)
    known = [f"{path}\t{_tag(server, path)}" for path in assets[:_KNOWN]]
    for what, paths, rate, p99_ms in (
        ("asset", assets, 1_500, 100),
        ("series of 60 days", _series_paths(size, random, _PATHS), 1_500, 100),
        ("unchanged asset (304)", known, 3_000, 30),
    ):
        _asked(server, (paths,), (_CLIENTS,), _WARM_SECONDS, 0)
        spent = Spent(server)
        (load,) = _asked(server, (paths,), (_CLIENTS,), seconds, 0)
        reached = load.rate >= rate and load.p99_ms < p99_ms and not load.failed
        yield Served(
            what,
            f"{_CLIENTS} clients without a pause, sink idle, caches warm",
            load.text(),
            f"at least {rate:,}/s, p99 under {p99_ms} ms",
            reached,
            spent.limit(),
        )


def _asked(
    server: ServingProcess,
    paths: Sequence[Sequence[str]],
    clients: Sequence[int],
    seconds: int,
    think_ms: int,
) -> Sequence[_Load]:
    """Let one wrk for each list of paths ask at once."""
    wrk = shutil.which("wrk")
    assert wrk is not None
    with TemporaryDirectory() as folder:
        running = []
        for number, (asked, count) in enumerate(zip(paths, clients, strict=True)):
            file = Path(folder) / f"{number}.txt"
            file.write_text("\n".join(asked), encoding="utf-8")
            command = [wrk, "-t1", f"-c{count}", f"-d{seconds}s", "--timeout", "20s", "-s"]
            command += [str(_SCRIPT), server.url, "--", str(file), str(think_ms)]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        said = [one.communicate()[0] for one in running]
    for one in running:
        if one.returncode:
            raise InfrastructureError(f"wrk ended with {one.returncode}: run the bench again.")
    return [_Load(**json.loads(text.strip().splitlines()[-1])) for text in said]


def _mixed_paths(size: Size) -> Sequence[str]:
    random = Random(1)
    return [
        *_asset_paths(size, random, _PATHS * 4 // 8),
        *_series_paths(size, random, _PATHS * 3 // 8),
        *(f"{path}?start_date={FIRST_DAY}" for path in _series_paths(size, random, _PATHS // 8)),
    ]


def _asset_paths(size: Size, random: Random, count: int) -> Sequence[str]:
    ids = asset_ids(size)
    return [f"{PREFIX}/assets/{random.choice(ids)}" for _ in range(count)]


def _series_paths(size: Size, random: Random, count: int) -> Sequence[str]:
    terminals = [terminal_id(number) for number in range(size.entities)]
    return [f"{PREFIX}/lng-inventory/{random.choice(terminals)}" for _ in range(count)]


def _list_paths() -> Sequence[str]:
    countries, fuels = ("ES", "FR", "DE", "IT", "PL", "US"), ("wind", "solar", "gas", "hydro")
    return [
        *(f"{_LIST}?country={one}&fuel_type={fuel}" for one in countries for fuel in fuels),
        *(f"{_LIST}?country={one}&sort=-capacity_mw" for one in countries),
        *(f"{_LIST}?fuel_type={one}&min_capacity_mw=100" for one in fuels),
    ]


def _tag(server: ServingProcess, path: str) -> str:
    return str(server.client.get(path).raise_for_status().headers["etag"])
