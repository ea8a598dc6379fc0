"""What changed since a day, as people read it on a Monday morning."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streams.clickhouse.news_queries import WHAT, News, NewsCount
from streams.serve.page import words

_VERBS: Final[Mapping[str, str]] = {
    "new": "New",
    "changed": "Changed",
    "withdrawn": "No longer listed",
    "merged": "Became part of another",
}


@dataclass(frozen=True, slots=True)
class KindRow:
    """One kind of one source.

    Attributes:
        counts: Records by what happened.
        change: What they are more now, in `unit`; None: the kind has no such figure.
    """

    kind: str
    source_id: str
    counts: Mapping[str, int]
    change: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Item:
    """One record that is different; `said` is what is, in words; empty: other fields are."""

    news: News
    title: str
    said: str
    unit: str


def unit_of(kind: str) -> str:
    """Unit of the size of a kind."""
    return "GWh" if kind == "lng_inventory" else "MW"


def kind_rows(counts: Iterable[NewsCount]) -> Sequence[KindRow]:
    """Counts by kind and source; of gas days the sizes say nothing when they are new."""
    found: dict[tuple[str, str], dict[str, NewsCount]] = defaultdict(dict)
    for one in counts:
        found[one.kind, one.source_id][one.what] = one
    rows = []
    for (kind, source_id), by_what in found.items():
        sized = kind != "lng_inventory" and any(one.change for one in by_what.values())
        change = sum(one.change for one in by_what.values()) if sized else None
        numbers = {what: by_what[what].record_count if what in by_what else 0 for what in WHAT}
        rows.append(KindRow(kind, source_id, numbers, change, unit_of(kind)))
    return rows


def items(found: Iterable[News]) -> Sequence[Item]:
    """Records with what is different in words."""
    return [Item(one, title(one), said(one), unit_of(one.kind)) for one in found]


def title(one: News) -> str:
    """What happened to what."""
    where = f", {one.country_code}" if one.country_code else ""
    kind = words.KINDS.get(one.kind, "Gas day")
    return f"{_VERBS.get(one.what, one.what)}: {kind} {one.name or one.record_id}{where}"


def said(one: News) -> str:
    """Figures and states that differ; empty: only other fields do."""
    unit = unit_of(one.kind)
    if one.what == "new":
        size = f"{words.number(one.measure)} {unit}" if one.measure is not None else ""
        return ", ".join(part for part in (one.status, size) if part)
    if one.what != "changed":
        return f"{words.number(one.measure_before)} {unit}" if one.measure_before else ""
    parts = []
    if one.status != one.status_before:
        parts.append(f"{one.status_before or 'no status'} → {one.status or 'no status'}")
    if one.measure != one.measure_before:
        parts.append(f"{words.number(one.measure_before)} → {words.number(one.measure)} {unit}")
    return ", ".join(parts)
