"""When a version could first be known, through the real stages of observations."""

from datetime import UTC, date, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.avro.codec import AvroRecord
from streams.core import contract_types as avro
from streams.core.records import RawRecord
from tests.core.series import Series, arrivals, raw_day
from tests.stages.chain import Chain
from tests.stages.test_observe_and_aggregates import CODES, rows

DAY = date(2026, 3, 2)
FETCHED = [datetime(2026, 3, 3 + number, 19, 45, tzinfo=UTC) for number in range(4)]


def normalized(*raws: RawRecord, first: int = 0) -> list[avro.NormalizedObservation]:
    series = Series()
    return [record for row in arrivals(raws, first) for record in series.normalize(row)]


def versions(chain: Chain, day: date, entity: str = "") -> list[AvroRecord]:
    return [
        record for record in chain.versions() if record["record_id"].endswith(f"{entity}/{day}")
    ]


def test_what_the_next_day_adds_was_known_when_that_was_fetched() -> None:
    chain = Chain()
    chain.feed(
        normalized(
            raw_day(DAY, fetched=FETCHED[0]),
            raw_day(DAY + timedelta(days=1), fetched=FETCHED[1]),
            raw_day(DAY, fetched=FETCHED[2], sendOut="99"),
        )
    )
    found = versions(chain, DAY)
    assert [(version["observed_at"], version["known_at"]) for version in found] == [
        (FETCHED[0], FETCHED[0]),
        (FETCHED[0], FETCHED[1]),
        (FETCHED[2], FETCHED[2]),
    ]
    assert [version["lng_inventory"]["ship_unloading_gwh"] is None for version in found] == [
        True,
        False,
        False,
    ]


def test_a_total_is_flagged_when_the_part_was_fetched_that_shows_it() -> None:
    chain = Chain()
    chain.feed(rows(eu_gwh=67_000))
    second = DAY + timedelta(days=1)
    chain.feed(
        normalized(
            raw_day(
                second, scope={"country": CODES[0]}, fetched=FETCHED[3], gwh="90000", lng="13432"
            ),
            first=1_000,
        )
    )
    *_, before, flagged = versions(chain, second, "eu")
    assert "totals_disagree" not in before["flags"]
    assert "totals_disagree" in flagged["flags"]
    assert flagged["known_at"] == FETCHED[3]
    assert flagged["observed_at"] == before["observed_at"] < FETCHED[3]


@settings(deadline=None, max_examples=25)
@given(st.randoms(use_true_random=False))
def test_in_any_order_the_last_version_is_known_from_the_same_time(random: Random) -> None:
    raws = [
        raw_day(DAY + timedelta(days=number), fetched=FETCHED[0] + timedelta(days=number))
        for number in range(8)
    ]
    in_order, shuffled = Chain(), Chain()
    in_order.feed(normalized(*raws))
    random.shuffle(raws)
    shuffled.feed(normalized(*raws))
    for chain in (in_order, shuffled):
        assert all(version["known_at"] >= version["observed_at"] for version in chain.versions())
    assert {key: version["known_at"] for key, version in in_order.canonical().items()} == {
        key: version["known_at"] for key, version in shuffled.canonical().items()
    }
