"""Conservation: every raw record has exactly one outcome for each output kind, none is invented.

Pure. The command and the fault tests count the topics and hand the counts in.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from streams.core.content_digest import Digests, bucket_of
from streams.core.foreign import ForeignRecords
from streams.core.inputs import InputPartition
from streams.core.live_assets import SourceRecord, membership_problems
from streams.core.payloads import ASSET_KINDS
from streams.core.quality_counts import UNKNOWN_KIND
from streams.core.records import Outcome, RawCoordinates

OUTCOMES: tuple[Outcome, ...] = ("changed", "unchanged", "superseded", "rejected", "withdrawn")


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What became of one source's raw records.

    Attributes:
        raw: Distinct raw coordinates.
        outcomes: Records by outcome; each raw record counts once for each output kind.
        dead_letters: Distinct raw coordinates among the dead letters.
    """

    source_id: str
    raw: int
    outcomes: Mapping[Outcome, int]
    dead_letters: int

    @property
    def accepted(self) -> int:
        """Raw records that were not rejected."""
        return sum(self.outcomes.values()) - self.outcomes.get("rejected", 0)


class NewestVersion(NamedTuple):
    """The highest version of a canonical record.

    Attributes:
        members: Source records it is made of, each once.
        digest: Digest of its content, as `streams.core.content_digest` makes it.
    """

    version: int
    status: str
    kind: str
    members: frozenset[SourceRecord]
    digest: int


@dataclass(frozen=True, slots=True)
class Published:
    """What the normalized and canonical topics hold.

    Attributes:
        normalized: Records by source id.
        newest: The highest version of every canonical record, by its id.
        read_offsets: Ends of the canonical topic's partitions when its reading began, added up.
        ambiguous: Ids of canonical records that have two contents at their highest version.
        canonical: Canonical records, merged ones aside, by source id of a member.
        current: Canonical records whose highest version is current, by kind.
    """

    normalized: Mapping[str, int] = field(default_factory=dict)
    newest: Mapping[str, NewestVersion] = field(default_factory=dict)
    read_offsets: int = 0
    ambiguous: frozenset[str] = frozenset()
    canonical: Mapping[str, int] = field(init=False, default_factory=dict)
    current: Mapping[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        sources = (
            {member.source_id for member in newest.members}
            for newest in self.newest.values()
            if newest.status != "merged"
        )
        object.__setattr__(self, "canonical", Counter(chain.from_iterable(sources)))
        live = (newest.kind for newest in self.newest.values() if newest.status == "current")
        object.__setattr__(self, "current", Counter(live))

    def problems(self, accepted: Set[SourceRecord]) -> Iterator[str]:
        """Each sentence on canonical records that contradict each other, or what was accepted."""
        if self.ambiguous:
            shown = ", ".join(sorted(self.ambiguous)[:3])
            more = " …" if len(self.ambiguous) > 3 else ""
            plural = "" if len(self.ambiguous) == 1 else "s"
            yield (
                f"{len(self.ambiguous)} canonical record{plural} with two contents at one version: "
                f"{shown}{more}"
            )
        yield from membership_problems(accepted, self.live_members())

    def live_members(self) -> Counter[SourceRecord]:
        """Live assets that each source record is a member of."""
        return Counter(
            member
            for newest in self.newest.values()
            if newest.status == "current" and newest.kind in ASSET_KINDS
            for member in newest.members
        )

    def digests(self) -> dict[str, Digests]:
        """Number and digest of all canonical records, by kind."""
        found: dict[str, Digests] = {}
        for record_id, newest in self.newest.items():
            digests = found.setdefault(newest.kind, Digests())
            digests.add(bucket_of(record_id), newest.digest)
        return found


@dataclass(frozen=True, slots=True)
class Audit:
    """The counts of every source, and each sentence that says where they do not close.

    Attributes:
        decided_kinds: Distinct pairs of raw record and output kind that ever had an outcome.
        published: What was counted in the topics behind the raw ones.
        foreign: What the topics hold that this product did not write; no fault of the audit.
    """

    sources: tuple[SourceCount, ...]
    problems: tuple[str, ...] = ()
    decided_kinds: int = 0
    published: Published = field(default_factory=Published)
    foreign: ForeignRecords = field(default_factory=ForeignRecords)


@dataclass(slots=True)
class AuditCounts:
    """Collects coordinates while topics are read."""

    raw: dict[RawCoordinates, str] = field(default_factory=dict)
    outcomes: dict[tuple[RawCoordinates, str], dict[int, list[Outcome]]] = field(
        default_factory=dict
    )
    dead_letters: set[RawCoordinates] = field(default_factory=set)
    _healed: set[tuple[RawCoordinates, str]] = field(default_factory=set)

    def add_outcome(
        self,
        raw: RawCoordinates,
        output_kind: str,
        outcome: Outcome,
        generation: int = 1,
        *,
        again: bool = False,
    ) -> None:
        """Count one outcome as published; a rebuild decides again, as a higher generation.

        Args:
            raw: The raw record.
            output_kind: Kind it is about.
            outcome: What became of it.
            generation: Generation that decided.
            again: Whether it was accounted for before. A rejection gives way to what follows it,
                and what was accepted to a rejection; anything else stays as it was counted.
        """
        if again:
            for kind in (output_kind, UNKNOWN_KIND):
                found = self.outcomes.get((raw, kind), {}).get(generation)
                if found == ["rejected"]:
                    del self.outcomes[raw, kind][generation]
                    self._healed.add((raw, kind))
                    break
            else:
                found = self.outcomes.get((raw, output_kind), {}).get(generation)
                if outcome == "rejected" and found is not None and len(found) == 1:
                    found[0] = outcome
                if (raw, output_kind) in self.outcomes:
                    return
        by_generation = self.outcomes.setdefault((raw, output_kind), {})
        by_generation.setdefault(generation, []).append(outcome)

    def close(self, topics: Mapping[str, str], inputs: Iterable[InputPartition] = ()) -> Audit:
        """Compare what came in with what came out.

        Args:
            topics: Source id of every raw topic.
            inputs: What was read of the inputs; outcomes are counted only where they are about the
                records that the log of a raw topic has now.
        """
        logs = {(log.topic, log.partition): log for log in inputs}
        newest = list(self._newest(logs))
        decided = {raw for raw, _ in newest}
        rejected = {raw for raw, found in newest if "rejected" in found}
        problems = [
            *(problem for log in logs.values() for problem in log.problems()),
            *_problems("raw record", "without an outcome", self.raw.keys() - decided),
            *_problems("outcome", "of a raw record that does not exist", decided - self.raw.keys()),
            *_problems("raw record", "with several outcomes of one kind", self._repeated()),
            *_problems("rejected record", "without a dead letter", rejected - self.dead_letters),
            *_problems(
                "dead letter",
                "of a record that was not rejected",
                {raw for raw in self.dead_letters if raw.topic in topics} - self._ever_rejected(),
            ),
        ]
        sources = tuple(
            self._count(topic, source_id, newest) for topic, source_id in topics.items()
        )
        kinds = self._healed | {key for key, found in self.outcomes.items() if found}
        return Audit(sources, tuple(problems), len(kinds))

    def _repeated(self) -> set[RawCoordinates]:
        return {
            raw
            for (raw, _), generations in self.outcomes.items()
            if any(len(found) > 1 for found in generations.values())
        }

    def _ever_rejected(self) -> set[RawCoordinates]:
        return {raw for raw, _ in self._healed} | {
            raw
            for (raw, _), generations in self.outcomes.items()
            if any("rejected" in found for found in generations.values())
        }

    def _newest(
        self, logs: Mapping[tuple[str, int], InputPartition]
    ) -> Iterator[tuple[RawCoordinates, list[Outcome]]]:
        """Outcomes of the newest generation that decided, of records that the logs have now."""
        for (raw, _), generations in self.outcomes.items():
            if not generations:
                continue
            newest = max(generations)
            log = logs.get((raw.topic, raw.partition))
            if log is None or log.has(raw.offset, newest):
                yield raw, generations[newest]

    def _count(
        self, topic: str, source_id: str, newest: Iterable[tuple[RawCoordinates, list[Outcome]]]
    ) -> SourceCount:
        outcomes: Counter[Outcome] = Counter(
            found[0] for raw, found in newest if raw.topic == topic
        )
        return SourceCount(
            source_id,
            sum(1 for raw in self.raw if raw.topic == topic),
            dict(outcomes),
            sum(1 for raw in self.dead_letters if raw.topic == topic),
        )


def _problems(what: str, fault: str, found: Iterable[RawCoordinates]) -> list[str]:
    listed = sorted(found)
    if not listed:
        return []
    shown = ", ".join(raw.key for raw in listed[:3])
    plural = "" if len(listed) == 1 else "s"
    return [f"{len(listed)} {what}{plural} {fault}: {shown}{' …' if len(listed) > 3 else ''}"]
