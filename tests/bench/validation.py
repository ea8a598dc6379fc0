"""What validation costs the pure core: per record of each source, and per rule.

No broker, no registry, no disk: the records of the sandbox go through the functions of the stages.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from statistics import median
from time import process_time
from typing import TypeVar

from rich.table import Table

from producers.config import load_config
from producers.connector import InfrastructureConnector, Pull, PullRequest
from producers.connectors import CONNECTORS
from producers.http import HttpSource
from producers.run import Envelope
from streams.core import contract_types as avro
from streams.core.checks.check import Check
from streams.core.history import HISTORY_CHECKS, GasDay, HistoryCheck, Window
from streams.core.keys import observation_id
from streams.core.normalize import normalize
from streams.core.observe import Point, observe, window_of
from streams.core.payloads import Payload
from streams.core.records import Mapped, OrderKey, RawCoordinates, RawRecord
from streams.core.succession import Normalized, succeed
from streams.core.tolerances import Tolerances
from streams.core.validate import CHECKS, validate
from streams.tolerance_file import load_tolerances
from tests.producers.sandbox_server import Sandbox, running_sandbox
from tests.real_files import real_data_dir

MOST_MICROSECONDS = 25.0
"""What validation may add to the pure core, on average over all records."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class StageCost:
    """Microseconds per record of one source, stage by stage; validation apart."""

    source: str
    records: int
    read: float
    validate: float
    normalize: float
    succeed: float
    evaluate: float

    @property
    def validation(self) -> float:
        """What validation adds."""
        return self.validate + self.evaluate


@dataclass(frozen=True, slots=True)
class RuleCost:
    """Microseconds per record of one rule for one kind, and how many records it flags."""

    kind: str
    rule_id: str
    microseconds: float
    records: int
    flagged: int


@dataclass(frozen=True, slots=True)
class ValidationCost:
    """Everything measured in one round."""

    stages: tuple[StageCost, ...]
    rules: tuple[RuleCost, ...]

    @property
    def average(self) -> float:
        """Microseconds that validation adds to a record, over the records of all sources."""
        records = sum(stage.records for stage in self.stages)
        return sum(stage.validation * stage.records for stage in self.stages) / records


def validation_cost() -> ValidationCost:
    """Measure every source of the sandbox once."""
    tolerances = load_tolerances()
    stages, rules = [], []
    with running_sandbox(real_data_dir()) as sandbox:
        pulled = {name: _pull(name, connector, sandbox) for name, connector in CONNECTORS.items()}
    for name, raws in pulled.items():
        stage, of_rules = _measure(name, CONNECTORS[name], raws, tolerances)
        stages.append(stage)
        rules += of_rules
    return ValidationCost(tuple(stages), tuple(rules))


def _pull(
    name: str, connector_class: type[InfrastructureConnector], sandbox: Sandbox
) -> list[RawRecord]:
    config = load_config(name, connector_class.config_model, sandbox.environment())
    connector = connector_class(config)
    envelope = Envelope(connector, "bench")
    request = PullRequest({}, datetime.now(UTC).date())
    with HttpSource(config.http, secret_headers=connector.secret_headers()) as http:
        items = connector.pull_or_subscribe(http, request, Pull({}))
        return [envelope.observed(item) for item in items]


def _measure(
    name: str,
    connector: type[InfrastructureConnector],
    raws: Sequence[RawRecord],
    tolerances: Tolerances,
) -> tuple[StageCost, list[RuleCost]]:
    read, read_us = _timed(connector.map_to_schema, raws)
    accepted = [(raw, one) for raw, one in zip(raws, read, strict=True) if isinstance(one, Mapped)]
    valid, validate_us = _timed(lambda one: validate(one[1], one[0], tolerances), accepted)
    numbered = [
        (number, raw, one)
        for number, ((raw, _), one) in enumerate(zip(accepted, valid, strict=True))
        if isinstance(one, Mapped)
    ]

    def normalized(it: tuple[int, RawRecord, Mapped]) -> Normalized:
        number, raw, mapped = it
        order = OrderKey(
            raw.source_updated_at, raw.fetched_at, sha256(raw.record_id.encode()).hexdigest()
        )
        at = RawCoordinates(name, 0, number)
        return normalize(raw, mapped, mapped.kind, order, at, None).normalized[0]

    records, normalize_us = _timed(normalized, numbered)
    _, succeed_us = _timed(lambda one: succeed(one, b"", None, 1, observation_id), records)
    days = [record for record in records if "region" not in record]
    points, observe_us = _observed(days, tolerances)
    evaluate_us = max(0.0, observe_us - succeed_us) if days else 0.0
    rules = [
        *_record_rules(accepted, tolerances),
        *(_history_rules(days, points, tolerances) if days else ()),
    ]
    stage = StageCost(
        name, len(accepted), read_us, validate_us, normalize_us, succeed_us, evaluate_us
    )
    return stage, rules


def _observed(
    days: Sequence[avro.NormalizedObservation], tolerances: Tolerances
) -> tuple[dict[str, Point], float]:
    points: dict[str, Point] = {}

    def step(record: avro.NormalizedObservation) -> None:
        for change in observe(record, b"", points.get, 1, tolerances).changes:
            if change.stored is not None:
                own = change.record_id == record["record_id"]
                kept = record if own else points[change.record_id].normalized
                points[change.record_id] = Point.of(
                    change.stored,
                    kept,
                    change.aggregate_flags,
                    change.aggregate_known_at,
                    tolerances,
                )

    return points, _timed(step, days)[1]


def _record_rules(
    accepted: Sequence[tuple[RawRecord, Mapped]], tolerances: Tolerances
) -> Iterator[RuleCost]:
    for kind in sorted({mapped.kind for _, mapped in accepted}):
        records = [(raw, mapped.payload) for raw, mapped in accepted if mapped.kind == kind]
        for check in CHECKS[kind]:
            found, cost = _timed(partial(_of_record, check, tolerances), records)
            yield RuleCost(kind, check.rule.id, cost, len(records), sum(found))


def _history_rules(
    days: Sequence[avro.NormalizedObservation], points: Mapping[str, Point], tolerances: Tolerances
) -> Iterator[RuleCost]:
    kind = days[0]["kind"]
    neighbourhoods = [
        (
            day := GasDay.from_avro(payload, tolerances),
            window_of(record["entity_id"], day.gas_day, points.get, tolerances),
            record["order"]["fetched_at"],
        )
        for record in days
        if (payload := record["lng_inventory"]) is not None
    ]
    for check in HISTORY_CHECKS:
        found, cost = _timed(partial(_of_day, check, tolerances), neighbourhoods)
        yield RuleCost(kind, check.rule.id, cost, len(days), sum(found))


def _of_record(check: Check, tolerances: Tolerances, it: tuple[RawRecord, Payload]) -> bool:
    return check.fails(it[1], it[0], tolerances)


def _of_day(
    check: HistoryCheck, tolerances: Tolerances, it: tuple[GasDay, Window, datetime]
) -> bool:
    return check.fails(*it, tolerances)


def _timed(work: Callable[[Item], Result], items: Sequence[Item]) -> tuple[list[Result], float]:
    """Results, and microseconds of processor time per item, without those of an empty call.

    Not by the wall clock, which counts what else the machine does; without garbage collection,
    which would walk through all records of the bench again and again.
    """
    gc.collect()
    gc.disable()
    try:
        began = process_time()
        results = [work(item) for item in items]
        spent = process_time() - began
        began = process_time()
        for item in items:
            _nothing(item)
        idle = process_time() - began
    finally:
        gc.enable()
    return results, max(0.0, spent - idle) / len(items) * 1e6 if items else 0.0


def _nothing(_item: object) -> None:
    """What an empty call costs."""


def stage_table(rounds: Sequence[ValidationCost]) -> Table:
    """Microseconds of processor time per record, medians of the rounds."""
    columns = ("read", "validate", "normalize", "succeed", "evaluate", "validation")
    table = Table("source", "records", *(f"{name}, µs" for name in columns))
    for stages in zip(*(round_.stages for round_ in rounds), strict=True):
        figures = (median(getattr(stage, name) for stage in stages) for name in columns)
        table.add_row(
            stages[0].source, f"{stages[0].records:,}", *(f"{figure:.1f}" for figure in figures)
        )
    return table


def rule_table(rounds: Sequence[ValidationCost]) -> Table:
    """Microseconds per record of each rule, medians of the rounds."""
    table = Table("kind", "rule", "µs", "flagged", "of")
    for rules in zip(*(round_.rules for round_ in rounds), strict=True):
        one = rules[0]
        cost = median(rule.microseconds for rule in rules)
        table.add_row(one.kind, one.rule_id, f"{cost:.2f}", f"{one.flagged:,}", f"{one.records:,}")
    return table
