"""The canonical record that readers of `market.infrastructure` see."""

from collections.abc import Mapping
from datetime import datetime

from streams.core import contract_types as avro
from streams.core.payload_field import payload_fields, set_payload
from streams.core.succession import Normalized, StoredRecord
from streams.core.unloading import NOT_DERIVED

_DERIVED_FIELDS = frozenset({"fullness_pct", "terminal_id", "virtual", *NOT_DERIVED})


def canonical_record(
    stored: StoredRecord, normalized: Normalized, known_at: datetime
) -> avro.InfrastructureRecord:
    """Canonical record of a stored source record; one member, so every field has one source.

    Args:
        stored: State to publish.
        normalized: The record that brought its content.
        known_at: Fetch time of the newest raw record it follows from.
    """
    payload = payload_fields(normalized)
    record: avro.InfrastructureRecord = {
        "record_id": stored.canonical_id,
        "kind": normalized["kind"],
        "status": stored.status,
        "replaced_by": None,
        "version": stored.version,
        "event_time": _event_time(normalized),
        "observed_at": normalized["order"]["fetched_at"],
        "known_at": known_at,
        "members": [member_of(normalized)],
        "provenance": _provenance(payload),
        "flags": normalized["flags"],
        "position_spread_km": None,
        "links": [],
    }
    set_payload(record, record["kind"], payload)
    return record


def member_of(normalized: Normalized) -> avro.Member:
    """The source record of a normalized one, as member of a canonical record."""
    order = normalized["order"]
    return {
        "source_id": normalized["source_id"],
        "record_id": normalized["record_id"],
        "entity_id": normalized["entity_id"],
        "observed_at": order["fetched_at"],
        "source_updated_at": order["source_updated_at"],
        "lineage": normalized["lineage"],
        "licence": normalized["licence"],
        "attribution": normalized["attribution"],
    }


def _event_time(normalized: Normalized) -> datetime | None:
    """Start of the period that a point of a series is about; None for an asset."""
    if "lng_inventory" not in normalized or normalized["lng_inventory"] is None:
        return None
    return normalized["lng_inventory"]["gas_day_start"]


def _provenance(payload: Mapping[str, object]) -> list[avro.Provenance]:
    filled = sorted(name for name, value in payload.items() if value is not None and value != [])
    groups = {
        "only_source": [name for name in filled if name not in _DERIVED_FIELDS],
        "derived": [name for name in filled if name in _DERIVED_FIELDS],
    }
    return [{"member": 0, "rule": rule, "fields": names} for rule, names in groups.items() if names]
