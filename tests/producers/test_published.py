"""Only what differs from what was published last of its id is published again."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.connector import Credit, RawItem
from producers.published import Published, digest_of

ITEM = RawItem(
    stream="plants",
    record_id="P1",
    item={"name": "Toy", "capacity_mw": "5", "extra": {"b": "2", "a": "1"}},
    source_updated_at=None,
    release="first",
    origin="https://one",
)


def published(*items: RawItem) -> Published:
    found = Published(dict)
    for item in items:
        found.add(item.record_id, digest_of(item))
    return found


def has(found: Published, item: RawItem) -> bool:
    return found.has(item.record_id, digest_of(item))


@pytest.mark.parametrize(
    "other",
    [
        replace(ITEM, stream="units"),
        replace(ITEM, item={**ITEM.item, "capacity_mw": "5.0"}),
        replace(ITEM, item={**ITEM.item, "owner": None}),
        replace(ITEM, source_updated_at=datetime(2026, 1, 1, tzinfo=UTC)),
        replace(ITEM, credit=Credit("CC-BY-4.0", "Somebody")),
    ],
)
def test_whatever_a_source_says_otherwise_is_new(other: RawItem) -> None:
    assert not has(published(ITEM), other)


def test_another_release_or_address_says_nothing_new() -> None:
    later = replace(ITEM, release="second", origin="https://two")
    turned = replace(
        later, item={name: ITEM.item[name] for name in ("extra", "capacity_mw", "name")}
    )
    assert has(published(ITEM), turned)


def test_what_was_withdrawn_is_new_when_it_comes_back() -> None:
    first = published(ITEM)
    kept = {key: digest for key, digest in first.changes.items() if digest is not None}
    second = Published(lambda: kept)
    assert has(second, ITEM)
    second.remove("P1")
    assert not has(second, ITEM)
    assert second.changes == {"P1": None}


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=6), max_size=8)
)
def test_the_newest_record_of_each_id_is_what_the_source_said_last(
    releases: list[list[tuple[str, int]]],
) -> None:
    """Also where a release says an id twice, or goes back to what it said before."""
    known: dict[str, int] = {}
    topic: dict[str, int] = {}
    for release in releases:
        run = Published(known.copy)
        for record_id, value in release:
            item = replace(ITEM, record_id=record_id, item={"value": value})
            if not has(run, item):
                topic[record_id] = value
                run.add(record_id, digest_of(item))
        known |= {key: digest for key, digest in run.changes.items() if digest is not None}
        assert {key: topic[key] for key, _ in release} == dict(release)
