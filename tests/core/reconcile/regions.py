"""Every region's resolver in memory, fed with normalized events as the stage feeds them."""

from collections.abc import Iterable

import orjson

from streams.avro.codec import AvroRecord
from streams.core import contract_types as avro
from streams.core.reconcile.resolver import DECISION, Resolution, Resolver
from streams.core.reconcile.state import AssetState, StateEntry
from streams.core.regions import REGION_NAMES
from tests.core.reconcile.builders import without_payload

GENERATION = 1


class MemoryTable(dict[str, StateEntry]):
    """Durable state without a broker."""

    def put(self, key: str, entry: StateEntry) -> None:
        self[key] = entry

    def delete(self, key: str) -> None:
        self.pop(key, None)


class Regions:
    """All regions, and what readers of the canonical topic hold after what was published."""

    def __init__(self) -> None:
        self.tables = [MemoryTable() for _ in REGION_NAMES]
        self._framed: dict[bytes, avro.NormalizedAsset] = {}
        self._resolvers = self._fresh()
        self.current: dict[str, AvroRecord] = {}
        self.published: list[AvroRecord] = []
        self.candidates: dict[str, avro.MatchCandidate] = {}

    def apply(self, event: avro.NormalizedAsset) -> Resolution:
        """Feed one event to its region."""
        framed = orjson.dumps((len(self._framed), event["record_id"]))
        self._framed[framed] = event
        region = event["region"]
        resolution = self._resolvers[region].apply(event, framed, self.tables[region])
        for key, candidate in resolution.candidates.items():
            if candidate is None:
                self.candidates.pop(key, None)
            else:
                self.candidates[key] = candidate
        for canonical in resolution.published:
            self.published.append({**canonical})
            known = self.current.get(canonical["record_id"])
            if known is None or known["version"] < canonical["version"]:
                self.current[canonical["record_id"]] = {**canonical}
        return resolution

    def apply_all(self, events: Iterable[avro.NormalizedAsset]) -> "Regions":
        for event in events:
            self.apply(event)
        return self

    def restart(self) -> None:
        """Lose everything in memory and rebuild it from the tables."""
        self._resolvers = self._fresh()
        for resolver, table in zip(self._resolvers, self.tables, strict=True):
            resolver.load(table.items())

    def members(self) -> dict[str, frozenset[tuple[str, str]]]:
        """Source records of every live asset, by asset id."""
        return {
            record_id: frozenset(
                (member["source_id"], member["record_id"]) for member in record["members"]
            )
            for record_id, record in self.current.items()
            if record["status"] == "current"
        }

    def asset_of(self, source_id: str, record_id: str) -> AvroRecord:
        """The live asset that a source record is a member of."""
        (found,) = (
            self.current[asset]
            for asset, members in self.members().items()
            if (source_id, record_id) in members
        )
        return found

    def statuses(self) -> set[str]:
        return {
            entry.status
            for table in self.tables
            for entry in table.values()
            if isinstance(entry, AssetState)
        }

    def _fresh(self) -> list[Resolver]:
        decode = self._framed.__getitem__
        return [Resolver(region, GENERATION, decode) for region in range(len(REGION_NAMES))]


def decision(
    verdict: str,
    one: avro.NormalizedAsset,
    other: avro.NormalizedAsset,
    number: int,
    *,
    withdrawn: bool = False,
) -> avro.NormalizedAsset:
    """Event of a manual decision on the entities of two records, in the first one's region."""
    content: avro.Decision = {
        "verdict": verdict,
        "kind": one["kind"],
        "one_source_id": one["source_id"],
        "one_entity_id": one["entity_id"],
        "other_source_id": other["source_id"],
        "other_entity_id": other["entity_id"],
        "reason": "test",
    }
    names = sorted(f"{name['source_id']}:{name['entity_id']}" for name in (one, other))
    order: avro.OrderKey = {**one["order"], "raw_hash": f"{number:020d}"}
    return {
        **without_payload(one),
        "source_id": "decisions",
        "record_id": "|".join(names),
        "entity_id": "|".join(names),
        "kind": DECISION,
        "event": "withdrawal" if withdrawn else "upsert",
        "cause": "no_longer_listed" if withdrawn else None,
        "order": order,
        "lineage": {"topic": "reconcile.decisions", "partition": 0, "offset": number},
        "decision": content,
    }
