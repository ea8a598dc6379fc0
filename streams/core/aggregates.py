"""Checks across scopes: terminals against their country, countries against the EU total.

A verdict is a pure function of what all entities report for a gas day and for its neighbour days,
so the order in which the reports come does not show. It flags totals only: which part is wrong
cannot be known from the sum.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from math import fsum
from statistics import median
from typing import Self

from streams.core import contract_types as avro
from streams.core import flag_rules
from streams.core.records import EPOCH
from streams.core.rule import Rule
from streams.core.tolerances import Tolerances, Totals


@dataclass(frozen=True, slots=True)
class Report:
    """What one entity reports for one gas day (`lng.gas_days`).

    Attributes:
        virtual: A virtual tank contains what real terminals report, so it is left out of sums.
        reports: False when there are no figures.
        fetched_at: Fetch time of the raw record behind it.
        version: Of the canonical record; a higher one replaces a lower one.
    """

    source_id: str
    record_id: str
    entity_id: str
    scope: str
    country_code: str | None
    virtual: bool
    gas_day: date
    reports: bool
    inventory_gwh: float | None
    send_out_gwh_per_day: float | None
    fetched_at: datetime
    version: int

    @classmethod
    def of(
        cls,
        normalized: avro.NormalizedObservation,
        fetched_at: datetime,
        version: int,
        *,
        current: bool,
    ) -> Self:
        """Of a normalized gas day and the canonical version it has become."""
        day = normalized["lng_inventory"]
        assert day is not None
        reports = current and day["status"] != "no_data"
        return cls(
            normalized["source_id"],
            normalized["record_id"],
            day["entity_id"],
            day["scope"],
            day["country_code"],
            day["virtual"],
            day["gas_day"],
            reports,
            day["inventory_gwh"] if reports else None,
            day["send_out_gwh_per_day"] if reports else None,
            fetched_at,
            version,
        )

    @classmethod
    def from_avro(cls, record: avro.GasDayReport | avro.StoredGasDayReport) -> Self:
        """Inverse of `to_avro`."""
        return cls(
            record["source_id"],
            record["record_id"],
            record["entity_id"],
            record["scope"],
            record["country_code"],
            record["virtual"],
            record["gas_day"],
            record["reports"],
            record["inventory_gwh"],
            record["send_out_gwh_per_day"],
            record["fetched_at"],
            record["version"],
        )

    def to_avro(self) -> avro.GasDayReport:
        """Avro form."""
        return {
            "source_id": self.source_id,
            "record_id": self.record_id,
            "entity_id": self.entity_id,
            "scope": self.scope,
            "country_code": self.country_code,
            "virtual": self.virtual,
            "gas_day": self.gas_day,
            "reports": self.reports,
            "inventory_gwh": self.inventory_gwh,
            "send_out_gwh_per_day": self.send_out_gwh_per_day,
            "fetched_at": self.fetched_at,
            "version": self.version,
        }


Verdicts = Mapping[str, tuple[str, ...]]
"""Record id → ids of the rules that flag it, sorted; records without flags are left out."""


@dataclass(frozen=True)
class Day:
    """State of one gas day of one source (`state.aggregates`)."""

    reports: Mapping[str, Report]
    verdicts: Verdicts

    @cached_property
    def _reporting(self) -> list[Report]:
        return [report for report in self.reports.values() if report.reports]

    @cached_property
    def _totals(self) -> Mapping[str, Report]:
        return {one.entity_id: one for one in self._reporting if one.scope in ("eu", "country")}

    @cached_property
    def _parts(self) -> Mapping[str | None, Mapping[str, Report]]:
        """Reports by entity: countries under None, real terminals under their country."""
        found: dict[str | None, dict[str, Report]] = {}
        for one in self._reporting:
            if one.scope == "country":
                found.setdefault(None, {})[one.entity_id] = one
            elif one.scope == "terminal" and not one.virtual:
                found.setdefault(one.country_code, {})[one.entity_id] = one
        return found

    @cached_property
    def reporters(self) -> Mapping[str, int]:
        """Reports by scope."""
        return Counter(one.scope for one in self._reporting)

    @property
    def totals(self) -> Iterable[Report]:
        """The EU and countries."""
        return self._totals.values()

    def total(self, entity_id: str) -> Report | None:
        """The total of an entity, where it reports."""
        return self._totals.get(entity_id)

    def has_total(self, record_id: str) -> bool:
        """Whether a record is a total that reports."""
        report = self.reports.get(record_id)
        return report is not None and self._totals.get(report.entity_id) is report

    def parts(self, total: Report) -> Mapping[str, Report]:
        """Reports that a total is the sum of, by entity."""
        return self._parts.get(None if total.scope == "eu" else total.country_code, {})

    @property
    def fetched_at(self) -> datetime:
        """Fetch time of the newest raw record reported here; the epoch when there is none."""
        return max((report.fetched_at for report in self.reports.values()), default=EPOCH)

    @classmethod
    def from_avro(cls, record: avro.GasDayAggregates) -> Self:
        """Inverse of `to_avro`."""
        reports = (Report.from_avro(one) for one in record["reports"])
        return cls(
            {report.record_id: report for report in reports},
            {verdict["record_id"]: tuple(verdict["flags"]) for verdict in record["verdicts"]},
        )

    def to_avro(self) -> avro.GasDayAggregates:
        """Avro form."""
        return {
            "reports": [report.to_avro() for _, report in sorted(self.reports.items())],
            "verdicts": [
                {"record_id": record_id, "flags": list(flags)}
                for record_id, flags in sorted(self.verdicts.items())
            ],
        }

    def with_report(self, report: Report) -> "Day":
        """The day with a report; an older version of one changes nothing."""
        known = self.reports.get(report.record_id)
        if known is not None and known.version >= report.version:
            return self
        return Day({**self.reports, report.record_id: report}, self.verdicts)


EMPTY = Day({}, {})


def neighbour_days(limits: Tolerances) -> int:
    """How many days before and after a gas day its verdicts depend on."""
    return max(1, limits.lng.totals.neighbour_days)


def evaluate_totals(
    day: Day,
    before: Sequence[Day],
    after: Sequence[Day],
    limits: Tolerances,
    changed: Report | None = None,
) -> Verdicts:
    """Flags of every total of a gas day.

    Args:
        day: What is reported for it.
        before: What is reported for the days before, nearest first; `neighbour_days` of them.
        after: The same of the days after.
        limits: Tolerances.
        changed: The report that has changed, of any of these days: verdicts on totals that it is
            no part of are taken as they were. None evaluates all.
    """
    found = {} if changed is None else dict(day.verdicts)
    for total in day.totals:
        if changed is not None and not _concerns(changed, total):
            continue
        failed: set[Rule] = set()
        parts = day.parts(total)
        complete = total.scope == "eu" and len(parts) >= limits.lng.totals.complete_countries
        for measure in _MEASURES:
            changes = [
                list(_changes(total, day, days, measure, limits.lng.totals))
                for days in (before, after)
            ]
            if _disagree(
                measure(total),
                [figure for part in parts.values() if (figure := measure(part)) is not None],
                limits.lng.totals.share,
                complete=complete and not _is_steady(changes, limits.lng.totals),
            ) or _jumps(changes, limits.lng.totals):
                failed.add(flag_rules.TOTALS_DISAGREE)
        if total.scope == "eu" and _dropped(day, before[0], limits):
            failed.add(flag_rules.REPORTERS_DROPPED)
        found.pop(total.record_id, None)
        if failed:
            found[total.record_id] = tuple(sorted(rule.id for rule in failed))
    # A total that reports no more has no verdict.
    return {record_id: flags for record_id, flags in found.items() if day.has_total(record_id)}


def _concerns(changed: Report, total: Report) -> bool:
    return total.scope == "eu" or total.country_code == changed.country_code


def changed_verdicts(before: Verdicts, after: Verdicts) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Records whose flags change, by record id."""
    for record_id in sorted(before.keys() | after.keys()):
        flags = after.get(record_id, ())
        if flags != before.get(record_id, ()):
            yield record_id, flags


def _disagree(
    whole: float | None, figures: Sequence[float], share: float, *, complete: bool
) -> bool:
    """The parts are more than the total, or less although they are complete."""
    if whole is None or not figures:
        return False
    added = fsum(figures)
    return added > whole * (1 + share) or (complete and added < whole * (1 - share))


_Changes = Sequence[Sequence[float]]
"""How the ratio of parts to total differs from that of the days before, and of those after."""


def _is_steady(changes: _Changes, limits: Totals) -> bool:
    """The ratio is that of its neighbour days: what is missing was missing then, too."""
    known = [median(side) for side in changes if side]
    return bool(known) and max(map(abs, known)) <= limits.jump_share


def _jumps(changes: _Changes, limits: Totals) -> bool:
    """The ratio is another one than on the days before and on the days after, in one direction.

    A steady difference is none, and neither is one that begins and stays. Of two days alone nobody
    knows which is wrong. Where parts are missing whose share changes, the neighbours differ among
    themselves, too: half of that is allowed. Of the newest day only those before are known, and a
    ratio that goes on as it went is none: by as much as it went it may go on.
    """
    known = [median(side) for side in changes if side]
    if sum(map(len, changes)) < 2 or len({change > 0 for change in known}) > 1:
        return False
    if len(known) == 1:
        (side,) = filter(None, changes)
        return abs(side[0]) > limits.jump_share + max(side) - min(side)
    spreads = [max(side) - min(side) for side in changes if len(side) > 1]
    allowed = limits.jump_share + min(spreads, default=0.0) / 2
    return min(map(abs, known)) > allowed


def _changes(
    total: Report, day: Day, others: Iterable[Day], measure: "_Measure", limits: Totals
) -> Iterator[float]:
    """How the ratio differs from that of each other day, over the parts that report on both."""
    parts = day.parts(total)
    whole = measure(total)
    for other in others:
        same = other.total(total.entity_id)
        other_whole = None if same is None else measure(same)
        if same is None or not whole or not other_whole or whole < 0 or other_whole < 0:
            continue
        other_parts = other.parts(same)
        pairs = [
            (one, two)
            for entity, part in parts.items()
            if entity in other_parts
            and (one := measure(part)) is not None
            and (two := measure(other_parts[entity])) is not None
        ]
        ratio = fsum(one for one, _ in pairs) / whole
        usual = fsum(two for _, two in pairs) / other_whole
        if usual >= limits.least_covered:
            yield ratio / usual - 1


_Measure = Callable[[Report], float | None]

_MEASURES: tuple[_Measure, ...] = (
    lambda report: report.inventory_gwh,
    lambda report: report.send_out_gwh_per_day,
)


def _dropped(day: Day, previous: Day, limits: Tolerances) -> bool:
    for scope in ("country", "terminal"):
        were, are = previous.reporters[scope], day.reporters[scope]
        least = were * (1 - limits.lng.reporters.lost_share)
        if were >= limits.lng.reporters.least and are < least:
            return True
    return False
