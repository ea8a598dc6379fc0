"""The resolver: merges, splits, withdrawals, moves, decisions, and the same result in any order."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import contract_types as avro
from streams.core.keys import asset_id
from streams.core.regions import EAST_ASIA, EUROPE
from tests.core.reconcile.builders import START, gem, gppd, line, move, substation, withdrawal
from tests.core.reconcile.real_records import GEM, GPPD
from tests.core.reconcile.regions import Regions, decision

GPPD_ID = asset_id("power_plant", GPPD, "WRI1")
GEM_ID = asset_id("power_plant", GEM, "L1/GCPT", EUROPE)


def test_two_sources_of_one_plant_are_one_asset_with_the_permanent_id() -> None:
    regions = Regions().apply_all([gppd("WRI1", "Example"), gem("G1", "L1/GCPT", "Example", 450)])
    assert regions.members() == {GPPD_ID: frozenset({(GPPD, "WRI1"), (GEM, "G1")})}


def test_a_better_anchor_that_comes_late_takes_over_and_the_old_id_says_so() -> None:
    regions = Regions().apply_all([gem("G1", "L1/GCPT", "Example", 450), gppd("WRI1", "Example")])
    assert set(regions.members()) == {GPPD_ID}
    assert regions.current[GEM_ID]["status"] == "merged"
    assert regions.current[GEM_ID]["replaced_by"] == GPPD_ID


def test_a_split_brings_the_old_id_back_under_a_higher_version() -> None:
    regions = Regions().apply_all([gem("G1", "L1/GCPT", "Example", 450), gppd("WRI1", "Example")])
    merged = regions.current[GEM_ID]["version"]
    regions.apply(gppd("WRI1", "Elsewhere", 5, latitude=51.5))
    assert set(regions.members()) == {GPPD_ID, GEM_ID}
    assert regions.current[GEM_ID]["version"] > merged


def test_units_of_one_entity_are_members_of_one_asset_and_their_capacity_is_summed() -> None:
    regions = Regions().apply_all(
        [gem("G1", "L1/GCPT", "Example", 200), gem("G2", "L1/GCPT", "Example", 250)]
    )
    (asset,) = regions.members()
    assert regions.current[asset]["power_plant"]["capacity_mw"] == 450
    assert [member["record_id"] for member in regions.current[asset]["members"]] == ["G1", "G2"]


def test_same_content_again_publishes_nothing() -> None:
    regions = Regions().apply_all([gppd("WRI1", "Example")])
    resolution = regions.apply(gppd("WRI1", "Example", 7))
    assert (resolution.outcome, resolution.published) == ("unchanged", ())


def test_an_older_record_is_superseded() -> None:
    regions = Regions().apply_all([gppd("WRI1", "Example", 7)])
    assert regions.apply(gppd("WRI1", "Older", 3)).outcome == "superseded"


def test_one_run_with_a_wrong_clock_hides_nothing_that_is_fetched_after_it() -> None:
    month = 30 * 24 * 60
    wrong, right = gppd("WRI1", "Example", month), gppd("WRI1", "Right", 9, capacity_mw=900.0)
    after = wrong["lineage"]["offset"] + 1
    right["lineage"] = {**right["lineage"], "offset": after}
    regions = Regions().apply_all([gppd("WRI1", "Example"), wrong])
    assert regions.apply(right).outcome == "changed"
    gone = withdrawal(right, 10)
    assert regions.apply(gone).outcome == "withdrawn"


def test_a_withdrawn_record_leaves_its_asset_and_the_id_leads_to_what_remains() -> None:
    first = gppd("WRI1", "Example")
    regions = Regions().apply_all([first, gem("G1", "L1/GCPT", "Example", 450)])
    assert regions.apply(withdrawal(first, 9)).outcome == "withdrawn"
    assert set(regions.members()) == {GEM_ID}
    assert regions.current[GPPD_ID]["status"] == "merged"
    assert regions.current[GPPD_ID]["replaced_by"] == GEM_ID


def test_an_asset_that_no_source_lists_keeps_its_last_content() -> None:
    first = gppd("WRI1", "Example")
    regions = Regions().apply_all([first, withdrawal(first, 9)])
    assert regions.current[GPPD_ID]["status"] == "withdrawn"
    assert regions.current[GPPD_ID]["power_plant"]["name"] == "Example"
    assert len(regions.current[GPPD_ID]["members"]) == 1


def test_what_left_an_asset_was_known_when_that_was_fetched() -> None:
    plant, unit = gppd("WRI1", "Example", 1), gem("G1", "L1/GCPT", "Example", 450, 2)
    regions = Regions().apply_all([plant, unit])
    joined = regions.current[GPPD_ID]["known_at"]
    assert joined == unit["order"]["fetched_at"] == regions.current[GPPD_ID]["observed_at"]
    gone = withdrawal(unit, 9)
    regions.apply(gone)
    alone = regions.current[GPPD_ID]
    assert alone["known_at"] == gone["order"]["fetched_at"]
    assert alone["observed_at"] == plant["order"]["fetched_at"]


def test_a_record_that_comes_late_does_not_make_the_past_known_earlier() -> None:
    unit = gem("G1", "L1/GCPT", "Example", 450, 2)
    gone = withdrawal(unit, 9)
    regions = Regions().apply_all([gppd("WRI1", "Example", 1), unit, gone])
    regions.apply(gppd("WRI1", "Example", 5, capacity_mw=900.0))
    assert regions.current[GPPD_ID]["known_at"] == gone["order"]["fetched_at"]


def test_a_record_that_moves_region_and_back_leaves_one_live_asset() -> None:
    there: dict[str, Any] = {"latitude": 30.0, "longitude": 110.0}
    first = gppd("WRI1", "Example")
    regions = Regions().apply_all([first, gem("G1", "L1/GCPT", "Example", 450)])
    away = gppd("WRI1", "Example", 5, **there)
    regions.apply_all(move(first, away, 5))
    assert regions.members() == {
        GPPD_ID: frozenset({(GPPD, "WRI1")}),
        GEM_ID: frozenset({(GEM, "G1")}),
    }
    version = regions.current[GPPD_ID]["version"]
    regions.apply_all(move(away, gppd("WRI1", "Example", 9), 9))
    assert regions.members() == {GPPD_ID: frozenset({(GPPD, "WRI1"), (GEM, "G1")})}
    assert regions.current[GPPD_ID]["version"] > version


CHINA: dict[str, Any] = {"latitude": 30.0, "longitude": 110.0}
GEM_IN_CHINA = asset_id("power_plant", GEM, "L1/GCPT", EAST_ASIA)


def test_units_of_one_entity_in_two_regions_are_an_asset_in_each() -> None:
    here, there = (
        gem("G1", "L1/GCPT", "Example", 200),
        gem("G2", "L1/GCPT", "Example", 250, **CHINA),
    )
    regions = Regions().apply_all([here, there])
    assert regions.members() == {
        GEM_ID: frozenset({(GEM, "G1")}),
        GEM_IN_CHINA: frozenset({(GEM, "G2")}),
    }
    regions.apply(withdrawal(there, 9))
    assert regions.current[GEM_IN_CHINA]["status"] == "withdrawn"
    assert regions.members() == {GEM_ID: frozenset({(GEM, "G1")})}


def test_the_id_of_an_entity_that_moves_leads_to_where_it_is() -> None:
    first, second = gem("G1", "L1/GCPT", "Example", 200), gem("G2", "L1/GCPT", "Example", 250)
    regions = Regions().apply_all([first, second])
    away = [gem(one, "L1/GCPT", "Example", 225, 5, **CHINA) for one in ("G1", "G2")]
    regions.apply_all(move(first, away[0], 5))
    assert set(regions.members()) == {GEM_ID, GEM_IN_CHINA}
    regions.apply_all(move(second, away[1], 6))
    assert regions.members() == {GEM_IN_CHINA: frozenset({(GEM, "G1"), (GEM, "G2")})}
    assert regions.current[GEM_ID]["status"] == "merged"
    assert regions.current[GEM_ID]["replaced_by"] == GEM_IN_CHINA


def test_an_entity_that_moves_into_another_asset_can_still_be_followed() -> None:
    unit, plant = gem("G1", "L1/GCPT", "Example", 450), gppd("WRI1", "Example", **CHINA)
    regions = Regions().apply_all([unit, plant])
    regions.apply_all(move(unit, gem("G1", "L1/GCPT", "Example", 450, 5, **CHINA), 5))
    assert set(regions.members()) == {GPPD_ID}
    assert regions.current[GEM_ID]["replaced_by"] == GEM_IN_CHINA
    assert regions.current[GEM_IN_CHINA]["replaced_by"] == GPPD_ID


def test_one_record_that_moves_into_the_asset_of_another_is_current_nowhere_else() -> None:
    plant, other = gppd("WRI2", "Example"), gppd("WRI1", "Example", **CHINA)
    unit = gem("G1", "L1/GCPT", "Example", 450, **CHINA)
    regions = Regions().apply_all([plant, other, unit])
    regions.apply_all(move(plant, gppd("WRI2", "Example", 5, **CHINA), 5))
    everything = frozenset({(GPPD, "WRI1"), (GPPD, "WRI2"), (GEM, "G1")})
    assert regions.members() == {GPPD_ID: everything}
    assert regions.current[asset_id("power_plant", GPPD, "WRI2")]["status"] == "merged"


def test_a_record_that_leaves_its_entity_and_its_region_leaves_no_live_asset_behind() -> None:
    first = gem("G1", "L1/GCPT", "Example", 450)
    regions = Regions().apply_all([first])
    regions.apply_all(move(first, gem("G1", "L2/GCPT", "Example", 450, 5, **CHINA), 5))
    assert set(regions.members()) == {asset_id("power_plant", GEM, "L2/GCPT", EAST_ASIA)}
    assert regions.current[GEM_ID]["status"] == "withdrawn"


@st.composite
def wanderings(draw: st.DrawFn) -> list[list[avro.NormalizedAsset]]:
    """Events of several records of two sources that come, go and move, by record."""
    found = []
    for number in range(4):
        events: list[avro.NormalizedAsset] = []
        last: avro.NormalizedAsset | None = None
        for step in range(draw(st.integers(1, 5))):
            minute = 10 * step + number
            if last is not None and last["event"] == "upsert" and draw(st.booleans()):
                last = {**withdrawal(last, minute), "move_count": last["move_count"]}
                events.append(last)
                continue
            place = draw(st.sampled_from([{}, CHINA]))
            name = draw(st.sampled_from(["Example", "Otherham"]))
            new = (
                gem(f"G{number}", f"L{number % 2}/GCPT", name, 450, minute, **place)
                if number < 3
                else gppd("WRI1", name, minute, **place)
            )
            if last is None or last["region"] == new["region"]:
                new["move_count"] = last["move_count"] if last else 0
                events.append(new)
            else:
                events += move(last, new, minute)
            last = new
        found.append(events)
    return found


@given(wanderings(), st.randoms(use_true_random=False))
def test_whatever_moves_every_listed_record_is_in_one_live_asset(
    streams: list[list[avro.NormalizedAsset]], random: Any
) -> None:
    waiting = [list(events) for events in streams]
    regions = Regions()
    while any(waiting):
        regions.apply(random.choice([events for events in waiting if events]).pop(0))
    members = [member for found in regions.members().values() for member in found]
    last = [events[-1] for events in streams]
    listed = [(one["source_id"], one["record_id"]) for one in last if one["event"] == "upsert"]
    assert sorted(members) == sorted(listed)
    in_turn = Regions().apply_all(event for events in streams for event in events)
    assert in_turn.members() == regions.members()
    for asset in regions.current.values():
        assert asset["status"] != "merged" or asset["replaced_by"] in regions.current


def test_a_record_that_changes_its_entity_leaves_no_live_asset_behind() -> None:
    regions = Regions().apply_all([gem("G1", "L1/GCPT", "Example", 450)])
    resolution = regions.apply(gem("G1", "L2/GCPT", "Example", 450, 5))
    new_id = asset_id("power_plant", GEM, "L2/GCPT", EUROPE)
    assert regions.members() == {new_id: frozenset({(GEM, "G1")})}
    assert regions.current[GEM_ID]["status"] == "withdrawn"
    assert resolution.outcome == "changed"
    back = regions.apply(gem("G1", "L1/GCPT", "Example", 450, 9))
    assert regions.members() == {GEM_ID: frozenset({(GEM, "G1")})}
    assert regions.current[new_id]["status"] == "withdrawn"
    assert back.outcome == "changed"


def test_an_older_decision_has_no_outcome_since_it_is_no_raw_record() -> None:
    one, other = gppd("WRI1", "Example"), gem("G1", "L1/GCPT", "Other", 20, latitude=50.2)
    regions = Regions().apply_all([one, other, decision("must-link", one, other, 8)])
    assert regions.apply(decision("cannot-link", one, other, 7)).outcome is None
    assert set(regions.members()) == {GPPD_ID}


def test_versions_of_an_id_only_grow() -> None:
    regions = Regions().apply_all(
        [
            gem("G1", "L1/GCPT", "Example", 450),
            gppd("WRI1", "Example"),
            gppd("WRI1", "Elsewhere", 5, latitude=51.5),
            gppd("WRI1", "Example", 6),
        ]
    )
    versions: dict[str, int] = {}
    for canonical in regions.published:
        assert canonical["version"] > versions.get(canonical["record_id"], -1)
        versions[canonical["record_id"]] = canonical["version"]


def test_a_must_link_overrides_the_score_until_it_is_withdrawn() -> None:
    one, other = gppd("WRI1", "Example"), gem("G1", "L1/GCPT", "Other", 20, latitude=50.2)
    regions = Regions().apply_all([one, other])
    assert len(regions.members()) == 2
    regions.apply(decision("must-link", one, other, 1))
    assert set(regions.members()) == {GPPD_ID}
    regions.apply(decision("must-link", one, other, 2, withdrawn=True))
    assert set(regions.members()) == {GPPD_ID, GEM_ID}


def test_a_cannot_link_keeps_equal_records_apart_also_when_it_comes_first() -> None:
    one, other = gppd("WRI1", "Example"), gem("G1", "L1/GCPT", "Example", 450)
    regions = Regions().apply_all([decision("cannot-link", one, other, 1), one, other])
    assert set(regions.members()) == {GPPD_ID, GEM_ID}
    regions.restart()
    regions.apply(gppd("WRI1", "Example", 5, owner="New owner"))
    assert set(regions.members()) == {GPPD_ID, GEM_ID}


def test_a_rebuilt_index_goes_on_as_the_lost_one_would() -> None:
    events = [
        gem("G1", "L1/GCPT", "Example", 200),
        gem("G2", "L1/GCPT", "Example", 250),
        substation("S1", 50.01, 10.0),
        gppd("WRI1", "Example"),
        line("T1", "S1", (50.0, 10.5)),
        substation("S2", 50.0, 10.5),
    ]
    restarted, undisturbed = Regions(), Regions().apply_all(events)
    for event in events:
        restarted.apply(event)
        restarted.restart()
    assert restarted.published == undisturbed.published
    assert restarted.candidates == undisturbed.candidates


def test_a_plant_gets_its_nearest_substation_whoever_comes_first() -> None:
    far, near = substation("S1", 50.1, 10.0), substation("S2", 50.02, 10.0)
    first = Regions().apply_all([gppd("WRI1", "Example"), far, near])
    last = Regions().apply_all([far, near, gppd("WRI1", "Example")])
    for regions in (first, last):
        (link,) = regions.current[GPPD_ID]["links"]
        assert link["relation"] == "nearest_substation"
        assert link["record_id"] == asset_id("substation", GEM, "S2", EUROPE)
        assert link["distance_km"] == pytest.approx(2.224, abs=0.01)


def test_a_line_resolves_its_ends_or_says_why_not() -> None:
    regions = Regions().apply_all([line("T1", "S1", (50.0, 10.5)), substation("S1", 49.0, 9.0)])
    content = regions.current[asset_id("transmission_line", GEM, "T1", EUROPE)]["transmission_line"]
    assert content["from_substation_id"] == asset_id("substation", GEM, "S1", EUROPE)
    assert content["from_unresolved"] is None
    assert content["to_unresolved"] == "no_substation_near"
    regions.apply(line("T2", None, None))
    content = regions.current[asset_id("transmission_line", GEM, "T2", EUROPE)]["transmission_line"]
    assert content["to_unresolved"] == "no_position"


NAMES = ("Example", "Example 2", "Otherham")
PLACES = (50.0, 50.004, 50.08, 50.2)


@st.composite
def histories(draw: st.DrawFn) -> list[avro.NormalizedAsset]:
    """Several records with several states each, decisions among them."""
    events: list[avro.NormalizedAsset] = []
    records: list[avro.NormalizedAsset] = []
    for number in range(draw(st.integers(2, 5))):
        for minute in range(draw(st.integers(1, 3))):
            name, latitude = draw(st.sampled_from(NAMES)), draw(st.sampled_from(PLACES))
            capacity = draw(st.sampled_from((200.0, 450.0)))
            record = (
                gem(f"G{number}", f"L{number // 2}/GCPT", name, capacity, minute, latitude=latitude)
                if draw(st.booleans())
                else gppd(f"W{number}", name, minute, latitude=latitude, capacity_mw=capacity)
            )
            if draw(st.integers(0, 4)) == 0:
                record = withdrawal(record, minute)
            else:
                records.append(record)
            events.append(record)
    if len(records) >= 2:
        for number in range(draw(st.integers(0, 2))):
            one, other = draw(st.sampled_from(records)), draw(st.sampled_from(records))
            if (one["source_id"], one["entity_id"]) != (other["source_id"], other["entity_id"]):
                verdict = draw(st.sampled_from(("must-link", "cannot-link")))
                gone = draw(st.integers(0, 3)) == 0
                events.append(decision(verdict, one, other, number, withdrawn=gone))
    return events


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_order_and_repeats_do_not_matter(
    events: list[avro.NormalizedAsset], data: st.DataObject
) -> None:
    """The final mapping from ids to members follows from the set of events alone."""
    repeated = data.draw(st.permutations([*events, *events[: len(events) // 2]]))
    assert final(repeated) == final(events)


def final(events: Sequence[avro.NormalizedAsset]) -> dict[str, Any]:
    regions = Regions().apply_all(events)
    assets = {
        asset: (members, regions.current[asset]["power_plant"])
        for asset, members in regions.members().items()
    }
    return {**assets, **regions.candidates}


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_how_sources_interleave_is_not_seen(
    events: list[avro.NormalizedAsset], data: st.DataObject
) -> None:
    """Members, values, provenance, flags and times: a record said again is where it matters."""
    streams = polled(events)
    one_after_the_other = [event for stream in streams.values() for event in stream]
    turns = data.draw(st.permutations([key for key in streams for _ in streams[key]]))
    queues = {key: iter(stream) for key, stream in streams.items()}
    interleaved = [next(queues[key]) for key in turns]
    assert seen(interleaved) == seen(one_after_the_other)


def polled(events: Sequence[avro.NormalizedAsset]) -> dict[str, list[avro.NormalizedAsset]]:
    """Events of each record in the order of their offsets, each of them polled twice."""
    streams: dict[str, list[avro.NormalizedAsset]] = {}
    for event in events:
        stream = streams.setdefault(f"{event['source_id']}:{event['record_id']}", [])
        for _ in range(2):
            minute = START + timedelta(minutes=len(stream))
            order: avro.OrderKey = {**event["order"], "fetched_at": minute}
            lineage: avro.RawCoordinates = {**event["lineage"], "offset": len(stream)}
            stream.append({**event, "order": order, "lineage": lineage})
    return streams


def seen(events: Sequence[avro.NormalizedAsset]) -> dict[str, dict[str, Any]]:
    """Live assets, but for the number of versions and when the last one could be known."""
    current = Regions().apply_all(events).current.values()
    return {
        asset["record_id"]: {
            name: value for name, value in asset.items() if name not in ("version", "known_at")
        }
        for asset in current
        if asset["status"] == "current"
    }
