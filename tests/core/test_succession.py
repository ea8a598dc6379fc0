"""Succession of canonical records: versions, unchanged content, withdrawals, order independence."""

from itertools import permutations

import orjson

from streams.core.canonical import canonical_record
from streams.core.errors import Rejected
from streams.core.keys import asset_id
from streams.core.normalize import Location, normalize
from streams.core.payload_field import payload_fields
from streams.core.records import Mapped, Outcome
from streams.core.succession import Normalized, StoredRecord, Succession, succeed
from tests.core.builders import REJECTED, at, mapped, order_of, plant, raw

GENERATION = 1


def events(*arrivals: tuple[int, Mapped | Rejected | None]) -> list[Normalized]:
    """Normalized events of raw records given as (minute, content); content None delists."""
    stored: Location | None = None
    found: list[Normalized] = []
    for offset, (minute, content) in enumerate(arrivals):
        record = raw(fetched=minute, listed=content is not None)
        decision = normalize(
            record,
            content,
            "power_plant",
            order_of(record, str(minute)),
            at(offset),
            stored,
        )
        stored = decision.location or stored
        found += decision.normalized
    return found


def apply(event: Normalized, stored: StoredRecord | None) -> Succession:
    return succeed(event, framed(event), stored, GENERATION, asset_id)


def framed(event: Normalized) -> bytes:
    """Bytes in place of an event in the state."""
    return orjson.dumps(event)


def content_of(stored: StoredRecord) -> Normalized:
    content: Normalized = orjson.loads(stored.record)
    return content


def run(
    found: list[Normalized],
) -> tuple[StoredRecord | None, list[StoredRecord], list[Outcome | None]]:
    stored: StoredRecord | None = None
    published: list[StoredRecord] = []
    outcomes: list[Outcome | None] = []
    for event in found:
        succession = apply(event, stored)
        stored = succession.stored
        if succession.published:
            published.append(succession.published)
        outcomes.append(succession.outcome)
    return stored, published, outcomes


def test_same_content_read_again_publishes_nothing() -> None:
    _, published, outcomes = run(events((0, mapped()), (1, mapped())))
    assert len(published) == 1
    assert outcomes == ["changed", "unchanged"]


def test_each_change_publishes_a_higher_version_of_the_same_id() -> None:
    _, published, _ = run(events((0, mapped()), (1, mapped(plant(5.0))), (2, mapped(plant(6.0)))))
    versions = [stored.version for stored in published]
    assert versions == sorted(set(versions))
    assert len({stored.canonical_id for stored in published}) == 1


def test_change_and_change_back_is_published_twice() -> None:
    _, published, _ = run(events((0, mapped()), (1, mapped(plant(5.0))), (2, mapped())))
    assert [payload_fields(content_of(stored))["capacity_mw"] for stored in published] == [
        100.0,
        5.0,
        100.0,
    ]


def test_delisting_publishes_the_last_content_as_withdrawn() -> None:
    stored, published, outcomes = run(events((0, mapped()), (1, None)))
    assert stored is not None
    assert [entry.status for entry in published] == ["current", "withdrawn"]
    assert outcomes == ["changed", "withdrawn"]
    record = canonical_record(stored, content_of(stored), stored.order.fetched_at)
    assert (record["status"], payload_fields(record)["name"]) == ("withdrawn", "Plant")


def test_withdrawal_after_a_rejection_has_no_outcome_of_its_own() -> None:
    _, published, outcomes = run(events((0, mapped()), (1, REJECTED)))
    assert [entry.status for entry in published] == ["current", "withdrawn"]
    assert outcomes == ["changed", None]


def test_relisting_continues_the_versions() -> None:
    _, published, _ = run(events((0, mapped()), (1, None), (2, mapped())))
    versions = [stored.version for stored in published]
    assert versions == sorted(set(versions))
    assert [stored.status for stored in published] == ["current", "withdrawn", "current"]


def test_move_leaves_silently_and_arrives_with_a_higher_version() -> None:
    here = mapped(plant(latitude=50.0, longitude=8.0))
    there = mapped(plant(latitude=40.0, longitude=-100.0))
    first, leave, arrive = events((0, here), (1, there))
    europe = apply(first, None)
    gone = apply(leave, europe.stored)
    assert (gone.stored, gone.published, gone.outcome) == (None, None, None)
    america = apply(arrive, None)
    assert europe.published is not None
    assert america.published is not None
    assert america.published.canonical_id == europe.published.canonical_id
    assert america.published.version > europe.published.version


def test_rebuild_publishes_again_under_a_higher_generation() -> None:
    (event,) = events((0, mapped()))
    live = succeed(event, framed(event), None, 1, asset_id)
    rebuilt = succeed(event, framed(event), live.stored, 2, asset_id)
    assert live.published is not None
    assert rebuilt.published is not None
    assert rebuilt.published.version > live.published.version


def test_replayed_old_event_is_superseded() -> None:
    old, new = events((0, mapped()), (1, mapped(plant(5.0))))
    stored = apply(new, apply(old, None).stored).stored
    again = apply(old, stored)
    assert (again.stored, again.published, again.outcome) == (stored, None, "superseded")


def test_one_run_with_a_wrong_clock_hides_nothing_that_is_fetched_after_it() -> None:
    month = 30 * 24 * 60
    found = events((0, mapped()), (month, mapped(plant(5.0))), (1, mapped(plant(6.0))), (2, None))
    stored, published, outcomes = run(found)
    assert [payload_fields(content_of(one))["capacity_mw"] for one in published] == [
        100.0,
        5.0,
        6.0,
        6.0,
    ]
    assert outcomes == ["changed", "changed", "changed", "withdrawn"]
    assert stored is not None
    assert stored.status == "withdrawn"


def test_final_content_does_not_depend_on_the_order_of_events() -> None:
    found = events((0, mapped()), (1, mapped(plant(5.0))), (2, mapped(plant(6.0))))
    finals = set()
    for order in permutations(found):
        stored, _, _ = run(list(order))
        assert stored is not None
        finals.add((stored.content_hash, stored.status, stored.lineage))
    assert len(finals) == 1


def test_every_filled_field_has_a_provenance() -> None:
    (event,) = events((0, mapped()))
    published = apply(event, None).published
    assert published is not None
    record = canonical_record(published, event, published.order.fetched_at)
    filled = {name for name, value in payload_fields(record).items() if value not in (None, [])}
    named = [name for entry in record["provenance"] for name in entry["fields"]]
    assert sorted(named) == sorted(filled)


def test_asset_ids_never_change_between_releases() -> None:
    """Ids are published for ever: a change here breaks every reader's references."""
    assert (
        asset_id("power_plant", "wri_powerplants", "GEODB0040538")
        == "45b1fa66-294c-5d65-8ebc-f7a35d6c7055"
    )
