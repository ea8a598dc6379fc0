"""Checks across scopes: terminals against their country, countries against the EU total.

A verdict is a pure function of what all entities report for a gas day and for the day before, so
the order in which the reports come does not show. It flags totals only: which part is wrong cannot
be known from the sum.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import fsum
from typing import Self

from streams.core import contract_types as avro
from streams.core import flag_rules
from streams.core.records import EPOCH
from streams.core.rule import Rule
from streams.core.tolerances import Tolerances


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


@dataclass(frozen=True, slots=True)
class Day:
    """State of one gas day of one source (`state.aggregates`)."""

    reports: Mapping[str, Report]
    verdicts: Verdicts

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


def evaluate_totals(day: Day, previous: Day, limits: Tolerances) -> Verdicts:
    """Flags of every total of a gas day.

    Args:
        day: What is reported for it.
        previous: What is reported for the day before.
        limits: Tolerances.
    """
    reports = [report for report in day.reports.values() if report.reports]
    countries = [report for report in reports if report.scope == "country"]
    terminals = _real_terminals(reports)
    found: dict[str, tuple[str, ...]] = {}
    for total in reports:
        failed: list[Rule] = []
        if total.scope == "eu":
            complete = len(countries) >= limits.lng.totals.complete_countries
            if _disagree(total, countries, limits.lng.totals.share, complete=complete):
                failed.append(flag_rules.TOTALS_DISAGREE)
            if _dropped(reports, previous, limits):
                failed.append(flag_rules.REPORTERS_DROPPED)
        elif total.scope == "country":
            parts = [
                terminal for terminal in terminals if terminal.country_code == total.country_code
            ]
            if _disagree(total, parts, limits.lng.totals.share, complete=False):
                failed.append(flag_rules.TOTALS_DISAGREE)
        if failed:
            found[total.record_id] = tuple(sorted(rule.id for rule in failed))
    return found


def changed_verdicts(before: Verdicts, after: Verdicts) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Records whose flags change, by record id."""
    for record_id in sorted(before.keys() | after.keys()):
        flags = after.get(record_id, ())
        if flags != before.get(record_id, ()):
            yield record_id, flags


def _real_terminals(reports: Iterable[Report]) -> list[Report]:
    return [report for report in reports if report.scope == "terminal" and not report.virtual]


def _disagree(total: Report, parts: Sequence[Report], share: float, *, complete: bool) -> bool:
    measures = (
        (
            total.inventory_gwh,
            [part.inventory_gwh for part in parts if part.inventory_gwh is not None],
        ),
        (
            total.send_out_gwh_per_day,
            [part.send_out_gwh_per_day for part in parts if part.send_out_gwh_per_day is not None],
        ),
    )
    for whole, figures in measures:
        if whole is None or not figures:
            continue
        added = fsum(figures)
        if added > whole * (1 + share) or (complete and added < whole * (1 - share)):
            return True
    return False


def _dropped(reports: Sequence[Report], previous: Day, limits: Tolerances) -> bool:
    before = [report for report in previous.reports.values() if report.reports]
    for scope in ("country", "terminal"):
        were = sum(1 for report in before if report.scope == scope)
        are = sum(1 for report in reports if report.scope == scope)
        least = were * (1 - limits.lng.reporters.lost_share)
        if were >= limits.lng.reporters.least and are < least:
            return True
    return False
