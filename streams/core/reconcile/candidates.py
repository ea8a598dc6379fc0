"""Candidates: pairs that may be one asset and of which scores cannot tell, for people to decide."""

from streams.core import contract_types as avro
from streams.core.reconcile.assign import Pair
from streams.core.reconcile.graph import Undecided
from streams.core.reconcile.ids import id_of
from streams.core.reconcile.prepare import Entity
from streams.core.reconcile.score import missing, parts
from streams.core.reconcile.settings import SETTINGS


def candidate_key(pair: Pair, region: int) -> str:
    """Key of a candidate: the same in whichever order its entities are named."""
    one, other = pair
    return f"{region}|{one[0]}|{one[1]}:{one[2]}|{other[1]}:{other[2]}"


def candidate(
    one: Entity, other: Entity, undecided: Undecided, region: int, generation: int
) -> avro.MatchCandidate:
    """`MatchCandidate` of two entities, in the order of their pair."""
    return {
        "kind": one.kind,
        "region": region,
        "one_source_id": one.key[1],
        "one_entity_id": one.key[2],
        "one_asset_id": id_of(undecided.one_anchor, region),
        "other_source_id": other.key[1],
        "other_entity_id": other.key[2],
        "other_asset_id": id_of(undecided.other_anchor, region),
        "joined": undecided.one_anchor == undecided.other_anchor,
        "match_score": undecided.score,
        "threshold": SETTINGS.weights[one.kind].threshold,
        "parts": [
            {"evidence": evidence, "weight": round(weight, 9)}
            for evidence, weight in parts(one, other).items()
            if weight
        ],
        "would_decide": missing(one, other),
        "generation": generation,
    }
