"""Undecided pairs as people see them."""

from streams.commands.candidates import current, lines, of_kind
from streams.core import contract_types as avro


def candidate(entity_id: str, score: float, generation: int = 2) -> avro.MatchCandidate:
    return {
        "kind": "power_plant",
        "region": 0,
        "one_source_id": "gem_transmission",
        "one_entity_id": entity_id,
        "one_asset_id": "a",
        "other_source_id": "wri_powerplants",
        "other_entity_id": "WRI1",
        "other_asset_id": "b",
        "joined": False,
        "match_score": score,
        "threshold": 0.0,
        "parts": [{"evidence": "name", "weight": 5.8}, {"evidence": "capacity", "weight": -4.0}],
        "would_decide": ["years"],
        "generation": generation,
    }


def test_those_nearest_to_the_threshold_come_first_and_older_generations_not_at_all() -> None:
    found = current([candidate("L1", 0.4), candidate("L2", -0.1), candidate("L3", 0.0, 1)])
    assert [one["one_entity_id"] for one in found] == ["L2", "L1"]


def test_a_candidate_says_what_it_is_made_of_and_how_to_decide_it() -> None:
    shown = "\n".join(lines(candidate("L 1/GCPT", -0.25)))
    assert "-0.25, apart for now" in shown
    assert "name +5.80, capacity -4.00" in shown
    assert "not said by both: years" in shown
    assert (
        "decide cannot-link power_plant 'gem_transmission:L 1/GCPT' wri_powerplants:WRI1" in shown
    )


def test_only_one_kind_can_be_asked_for() -> None:
    assert of_kind([candidate("L1", 0.0)], "lng_terminal") == []
    assert len(of_kind([candidate("L1", 0.0)], "")) == 1
