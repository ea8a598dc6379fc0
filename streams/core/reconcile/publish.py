"""The canonical record of a group of source records."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import orjson

from streams.core import contract_types as avro
from streams.core.canonical import member_of
from streams.core.payload_field import set_payload
from streams.core.reconcile.enrich import resolved_ends
from streams.core.reconcile.settings import SETTINGS
from streams.core.reconcile.survive import survive

_DERIVED = "derived"
_CORRECTED = "corrected"
# From two positions, where the service does not state it.
_DERIVED_FIELDS = {"renewable_resource": frozenset({"station_distance_m"})}
_INVISIBLE = frozenset({"version", "known_at"})


def canonical_content(
    record_id: str,
    kind: str,
    status: str,
    replaced_by: str | None,
    records: Sequence[avro.NormalizedAsset],
    links: Sequence[avro.Link],
    unresolved: Mapping[str, str],
) -> avro.InfrastructureRecord:
    """`InfrastructureRecord` without its version, known since its newest member was fetched.

    Args:
        record_id: Asset id.
        kind: Canonical kind.
        status: current, withdrawn or merged.
        replaced_by: Asset id that took over; None unless merged.
        records: Normalized records of the group; the last known ones when withdrawn.
        links: What it is next to.
        unresolved: Why ends of a line have no substation.
    """
    members = sorted(records, key=lambda record: (record["source_id"], record["record_id"]))
    survived = survive(kind, members)
    provenance = _set_apart(kind, survived.provenance, members)
    if status == "current" and "from_substation_id" in survived.payload:
        filled = resolved_ends(survived.payload, links, unresolved)
        if filled:
            provenance = [
                *provenance,
                {"member": 0, "rule": _DERIVED, "fields": sorted(filled), "losing": []},
            ]
    flags = {flag for record in members for flag in record["flags"]}
    observed_at = max(record["order"]["fetched_at"] for record in members)
    canonical: avro.InfrastructureRecord = {
        "record_id": record_id,
        "kind": kind,
        "status": status,
        "replaced_by": replaced_by,
        "version": 0,
        "event_time": None,
        "observed_at": observed_at,
        "known_at": observed_at,
        "members": [member_of(record) for record in members],
        "provenance": provenance,
        "flags": sorted(flags | set(survived.flags)),
        "position_spread_km": survived.position_spread_km,
        "links": [*links, *_series(kind, members)],
    }
    set_payload(canonical, kind, survived.payload)
    return canonical


def visible_hash(canonical: avro.InfrastructureRecord) -> str:
    """SHA-256 of what readers see of a canonical record, without what depends on its history."""
    visible = {name: value for name, value in canonical.items() if name not in _INVISIBLE}
    return sha256(orjson.dumps(visible, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _set_apart(
    kind: str, provenance: list[avro.Provenance], members: Sequence[avro.NormalizedAsset]
) -> list[avro.Provenance]:
    """Provenance with derived and corrected fields in groups of their own."""
    derived = _DERIVED_FIELDS.get(kind, frozenset())
    corrected = {
        (record["source_id"], correction["field"])
        for record in members
        for correction in record.get("corrections", ())
    }
    if not derived and not corrected:
        return provenance
    apart: list[avro.Provenance] = []
    for group in provenance:
        source_id = members[group["member"]]["source_id"]
        names_of: dict[str, list[str]] = {}
        for name in group["fields"]:
            if (source_id, name) in corrected:
                rule = _CORRECTED
            else:
                rule = _DERIVED if name in derived else group["rule"]
            names_of.setdefault(rule, []).append(name)
        apart += [
            {
                "member": group["member"],
                "rule": rule,
                "fields": names,
                "losing": [lost for lost in group["losing"] if lost["field"] in names],
            }
            for rule, names in names_of.items()
        ]
    return apart


def _series(kind: str, members: Sequence[avro.NormalizedAsset]) -> list[avro.Link]:
    """The time series of a terminal, one for each operator that its source lists it under.

    A listing has the record id that the observations of its series carry as entity id.
    """
    if kind != "lng_terminal":
        return []
    return [
        {
            "relation": "time_series",
            "record_id": f"{record['source_id']}:{record['record_id']}",
            "distance_km": None,
        }
        for record in members
        if record["source_id"] in SETTINGS.series_sources
    ]
