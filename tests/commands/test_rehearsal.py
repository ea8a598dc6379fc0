"""A rehearsal says what the stages would do: nothing with unchanged code, neighbours included."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest

from producers.sources.wri_powerplants import WriPowerPlantsConnector
from streams.avro.codec import Encoder
from streams.avro.contracts import contract
from streams.commands.rehearsal import Rehearsal, Rehearsed, Tables
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord
from streams.core.reject_rules import UNREADABLE_NUMBER
from streams.core.replay import REPLAYED, Effect, effect_of
from streams.core.tolerances import Tolerances
from streams.kafka.topic_reader import Record
from streams.settings import Settings
from streams.stages.works import Making
from streams.topics import MARKET_INFRASTRUCTURE, raw_topic
from streams.topology import AGGREGATES, OBSERVE, RECONCILE, normalize_stage, pipeline
from tests.core.series import TOLERANCES, raw_day
from tests.fault.load import plant_record
from tests.stages.chain import OfflineRegistry

SOURCES = ("alsi_lng", "wri_powerplants")
BEHIND = (RECONCILE.name, OBSERVE.name, AGGREGATES.name)
STAGES = tuple(
    stage for stage in pipeline(SOURCES) if stage.name in (*map(normalize_stage, SOURCES), *BEHIND)
)
FIRST = date(2026, 1, 1)


@dataclass(slots=True)
class Pipeline:
    """A pipeline in memory whose history is given to code with other limits."""

    registry: OfflineRegistry
    tables: Tables
    raw: dict[str, list[tuple[Record, RawRecord]]]
    encoders: Mapping[str, Encoder[Mapping[str, object]]]

    def rehearsal(self, tolerances: Tolerances = TOLERANCES) -> Rehearsal:
        settings = Settings(app_id="test")
        making = Making.of(settings, self.registry, tolerances, 1)
        tables = {place: dict(table) for place, table in self.tables.items()}
        return Rehearsal(making, STAGES, tables)

    def replayed(self, tolerances: Tolerances = TOLERANCES) -> dict[str, Rehearsed]:
        """What becomes of each raw record, in the order of the log, by source record and offset."""
        rehearsal = self.rehearsal(tolerances)
        return {
            f"{raw.record_id}@{record.offset}": rehearsal.replayed(record, raw)
            for records in self.raw.values()
            for record, raw in records
        }

    def published(self, rehearsed: Iterable[Rehearsed]) -> list[avro.InfrastructureRecord]:
        decoder = self.registry.decoder(contract(MARKET_INFRASTRUCTURE.contract_name))
        return [decoder.decode(value) for one in rehearsed for value in one.published]  # type: ignore[misc]


def grown(records: Iterable[RawRecord]) -> Pipeline:
    """A pipeline that has decided on these records."""
    registry = OfflineRegistry()
    names = {"alsi_lng_inventory": "alsi_lng", "wri_powerplants": "wri_powerplants"}
    encoders = {
        name: registry.encoder(raw_topic(name).subject(), contract(f"raw.{name}"))
        for name in SOURCES
    }
    tables: Tables = {
        (stage.name, partition): {}
        for stage in STAGES
        for partition in range(stage.input.partitions)
    }
    found = Pipeline(registry, tables, {name: [] for name in SOURCES}, encoders)
    settings = Settings(app_id="test")
    first = Rehearsal(Making.of(settings, registry, TOLERANCES, 1), STAGES, tables)
    for raw in records:
        name = names[raw.source_id]
        kept = found.raw[name]
        value = encoders[name].encode(raw.to_avro())
        record = Record(raw_topic(name).name, 0, len(kept), 0, raw.record_id.encode(), value, ())
        kept.append((record, raw))
        first.replayed(record, raw)
    return found


def history() -> list[RawRecord]:
    """Gas days with a jump, a correction and a repeat; plants with a move and a rejection."""
    days = [FIRST + timedelta(days=number) for number in range(8)]
    later = raw_day(days[-1]).fetched_at + timedelta(days=1)
    levels = ["6700", "6700", "6900", "6500", "6900", "15900", "6700", "6800"]
    return [
        *(raw_day(day, gwh=gwh) for day, gwh in zip(days, levels, strict=True)),
        raw_day(days[2], gwh="6800", fetched=later),
        raw_day(days[6], gwh="6700", fetched=later),
        plant_record("MOVED"),
        plant_record("MOVED", country="USA", latitude="40.0", longitude="-100.0"),
        plant_record("STAYS", latitude="51.0"),
        plant_record("LARGE", capacity="9000", latitude="51.5"),
        plant_record("REJECTED", name=" ", latitude="50.0"),
    ]


def test_unchanged_code_publishes_and_keeps_nothing_else() -> None:
    pipeline_grown = grown(history())
    replayed = pipeline_grown.replayed()
    assert {name for name, one in replayed.items() if one.differs or one.published} == set()
    assert all(one.is_settled for one in replayed.values())
    assert replayed["MOVED@0"].outcome == "superseded"
    assert replayed["REJECTED@4"].outcome == "rejected"
    assert replayed["ES/2026-01-03@2"].outcome == "superseded"


def test_a_limit_of_one_record_reaches_that_record_alone() -> None:
    pipeline_grown = grown(history())
    largest = dict(TOLERANCES.accuracy.largest_plant_mw) | {"gas": 8000.0}
    accuracy = TOLERANCES.accuracy.model_copy(update={"largest_plant_mw": largest})
    replayed = pipeline_grown.replayed(TOLERANCES.model_copy(update={"accuracy": accuracy}))
    differing = {name for name, one in replayed.items() if one.differs}
    assert differing == {"LARGE@3"}
    (published,) = pipeline_grown.published(replayed.values())
    assert published["flags"] == ["capacity_implausible"]


def test_a_limit_on_neighbours_reaches_each_gas_day_that_it_flags() -> None:
    pipeline_grown = grown(history())
    jump = TOLERANCES.lng.jump.model_copy(update={"share": 10.0})
    lng = TOLERANCES.lng.model_copy(update={"jump": jump})
    before = pipeline_grown.replayed()
    replayed = pipeline_grown.replayed(TOLERANCES.model_copy(update={"lng": lng}))
    differing = {name for name, one in replayed.items() if one.differs}
    assert differing
    assert differing <= {name for name, one in before.items() if one.outcome != "superseded"}
    again = {one["record_id"]: one for one in pipeline_grown.published(replayed.values())}
    assert not any("inventory_jump" in one["flags"] for one in again.values())


def test_what_is_behind_on_its_way_is_not_settled() -> None:
    pipeline_grown = grown(history())
    for partition in range(RECONCILE.input.partitions):
        pipeline_grown.tables[RECONCILE.name, partition].clear()
    replayed = pipeline_grown.replayed()
    assert not replayed["STAYS@2"].is_settled
    assert replayed["MOVED@0"].is_settled


def test_another_mapping_withdraws_what_it_rejects_and_brings_back_what_it_accepts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline_grown = grown(history())
    before = WriPowerPlantsConnector.map_to_schema

    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        if raw.record_id == "LARGE":
            return UNREADABLE_NUMBER.reject("9000", field="capacity_mw", limit="less")
        item = {**(raw.item or {})}
        if item["name"] == " ":
            item["name"] = "Named"
        return before(replace(raw, item=item))

    monkeypatch.setattr(WriPowerPlantsConnector, "map_to_schema", staticmethod(map_to_schema))
    replayed = pipeline_grown.replayed()
    effects = {
        name: effect_of(one.outcome, was_accepted=one.was_accepted, differs=one.differs)
        for name, one in replayed.items()
    }
    assert {name: effect for name, effect in effects.items() if effect in REPLAYED} == {
        "LARGE@3": Effect.WITHDRAWN,
        "REJECTED@4": Effect.ACCEPTED,
    }
    assert replayed["LARGE@3"].rule_id == "unreadable_number"
    published = pipeline_grown.published(replayed.values())
    assert [one["status"] for one in published] == ["withdrawn", "current"]


def test_only_what_is_listed_can_be_lost() -> None:
    gone = replace(plant_record("GONE"), event="no_longer_listed", item=None)
    rehearsal = grown([*history(), plant_record("GONE"), gone]).rehearsal()
    # MOVED, STAYS and LARGE; the state knows REJECTED and GONE, too.
    assert rehearsal.listed(raw_topic("wri_powerplants").name) == 3
