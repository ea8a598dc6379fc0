"""Candidates: pairs that scores cannot tell are published, until somebody or something does."""

import pytest

from streams.core import contract_types as avro
from tests.core.reconcile.builders import gem, gppd, withdrawal
from tests.core.reconcile.regions import Regions, decision

KEY = "0|power_plant|gem_transmission:L1/GOGPT|wri_powerplants:WRI1"


def undecided(latitude: float = 50.22) -> tuple[avro.NormalizedAsset, avro.NormalizedAsset]:
    """Two records of one name, 24 km and a factor of three apart."""
    seen = gppd("WRI1", "Example", capacity_mw=150.0, commissioning_year=None)
    return seen, gem("G1", "L1/GOGPT", "Example", 450.0, latitude=latitude)


@pytest.mark.parametrize(("latitude", "joined"), [(50.22, False), (50.16, True)])
def test_a_pair_near_the_threshold_says_what_speaks_for_and_against_it(
    latitude: float, joined: bool
) -> None:
    found = Regions().apply_all(undecided(latitude)).candidates[KEY]
    assert abs(found["match_score"] - found["threshold"]) < 0.5
    assert sum(part["weight"] for part in found["parts"]) == pytest.approx(found["match_score"])
    assert found["would_decide"] == ["numbers", "years", "owner"]
    assert found["joined"] is joined
    assert (found["one_asset_id"] == found["other_asset_id"]) is joined


@pytest.mark.parametrize("verdict", ["must-link", "cannot-link"])
def test_a_decision_closes_it_and_its_withdrawal_opens_it_again(verdict: str) -> None:
    one, other = undecided()
    regions = Regions().apply_all([one, other])
    before = regions.candidates[KEY]
    regions.apply(decision(verdict, one, other, 1))
    assert regions.candidates == {}
    regions.apply(decision(verdict, one, other, 2, withdrawn=True))
    assert regions.candidates == {KEY: before}


def test_news_that_decide_close_it() -> None:
    one, other = undecided()
    regions = Regions().apply_all([one, other, gppd("WRI1", "Example", 5, capacity_mw=450.0)])
    assert regions.candidates == {}


def test_a_record_that_is_gone_takes_its_candidates_with_it() -> None:
    one, other = undecided()
    regions = Regions().apply_all([one, other, withdrawal(other, 9)])
    assert regions.candidates == {}


def test_who_has_found_a_better_counterpart_is_no_candidate_any_more() -> None:
    one, other = undecided()
    better = gem("G2", "L2/GOGPT", "Example", 150.0)
    regions = Regions().apply_all([one, other, better])
    assert regions.candidates == {}
