"""The canonical record that readers of `market.infrastructure` see."""

from typing import Any

from streams.core.records import AvroRecord
from streams.core.succession import Held
from streams.core.unloading import NOT_DERIVED

_DERIVED_FIELDS = frozenset({"fullness_pct", "terminal_id", "virtual", *NOT_DERIVED})
_EVENT_TIME_FIELD = {"lng_inventory": "gas_day_start"}


def canonical_record(held: Held, normalized: AvroRecord) -> AvroRecord:
    """`InfrastructureRecord` of a held source record; one member, so every field has one source.

    Args:
        held: State to publish.
        normalized: Its last accepted record.
    """
    kind = normalized["kind"]
    payload: dict[str, Any] = normalized[kind]
    event_time_field = _EVENT_TIME_FIELD.get(kind)
    return {
        "record_id": held.canonical_id,
        "kind": kind,
        "status": held.status,
        "replaced_by": None,
        "version": held.version,
        "event_time": payload[event_time_field] if event_time_field else None,
        "observed_at": held.order.fetched_at,
        "members": [member_of(normalized)],
        "provenance": _provenance(payload),
        "flags": normalized["flags"],
        "position_spread_km": None,
        "links": [],
        kind: payload,
    }


def member_of(normalized: AvroRecord) -> AvroRecord:
    """`Member` of a canonical record: the source record that a normalized one stands for."""
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


def _provenance(payload: AvroRecord) -> list[AvroRecord]:
    filled = sorted(name for name, value in payload.items() if value is not None and value != [])
    groups = {
        "only_source": [name for name in filled if name not in _DERIVED_FIELDS],
        "derived": [name for name in filled if name in _DERIVED_FIELDS],
    }
    return [{"member": 0, "rule": rule, "fields": names} for rule, names in groups.items() if names]
