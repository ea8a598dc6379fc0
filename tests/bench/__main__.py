"""`make bench`: the same job in four ways, then the whole product, in one run."""

import logging
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.avro.topic_codecs import APPLIED_SUBJECT
from streams.core.errors import InfrastructureError
from streams.kafka.topic_admin import ensure_topics
from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
from streams.settings import settings
from streams.topics import Topic
from tests import browser
from tests.bench.codec import READ_GOAL, WRITE_GOAL, codec_cost, codec_table, slow_contracts
from tests.bench.compare import (
    CONTENDERS,
    Spread,
    compare,
    comparison_table,
    input_records,
    missed,
    verdict,
)
from tests.bench.flow import insert_alone, topic_to_insert, whole_way
from tests.bench.job import RAW
from tests.bench.load import publish
from tests.bench.measure import Arena, Contender
from tests.bench.page import looked_at
from tests.bench.produce import produce_release
from tests.bench.reads import ReadTime, read_times
from tests.bench.rebuild import rebuild_times
from tests.bench.reconcile import reconcile_cost
from tests.bench.scale import WORKERS, carried
from tests.bench.serving import GET_WRK, Served, served
from tests.bench.serving_data import Size
from tests.bench.storage import storage_table, stored_sizes
from tests.bench.validation import (
    MOST_MICROSECONDS,
    rule_table,
    stage_table,
    validation_cost,
)
from tests.bench.whole import WholeRun, whole_run
from tests.real_files import how_to_get, real_data_dir

_EXIT_MISSED = 1
_EXIT_FAILED = 3
_RECONCILE_MS = 0.35
_SERVE_SECONDS = 30
_FURTHER_POLLS = 20
_REBUILD_SHARE = 1.1
"""Of the time of the first load; two runs of one thing differ by so much."""

# The clock of every figure is the broker's, whichever client wrote.
_BROKER = {"log.message.timestamp.type": "LogAppendTime"}

out = Console()


class Part(StrEnum):
    """What `--only` takes: contenders, then parts of the product."""

    ENGINE = "engine"
    FAUST = "faust"
    QUIX = "quix"
    BARE = "bare"
    WAY = "way"
    SINK = "sink"
    INSERT = "insert"
    VALIDATION = "validation"
    PRODUCE = "produce"
    RECONCILE = "reconcile"
    READS = "reads"
    CODEC = "codec"
    SERVE = "serve"
    PAGE = "page"
    STORAGE = "storage"
    REBUILD = "rebuild"
    SCALE = "scale"
    WHOLE = "whole"


def main(
    records: Annotated[
        int, typer.Option(min=1000, help="Records of each fast contender; Faust gets a twentieth.")
    ] = 400_000,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of everything.")] = 5,
    only: Annotated[list[Part], typer.Option(help="Only these; repeat the option.")] = list(Part),  # noqa: B006
) -> None:
    """Measure the engine beside stock Faust, Quix Streams and a bare loop, then the whole product.

    produce: a release into an idle broker. way: power plants from poll to queryable. sink: topic
    to acknowledged insert. insert: ClickHouse alone. validation: what the rules cost the pure core.
    reads: each query of the product on 60,000 assets and five years of 60 series. reconcile: one
    more record while 52,000 are in state. codec: the compiled Avro writer and reader beside
    fastavro. serve: the API under load, on the same data as reads. page: each view in Chromium, on
    these and 11,000 lines. storage: what the raw topic of each source takes on disk, at first and
    in a year. scale: the pipeline with one, two and three workers. rebuild: a next generation
    beside the first load. whole: `make run` from the command to the end, on its usual ports, with
    real files and made-up data. Exit code 1 when a goal is missed, 3 when a figure is void.
    """
    logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s")
    logging.getLogger("stamina").setLevel(logging.ERROR)  # retries are its warnings
    home = settings().data_dir / "bench"
    shutil.rmtree(home, ignore_errors=True)
    contenders = [contender for contender in CONTENDERS if contender.name in only]
    problems = []
    try:
        if contenders:
            problems += _compare(home, contenders, records, repeats)
        problems += _measure_product(home, only, records // 2, repeats)
        if Part.VALIDATION in only:
            problems += _measure_validation(repeats)
        _measure_without_goals(home, only, records // 20, repeats)
        if Part.REBUILD in only:
            problems += _measure_rebuild(home / "rebuild")
        if Part.WHOLE in only:
            problems += _measure_whole(home / "whole", repeats)
        if Part.CODEC in only:
            problems += _measure_codec(repeats)
        if Part.SERVE in only:
            problems += _measure_serving(home / "serve")
        if Part.PAGE in only:
            problems += _measure_page(home / "page")
    except InfrastructureError as error:
        # Its message names a log in the directory, which therefore stays.
        out.print(f"[red]{error}[/red]")
        raise typer.Exit(_EXIT_FAILED) from error
    shutil.rmtree(home, ignore_errors=True)
    for problem in problems:
        out.print(f"[red]Missed: {problem}[/red]")
    raise typer.Exit(_EXIT_MISSED if problems else 0)


def _compare(home: Path, contenders: Sequence[Contender], records: int, repeats: int) -> list[str]:
    sizes = sorted({input_records(contender, records) for contender in contenders})
    inputs = {size: f"bench-input-{size}" for size in sizes}
    with LocalStack(home / "stack", StackPorts.free(), kafka_properties=_BROKER) as stack:
        _publish_inputs(stack, inputs)
        rounds = compare(Arena(stack, home, inputs), contenders, records, repeats, out.print)
    out.print(comparison_table(contenders, rounds))
    out.print(f"Medians of {repeats} rounds (least … greatest); {_machine()}.")
    return missed(contenders, rounds)


def _publish_inputs(stack: LocalStack, inputs: Mapping[int, str]) -> None:
    bootstrap = stack.kafka.bootstrap
    with Registry(stack.registry.url) as registry:
        registry.register(RAW.subject(), contract(RAW.contract_name))
        registry.register(APPLIED_SUBJECT, contract("state.applied"))
        encoder = registry.encoder(RAW.subject(), contract(RAW.contract_name))
    ensure_topics(bootstrap, [Topic(name) for name in inputs.values()], replication_factor=1)
    for size, name in inputs.items():
        publish(bootstrap, name, encoder, size)
        out.print(f"{size:,} records of input in {name}")


def _measure_product(home: Path, only: Sequence[Part], records: int, repeats: int) -> list[str]:
    table = Table("part", "figure", "goal", "")
    problems = []

    def show(
        what: str, figures: Sequence[float], unit: str, goal: float | None, more: bool
    ) -> None:
        spread = Spread.of(figures)
        reached = goal is None or (spread.median >= goal if more else spread.median < goal)
        bound = "" if goal is None else f"{'at least' if more else 'under'} {goal:,.0f} {unit}"
        table.add_row(
            what, f"{spread.text(0 if more else 1)} {unit}", bound, verdict(reached) if goal else ""
        )
        if not reached:
            problems.append(f"{what}: {spread.text(1)} {unit} instead of {bound}")

    if Part.PRODUCE in only:
        runs = produce_release(home / "produce", repeats)
        release = f"{runs[0].records:,} plants, download to last delivery"
        show(release, [run.records_per_second for run in runs], "records/s", 30_000, more=True)
        spent = [run.processor_microseconds for run in runs]
        show("the same, processor time of a record", spent, "µs", None, more=False)
        show("the same, peak memory", [run.peak_megabytes for run in runs], "MB", 300, more=False)
    if Part.WAY in only:
        ways = [whole_way(home / f"way-{number}") for number in range(repeats)]
        plants = f"{ways[0].plants:,} plants"
        show(f"{plants}, poll to queryable", [way.seconds for way in ways], "s", 30, more=False)
        speeds = [way.produced_per_second for way in ways]
        show(f"{plants}, download to raw topic", speeds, "records/s", None, more=True)
    if Part.SINK in only:
        speeds = [topic_to_insert(home / f"sink-{number}", records) for number in range(repeats)]
        show("topic to acknowledged insert", speeds, "records/s", 15_000, more=True)
    if Part.INSERT in only:
        speeds = [insert_alone(home / f"insert-{number}", records) for number in range(repeats)]
        show("ClickHouse insert alone", speeds, "rows/s", 100_000, more=True)
    if Part.RECONCILE in only:
        problems += _measure_reconcile(table)
    if table.rows:
        out.print(table)
        out.print(f"Medians of {repeats} runs (least … greatest); {_machine()}.")
    return problems


def _measure_rebuild(home: Path) -> list[str]:
    if not real_data_dir().is_dir():
        out.print(f"rebuild: skipped, {how_to_get(real_data_dir())}")
        return []
    times = rebuild_times(home)
    reached = times.grown <= times.first_load * _REBUILD_SHARE
    table = Table("part", "figure", "records/s", "goal", "")
    goal = "no longer than the first load"
    for what, seconds, bound in (
        (f"first load of {times.raw:,} raw records", times.first_load, ""),
        ("the next generation, from all of them", times.grown, goal),
        ("its switch", times.switched, ""),
    ):
        speed = f"{times.raw / seconds:,.0f}"
        table.add_row(what, f"{seconds:.1f} s", speed, bound, verdict(reached) if bound else "")
    out.print(table)
    out.print(f"One run, each from the start of a worker; {_machine()}.")
    return [] if reached else [f"rebuild: {times.grown:.1f} s, not {goal}"]


def _measure_whole(home: Path, repeats: int) -> list[str]:
    problems = []
    real = real_data_dir()
    kinds = {"made-up data": (home / "made-up", home / "nothing")}
    if real.is_dir():
        kinds["real files"] = (home / "real", real)
    else:
        out.print(f"whole: made-up data alone, {how_to_get(real)}")
    for what, (folder, data_dir) in kinds.items():
        runs = [whole_run(folder, data_dir, _FURTHER_POLLS) for _ in range(repeats)]
        problems += [f"{what}: {problem}" for problem in _show_whole(what, runs)]
    return problems


def _show_whole(what: str, runs: Sequence[WholeRun]) -> list[str]:
    raw = runs[0].raw
    table = Table("figure", "measured", "goal", "", title=f"{raw:,} raw records of {what}")
    problems = []

    def show(name: str, figures: Sequence[float], unit: str, goal: float | None = None) -> None:
        spread = Spread.of(figures)
        measured = f"{spread.text(1 if spread.median > 10 else 2)} {unit}"
        bound = "" if goal is None else f"at most {goal:g} {unit}"
        reached = goal is None or spread.median <= goal
        table.add_row(name, measured, bound, "" if goal is None else verdict(reached))
        if not reached:
            problems.append(f"{name}: {measured} instead of {bound}")

    show("from `make run` to the first poll", [run.start_seconds for run in runs], "s", 12)
    show("first poll to all accounted for", [run.first_seconds for run in runs], "s", 40)
    show("the same of a second run", [run.again_seconds for run in runs], "s", 10)
    show("Ctrl-C to the end", [run.stop_seconds for run in runs], "s", 5)
    show("`make audit`", [run.audit_seconds for run in runs], "s", 5)
    show("versions for each asset", [run.versions_per_asset for run in runs], "")
    said_once = [run.versions_if_said_once for run in runs]
    show("the same, of those that one record makes", said_once, "", 1.1)
    for name, milliseconds in (("pipeline worker", 0.3), ("sink worker", 0.2)):
        spent = [1000 * run.used[name].seconds / raw for run in runs]
        show(f"{name}, processor time of a raw record", spent, "ms", milliseconds)
    for name, megabytes in (("pipeline worker", 700), ("sink worker", 500)):
        most = [run.used[name].most_megabytes for run in runs]
        show(f"{name}, most memory", most, "MB", megabytes)
    for name in sorted(runs[0].used):
        show(f"{name}, processor time", [run.used[name].seconds for run in runs], "s")
    for stage in runs[0].stages:
        show(f"stage {stage} computes", [run.stages[stage] for run in runs], "s")
    out.print(table)
    for name, index in (("pipeline worker", 0), ("sink worker", 1)):
        curve = ", ".join(f"{sizes[index]:.0f}" for sizes in runs[-1].memory_curve)
        out.print(f"{name}, most memory after each poll of the second run, MB: {curve}")
    out.print(f"Medians of {len(runs)} runs (least … greatest); {_machine()}.")
    return problems


def _measure_without_goals(home: Path, only: Sequence[Part], records: int, repeats: int) -> None:
    if Part.READS in only:
        _measure_reads(home / "reads")
    if Part.STORAGE in only:
        out.print(storage_table(stored_sizes(home / "storage")))
    if Part.SCALE in only:
        _measure_scale(home / "scale", records, repeats)


def _measure_reads(home: Path) -> None:
    table = Table("query", "median", "p99", "processor time")
    for found in read_times(home, Size()):
        if isinstance(found, ReadTime):
            figures = (found.median, found.p99, found.processor)
            table.add_row(found.what, *(f"{figure:.1f} ms" for figure in figures))
        else:
            out.print(found)
    out.print(table)
    out.print(f"One client, one thread, caches warm; {_machine()}.")


def _measure_scale(home: Path, records: int, repeats: int) -> None:
    table = Table("workers", "processor time of a record", "busiest worker", "memory", "speed")
    for workers in WORKERS:
        runs = [carried(home / f"{workers}-{run}", workers, records) for run in range(repeats)]
        table.add_row(
            str(workers),
            f"{Spread.of([run.processor_microseconds for run in runs]).text(0)} µs",
            f"{Spread.of([100 * run.busiest_share for run in runs]).text(0)} %",
            f"{Spread.of([run.most_megabytes for run in runs]).text(0)} MB",
            f"{Spread.of([run.records_per_second for run in runs]).text(0)} records/s",
        )
    out.print(table)
    out.print(
        f"{records:,} raw records through every stage, medians of {repeats} runs; {_machine()}. "
        "Speed needs a core for each worker and one for the broker."
    )


def _measure_serving(home: Path) -> list[str]:
    if shutil.which("wrk") is None:
        out.print(f"serve: skipped, {GET_WRK}")
        return []
    return _show_served(served(home, Size(), _SERVE_SECONDS))


def _measure_page(home: Path) -> list[str]:
    path = browser.chromium()
    if path is None:
        out.print(f"page: skipped, {browser.HOW_TO_GET}")
        return []
    return _show_served(looked_at(home, path))


def _show_served(figures: Iterable[str | Served]) -> list[str]:
    table = Table("asked for", "load", "measured", "goal", "", "limit", show_lines=True)
    problems = []
    for found in figures:
        if isinstance(found, str):
            out.print(found)
            continue
        reached = "" if found.reached is None else verdict(found.reached)
        table.add_row(found.what, found.load, found.measured, found.goal, reached, found.limit)
        if found.reached is False:
            problems.append(f"{found.what}, {found.load}: {found.measured} instead of {found.goal}")
    out.print(table)
    out.print(f"Shares are of one processor; {_machine()}.")
    return problems


def _measure_validation(repeats: int) -> list[str]:
    rounds = [validation_cost() for _ in range(repeats)]
    out.print(stage_table(rounds), rule_table(rounds))
    average = Spread.of([round_.average for round_ in rounds])
    out.print(
        f"Validation adds {average.text(1)} µs to a record on average, at most "
        f"{MOST_MICROSECONDS:.0f} are allowed: {verdict(average.median <= MOST_MICROSECONDS)}"
    )
    if average.median <= MOST_MICROSECONDS:
        return []
    return [f"validation: {average.text(1)} µs a record instead of {MOST_MICROSECONDS:.0f}"]


def _measure_codec(repeats: int) -> list[str]:
    rounds = [codec_cost() for _ in range(repeats)]
    problems = slow_contracts(rounds)
    out.print(codec_table(rounds))
    out.print(f"Microseconds per record, medians of {repeats} rounds; {_machine()}.")
    out.print(
        f"At least {WRITE_GOAL:g} times as fast as fastavro on writing, {READ_GOAL:g} on reading: "
        f"{verdict(not problems)}"
    )
    return problems


def _measure_reconcile(table: Table) -> list[str]:
    folder = real_data_dir() / "reconcile"
    if not folder.is_dir():
        out.print(f"reconcile: skipped, {how_to_get(folder)}")
        return []
    cost = reconcile_cost(folder)
    reached = cost.resolve_median < _RECONCILE_MS
    goal = f"under {_RECONCILE_MS} ms"
    in_state = f"{cost.in_state:,} records in state"
    figure = f"{cost.resolve_median:.3f} ms, 99th percentile {cost.resolve_p99:.3f} ms"
    table.add_row(f"score and resolve a record, {in_state}", figure, goal, verdict(reached))
    figure = f"{cost.whole_median:.3f} ms, 99th percentile {cost.whole_p99:.3f} ms"
    table.add_row("the same with the canonical record", figure, "", "")
    return [] if reached else [f"score and resolve: {cost.resolve_median:.3f} ms, not {goal}"]


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    typer.run(main)
