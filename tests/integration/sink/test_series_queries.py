"""LNG inventory through the real stages and the real engine: now, as known, and what changed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from streams.avro.codec import frame_schema_id
from streams.clickhouse.bounds import OutOfBoundsError
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.series_queries import (
    SeriesDay,
    find_series,
    series_days,
    series_known_at,
    series_revisions,
    series_vintages,
)
from streams.core.records import RawRecord
from streams.core.rejection_limits import NO_LIMITS
from streams.sink.loader import Loader
from streams.topics import MARKET_INFRASTRUCTURE
from tests.core.series import Series, arrivals, raw_day
from tests.sink.records import batch
from tests.stages.chain import Chain

pytestmark = pytest.mark.integration

DAY = date(2025, 10, 1)
NEXT = DAY + timedelta(days=1)
FETCHED = [datetime(2025, 10, 2 + number, 19, 45, tzinfo=UTC) for number in range(6)]
BARCELONA = {
    "scope": "terminal",
    "country": "ES",
    "facility_eic": "21W000000000039X",
    "company_eic": "21X000000001254A",
    "terminal_id": "ES_BARCELONA",
}
ENTITY = "21W000000000039X/21X000000001254A"
SUCCESSOR = "21W000000000039X/21X000000001255B"


def loaded(clickhouse: ClickHouse, *raws: RawRecord) -> None:
    """Raw days through normalize, observe, scopes and the sink."""
    chain, series = Chain(), Series()
    chain.feed([record for row in arrivals(raws) for record in series.normalize(row)])
    values = [record.value for record in chain.topics[MARKET_INFRASTRUCTURE.name]]
    loader = Loader(clickhouse, chain.registry.writer_schema, lambda topic: "uuid", NO_LIMITS)
    assert frame_schema_id(values[0]) is not None
    assert loader.load(batch(MARKET_INFRASTRUCTURE.name, values)).rejected == 0


def revised(clickhouse: ClickHouse) -> None:
    """A gas day, the next one, and a revision of the first."""
    loaded(
        clickhouse,
        raw_day(DAY, scope=BARCELONA, fetched=FETCHED[0], gwh="6700", lng="1000"),
        raw_day(NEXT, scope=BARCELONA, fetched=FETCHED[1], gwh="6834", lng="1020"),
        raw_day(DAY, scope=BARCELONA, fetched=FETCHED[3], gwh="6633", lng="990"),
    )


def known(clickhouse: ClickHouse, moment: datetime) -> Sequence[SeriesDay]:
    return series_known_at([ENTITY], DAY, NEXT, moment).run(clickhouse)


def test_a_revised_gas_day_has_both_values_each_at_its_time(clickhouse: ClickHouse) -> None:
    revised(clickhouse)
    assert known(clickhouse, FETCHED[0] - timedelta(milliseconds=1)) == []
    (first,) = known(clickhouse, FETCHED[0])
    assert (first.inventory_gwh, first.ship_unloading_gwh) == (6700, None)
    then, following = known(clickhouse, FETCHED[2])
    assert (then.inventory_gwh, then.ship_unloading_gwh) == (6700, 6834 - 6700 + 600)
    assert following.inventory_gwh == 6834
    now, _ = known(clickhouse, FETCHED[3])
    assert (now.inventory_gwh, now.ship_unloading_gwh) == (6633, 6834 - 6633 + 600)
    assert known(clickhouse, FETCHED[5]) == series_days([ENTITY], DAY, NEXT).run(clickhouse)


def test_revisions_say_what_changed_when(clickhouse: ClickHouse) -> None:
    revised(clickhouse)
    found = series_revisions([ENTITY], DAY, DAY).run(clickhouse)
    assert [(day.inventory_gwh, day.known_at, day.observed_at) for day in found] == [
        (6700, FETCHED[0], FETCHED[0]),
        (6700, FETCHED[1], FETCHED[0]),
        (6633, FETCHED[3], FETCHED[3]),
    ]
    assert all(day.published_at for day in found)
    vintages = series_vintages([ENTITY], DAY, NEXT).run(clickhouse)
    assert [
        (vintage.known_at, vintage.versions, vintage.first_gas_day, vintage.last_gas_day)
        for vintage in vintages
    ] == [
        (FETCHED[3], 1, DAY, DAY),
        (FETCHED[1], 2, DAY, NEXT),
        (FETCHED[0], 1, DAY, DAY),
    ]


def test_a_rebuild_in_another_order_does_not_move_the_past(clickhouse: ClickHouse) -> None:
    """The next day is read first, as another partition may be: all follows from all at once."""
    loaded(
        clickhouse,
        raw_day(NEXT, scope=BARCELONA, fetched=FETCHED[1], gwh="6834", lng="1020"),
        raw_day(DAY, scope=BARCELONA, fetched=FETCHED[0], gwh="6700", lng="1000"),
        raw_day(DAY, scope=BARCELONA, fetched=FETCHED[3], gwh="6633", lng="990"),
    )
    (first,) = known(clickhouse, FETCHED[0])
    assert (first.inventory_gwh, first.ship_unloading_gwh) == (6700, None)
    then, _ = known(clickhouse, FETCHED[1])
    assert (then.inventory_gwh, then.ship_unloading_gwh) == (6700, 6834 - 6700 + 600)


@pytest.mark.parametrize(
    ("name", "entities"),
    [
        ("ES_BARCELONA", [ENTITY, SUCCESSOR]),
        ("es_barcelona", [ENTITY, SUCCESSOR]),
        ("21W000000000039X", [ENTITY, SUCCESSOR]),
        ("21X000000001255B", [SUCCESSOR]),
        (ENTITY, [ENTITY]),
        ("ES", ["ES"]),
        ("EU", ["eu"]),
        ("eu", ["eu"]),
        ("nothing", []),
    ],
)
def test_a_series_is_found_by_every_name_it_has(
    clickhouse: ClickHouse, name: str, entities: list[str]
) -> None:
    loaded(
        clickhouse,
        raw_day(DAY, scope=BARCELONA, fetched=FETCHED[0]),
        raw_day(DAY, scope=BARCELONA | {"company_eic": "21X000000001255B"}, fetched=FETCHED[0]),
        raw_day(DAY, scope={"country": "ES"}, fetched=FETCHED[0]),
        raw_day(DAY, scope={"scope": "eu", "country": None}, fetched=FETCHED[0]),
    )
    assert [series.entity_id for series in find_series(name).run(clickhouse)] == entities


def test_operators_that_share_a_terminal_have_one_row_a_gas_day(clickhouse: ClickHouse) -> None:
    """The old operator goes on without figures after the terminal has changed hands."""
    new = BARCELONA | {"company_eic": "21X000000001255B"}
    loaded(
        clickhouse,
        raw_day(DAY, scope=BARCELONA, fetched=FETCHED[0], gwh="6700"),
        raw_day(
            NEXT, scope=BARCELONA, fetched=FETCHED[2], gwh="-", lng="-", sendOut="-", status="N"
        ),
        raw_day(NEXT, scope=new, fetched=FETCHED[1], gwh="6834", lng="1020"),
    )
    found = series_days([ENTITY, SUCCESSOR], DAY, NEXT).run(clickhouse)
    assert [(day.series_id, day.gas_day, day.entity_id, day.inventory_gwh) for day in found] == [
        ("ES_BARCELONA", DAY, ENTITY, 6700),
        ("ES_BARCELONA", NEXT, SUCCESSOR, 6834),
    ]
    rows = clickhouse.query(
        "SELECT series_id, gas_day, entity_id FROM lng_inventory_days "
        "WHERE gas_day >= '2025-10-02' ORDER BY ALL"
    ).rows
    assert rows == [("ES_BARCELONA", NEXT, SUCCESSOR)]


def test_dates_are_bounded() -> None:
    with pytest.raises(OutOfBoundsError, match="end_date must be a date from 1970-01-01"):
        series_days([ENTITY], DAY, date(2149, 6, 7))
    with pytest.raises(OutOfBoundsError, match="start_date"):
        series_days([ENTITY], date(28, 1, 1), DAY)
    with pytest.raises(OutOfBoundsError, match="known_at"):
        series_known_at([ENTITY], DAY, DAY, datetime(28, 1, 1, tzinfo=UTC))
