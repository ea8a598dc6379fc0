"""Combination: the records that one source has in a group, as one payload.

A source with units sends a record for each; a source may also list a unit as a plant of its own.
Capacities and unit lists are summed and joined; everything else comes from the record with the
largest share, so that nothing is averaged.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from streams.core import contract_types as avro
from streams.core.payload_field import AssetPayload
from streams.core.reconcile.prepare import NOT_BUILT

Fields = Mapping[str, object]
"""A payload field by field: what is said of a field holds for every kind that has it."""

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
_REPORTED_BY_OPERATOR = ("dtmi_gwh", "dtmi_thousand_m3_lng", "dtrs_gwh_per_day")
_RATING = "capacity_rating"
_EARLIEST = ("commissioning_year", "start_year")


def combine(payloads: Sequence[AssetPayload], *, built_first: bool = False) -> AssetPayload:
    """One payload of several of one kind and source, in a fixed order.

    Capacity is the sum over those that share the asset's status: the running ones of a running
    plant. The start year is the earliest of these.

    Args:
        payloads: What is combined, at least one.
        built_first: Whether what was built, if retired, counts before what is planned.
    """
    if len(payloads) == 1:
        return payloads[0]
    statuses = [_status(payload) for payload in payloads]
    built = [status for status in statuses if status not in NOT_BUILT] if built_first else []
    status = min(built or statuses, key=status_rank)
    counted = [payload for payload in payloads if _status(payload) == status]
    main = max(counted, key=_capacity)  # the first of equals
    combined = {name: _field(name, main, counted, payloads) for name in main}
    if "primary_fuel" in main:
        plants = [payload for payload in payloads if "primary_fuel" in payload]
        fuels = {
            fuel for plant in plants for fuel in (plant["primary_fuel"], *plant["other_fuels"])
        }
        combined["other_fuels"] = sorted(fuels - {main["primary_fuel"]})
        if main["generation"]:
            combined["generation"] = _generation(
                [payload for payload in counted if "primary_fuel" in payload]
            )
    if "aliases" in main:
        named = [payload for payload in payloads if "aliases" in payload]
        names = {payload["name"] for payload in named if payload["name"]}
        names.update(alias for payload in named for alias in payload["aliases"])
        combined["aliases"] = sorted(names - {main["name"]})
    return cast(AssetPayload, combined)  # has the fields of `main`


def _field(
    name: str, main: Fields, counted: Sequence[Fields], payloads: Sequence[Fields]
) -> object:
    """One field of the combination: of what counts, of all, or of the main record."""
    if name in _SUMMED:
        return _known(counted, name, _total)
    if name in _EARLIEST:
        return _known(counted, name, min)
    if name == _RATING:
        return _shared_rating(counted)
    if name in _REPORTED_BY_OPERATOR:
        # A former operator's value is older than one, and better than none.
        return _first_reported([main, *payloads], name)
    return _union(payloads, name) if name in _JOINED else main[name]


def _first_reported(payloads: Sequence[Fields], name: str) -> object:
    return next((value for one in payloads if (value := one[name]) is not None), None)


def _known(
    payloads: Sequence[Fields], name: str, join: Callable[[list[float]], float]
) -> float | None:
    """One number of those that are reported; None when none is."""
    values = [value for payload in payloads if isinstance(value := payload[name], int | float)]
    return join(values) if values else None


def _shared_rating(payloads: Sequence[Fields]) -> object:
    """What all capacities of a sum are rated for; None when they differ or one does not say."""
    ratings = {one[_RATING] for one in payloads if one["capacity_mw"] is not None}
    return ratings.pop() if len(ratings) == 1 else None


def _total(values: list[float]) -> float:
    return round(sum(values), 6)


def status_rank(status: str) -> int:
    """Rank of a status, best first."""
    return STATUS_ORDER.index(status) if status in STATUS_ORDER else len(STATUS_ORDER)


def _status(payload: AssetPayload) -> str:
    assert "status" in payload  # a resource has none, and one record an entity
    return payload["status"]


def _capacity(payload: AssetPayload) -> float:
    capacity = None
    if "capacity_mw" in payload:
        capacity = payload["capacity_mw"]
    elif "capacity_mtpa" in payload:
        capacity = payload["capacity_mtpa"]
    return capacity or 0.0


def _union(payloads: Sequence[Fields], name: str) -> list[object]:
    lists = (cast(Iterable[object], payload[name]) for payload in payloads)
    found = {repr(item): item for items in lists for item in items}
    return [found[key] for key in sorted(found, key=lambda key: (_sort_key(found[key]), key))]


def _sort_key(item: object) -> str:
    if isinstance(item, Mapping):
        return str(item.get("unit_id") or item.get("id") or "")
    return str(item)


def _generation(plants: Sequence[avro.PowerPlant]) -> list[avro.GenerationYear]:
    """Sums of the years that all of them report in the same way; other years are left out."""
    if len(plants) == 1:
        return list(plants[0]["generation"])
    by_year = [{entry["year"]: entry for entry in plant["generation"]} for plant in plants]
    years = sorted(set.intersection(*(set(entries) for entries in by_year)))
    return [_year(year, [entries[year] for entries in by_year]) for year in years]


def _year(year: int, entries: Sequence[avro.GenerationYear]) -> avro.GenerationYear:
    return {
        "year": year,
        "generation_gwh": _sum([entry["generation_gwh"] for entry in entries]),
        "estimated_generation_gwh": _sum([entry["estimated_generation_gwh"] for entry in entries]),
        "estimation_method": entries[0]["estimation_method"],
    }


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 6) if len(known) == len(values) else None
