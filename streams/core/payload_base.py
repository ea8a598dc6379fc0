"""What every typed payload is: the fields of its Avro record, and where it is."""

from dataclasses import fields
from functools import cache
from typing import Generic, TypeVar, cast

Position = tuple[float | None, float | None, str | None]
"""Latitude and longitude (WGS84 degrees) and country (ISO 3166-1 alpha-2)."""


_Avro = TypeVar("_Avro")


class PayloadBase(Generic[_Avro]):
    """A frozen dataclass whose fields are exactly those of an Avro record."""

    __slots__ = ()

    def to_avro(self) -> _Avro:
        """Avro form; tuples become lists, nested payloads records."""
        record = {name: getattr(self, name) for name in self.field_names()}
        for name in _list_names(type(self)):  # type: ignore[arg-type]
            record[name] = [
                item.to_avro() if isinstance(item, PayloadBase) else item for item in record[name]
            ]
        return cast(_Avro, record)  # a test compares the fields of both

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Names of the fields, in Avro order."""
        return _field_names(cls)  # type: ignore[arg-type]


class PlacedPayload(PayloadBase[_Avro]):
    """An asset at one position."""

    __slots__ = ()

    latitude: float | None
    longitude: float | None
    country_code: str | None

    @property
    def position(self) -> Position:
        """Where it is; its country where that is not reported."""
        return self.latitude, self.longitude, self.country_code


class StretchedPayload(PayloadBase[_Avro]):
    """An asset between two ends; the first end says which region it belongs to."""

    __slots__ = ()

    from_latitude: float | None
    from_longitude: float | None
    country_code: str | None

    @property
    def position(self) -> Position:
        """Where its first end is."""
        return self.from_latitude, self.from_longitude, self.country_code


@cache
def _field_names(payload: type[PayloadBase[object]]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(payload))  # type: ignore[arg-type]


@cache
def _list_names(payload: type[PayloadBase[object]]) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in fields(payload)  # type: ignore[arg-type]
        if str(field.type).startswith("tuple[")
    )
