"""Decide: manual decisions from their compacted topic to every region, where assets are resolved.

A decision goes to all regions: it waits there for the entities it names, and stays right when one
of them moves. The topic has one partition, so the newer of two decisions is the later one in the
log.
"""

from collections.abc import Sequence

from streams.avro.codec import Decoder, UndecodableError
from streams.avro.topic_codecs import Encoders
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.reconcile.resolver import DECISION
from streams.core.record_size import fits
from streams.core.records import EPOCH, OrderKey
from streams.core.regions import REGION_NAMES
from streams.core.reject_rules import TOO_LARGE
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch, ConsumedRecord
from streams.stages.outcomes import coordinates_of, dead_letter
from streams.topics import NORMALIZED_ASSETS

STAGE = "decide"
SOURCE_ID = "decisions"


class Decide:
    """Work of the decide stage."""

    def __init__(self, decoder: Decoder[avro.ManualDecision], encoders: Encoders) -> None:
        self._decoder = decoder
        self._encoders = encoders

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Send every decision, or its withdrawal, to every region."""
        outputs: list[Outgoing] = []
        for record in batch.records:
            try:
                decision = None if record.value is None else self._decoder.decode(record.value)
            except UndecodableError as error:
                outputs.append(self._unreadable(record, Rejected(error.rule_id, str(error))))
                continue
            events = self._to_all_regions(record, decision)
            if all(fits(event.key, event.value) for event in events):
                outputs += events
            else:
                outputs.append(self._unreadable(record, TOO_LARGE.reject()))
        return outputs

    def _unreadable(self, record: ConsumedRecord, rejected: Rejected) -> Outgoing:
        return dead_letter(
            self._encoders, record, rejected, source_id=SOURCE_ID, record_id=None, stage=STAGE
        )

    def _to_all_regions(
        self, record: ConsumedRecord, decision: avro.ManualDecision | None
    ) -> list[Outgoing]:
        pair = (record.key or b"").decode("utf-8", "replace")
        # Only the place in the log orders decisions: clocks of those who decide may differ.
        order = OrderKey(None, EPOCH, "")
        return [
            Outgoing(
                NORMALIZED_ASSETS.name,
                f"{SOURCE_ID}:{pair}".encode(),
                self._encoders.assets.encode(
                    {
                        "source_id": SOURCE_ID,
                        "record_id": pair,
                        "entity_id": pair,
                        "kind": DECISION,
                        "event": "upsert" if decision else "withdrawal",
                        "cause": None if decision else "no_longer_listed",
                        "region": region,
                        "move_count": 0,
                        "order": order.to_avro(),
                        "lineage": coordinates_of(record).to_avro(),
                        "licence": "",
                        "attribution": "",
                        "flags": [],
                        "decision": None if decision is None else _content(decision),
                    }
                ),
                region,
            )
            for region in range(len(REGION_NAMES))
        ]


def _content(decision: avro.ManualDecision) -> avro.Decision:
    return {
        "verdict": decision["verdict"],
        "kind": decision["kind"],
        "one_source_id": decision["one_source_id"],
        "one_entity_id": decision["one_entity_id"],
        "other_source_id": decision["other_source_id"],
        "other_entity_id": decision["other_entity_id"],
        "reason": decision["reason"],
    }
