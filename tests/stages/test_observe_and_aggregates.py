"""Observe and aggregates together, with their real codecs and states."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.avro.codec import AvroRecord
from streams.core import contract_types as avro
from tests.core.series import Series, arrivals, raw_day
from tests.stages.chain import Chain

DAY = date(2026, 3, 2)
CODES = ("BE", "DE", "ES", "FI", "FR", "GR", "HR", "IT", "LT", "NL")


def rows(
    eu_gwh: int = 67_000, later: dict[str, str] | None = None, countries: int = len(CODES)
) -> list[avro.NormalizedObservation]:
    """Two gas days of the EU and its countries, normalized; `later` revises the second day."""
    eu = {"scope": "eu", "country": None}
    volume = str(eu_gwh / 6.7)
    raws = [
        raw_day(day, scope=eu, lng=volume, gwh=str(eu_gwh), sendOut="6000", dtrs="20000")
        for day in (DAY, DAY + timedelta(days=1))
    ]
    raws += [raw_day(DAY, scope={"country": code}) for code in CODES]
    second = DAY + timedelta(days=1)
    raws += [raw_day(second, scope={"country": code}) for code in CODES[:countries]]
    raws += [
        raw_day(second, scope={"country": code}, fetched=datetime(2026, 3, 5, tzinfo=UTC), gwh=gwh)
        for code, gwh in (later or {}).items()
    ]
    series = Series()
    return [record for row in arrivals(raws) for record in series.normalize(row)]


def flags(chain: Chain, entity_id: str, day: date) -> list[str]:
    found = chain.canonical()[f"lng_inventory:alsi_lng_inventory:{entity_id}/{day}"]["flags"]
    return [flag for flag in found if flag != "next_day_overdue"]


def test_a_total_below_its_parts_is_flagged_and_cleared_by_a_revision() -> None:
    chain = Chain()
    records = rows(eu_gwh=50_000)
    chain.feed(records)
    assert flags(chain, "eu", DAY) == ["totals_disagree"]
    assert flags(chain, "ES", DAY) == []
    first = [outcome for outcome in chain.outcomes() if not outcome["again"]]
    assert len(first) == len(records), "one outcome a raw record; verdicts come as reevaluated ones"
    corrected = Series().normalize(
        arrivals(
            [
                raw_day(
                    DAY,
                    scope={"scope": "eu", "country": None},
                    fetched=datetime(2026, 3, 6, tzinfo=UTC),
                    lng="10000",
                    gwh="67000",
                    sendOut="6000",
                    dtrs="20000",
                )
            ]
        )[0]
    )
    chain.feed(corrected)
    assert flags(chain, "eu", DAY) == []


def test_a_day_on_which_countries_are_missing_is_flagged_until_they_come() -> None:
    chain = Chain()
    records = rows(countries=5)
    chain.feed(records)
    assert flags(chain, "eu", DAY + timedelta(days=1)) == ["reporters_dropped"]
    missing = [row for row in rows() if row["record_id"].endswith(str(DAY + timedelta(days=1)))]
    chain.feed(missing_row for missing_row in missing if missing_row["entity_id"] in CODES[5:])
    assert flags(chain, "eu", DAY + timedelta(days=1)) == []


@given(st.permutations(rows(eu_gwh=61_000, later={"ES": "20100", "FR": "6800"}, countries=9)))
@settings(max_examples=10, deadline=None)
def test_any_order_of_arrival_ends_with_the_same_records_and_flags(
    records: list[avro.NormalizedObservation],
) -> None:
    expected, chain = Chain(), Chain()
    expected.feed(rows(eu_gwh=61_000, later={"ES": "20100", "FR": "6800"}, countries=9))
    chain.feed([*records, *records[:5]])
    assert seen(chain) == seen(expected)
    per_record = Counter(
        (outcome["raw"]["offset"], outcome["outcome"])
        for outcome in chain.outcomes()
        if outcome["outcome"] == "changed" and not outcome["again"]
    )
    assert max(per_record.values()) == 1


def seen(chain: Chain) -> dict[str, tuple[list[str], AvroRecord]]:
    return {key: (one["flags"], one["lng_inventory"]) for key, one in chain.canonical().items()}


def test_scores_count_what_neighbours_and_scopes_found_later_in_any_order() -> None:
    """Outcomes of records that came first have the flags that came after them."""
    records = rows(eu_gwh=50_000, later={"ES": "2000"})
    expected = None
    for seed in range(4):
        shuffled = records[:]
        Random(seed).shuffle(shuffled)
        chain = Chain()
        chain.feed(shuffled)
        newest = {
            outcome["record_id"]: tuple(outcome["flags"])
            for outcome in chain.outcomes()
            if outcome["outcome"] in ("changed", "unchanged")
        }
        shown = {
            record_id: tuple(flag for flag in record["flags"] if flag != "next_day_overdue")
            for record in chain.canonical().values()
            for record_id in [record["members"][0]["record_id"]]
        }
        assert newest == shown
        failed = {
            key: score["failed_count"]
            for key, score in chain.scores().items()
            if score["dimension"] == "consistency"
        }
        assert sum(failed.values()) > 0
        assert expected in (None, failed)
        expected = failed


@given(st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_outcomes_and_scores_are_the_same_however_topics_interleave(random: Random) -> None:
    """Totals are revised before their parts are heard, or after."""
    later = {"ES": "2000", "FR": "6800"}
    raws = [*rows(eu_gwh=50_000, later=later), *rows(later=later)]
    for offset, event in enumerate(raws):
        event["lineage"] = {**event["lineage"], "offset": offset}
    partitions: dict[str, list[avro.NormalizedObservation]] = {}
    for event in raws:
        partitions.setdefault(event["record_id"], []).append(event)
    expected, chain = Chain(), Chain()
    expected.feed(raws)
    chain.feed_interleaved(partitions.values(), random)
    assert told(chain) == told(expected)


def told(chain: Chain) -> tuple[dict[int, tuple[str, list[str]]], dict[tuple[str, str], int]]:
    """Last outcome and flags of every raw record, and failed records of every score."""
    return (
        {one["raw"]["offset"]: (one["outcome"], one["flags"]) for one in chain.outcomes()},
        {
            (f"{window:%d}", dimension): score["failed_count"]
            for (_, window, dimension), score in chain.scores().items()
        },
    )
