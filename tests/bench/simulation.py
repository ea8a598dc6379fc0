"""A thousand times the data, in arithmetic and in a simulation of partitions; pure.

What one of everything costs is measured (`FIGURES.md`); here it is multiplied. The simulation is a
day of minutes: sources are polled, their records wait in partitions, a worker reads its partitions
with one core.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

TIMES: Final = 1000

# Measured: sections storage, scale, reconciliation, sink and engine of FIGURES.md.
GAS_DAYS_A_YEAR: Final = 1_460 * 1_526
LISTED: Final = 59_259 + 375 + 34_936
RAW_BYTES: Final = 170
PIPELINE_US: Final = 1_000.0
"""Assumed, until `make bench ARGS="--only scale"` has been taken on a quiet machine."""

SINK_US: Final = 30.0
ROW_BYTES: Final = 820
STATE_BYTES: Final = 6_000
INDEX_US: Final = 85.0
REGION_SHARES: Final = (0.227, 0.241, 0.228, 0.304)
"""Europe, North America, East Asia, the rest: of the positions in the complete lists of power
plants of WRI and GEM, by `region_of`."""

SKEWED_SHARES: Final = (0.15, 0.15, 0.15, 0.55)
"""If most of what comes later lay in one region."""

# Assumed.
SERIES: Final = 48
"""The EU, 12 countries and 35 terminals."""

TIMES_SAID: Final = 3
"""Estimated, confirmed, revised."""

CHANGED_SHARE: Final = 0.05

# Chosen.
RELEASES_A_YEAR: Final = 12
REPLICAS: Final = 3
PARTITIONS: Final = 4
SOURCES: Final = 4
REPLICAS_A_BROKER: Final = 4_000
CELLS: Final = 1_024

_SECONDS_A_YEAR: Final = 365 * 86_400
_MINUTES: Final = 24 * 60
_POLLS_A_DAY: Final = 4
_SEED: Final = 1
_SKEW: Final = 1.2
"""Of the sizes of sources (Pareto): one in a hundred has about half of the records."""


@dataclass(frozen=True, slots=True)
class Need:
    """One line of the arithmetic, as text."""

    what: str
    now: str
    then: str
    how: str


def needs() -> tuple[Need, ...]:
    """What the data of a year need now, and a thousand times as many."""
    return tuple(
        Need(what, form(value), form(value * TIMES), how) for what, value, form, how in _lines()
    )


def _lines() -> Iterable[tuple[str, float, Callable[[float], str], str]]:
    raw = GAS_DAYS_A_YEAR + LISTED * RELEASES_A_YEAR
    largest = LISTED * max(REGION_SHARES)
    yield (
        "raw records a year",
        raw,
        _count,
        "at most: every poll of gas days, a release of every list a month, all of it changed",
    )
    changed = SERIES * 365 * TIMES_SAID + LISTED * RELEASES_A_YEAR * CHANGED_SHARE
    yield (
        "raw records a year, of what changes",
        changed,
        _count,
        f"a gas day is said {TIMES_SAID} times, {CHANGED_SHARE:.0%} of a list changes in a month",
    )
    yield "raw records a second", raw / _SECONDS_A_YEAR, _small, "on average"
    yield "raw topics, a year", raw * RAW_BYTES * REPLICAS, _bytes, "at most; three replicas"
    bytes_changed = changed * RAW_BYTES * REPLICAS
    yield "raw topics, a year, of what changes", bytes_changed, _bytes, "three replicas"
    replicas = SOURCES * PARTITIONS * REPLICAS
    yield "replicas of raw partitions", replicas, _count, "a topic for each source"
    yield (
        "brokers for them",
        replicas / REPLICAS_A_BROKER,
        _small,
        f"at most {REPLICAS_A_BROKER:,} replicas each; three at least",
    )
    cores = raw / _SECONDS_A_YEAR * PIPELINE_US / 1e6
    yield "cores of the pipeline", cores, _small, "on average"
    hours = LISTED * PIPELINE_US / 1e6 / 3600
    yield "core hours for all lists at once", hours, _small, "a first poll, or a rebuild"
    yield "rows of ClickHouse, a year", raw, _count, "if every raw record changed something"
    yield "the same on disk", raw * ROW_BYTES, _bytes, "one replica, before compression"
    yield "cores to insert them", raw / _SECONDS_A_YEAR * SINK_US / 1e6, _small, "on average"
    yield "state of the largest region", largest * STATE_BYTES, _bytes, "in memory of one process"
    yield "its index after a restart, minutes", largest * INDEX_US / 6e7, _small, "one core"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _small(value: float) -> str:
    return f"{value:,.2g}" if value < 10 else f"{value:,.0f}"


def _bytes(value: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if value >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value / 1e6:,.0f} MB"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way to run a thousand times the data for a day.

    Attributes:
        shares: Of the records, by partition of reconcile.
        spread: Whether polls are spread over their interval; else all begin together.
        slow: Partition that is read at a fraction of a core's speed, and the fraction.
    """

    name: str
    shares: Sequence[float]
    workers: int
    spread: bool = True
    slow: tuple[int, float] | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """What became of a day.

    Attributes:
        most_waiting: Records that waited at once.
        longest_minutes: How long a partition had records waiting without a break.
        left: Records not decided at the end of the day.
        busiest_worker: Share of its core that the busiest worker used.
    """

    most_waiting: float
    longest_minutes: int
    left: float
    busiest_worker: float


def scenarios() -> tuple[Scenario, ...]:
    """What is compared."""
    cells = split(REGION_SHARES, CELLS // len(REGION_SHARES))
    return (
        Scenario("a partition for each region, 4 workers", REGION_SHARES, 4),
        Scenario("the same, every source polled at midnight", REGION_SHARES, 4, spread=False),
        Scenario("the same, over half of it in one region", SKEWED_SHARES, 4, spread=False),
        Scenario(f"{CELLS:,} cells, 4 workers, midnight", cells, 4, spread=False),
        Scenario(f"{CELLS:,} cells, 16 workers, midnight", cells, 16, spread=False),
        Scenario(
            "regions, 4 workers, one at a tenth of its speed", REGION_SHARES, 4, slow=(0, 0.1)
        ),
        Scenario("cells, 4 workers, one at a tenth of its speed", cells, 4, slow=(0, 0.1)),
    )


def split(shares: Sequence[float], parts: int) -> tuple[float, ...]:
    """Regions in cells of their own sizes, the largest a few times the average."""
    random_ = random.Random(_SEED)
    cells: list[float] = []
    for share in shares:
        sizes = [random_.uniform(0.2, 1.8) for _ in range(parts)]
        cells += [share * size / sum(sizes) for size in sizes]
    return tuple(cells)


def arrivals(spread: bool) -> list[float]:
    """Records that are polled in each minute of a day, of many sources of skewed sizes."""
    random_ = random.Random(_SEED)
    found = [0.0] * _MINUTES
    for records, polls in (
        (GAS_DAYS_A_YEAR * TIMES / 365, _POLLS_A_DAY),
        (LISTED * TIMES * RELEASES_A_YEAR / 365, 1),
    ):
        sizes = [random_.paretovariate(_SKEW) for _ in range(TIMES * SOURCES // 2)]
        total = sum(sizes)
        for size in sizes:
            interval = _MINUTES // polls
            first = random_.randrange(interval) if spread else 0
            for minute in range(first, _MINUTES, interval):
                found[minute] += records * size / total / polls
    return found


def simulate(scenario: Scenario) -> Day:
    """A day, minute by minute: what arrives waits, and each worker spends its core on it."""
    waiting = [0.0] * len(scenario.shares)
    since = [0] * len(scenario.shares)
    most_waiting, longest, spent = 0.0, 0, [0.0] * scenario.workers
    for arrived in arrivals(scenario.spread):
        for partition, share in enumerate(scenario.shares):
            waiting[partition] += arrived * share
        most_waiting = max(most_waiting, sum(waiting))
        for worker in range(scenario.workers):
            own = range(worker, len(waiting), scenario.workers)
            spent[worker] += _read(waiting, own, scenario.slow)
        for partition, left in enumerate(waiting):
            since[partition] = since[partition] + 1 if left >= 1 else 0
        longest = max(longest, *since)
    return Day(most_waiting, longest, abs(sum(waiting)), max(spent) / _MINUTES / 60)


def _read(waiting: list[float], own: Iterable[int], slow: tuple[int, float] | None) -> float:
    """Seconds of a core that a worker spends in a minute; the shortest queues first."""
    left, spent = 60.0, 0.0
    for partition in sorted(own, key=waiting.__getitem__):
        speed = slow[1] if slow is not None and slow[0] == partition else 1.0
        seconds = min(waiting[partition] * PIPELINE_US / 1e6 / speed, left)
        waiting[partition] -= seconds * 1e6 / PIPELINE_US * speed
        left -= seconds
        spent += seconds
    return spent


def report() -> str:
    """The arithmetic and the simulation as tables for the page."""
    needed = _table(
        ("", "now", f"{TIMES:,} times", "how"),
        ((need.what, need.now, need.then, need.how) for need in needs()),
    )
    days: Mapping[str, Day] = {one.name: simulate(one) for one in scenarios()}
    simulated = _table(
        ("a day", "records waiting at most", "longest wait", "left at the end", "busiest worker"),
        (
            (
                name,
                _count(day.most_waiting),
                f"{day.longest_minutes:,} min",
                _count(day.left),
                f"{day.busiest_worker:.0%}",
            )
            for name, day in days.items()
        ),
    )
    return f"{needed}\n{simulated}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = tuple(head)
    lines = [titles, ("---",) * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    print(report())  # noqa: T201
