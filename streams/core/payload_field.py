"""The payload field of a record, which is named like the record's kind."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

from streams.core import contract_types as avro

AssetPayload: TypeAlias = (
    avro.PowerPlant
    | avro.LngTerminal
    | avro.RenewableResource
    | avro.RenewableProject
    | avro.Substation
    | avro.TransmissionLine
    | avro.TransmissionProject
)
"""Avro form of what an asset is, whatever its kind."""

_AssetKind: TypeAlias = Literal[
    "power_plant",
    "lng_terminal",
    "renewable_resource",
    "renewable_project",
    "substation",
    "transmission_line",
    "transmission_project",
]

_WithPayload: TypeAlias = (
    avro.NormalizedAsset | avro.NormalizedObservation | avro.InfrastructureRecord
)


def asset_payload(record: avro.NormalizedAsset) -> AssetPayload:
    """What an upsert says of its asset."""
    payload = record[cast(_AssetKind, record["kind"])]
    assert payload is not None
    return payload


def set_payload(record: _WithPayload, kind: str, payload: object) -> None:
    """Fill the payload field of a record under construction.

    Args:
        record: The record.
        kind: Its kind.
        payload: Avro form of that kind.
    """
    cast(dict[str, object], record)[kind] = payload


def payload_fields(record: _WithPayload) -> Mapping[str, object]:
    """The payload of any kind, for what looks at no field by name."""
    fields: Mapping[str, object] = record
    return cast(Mapping[str, object], fields[record["kind"]])
