"""Combination: the records that one source has in a group, as one payload.

A source with units sends a record for each; a source may also list a unit as a plant of its own.
Capacities and unit lists are summed and joined; everything else comes from the record with the
largest share, so that nothing is averaged.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Payload = Mapping[str, Any]

STATUS_ORDER = (
    "operating",
    "mothballed",
    "construction",
    "pre-construction",
    "announced",
    "shelved",
    "retired",
    "cancelled",
)
"""An asset has the first of these that one of its units has; unknown ones come last."""

_SUMMED = ("capacity_mw", "capacity_mtpa")
_JOINED = ("other_fuels", "aliases", "other_ids", "units", "plant_ids_wepp", "voltages_kv")
_EARLIEST = ("commissioning_year", "start_year")


def combine(payloads: Sequence[Payload]) -> dict[str, Any]:
    """One payload of several of one kind and source, in a fixed order.

    Capacity is the sum over those that share the asset's status: the running ones of a running
    plant. The start year is the earliest of these.
    """
    if len(payloads) == 1:
        return dict(payloads[0])
    status = min((payload["status"] for payload in payloads), key=status_rank)
    counted = [payload for payload in payloads if payload["status"] == status]
    main = max(counted, key=_capacity)  # the first of equals
    combined = dict(main)
    for name in main:
        if name in _SUMMED:
            combined[name] = _known(counted, name, _total)
        elif name in _EARLIEST:
            combined[name] = _known(counted, name, min)
        elif name in _JOINED:
            combined[name] = _union(payload[name] for payload in payloads)
    if "primary_fuel" in main:
        fuels = {fuel for it in payloads for fuel in (it["primary_fuel"], *it["other_fuels"])}
        combined["other_fuels"] = sorted(fuels - {main["primary_fuel"]})
    if "aliases" in main:
        names = {*combined["aliases"], *(it["name"] for it in payloads if it["name"])}
        combined["aliases"] = sorted(names - {main["name"]})
    if main.get("generation"):
        combined["generation"] = _generation(counted)
    return combined


def _known(payloads: Sequence[Payload], name: str, join: Callable[[list[float]], float]) -> Any:
    """One number of those that are reported; None when none is."""
    values = [payload[name] for payload in payloads if payload[name] is not None]
    return join(values) if values else None


def _total(values: list[float]) -> float:
    return round(sum(values), 6)


def status_rank(status: str) -> int:
    """Rank of a status, best first."""
    return STATUS_ORDER.index(status) if status in STATUS_ORDER else len(STATUS_ORDER)


def _capacity(payload: Payload) -> float:
    capacity: float | None = payload.get("capacity_mw", payload.get("capacity_mtpa"))
    return capacity or 0.0


def _union(lists: Any) -> list[Any]:
    found = {repr(item): item for items in lists for item in items}
    return [found[key] for key in sorted(found, key=lambda key: (_sort_key(found[key]), key))]


def _sort_key(item: Any) -> str:
    if isinstance(item, Mapping):
        return str(item.get("unit_id") or item.get("id") or "")
    return str(item)


def _generation(payloads: Sequence[Payload]) -> list[dict[str, Any]]:
    """Sums of the years that all of them report in the same way; other years are left out."""
    if len(payloads) == 1:
        return list(payloads[0]["generation"])
    by_year = [{entry["year"]: entry for entry in payload["generation"]} for payload in payloads]
    years = sorted(set.intersection(*(set(entries) for entries in by_year)))
    return [_year(year, [entries[year] for entries in by_year]) for year in years]


def _year(year: int, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {"year": year, "estimation_method": entries[0]["estimation_method"]}
    for name in ("generation_gwh", "estimated_generation_gwh"):
        values = [entry[name] for entry in entries]
        total[name] = None if None in values else round(sum(values), 6)
    return total
