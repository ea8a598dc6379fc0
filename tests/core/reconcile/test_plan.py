"""What becomes of asset ids, from the groups before and after an event alone."""

from collections.abc import Collection

from streams.core.reconcile.graph import Group
from streams.core.reconcile.plan import Left, Plan, plan
from streams.core.reconcile.prepare import EntityKey
from tests.core.reconcile.real_records import GEM, GPPD

KIND = "power_plant"
ELSEWHERE = 2
WRI, OTHER_WRI = (KIND, GPPD, "WRI1"), (KIND, GPPD, "WRI2")
GEM_SITE, OTHER_GEM_SITE = (KIND, GEM, "L1"), (KIND, GEM, "L2")

NOTHING: frozenset[EntityKey] = frozenset()


def group(*keys: EntityKey) -> Group:
    return frozenset(keys)


def planned(before: Collection[Group], after: Collection[Group], left: Left | None = None) -> Plan:
    """The plan for an event that has touched everything in these groups."""
    groups = {key: found for found in after for key in found}
    touched = set(groups).union(*before)
    return plan(touched, before, lambda key: groups.get(key, group(key)), groups.keys(), left)


def test_a_first_record_is_an_asset_and_ends_none() -> None:
    found = planned([group(WRI)], [group(WRI)])
    assert found == Plan((group(WRI),), {}, {}, NOTHING, NOTHING)


def test_the_id_of_the_worse_anchor_is_merged_into_the_group_it_joins() -> None:
    both = group(WRI, GEM_SITE)
    found = planned([group(WRI), group(GEM_SITE)], [both])
    assert found == Plan((both,), {GEM_SITE: both}, {}, NOTHING, NOTHING)
    assert found.retired == (GEM_SITE,)


def test_a_split_merges_nothing() -> None:
    found = planned([group(WRI, GEM_SITE)], [group(WRI), group(GEM_SITE)])
    assert found == Plan((group(GEM_SITE), group(WRI)), {}, {}, NOTHING, NOTHING)


def test_a_withdrawn_entity_leads_to_its_best_companion() -> None:
    rest = group(GEM_SITE, OTHER_GEM_SITE)
    found = planned([group(WRI, *rest)], [rest], Left(WRI, moved_to=None))
    assert found.merged == {WRI: rest, OTHER_GEM_SITE: rest}
    assert found.withdrawn == NOTHING


def test_companions_that_part_are_followed_by_the_rank_of_their_source() -> None:
    found = planned(
        [group(WRI, OTHER_WRI, GEM_SITE)],
        [group(GEM_SITE), group(OTHER_WRI)],
        Left(WRI, moved_to=None),
    )
    assert found.merged == {WRI: group(OTHER_WRI)}


def test_an_entity_without_companions_is_withdrawn() -> None:
    found = planned([group(WRI)], [], Left(WRI, moved_to=None))
    assert found == Plan((), {}, {}, frozenset({WRI}), NOTHING)
    assert found.retired == (WRI,)
    assert found.ended == {WRI}


def test_the_id_of_an_entity_that_moved_is_forgotten_whatever_it_leaves_behind() -> None:
    rest = group(GEM_SITE)
    found = planned([group(WRI, GEM_SITE)], [rest], Left(WRI, moved_to=ELSEWHERE))
    assert found == Plan((rest,), {}, {}, NOTHING, frozenset({WRI}))
    assert found.retired == ()
    assert found.ended == {WRI}


def test_the_id_of_an_entity_of_several_records_leads_to_where_the_last_one_went() -> None:
    rest = group(OTHER_GEM_SITE)
    found = planned([group(GEM_SITE, OTHER_GEM_SITE)], [rest], Left(GEM_SITE, moved_to=ELSEWHERE))
    assert found == Plan((rest,), {}, {GEM_SITE: ELSEWHERE}, NOTHING, NOTHING)
    assert found.retired == (GEM_SITE,)
    assert found.ended == {GEM_SITE}


def test_current_groups_and_retired_ids_come_in_one_order() -> None:
    one, other = group(WRI, GEM_SITE), group(OTHER_WRI, OTHER_GEM_SITE)
    for before in ([one, other], [other, one]):
        singles = [group(key) for found in before for key in found]
        found = planned(singles, before)
        assert found.current == (one, other)
        assert found.retired == (GEM_SITE, OTHER_GEM_SITE)
