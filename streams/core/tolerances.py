"""The limits of the rules as one value. Read from a file by the shell, handed to pure functions."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property
from math import fsum
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streams.core.rule import Dimension

Share = Annotated[float, Field(ge=0, le=10)]
"""Part of one; 0.02 is two percent."""


_ROUNDING = 1e-9


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(_Limits):
    """Values from `least` to `most`."""

    least: float
    most: float

    @model_validator(mode="after")
    def _ascending(self) -> "Band":
        if self.least > self.most:
            raise ValueError(f"least ({self.least}) is above most ({self.most})")
        return self

    def excludes(self, value: float | None) -> bool:
        """Whether a reported value lies outside."""
        return value is not None and not self.least <= value <= self.most


class Years(_Limits):
    """Which years an asset can name."""

    first: int = Field(ge=1700, le=2100)
    ahead: int = Field(ge=0, le=200)


class Validity(_Limits):
    """Ranges."""

    years: Years
    voltage_kv: Band
    irradiance_kwh_per_m2_day: Band


class LengthPerDistance(Band):
    """Length of a line over the distance of its ends, where that is at least `from_km`."""

    from_km: float = Field(ge=0)


class Consistency(_Limits):
    """Figures of one record against each other."""

    generation_above_capacity_share: Share
    unit_above_asset_share: Share
    length_per_distance: LengthPerDistance
    months_against_year_share: Share


class EnergyPerVolume(Band):
    """Energy of LNG, GWh in 10^3 m3; `nominal` converts where only the volume can be trusted."""

    nominal: float = Field(gt=0)


class Jump(_Limits):
    """How much an inventory can change from one gas day to the next."""

    share: Share
    unloaded_gwh_per_day: float = Field(gt=0)
    unloaded_per_reference: Share


class Totals(_Limits):
    """How well parts must add up to their total."""

    share: Share
    complete_countries: int = Field(ge=1)
    jump_share: Share
    neighbour_days: int = Field(ge=1, le=7)
    least_covered: Share


class Reporters(_Limits):
    """How many may be missing from one gas day to the next."""

    lost_share: Share
    least: int = Field(ge=1)


class Lng(_Limits):
    """LNG inventories."""

    energy_per_volume_gwh_per_thousand_m3: EnergyPerVolume
    inventory_above_capacity_share: Share
    send_out_above_reference_share: Share
    jump: Jump
    mass_balance_gap_share: Share
    stuck_days: int = Field(ge=2, le=7)
    totals: Totals
    reporters: Reporters


class GasDayCalendar(_Limits):
    """When a gas day must be there."""

    due_hours_after_end: float = Field(ge=0)
    grace_hours: float = Field(ge=0)

    @cached_property
    def allowed(self) -> timedelta:
        """Time from the end of a gas day until it is overdue."""
        return timedelta(hours=self.due_hours_after_end + self.grace_hours)


class Frozen(_Limits):
    """A source that is no longer updated."""

    as_of: date
    most_age_years: int = Field(ge=0)


class Timeliness(_Limits):
    """Publication calendars; keys of mappings are source ids."""

    gas_day: GasDayCalendar
    periods: dict[str, int]
    frozen: dict[str, Frozen]


class Margins(_Limits):
    """How far a position may be from where it belongs, degrees."""

    country: float = Field(ge=0, le=5)
    country_at_sea: float = Field(ge=0, le=5)
    land: float = Field(ge=0, le=5)


class Accuracy(_Limits):
    """Records against the world."""

    margins_degrees: Margins
    largest_plant_mw: dict[str, Annotated[float, Field(gt=0)]]


class Quality(_Limits):
    """What becomes of failed checks: the share of each dimension in the total score."""

    weights: dict[Dimension, Share]

    @model_validator(mode="after")
    def _one_whole(self) -> "Quality":
        missing = set(get_args(Dimension)) - set(self.weights)
        if missing:
            raise ValueError(f"no weight for {', '.join(sorted(missing))}")
        whole = fsum(self.weights.values())
        if abs(whole - 1) > _ROUNDING:
            raise ValueError(f"the weights add up to {whole:g}, not to 1")
        return self


class Tolerances(_Limits):
    """`streams/tolerances.yaml`."""

    validity: Validity
    consistency: Consistency
    lng: Lng
    timeliness: Timeliness
    accuracy: Accuracy
    quality: Quality


def tolerance_keys() -> Iterator[str]:
    """Every key a rule can name, such as `lng.jump`; weights are no limit."""
    for group, field in Tolerances.model_fields.items():
        if field.annotation is Quality:
            continue
        inner = field.annotation
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        yield from (f"{group}.{name}" for name in inner.model_fields)
