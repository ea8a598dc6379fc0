"""Stages whose contracts have a field more, one contract at a time, do as those of today.

What a stage reads goes into its state and into other topics, whose contracts need not have it.
"""

from copy import deepcopy

import pytest

from streams.avro import topic_codecs
from streams.avro.contracts import AvroSchema, Contract, contract
from tests.stages.chain import Chain
from tests.stages.test_observe_and_aggregates import rows

LATER = (
    "normalized.observations",
    "state.observations",
    "market.infrastructure",
    "record.outcomes",
    "lng.gas_days",
    "state.aggregates",
    "quality.counts",
    "state.counts",
    "quality.scores",
    "state.scores",
)
ADDED: AvroSchema = {
    "name": "added_later",
    "type": ["null", "string"],
    "default": None,
    "doc": "Null: new.",
}


@pytest.fixture(scope="module")
def today() -> Chain:
    """What the contracts of today give."""
    chain = Chain()
    chain.feed(rows(eu_gwh=50_000))
    return chain


@pytest.mark.parametrize("name", LATER)
def test_a_later_contract_changes_nothing_else(
    today: Chain, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def later(asked: str) -> Contract:
        known = contract(asked)
        if asked != name:
            return known
        version = deepcopy(known.latest)
        version["fields"].append(ADDED)
        return Contract(asked, (*known.versions, version))

    monkeypatch.setattr(topic_codecs, "contract", later)
    chain = Chain()
    chain.feed(rows(eu_gwh=50_000))
    assert chain.canonical() == today.canonical()
    assert chain.outcomes() == today.outcomes()
    assert chain.scores() == today.scores()
