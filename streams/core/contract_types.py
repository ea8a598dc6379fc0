"""Records as the newest versions of the contracts have them; what a field means says its `doc`.

Generated from `avro/` by `make types`, never changed by hand. What a record may leave out when it
is written is `NotRequired`; a record that was read has every field. Import it as `avro`:
`avro.PowerPlant` is the Avro form of a power plant.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NotRequired, TypedDict, final


@final
class RawCoordinates(TypedDict):
    """Coordinates of a raw record."""

    topic: str
    partition: int
    offset: int


@final
class Header(TypedDict):
    """A message header."""

    name: str
    value: NotRequired[bytes | None]


@final
class Cut(TypedDict):
    """A part of the record that is too large to keep here whole."""

    part: str
    whole_bytes: int
    sha256: str


@final
class DeadLetter(TypedDict):
    """A record that could not be accepted."""

    raw: RawCoordinates
    source_id: str
    record_id: NotRequired[str | None]
    key: NotRequired[bytes | None]
    value: NotRequired[bytes | None]
    headers: NotRequired[list[Header]]
    record_time: datetime
    schema_id: NotRequired[int | None]
    stage: str
    rule_id: str
    field: NotRequired[str | None]
    observed: NotRequired[str | None]
    limit: NotRequired[str | None]
    message: str
    code_version: str
    cuts: NotRequired[list[Cut]]
    kafka_timestamp: NotRequired[int | None]


@final
class GasDayReport(TypedDict):
    """What one entity reports for one gas day."""

    source_id: str
    record_id: str
    entity_id: str
    scope: str
    country_code: NotRequired[str | None]
    virtual: NotRequired[bool]
    gas_day: date
    reports: bool
    inventory_gwh: NotRequired[float | None]
    send_out_gwh_per_day: NotRequired[float | None]
    fetched_at: datetime
    version: int


@final
class Member(TypedDict):
    """A source record that takes part in the canonical record."""

    source_id: str
    record_id: str
    entity_id: NotRequired[str | None]
    observed_at: datetime
    source_updated_at: NotRequired[datetime | None]
    lineage: RawCoordinates
    licence: str
    attribution: str


@final
class LosingValue(TypedDict):
    """A value another member gave for one of the fields."""

    field: str
    member: int
    value: str


@final
class Provenance(TypedDict):
    """Fields whose value comes from the same member by the same rule."""

    member: int
    rule: str
    fields: list[str]
    losing: NotRequired[list[LosingValue]]


@final
class Link(TypedDict):
    """What an asset is next to or belongs to."""

    relation: str
    record_id: str
    distance_km: NotRequired[float | None]


@final
class GenerationYear(TypedDict):
    """Generation of one year."""

    year: int
    generation_gwh: NotRequired[float | None]
    estimated_generation_gwh: NotRequired[float | None]
    estimation_method: NotRequired[str | None]


@final
class IssuedId(TypedDict):
    """Identifier that another issuer gave the asset."""

    issuer: str
    id: str


@final
class PlantUnit(TypedDict):
    """A unit of a power plant that its source reports on its own."""

    unit_id: str
    name: NotRequired[str | None]
    capacity_mw: NotRequired[float | None]
    fuel: NotRequired[str | None]
    technology: NotRequired[str | None]
    status: str
    start_year: NotRequired[int | None]
    retired_year: NotRequired[int | None]


@final
class PowerPlant(TypedDict):
    """A power plant: one technology at one site."""

    name: str
    country_code: NotRequired[str | None]
    latitude: NotRequired[float | None]
    longitude: NotRequired[float | None]
    capacity_mw: NotRequired[float | None]
    primary_fuel: str
    other_fuels: NotRequired[list[str]]
    commissioning_year: NotRequired[float | None]
    status: str
    owner: NotRequired[str | None]
    capacity_year: NotRequired[int | None]
    reported_by: NotRequired[str | None]
    report_url: NotRequired[str | None]
    position_source: NotRequired[str | None]
    plant_ids_wepp: NotRequired[list[str]]
    generation_reported_by: NotRequired[str | None]
    generation: NotRequired[list[GenerationYear]]
    aliases: NotRequired[list[str]]
    technology: NotRequired[str | None]
    position_accuracy: NotRequired[str | None]
    retired_year: NotRequired[int | None]
    operator: NotRequired[str | None]
    other_ids: NotRequired[list[IssuedId]]
    units: NotRequired[list[PlantUnit]]
    capacity_rating: NotRequired[str | None]


@final
class LngInventory(TypedDict):
    """LNG in terminal tanks and gas sent out of one entity on one gas day."""

    scope: str
    entity_id: str
    entity_name: str
    country_code: NotRequired[str | None]
    facility_eic: NotRequired[str | None]
    company_eic: NotRequired[str | None]
    gas_day: date
    gas_day_start: datetime
    gas_day_end: datetime
    status: str
    inventory_gwh: NotRequired[float | None]
    inventory_thousand_m3_lng: NotRequired[float | None]
    send_out_gwh_per_day: NotRequired[float | None]
    dtmi_gwh: NotRequired[float | None]
    dtmi_thousand_m3_lng: NotRequired[float | None]
    dtrs_gwh_per_day: NotRequired[float | None]
    contracted_capacity_gwh_per_day: NotRequired[float | None]
    available_capacity_gwh_per_day: NotRequired[float | None]
    covered_capacity_pct: NotRequired[float | None]
    fullness_pct: NotRequired[float | None]
    terminal_id: NotRequired[str | None]
    virtual: NotRequired[bool]
    ship_unloading_gwh: NotRequired[float | None]
    ship_unloading_uncertainty_gwh: NotRequired[float | None]
    ship_unloading_method: NotRequired[str | None]


@final
class TerminalUnit(TypedDict):
    """A unit or phase of a terminal that its source reports on its own."""

    unit_id: str
    name: NotRequired[str | None]
    capacity_mtpa: NotRequired[float | None]
    status: str
    start_year: NotRequired[int | None]
    retired_year: NotRequired[int | None]


@final
class LngUnavailability(TypedDict):
    """A time in which a terminal cannot send out or take in all it could."""

    starts_at: NotRequired[datetime | None]
    ends_at: NotRequired[datetime | None]
    published_at: NotRequired[datetime | None]
    planned: NotRequired[bool | None]
    end_confirmed: NotRequired[bool | None]
    send_out_as_reported: NotRequired[str | None]
    volume_as_reported: NotRequired[str | None]
    description: NotRequired[str | None]


@final
class LngTerminal(TypedDict):
    """An LNG import or export terminal with its tanks."""

    name: str
    aliases: NotRequired[list[str]]
    country_code: NotRequired[str | None]
    latitude: NotRequired[float | None]
    longitude: NotRequired[float | None]
    position_accuracy: NotRequired[str | None]
    status: str
    terminal_type: str
    floating: NotRequired[bool | None]
    capacity_mtpa: NotRequired[float | None]
    dtmi_gwh: NotRequired[float | None]
    dtmi_thousand_m3_lng: NotRequired[float | None]
    dtrs_gwh_per_day: NotRequired[float | None]
    start_year: NotRequired[int | None]
    owner: NotRequired[str | None]
    operator: NotRequired[str | None]
    facility_eic: NotRequired[str | None]
    company_eic: NotRequired[str | None]
    report_url: NotRequired[str | None]
    units: NotRequired[list[TerminalUnit]]
    terminal_id: NotRequired[str | None]
    virtual: NotRequired[bool]
    unavailabilities: NotRequired[list[LngUnavailability]]


@final
class SiteCount(TypedDict):
    """Model sites of one dataset."""

    dataset: str
    sites: int


@final
class RenewableResource(TypedDict):
    """Long-term solar or wind resource, or modelled yield, at a point."""

    name: str
    country_code: NotRequired[str | None]
    latitude: NotRequired[float | None]
    longitude: NotRequired[float | None]
    resource_type: str
    coverage: str
    dataset: NotRequired[str | None]
    dataset_version: NotRequired[str | None]
    dni_kwh_per_m2_day: NotRequired[float | None]
    ghi_kwh_per_m2_day: NotRequired[float | None]
    tilt_at_latitude_kwh_per_m2_day: NotRequired[float | None]
    monthly_dni_kwh_per_m2_day: NotRequired[list[float]]
    monthly_ghi_kwh_per_m2_day: NotRequired[list[float]]
    monthly_tilt_at_latitude_kwh_per_m2_day: NotRequired[list[float]]
    ac_annual_kwh: NotRequired[float | None]
    ac_monthly_kwh: NotRequired[list[float]]
    solrad_annual_kwh_per_m2_day: NotRequired[float | None]
    capacity_factor_pct: NotRequired[float | None]
    system_capacity_kw: NotRequired[float | None]
    station_distance_m: NotRequired[float | None]
    site_counts: NotRequired[list[SiteCount]]
    available_years: NotRequired[list[int]]


@final
class ProjectPhase(TypedDict):
    """A phase of a project that its source reports on its own."""

    unit_id: str
    name: NotRequired[str | None]
    capacity_mw: NotRequired[float | None]
    technology: NotRequired[str | None]
    status: str
    start_year: NotRequired[int | None]
    retired_year: NotRequired[int | None]


@final
class RenewableProject(TypedDict):
    """A planned or unfinished solar or wind plant, as trackers list it."""

    name: str
    aliases: NotRequired[list[str]]
    country_code: NotRequired[str | None]
    latitude: NotRequired[float | None]
    longitude: NotRequired[float | None]
    position_accuracy: NotRequired[str | None]
    status: str
    technology: str
    technology_detail: NotRequired[str | None]
    capacity_mw: NotRequired[float | None]
    start_year: NotRequired[int | None]
    owner: NotRequired[str | None]
    report_url: NotRequired[str | None]
    units: NotRequired[list[ProjectPhase]]
    capacity_rating: NotRequired[str | None]


@final
class Substation(TypedDict):
    """A substation or another node of the transmission grid."""

    name: NotRequired[str | None]
    country_code: NotRequired[str | None]
    latitude: NotRequired[float | None]
    longitude: NotRequired[float | None]
    status: str
    node_type: str
    voltages_kv: NotRequired[list[float]]
    direct_current: NotRequired[bool | None]
    station_id: NotRequired[str | None]
    operator: NotRequired[str | None]


@final
class TransmissionLine(TypedDict):
    """An overhead line, cable or direct-current link between two nodes of the grid."""

    name: NotRequired[str | None]
    country_code: NotRequired[str | None]
    country_codes: NotRequired[list[str]]
    from_node_id: NotRequired[str | None]
    from_name: NotRequired[str | None]
    from_latitude: NotRequired[float | None]
    from_longitude: NotRequired[float | None]
    from_substation_id: NotRequired[str | None]
    from_unresolved: NotRequired[str | None]
    to_node_id: NotRequired[str | None]
    to_name: NotRequired[str | None]
    to_latitude: NotRequired[float | None]
    to_longitude: NotRequired[float | None]
    to_substation_id: NotRequired[str | None]
    to_unresolved: NotRequired[str | None]
    status: str
    direct_current: bool
    voltage_kv: NotRequired[float | None]
    circuits: NotRequired[int | None]
    length_km: NotRequired[float | None]
    capacity_mw: NotRequired[float | None]
    underground: NotRequired[bool | None]
    operator: NotRequired[str | None]
    line_eic: NotRequired[str | None]
    geometry_wkt: NotRequired[str | None]


@final
class TransmissionProject(TypedDict):
    """A planned line or link, or a planned upgrade of one."""

    name: str
    country_code: NotRequired[str | None]
    country_codes: NotRequired[list[str]]
    from_node_id: NotRequired[str | None]
    from_name: NotRequired[str | None]
    from_latitude: NotRequired[float | None]
    from_longitude: NotRequired[float | None]
    from_substation_id: NotRequired[str | None]
    from_unresolved: NotRequired[str | None]
    to_node_id: NotRequired[str | None]
    to_name: NotRequired[str | None]
    to_latitude: NotRequired[float | None]
    to_longitude: NotRequired[float | None]
    to_substation_id: NotRequired[str | None]
    to_unresolved: NotRequired[str | None]
    status: str
    status_in_source: str
    project_type: str
    plan: str
    upgrades_line_id: NotRequired[str | None]
    direct_current: bool
    voltage_kv: NotRequired[float | None]
    circuits: NotRequired[float | None]
    length_km: NotRequired[float | None]
    capacity_mw: NotRequired[float | None]
    underground: NotRequired[bool | None]
    commissioning_year: NotRequired[int | None]
    report_url: NotRequired[str | None]


@final
class InfrastructureRecord(TypedDict):
    """Canonical record of one asset or one observation, one filled payload field per kind."""

    record_id: str
    kind: str
    status: str
    replaced_by: NotRequired[str | None]
    version: int
    event_time: NotRequired[datetime | None]
    observed_at: datetime
    known_at: datetime
    members: list[Member]
    provenance: list[Provenance]
    flags: NotRequired[list[str]]
    position_spread_km: NotRequired[float | None]
    links: NotRequired[list[Link]]
    power_plant: NotRequired[PowerPlant | None]
    lng_inventory: NotRequired[LngInventory | None]
    lng_terminal: NotRequired[LngTerminal | None]
    renewable_resource: NotRequired[RenewableResource | None]
    renewable_project: NotRequired[RenewableProject | None]
    substation: NotRequired[Substation | None]
    transmission_line: NotRequired[TransmissionLine | None]
    transmission_project: NotRequired[TransmissionProject | None]


@final
class OrderKey(TypedDict):
    """What a raw record says of its age."""

    source_updated_at: NotRequired[datetime | None]
    fetched_at: datetime
    raw_hash: str


@final
class Correction(TypedDict):
    """A figure of the source that was put right, because there was only one way to do it."""

    field: str
    reported: float
    corrected: float
    rule_id: str


@final
class Decision(TypedDict):
    """Manual decision on two source entities of one kind."""

    verdict: str
    kind: str
    one_source_id: str
    one_entity_id: str
    other_source_id: str
    other_entity_id: str
    reason: str


@final
class NormalizedAsset(TypedDict):
    """Typed, unit-clean record of one asset by one source."""

    source_id: str
    record_id: str
    entity_id: str
    kind: str
    event: str
    cause: NotRequired[str | None]
    region: int
    move_count: int
    order: OrderKey
    lineage: RawCoordinates
    licence: str
    attribution: str
    flags: NotRequired[list[str]]
    again: NotRequired[bool]
    corrections: NotRequired[list[Correction]]
    power_plant: NotRequired[PowerPlant | None]
    lng_terminal: NotRequired[LngTerminal | None]
    renewable_resource: NotRequired[RenewableResource | None]
    renewable_project: NotRequired[RenewableProject | None]
    substation: NotRequired[Substation | None]
    transmission_line: NotRequired[TransmissionLine | None]
    transmission_project: NotRequired[TransmissionProject | None]
    decision: NotRequired[Decision | None]
    moved_to: NotRequired[int | None]


@final
class NormalizedObservation(TypedDict):
    """Typed, unit-clean point of one time series by one source."""

    source_id: str
    record_id: str
    entity_id: str
    kind: str
    event: str
    cause: NotRequired[str | None]
    move_count: int
    order: OrderKey
    lineage: RawCoordinates
    licence: str
    attribution: str
    flags: NotRequired[list[str]]
    again: NotRequired[bool]
    lng_inventory: NotRequired[LngInventory | None]


@final
class PublishedRange(TypedDict):
    """Where one partition has what the switch published."""

    topic: str
    partition: int
    first: int
    last: int


@final
class Generation(TypedDict):
    """One generation of what follows from the raw topics."""

    generation: int
    began_at: datetime
    switched_at: NotRequired[datetime | None]
    code_version: str
    fingerprint: str
    published: NotRequired[list[PublishedRange]]


@final
class ReplayedField(TypedDict):
    """A field that differs."""

    kind: str
    field: str
    record_count: int


@final
class Replay(TypedDict):
    """One replay of raw records with the code of its day: who, when, what and what it changed."""

    replay_id: str
    status: str
    started_at: datetime
    ended_at: NotRequired[datetime | None]
    started_by: str
    code_version: str
    tolerances_sha256: str
    generation: int
    source_ids: list[str]
    fetched_from: NotRequired[datetime | None]
    fetched_to: NotRequired[datetime | None]
    record_id: NotRequired[str | None]
    sent_count: int
    unchanged_count: int
    changed_count: int
    accepted_count: int
    withdrawn_count: int
    rejected_count: int
    superseded_count: int
    undecided_count: int
    too_large_count: int
    canonical_added_count: int
    canonical_changed_count: int
    canonical_gone_count: int
    changed_fields: list[ReplayedField]


@final
class Resume(TypedDict):
    """Lets a paused partition of a raw topic go on."""

    topic: str
    partition: int
    offset: int
    resumed_at: datetime


@final
class QualityCounts(TypedDict):
    """Raw records and failed checks of one source in one window."""

    source_id: str
    window_start: datetime
    partition: int
    changes: int
    record_count: int
    failed_count: int
    dimensions: dict[str, int]
    rules: dict[str, int]


@final
class QualityScore(TypedDict):
    """Quality of one source in one window."""

    source_id: str
    dimension: str
    window_start: datetime
    window_end: datetime
    version: int
    record_count: int
    failed_count: int
    score: float


@final
class RawRecord(TypedDict):
    """Envelope of a raw record of any source."""

    source_id: str
    stream: str
    record_id: str
    event: NotRequired[str]
    fetched_at: datetime
    source_updated_at: NotRequired[datetime | None]
    release: NotRequired[str | None]
    run_id: str
    origin: str
    licence: str
    attribution: str
    item: Mapping[str, object] | None


@final
class ScorePart(TypedDict):
    """One kind of evidence."""

    evidence: str
    weight: float


@final
class MatchCandidate(TypedDict):
    """Two source entities of which scores cannot tell whether they are one asset."""

    kind: str
    region: int
    one_source_id: str
    one_entity_id: str
    one_asset_id: str
    other_source_id: str
    other_entity_id: str
    other_asset_id: str
    joined: bool
    match_score: float
    threshold: float
    parts: list[ScorePart]
    would_decide: list[str]
    generation: int


@final
class ManualDecision(TypedDict):
    """Manual decision on two source entities of one kind, which overrides every score."""

    verdict: str
    kind: str
    one_source_id: str
    one_entity_id: str
    other_source_id: str
    other_entity_id: str
    reason: str
    decided_at: datetime


@final
class CanonicalVersion(TypedDict):
    """A canonical record version."""

    record_id: str
    version: int


@final
class RecordOutcome(TypedDict):
    """What became of one raw record, for one output kind."""

    raw: RawCoordinates
    source_id: str
    record_id: NotRequired[str | None]
    output_kind: str
    outcome: str
    stage: str
    generation: NotRequired[int]
    record_time: datetime
    rule_id: NotRequired[str | None]
    canonical: NotRequired[list[CanonicalVersion]]
    flags: NotRequired[list[str]]
    again: NotRequired[bool]


@final
class SchemaId(TypedDict):
    """An id that the registry gave to a schema; records refer to it for ever."""

    subject: str
    schema_id: int
    schema: str


@final
class StoredGasDayReport(TypedDict):
    """What one entity reports for one gas day."""

    source_id: str
    record_id: str
    entity_id: str
    scope: str
    country_code: NotRequired[str | None]
    virtual: NotRequired[bool]
    gas_day: date
    reports: bool
    inventory_gwh: NotRequired[float | None]
    send_out_gwh_per_day: NotRequired[float | None]
    fetched_at: datetime
    version: int


@final
class AggregateVerdict(TypedDict):
    """Flags last sent for one record."""

    record_id: str
    flags: list[str]


@final
class GasDayAggregates(TypedDict):
    """What the aggregates stage stores of one gas day of one source."""

    reports: list[StoredGasDayReport]
    verdicts: list[AggregateVerdict]


@final
class OffsetRange(TypedDict):
    """Consecutive offsets."""

    first: int
    end: int


@final
class Applied(TypedDict):
    """Last entry of a batch in a changelog: inputs up to this offset are in the state."""

    topic: str
    topic_uuid: str
    partition: int
    offset: int
    record_crc: NotRequired[int | None]
    generation: int
    deleted_unread: NotRequired[list[OffsetRange]]


@final
class RecordState(TypedDict):
    """One source record."""

    record: bytes
    status: str
    content_hash: str
    order: OrderKey
    lineage: RawCoordinates
    move_count: int


@final
class PublishedAsset(TypedDict):
    """One asset id as it was published last; merged ids are kept for ever."""

    version: int
    status: str
    replaced_by: NotRequired[str | None]
    content_hash: str
    known_at: datetime


@final
class AssetState(TypedDict):
    """One entry of reconcile."""

    record: NotRequired[RecordState | None]
    asset: NotRequired[PublishedAsset | None]


@final
class Verdict(TypedDict):
    """What failed of one raw record."""

    source_id: str
    window_start: datetime
    generation: int
    failed: dict[str, list[str]]


@final
class WindowCounts(TypedDict):
    """Counts of one source in one window."""

    source_id: str
    window_start: datetime
    changes: int
    record_count: int
    failed_count: int
    dimensions: dict[str, int]
    rules: dict[str, int]


@final
class CountState(TypedDict):
    """Entry of the table of count."""

    verdict: NotRequired[Verdict | None]
    counts: NotRequired[WindowCounts | None]


@final
class Location(TypedDict):
    """Where normalize last sent a source record."""

    region: int
    kind: str
    entity_id: str
    move_count: int
    listed: bool
    order: OrderKey
    lineage: RawCoordinates


@final
class ObservationState(TypedDict):
    """What observe holds for one point of a series."""

    record: bytes
    canonical_id: str
    version: int
    status: str
    content_hash: str
    order: OrderKey
    lineage: RawCoordinates
    aggregate_flags: NotRequired[list[str]]
    aggregate_known_at: NotRequired[datetime | None]


@final
class PartitionCounts(TypedDict):
    """Counts as one partition of record.outcomes has them."""

    source_id: str
    window_start: datetime
    partition: int
    changes: int
    record_count: int
    failed_count: int
    dimensions: dict[str, int]
    rules: dict[str, int]


@final
class ScoreState(TypedDict):
    """Entry of the table of score: one window of one source."""

    partitions: list[PartitionCounts]
