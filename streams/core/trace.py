"""Following one record: what topics and ClickHouse have of it, put in the order it happened.

Pure. Whoever reads the topics hands in what was read; nothing here asks for more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from streams.core.records import EPOCH, RawCoordinates
from streams.core.topic_record import TopicRecord, iso_time

Stage = Literal[
    "polled", "raw", "normalized", "outcome", "dead letter", "redriven", "canonical", "ClickHouse"
]

_OF_ONE_MOMENT: Sequence[Stage] = ("normalized", "dead letter", "outcome")
"""What one transaction publishes, in the order of its reasons."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A canonical version as ClickHouse stores it.

    Attributes:
        current: Whether it is the highest version of its record.
        partition, offset, published_at: Where and when it was published; None: loaded before they
            were kept.
    """

    kind: str
    record_id: str
    version: int
    record_status: str
    current: bool
    known_at: datetime
    published_at: datetime | None
    partition: int | None
    offset: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What was read.

    Attributes:
        raw: Raw records that are followed, and copies of them that were redriven.
        normalized: Records of `normalized.assets` and `normalized.observations`.
        outcomes: Records of `record.outcomes`.
        dead_letters: Records of `dead_letters`.
        canonical: Records of `market.infrastructure`.
        rows: What ClickHouse has; None when it was not asked or did not answer.
        foreign: Tombstones and other bytes of the same keys, which the pipeline has not written.
    """

    raw: Sequence[TopicRecord] = ()
    normalized: Sequence[TopicRecord] = ()
    outcomes: Sequence[TopicRecord] = ()
    dead_letters: Sequence[TopicRecord] = ()
    canonical: Sequence[TopicRecord] = ()
    rows: Sequence[StoredRow] | None = None
    foreign: Sequence[TopicRecord] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One stage that a record went through.

    Attributes:
        time: When, UTC; None where nothing keeps it.
        place: Topic, partition and offset, as `topic/partition/offset`, or a table; None: neither.
        said: What happened, for people.
        detail: The same for programs.
    """

    stage: Stage
    time: datetime | None
    place: str | None
    said: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawTrace:
    """One raw record on its way.

    Attributes:
        source_id, record_id: Of the source; None when the raw record cannot be read.
    """

    raw: RawCoordinates
    source_id: str | None
    record_id: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class CanonicalTrace:
    """One canonical record: its versions and rows."""

    record_id: str
    kind: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that was found about one record.

    Attributes:
        raw: Its raw records, oldest first.
        canonical: The canonical records they are part of.
        notes: What is missing, and why.
    """

    raw: tuple[RawTrace, ...]
    canonical: tuple[CanonicalTrace, ...]
    notes: tuple[str, ...]


def place(raw: RawCoordinates) -> str:
    """Coordinates as people read and type them."""
    return f"{raw.topic}/{raw.partition}/{raw.offset}"


def canonical_ids(outcomes: Iterable[TopicRecord]) -> set[str]:
    """Canonical records that outcomes say were published."""
    return {
        version["record_id"] for outcome in outcomes for version in outcome.content["canonical"]
    }


def trace(found: Found) -> Trace:
    """Put together what was read."""
    originals = [record for record in found.raw if record.copy_of is None]
    raw = tuple(_raw_trace(record, found) for record in originals)
    return Trace(
        tuple(sorted(raw, key=lambda one: (_time(one.steps[0]), one.raw))),
        tuple(_canonical_traces(found)),
        tuple(_notes(originals, found)),
    )


def _time(step: Step) -> datetime:
    return step.time or EPOCH


def _raw_trace(record: TopicRecord, found: Found) -> RawTrace:
    raw = record.coordinates
    said = record.content
    normalized = [one for one in found.normalized if _of(one, "lineage", raw)]
    outcomes = [one for one in found.outcomes if _of(one, "raw", raw)]
    dead_letters = [one for one in found.dead_letters if _of(one, "raw", raw)]
    copies = [one for one in found.raw if one.copy_of == raw]
    later = [
        *((_normalized_step(one), bool(one.content["again"])) for one in normalized),
        *((_outcome_step(one), bool(one.content["again"])) for one in outcomes),
        *((_dead_letter_step(one), False) for one in dead_letters),
    ]
    later.sort(key=lambda one: (_time(one[0]), _OF_ONE_MOMENT.index(one[0].stage)))
    # A copy has the Kafka time of its original, so when it was sent nothing says.
    first_again = next((at for at, (_, again) in enumerate(later) if again), len(later))
    steps = [step for step, _ in later]
    steps[first_again:first_again] = [_redriven_step(one) for one in copies]
    first = [_polled_step(record)] if said else []
    return RawTrace(
        raw,
        said.get("source_id"),
        said.get("record_id"),
        (*first, _raw_step(record), *steps),
    )


def _of(record: TopicRecord, name: str, raw: RawCoordinates) -> bool:
    coordinates = record.content.get(name)
    return coordinates is not None and RawCoordinates.from_avro(coordinates) == raw


def _step(stage: Stage, record: TopicRecord, said: str, detail: Mapping[str, Any]) -> Step:
    return Step(
        stage, record.timestamp, place(record.coordinates), said, {**_framing(record), **detail}
    )


def _framing(record: TopicRecord) -> dict[str, object]:
    return {"key": record.key, "schema_id": record.schema_id, "subject": record.subject}


def _polled_step(record: TopicRecord) -> Step:
    raw = record.content
    updated = raw["source_updated_at"]
    parts = [
        f"run {raw['run_id']} from {raw['origin']}",
        "" if raw["event"] == "observed" else str(raw["event"]).replace("_", " "),
        "" if updated is None else f"the source changed it {iso_time(updated)}",
        f"release {raw['release']}" if raw["release"] else "",
    ]
    names = ("run_id", "origin", "stream", "event", "release", "source_updated_at", "licence")
    detail = {name: raw[name] for name in names}
    return Step("polled", raw["fetched_at"], None, _joined(parts), detail)


def _raw_step(record: TopicRecord) -> Step:
    schema = "without a schema id"
    if record.schema_id is not None:
        schema = f"schema {record.schema_id} of {record.subject or 'no subject'}"
    key = record.key if isinstance(record.key, str) else repr(record.key)
    parts = [f"key {key}", schema, record.reason or ""]
    return _step("raw", record, _joined(parts), {"reason": record.reason})


def _normalized_step(record: TopicRecord) -> Step:
    one = record.content
    cause = f" ({str(one['cause']).replace('_', ' ')})" if one["cause"] else ""
    corrections = [
        f"{it['field']} corrected from {it['reported']} to {it['corrected']}"
        for it in one.get("corrections", ())
    ]
    parts = [f"{one['event']}{cause} of {one['kind']} {one['entity_id']}", *corrections]
    names = ("event", "cause", "kind", "entity_id", "flags", "again")
    detail = {name: one[name] for name in names}
    return _step("normalized", record, _joined([*parts, _flags(one["flags"])]), detail)


def _outcome_step(record: TopicRecord) -> Step:
    one = record.content
    versions = [f"{it['record_id']} version {it['version']}" for it in one["canonical"]]
    parts = [
        f"{one['outcome']} for {one['output_kind']}, decided by {one['stage']}",
        f"by the rule {one['rule_id']}" if one["rule_id"] else "",
        _flags(one["flags"]),
        f"published {' and '.join(versions)}" if versions else "",
    ]
    names = ("outcome", "output_kind", "stage", "generation", "rule_id", "flags", "again")
    detail = {name: one[name] for name in names}
    published = [{**it, "version": str(it["version"])} for it in one["canonical"]]
    return _step("outcome", record, _joined(parts), {**detail, "canonical": published})


def _dead_letter_step(record: TopicRecord) -> Step:
    one = record.content
    names = ("rule_id", "message", "stage", "field", "observed", "limit", "code_version")
    said = f"{one['rule_id']}: {one['message']}"
    return _step("dead letter", record, said, {name: one[name] for name in names})


def _redriven_step(record: TopicRecord) -> Step:
    said = "sent through the pipeline again as this copy"
    return Step("redriven", None, place(record.coordinates), said, _framing(record))


def _canonical_traces(found: Found) -> Iterator[CanonicalTrace]:
    kinds = {record.content["record_id"]: record.content["kind"] for record in found.canonical}
    kinds |= {row.record_id: row.kind for row in found.rows or ()}
    for record_id in sorted(kinds):
        versions = [one for one in found.canonical if one.content["record_id"] == record_id]
        versions.sort(key=lambda one: int(one.content["version"]))
        rows = [row for row in found.rows or () if row.record_id == record_id]
        rows.sort(key=lambda row: row.version)
        steps = [_canonical_step(one) for one in versions] + [_row_step(row) for row in rows]
        yield CanonicalTrace(record_id, kinds[record_id], tuple(steps))


def _canonical_step(record: TopicRecord) -> Step:
    one = record.content
    members = [
        f"{it['source_id']}:{it['record_id']} ({place(RawCoordinates.from_avro(it['lineage']))})"
        for it in one["members"]
    ]
    parts = [
        f"version {one['version']}, {one['status']}",
        f"by {one['replaced_by']}" if one["replaced_by"] else "",
        f"known since {iso_time(one['known_at'])}",
        f"from {', '.join(members)}" if members else "",
        _flags(one["flags"]),
    ]
    names = ("status", "replaced_by", "observed_at", "known_at", "members", "flags")
    detail = {name: one[name] for name in names}
    return _step("canonical", record, _joined(parts), {"version": str(one["version"]), **detail})


def _row_step(row: StoredRow) -> Step:
    loaded_from = "" if row.offset is None else f"loaded from {row.partition}/{row.offset}"
    parts = [
        f"version {row.version}, {row.record_status}",
        "the newest" if row.current else "",
        loaded_from,
        f"known since {iso_time(row.known_at)}",
    ]
    detail = {
        "version": str(row.version),
        "record_status": row.record_status,
        "current": row.current,
        "known_at": row.known_at,
        "partition": row.partition,
        "offset": row.offset,
    }
    return Step("ClickHouse", row.published_at, row.kind, _joined(parts), detail)


def _notes(originals: Sequence[TopicRecord], found: Found) -> Iterator[str]:
    decided: dict[RawCoordinates, list[str]] = {}
    for outcome in found.outcomes:
        raw = RawCoordinates.from_avro(outcome.content["raw"])
        decided.setdefault(raw, []).append(outcome.content["outcome"])
    lineages = {RawCoordinates.from_avro(one.content["lineage"]) for one in found.normalized}
    for record in originals:
        raw = record.coordinates
        outcomes = decided.get(raw)
        if outcomes is None:
            yield (
                f"No outcome of {place(raw)}: the pipeline has not decided on it yet, or did more "
                "than 90 days ago."
            )
        elif raw not in lineages and set(outcomes) & {"changed", "withdrawn"}:
            yield f"No normalized record of {place(raw)}: they are kept for 30 days."
        if outcomes and set(outcomes) == {"rejected"}:
            yield f"The dead letter of {place(raw)} is open: `make dlq-redrive` after a fix."
    yield from _version_notes(found)
    for record in found.foreign:
        why = record.reason or "it has no value"
        yield f"{place(record.coordinates)} was written by somebody else and is left out: {why}"


def _version_notes(found: Found) -> Iterator[str]:
    published = {(one.content["record_id"], int(one.content["version"])) for one in found.canonical}
    named = {
        (it["record_id"], int(it["version"]))
        for outcome in found.outcomes
        for it in outcome.content["canonical"]
    }
    for record_id, version in sorted(named - published):
        yield (
            f"Version {version} of {record_id} is not in its topic any more: compaction keeps the "
            "newest."
        )
    if found.rows is not None:
        stored = {(row.record_id, row.version) for row in found.rows}
        for record_id, version in sorted(published - stored):
            yield f"ClickHouse does not have version {version} of {record_id} yet."


def _flags(flags: Sequence[str]) -> str:
    return f"flags {', '.join(flags)}" if flags else ""


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)
