"""Typed content of every canonical kind, field by field as the contracts have it.

Units are in the names. `None` means "not reported" everywhere, never zero. The meaning of each
field is in the `doc` of `avro/market.infrastructure`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from streams.core import contract_types as avro
from streams.core.payload_base import PayloadBase, PlacedPayload, StretchedPayload


@dataclass(frozen=True, slots=True)
class PlantUnit(PayloadBase[avro.PlantUnit]):
    """A unit of a power plant that its source reports on its own."""

    unit_id: str
    name: str | None
    capacity_mw: float | None
    fuel: str | None
    technology: str | None
    status: str
    start_year: int | None
    retired_year: int | None


@dataclass(frozen=True, slots=True)
class TerminalUnit(PayloadBase[avro.TerminalUnit]):
    """A unit or phase of a terminal that its source reports on its own."""

    unit_id: str
    name: str | None
    capacity_mtpa: float | None
    status: str
    start_year: int | None
    retired_year: int | None


@dataclass(frozen=True, slots=True)
class LngUnavailability(PayloadBase[avro.LngUnavailability]):
    """A time in which a terminal cannot do all it could, as its operator announced it."""

    starts_at: datetime | None
    ends_at: datetime | None
    published_at: datetime | None
    planned: bool | None
    end_confirmed: bool | None
    send_out_as_reported: str | None
    volume_as_reported: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class ProjectPhase(PayloadBase[avro.ProjectPhase]):
    """A phase of a project that its source reports on its own."""

    unit_id: str
    name: str | None
    capacity_mw: float | None
    technology: str | None
    status: str
    start_year: int | None
    retired_year: int | None


@dataclass(frozen=True, slots=True)
class IssuedId(PayloadBase[avro.IssuedId]):
    """Identifier that another issuer gave an asset."""

    issuer: str
    id: str


@dataclass(frozen=True, slots=True)
class SiteCount(PayloadBase[avro.SiteCount]):
    """Model sites of one dataset."""

    dataset: str
    sites: int


@dataclass(frozen=True, slots=True)
class GenerationYear(PayloadBase[avro.GenerationYear]):
    """Generation of one calendar year, GWh; negative where a plant consumes more than it makes."""

    year: int
    generation_gwh: float | None
    estimated_generation_gwh: float | None
    estimation_method: str | None


@dataclass(frozen=True, slots=True)
class PowerPlant(PlacedPayload[avro.PowerPlant]):
    """A power plant: one technology at one site. Units are in the names; see the contract."""

    name: str
    country_code: str | None
    latitude: float | None
    longitude: float | None
    capacity_mw: float | None
    primary_fuel: str
    other_fuels: tuple[str, ...]
    commissioning_year: float | None
    status: str
    owner: str | None
    capacity_year: int | None
    reported_by: str | None
    report_url: str | None
    position_source: str | None
    plant_ids_wepp: tuple[str, ...]
    generation_reported_by: str | None
    generation: tuple[GenerationYear, ...]
    aliases: tuple[str, ...] = ()
    technology: str | None = None
    position_accuracy: str | None = None
    retired_year: int | None = None
    operator: str | None = None
    other_ids: tuple[IssuedId, ...] = ()
    units: tuple[PlantUnit, ...] = ()
    capacity_rating: str | None = None


@dataclass(frozen=True, slots=True)
class LngTerminal(PlacedPayload[avro.LngTerminal]):
    """An LNG import or export terminal with its tanks. Underground storage is another thing."""

    name: str
    aliases: tuple[str, ...]
    country_code: str | None
    latitude: float | None
    longitude: float | None
    position_accuracy: str | None
    status: str
    terminal_type: str
    floating: bool | None
    capacity_mtpa: float | None
    dtmi_gwh: float | None
    dtmi_thousand_m3_lng: float | None
    dtrs_gwh_per_day: float | None
    start_year: int | None
    owner: str | None
    operator: str | None
    facility_eic: str | None
    company_eic: str | None
    report_url: str | None
    units: tuple[TerminalUnit, ...]
    terminal_id: str | None = None
    virtual: bool = False
    unavailabilities: tuple[LngUnavailability, ...] = ()


@dataclass(frozen=True, slots=True)
class RenewableResource(PlacedPayload[avro.RenewableResource]):
    """Long-term solar or wind resource, or modelled yield, at a point."""

    name: str
    country_code: str | None
    latitude: float | None
    longitude: float | None
    resource_type: str
    coverage: str
    dataset: str | None
    dataset_version: str | None
    dni_kwh_per_m2_day: float | None
    ghi_kwh_per_m2_day: float | None
    tilt_at_latitude_kwh_per_m2_day: float | None
    monthly_dni_kwh_per_m2_day: tuple[float, ...]
    monthly_ghi_kwh_per_m2_day: tuple[float, ...]
    monthly_tilt_at_latitude_kwh_per_m2_day: tuple[float, ...]
    ac_annual_kwh: float | None
    ac_monthly_kwh: tuple[float, ...]
    solrad_annual_kwh_per_m2_day: float | None
    capacity_factor_pct: float | None
    system_capacity_kw: float | None
    station_distance_m: float | None
    site_counts: tuple[SiteCount, ...]
    available_years: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RenewableProject(PlacedPayload[avro.RenewableProject]):
    """A planned or unfinished solar or wind plant, as trackers list it."""

    name: str
    aliases: tuple[str, ...]
    country_code: str | None
    latitude: float | None
    longitude: float | None
    position_accuracy: str | None
    status: str
    technology: str
    technology_detail: str | None
    capacity_mw: float | None
    start_year: int | None
    owner: str | None
    report_url: str | None
    units: tuple[ProjectPhase, ...]
    capacity_rating: str | None = None


@dataclass(frozen=True, slots=True)
class Substation(PlacedPayload[avro.Substation]):
    """A substation or another node of the transmission grid."""

    name: str | None
    country_code: str | None
    latitude: float | None
    longitude: float | None
    status: str
    node_type: str
    voltages_kv: tuple[float, ...]
    direct_current: bool | None
    station_id: str | None
    operator: str | None


@dataclass(frozen=True, slots=True)
class TransmissionLine(StretchedPayload[avro.TransmissionLine]):
    """An overhead line, cable or direct-current link between two nodes of the grid."""

    name: str | None
    country_code: str | None
    country_codes: tuple[str, ...]
    from_node_id: str | None
    from_name: str | None
    from_latitude: float | None
    from_longitude: float | None
    from_substation_id: str | None
    from_unresolved: str | None
    to_node_id: str | None
    to_name: str | None
    to_latitude: float | None
    to_longitude: float | None
    to_substation_id: str | None
    to_unresolved: str | None
    status: str
    direct_current: bool
    voltage_kv: float | None
    circuits: int | None
    length_km: float | None
    capacity_mw: float | None
    underground: bool | None
    operator: str | None
    line_eic: str | None
    geometry_wkt: str | None


@dataclass(frozen=True, slots=True)
class TransmissionProject(StretchedPayload[avro.TransmissionProject]):
    """A planned line or link, or a planned upgrade of one."""

    name: str
    country_code: str | None
    country_codes: tuple[str, ...]
    from_node_id: str | None
    from_name: str | None
    from_latitude: float | None
    from_longitude: float | None
    from_substation_id: str | None
    from_unresolved: str | None
    to_node_id: str | None
    to_name: str | None
    to_latitude: float | None
    to_longitude: float | None
    to_substation_id: str | None
    to_unresolved: str | None
    status: str
    status_in_source: str
    project_type: str
    plan: str
    upgrades_line_id: str | None
    direct_current: bool
    voltage_kv: float | None
    circuits: float | None
    length_km: float | None
    capacity_mw: float | None
    underground: bool | None
    commissioning_year: int | None
    report_url: str | None


@dataclass(frozen=True, slots=True)
class LngInventory(PayloadBase[avro.LngInventory]):
    """LNG in tanks and gas sent out of one entity on one gas day. Source: GIE ALSI definitions."""

    scope: Literal["eu", "country", "terminal"]
    entity_id: str
    entity_name: str
    country_code: str | None
    facility_eic: str | None
    company_eic: str | None
    gas_day: date
    gas_day_start: datetime
    gas_day_end: datetime
    status: Literal["confirmed", "estimated", "no_data"]
    inventory_gwh: float | None
    inventory_thousand_m3_lng: float | None
    send_out_gwh_per_day: float | None
    dtmi_gwh: float | None
    dtmi_thousand_m3_lng: float | None
    dtrs_gwh_per_day: float | None
    contracted_capacity_gwh_per_day: float | None
    available_capacity_gwh_per_day: float | None
    covered_capacity_pct: float | None
    fullness_pct: float | None
    terminal_id: str | None = None
    virtual: bool = False
    ship_unloading_gwh: float | None = None
    ship_unloading_uncertainty_gwh: float | None = None
    ship_unloading_method: Literal["mass_balance_energy", "mass_balance_volume"] | None = None


AssetPayload = (
    PowerPlant
    | LngTerminal
    | RenewableResource
    | RenewableProject
    | Substation
    | TransmissionLine
    | TransmissionProject
)
ObservationPayload = LngInventory
Payload = AssetPayload | LngInventory

ASSET_PAYLOADS: Mapping[str, type[AssetPayload]] = {
    "power_plant": PowerPlant,
    "lng_terminal": LngTerminal,
    "renewable_resource": RenewableResource,
    "renewable_project": RenewableProject,
    "substation": Substation,
    "transmission_line": TransmissionLine,
    "transmission_project": TransmissionProject,
}
ASSET_KINDS = frozenset(ASSET_PAYLOADS)

PAYLOAD_KINDS: Mapping[type[Payload], str] = {
    **{payload: kind for kind, payload in ASSET_PAYLOADS.items()},
    LngInventory: "lng_inventory",
}
