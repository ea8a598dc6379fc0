"""What analysts see of the records, and of several versions of one."""

from datetime import UTC, date, datetime

import pytest

from streams.avro.contracts import contract
from streams.clickhouse.candidate_queries import candidates
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.counts import (
    OutcomeCount,
    count_current,
    count_dead_letters,
    outcome_counts,
)
from streams.clickhouse.tables import kinds
from streams.sink.landing import TOPICS
from streams.sink.loader import Loader
from tests.avro.examples import Example, examples, to_record
from tests.sink.engine import CANONICAL, plants
from tests.sink.records import (
    KAFKA_TIME,
    OBSERVED_AT,
    batch,
    candidate,
    dead_letter,
    framed,
    gas_day,
    outcome,
    plant,
    score,
)

pytestmark = pytest.mark.integration


def test_a_plant_arrives_with_every_value(clickhouse: ClickHouse, loader: Loader) -> None:
    result = loader.load(plants([7]))
    assert (result.loaded, result.rejected) == (1, 0)
    found = clickhouse.query("SELECT * FROM power_plants")
    row = dict(zip(found.columns, found.rows[0], strict=True))
    expected = plant(7)
    assert {name: row[name] for name in expected["power_plant"]} == expected["power_plant"]
    assert row["record_status"] == "current"
    assert row["observed_at"] == OBSERVED_AT
    assert row["event_time"] is None
    assert row["source_ids"] == ["source of power_plant"]
    assert row["flags"] == ["capacity_odd"]


def test_the_history_keeps_lineage(clickhouse: ClickHouse, loader: Loader) -> None:
    loader.load(plants([7]))
    ((members, provenance),) = clickhouse.query(
        "SELECT members, provenance FROM power_plants_history"
    ).rows
    assert members == plant(7)["members"]
    assert provenance == plant(7)["provenance"]


@pytest.mark.parametrize(
    "example", [one for one in examples("valid") if one.contract in TOPICS], ids=str
)
def test_every_valid_example_is_loaded(
    clickhouse: ClickHouse, loader: Loader, example: Example
) -> None:
    topic = example.contract
    record = to_record(contract(topic).latest, example.value, complete=True)
    result = loader.load(batch(topic, [framed(topic, record)]))
    assert (result.loaded, result.rejected) == (1, 0)
    view = "infrastructure" if topic == CANONICAL else topic.replace(".", "_")
    assert len(clickhouse.query(f"SELECT * FROM {view}").rows) == 1


def test_a_gas_day_arrives_with_dates_and_nulls(clickhouse: ClickHouse, loader: Loader) -> None:
    day = date(2026, 1, 31)
    loader.load(batch(CANONICAL, [framed(CANONICAL, gas_day(day))]))
    found = clickhouse.query("SELECT * FROM lng_inventory")
    row = dict(zip(found.columns, found.rows[0], strict=True))
    expected = gas_day(day)
    assert {name: row[name] for name in expected["lng_inventory"]} == expected["lng_inventory"]
    assert row["event_time"] == datetime(2026, 1, 31, 5, tzinfo=UTC)
    assert row["send_out_gwh_per_day"] is None


def test_an_unavailability_arrives_inside_its_terminal(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    (example,) = [
        one
        for one in examples("valid")
        if "lng_terminal_with" in str(one) and one.contract == CANONICAL
    ]
    record = to_record(contract(CANONICAL).latest, example.value, complete=True)
    loader.load(batch(CANONICAL, [framed(CANONICAL, record)]))
    ((terminal_id, virtual, found),) = clickhouse.query(
        "SELECT terminal_id, virtual, unavailabilities FROM lng_terminals"
    ).rows
    assert (terminal_id, virtual) == ("IT_PANIGAGLIA", False)
    assert found == record["lng_terminal"]["unavailabilities"]


def test_provenance_names_the_source_of_each_field(clickhouse: ClickHouse, loader: Loader) -> None:
    record = plant(7)
    second = record["members"][0] | {"source_id": "gem", "record_id": "G7"}
    record["members"].append(second)
    record["provenance"] = [
        {
            "member": 1,
            "rule": "priority",
            "fields": ["capacity_mw", "name"],
            "losing": [{"field": "name", "member": 0, "value": '"Planta 7"'}],
        }
    ]
    loader.load(batch(CANONICAL, [framed(CANONICAL, record)]))
    rows = clickhouse.query(
        "SELECT field, source_id, source_record_id, rule, raw_topic, losing "
        "FROM power_plants_provenance ORDER BY field"
    ).rows
    loser = {"source_id": "source of power_plant", "value": '"Planta 7"'}
    assert rows == [
        ("capacity_mw", "gem", "G7", "priority", "raw.power_plant", []),
        ("name", "gem", "G7", "priority", "raw.power_plant", [loser]),
    ]


def test_a_dead_letter_keeps_its_bytes(clickhouse: ClickHouse, loader: Loader) -> None:
    loader.load(batch("dead_letters", [framed("dead_letters", dead_letter())]))
    ((key, value, header),) = clickhouse.query(
        "SELECT hex(key), hex(value), hex(headers[1].value) FROM dead_letters"
    ).rows
    original = dead_letter()
    assert bytes.fromhex(key) == original["key"]
    assert bytes.fromhex(value) == original["value"]
    assert bytes.fromhex(header) == original["headers"][0]["value"]
    assert count_dead_letters(clickhouse) == {"wri_powerplants": 1}


def test_counts_say_what_became_of_the_records(clickhouse: ClickHouse, loader: Loader) -> None:
    values = [framed("record.outcomes", outcome(offset)) for offset in range(3)]
    values.append(framed("record.outcomes", outcome(3, result="rejected", rule_id="bad")))
    loader.load(batch("record.outcomes", values))
    assert outcome_counts(clickhouse) == (
        OutcomeCount("wri_powerplants", "power_plant", "changed", 3),
        OutcomeCount("wri_powerplants", "power_plant", "rejected", 1),
    )
    ((canonical,),) = clickhouse.query(
        "SELECT canonical FROM record_outcomes WHERE raw_offset = 2"
    ).rows
    assert canonical == [{"record_id": "plant-2", "version": 3}]


def test_both_kinds_may_share_a_batch(clickhouse: ClickHouse, loader: Loader) -> None:
    values = [framed(CANONICAL, gas_day(date(2026, 1, 1))), framed(CANONICAL, plant(1))]
    loader.load(batch(CANONICAL, values))
    assert count_current(clickhouse) == dict.fromkeys(kinds(), 0) | {
        "power_plant": 1,
        "lng_inventory": 1,
    }


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_the_highest_version_is_seen_once(
    clickhouse: ClickHouse, loader: Loader, order: tuple[int, ...]
) -> None:
    for offset, version in enumerate(order):
        value = framed(CANONICAL, plant(1, version=version, flags=[f"version {version}"]))
        loader.load(batch(CANONICAL, [value], first_offset=offset))
    assert clickhouse.query("SELECT version, flags FROM power_plants").rows == [(3, ["version 3"])]
    history = clickhouse.query("SELECT version FROM power_plants_history ORDER BY 1").rows
    assert history == [(1,), (2,), (3,)]


def test_a_withdrawn_plant_leaves_the_view_but_stays_known(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    values = [framed(CANONICAL, plant(1)), framed(CANONICAL, plant(2))]
    values.append(framed(CANONICAL, plant(1, version=2, status="withdrawn")))
    loader.load(batch(CANONICAL, values))
    assert clickhouse.query("SELECT record_id FROM power_plants").rows == [("plant-2",)]
    assert clickhouse.query(
        "SELECT record_id, record_status FROM infrastructure ORDER BY 1"
    ).rows == [("plant-1", "withdrawn"), ("plant-2", "current")]
    assert count_current(clickhouse)["power_plant"] == 1


def test_a_later_outcome_replaces_an_earlier_one(clickhouse: ClickHouse, loader: Loader) -> None:
    """A replay states again what became of a raw record, in another batch."""
    later = framed("record.outcomes", outcome(7, result="unchanged"))
    earlier = framed("record.outcomes", outcome(7, result="changed"))
    loader.load(batch("record.outcomes", [later], first_offset=9, timestamp=KAFKA_TIME + 1))
    loader.load(batch("record.outcomes", [earlier], timestamp=KAFKA_TIME))
    assert clickhouse.query("SELECT outcome FROM record_outcomes").rows == [("unchanged",)]


def test_the_latest_score_of_a_window_is_seen(clickhouse: ClickHouse, loader: Loader) -> None:
    values = [score(version=2, value=80.0), score(version=1, value=99.0)]
    loader.load(batch("quality.scores", [framed("quality.scores", value) for value in values]))
    assert clickhouse.query("SELECT version, score FROM quality_scores").rows == [(2, 80.0)]


CANDIDATES = "reconcile.candidates"


def pairs(clickhouse: ClickHouse) -> list[tuple[str, float]]:
    return [(one.key, one.match_score) for one in candidates().run(clickhouse)]


def test_a_candidate_is_a_row_until_a_tombstone_closes_it(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    first, second = (framed(CANDIDATES, candidate("a", "b", score)) for score in (0.1, 0.2))
    loader.load(batch(CANDIDATES, [first], key=b"1"))
    loader.load(batch(CANDIDATES, [first, None, second], first_offset=1, key=b"2"))
    assert pairs(clickhouse) == [("1", 0.1), ("2", 0.2)]
    (found,) = candidates("a", limit=1).run(clickhouse)
    assert [(one.evidence, one.weight) for one in found.parts] == [
        ("name", 5.8),
        ("capacity", -5.7),
    ]
    assert "cannot-link power_plant 'gem_transmission:entity of a'" in found.cannot_link_command
    result = loader.load(batch(CANDIDATES, [None], first_offset=4, key=b"1"))
    assert (result.loaded, result.rejected) == (1, 0)
    loader.load(batch(CANDIDATES, [first], key=b"1"))  # once more, as after a crash
    assert pairs(clickhouse) == [("2", 0.2)]
    assert clickhouse.query("SELECT key FROM reconcile_candidates").rows == [("2",)]


def test_candidates_of_an_older_generation_are_open_no_more(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    rebuilt = framed(CANDIDATES, candidate("c", "d", generation=2))
    loader.load(batch(CANDIDATES, [framed(CANDIDATES, candidate("a", "b"))], key=b"1"))
    loader.load(batch(CANDIDATES, [rebuilt], first_offset=1, key=b"2"))
    assert pairs(clickhouse) == [("2", 0.25)]


def test_a_candidate_without_a_key_is_put_aside(clickhouse: ClickHouse, loader: Loader) -> None:
    records = [framed(CANDIDATES, candidate("a", "b")), None]
    result = loader.load(batch(CANDIDATES, records, key=None))
    assert (result.loaded, dict(result.rules)) == (0, {"bad_framing": 2})
