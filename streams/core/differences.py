"""How canonical records differ from what was current: added, changed by field, gone, moved.

Pure. Versions are left out, and when something was known: they differ whenever a record is
published again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.core import contract_types as avro
from streams.core.live_assets import SourceRecord
from streams.core.payload_field import payload_fields

EXAMPLES = 3
"""How many are kept of each change."""

_ENVELOPE = ("flags", "links", "position_spread_km", "provenance")


class ChangedField(NamedTuple):
    """A field of one kind of canonical record."""

    kind: str
    field: str


@dataclass(frozen=True, slots=True)
class Example:
    """One value before and after."""

    record_id: str
    before: object
    after: object


@dataclass(slots=True)
class Differences:
    """What readers would see differently.

    Attributes:
        added, gone: Records that become current, or no longer are, by kind.
        changed: Records that stay current with another content, by kind.
        fields: Of these, records that differ in a field.
        examples: The first of each field.
        unchanged: Records that are compared and do not differ, by kind.
    """

    added: Counter[str] = field(default_factory=Counter)
    gone: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    fields: Counter[ChangedField] = field(default_factory=Counter)
    examples: dict[ChangedField, list[Example]] = field(default_factory=dict)
    unchanged: Counter[str] = field(default_factory=Counter)
    _assets_before: dict[SourceRecord, str] = field(default_factory=dict)
    _assets_after: dict[SourceRecord, str] = field(default_factory=dict)

    def add(
        self,
        before: avro.InfrastructureRecord | None,
        after: avro.InfrastructureRecord | None,
    ) -> None:
        """Compare one canonical record; None where there is none."""
        was = before if before is not None and before["status"] == "current" else None
        now = after if after is not None and after["status"] == "current" else None
        self._assets_before |= _members(was)
        self._assets_after |= _members(now)
        if was is None and now is None:
            return
        if was is None:
            assert now is not None
            self.added[now["kind"]] += 1
        elif now is None:
            self.gone[was["kind"]] += 1
        else:
            self._compare(was, now)

    @property
    def moved(self) -> int:
        """Source records that are in another asset than before."""
        after = self._assets_after
        return sum(after.get(one, asset) != asset for one, asset in self._assets_before.items())

    @property
    def count(self) -> int:
        """Canonical records that differ."""
        return self.added.total() + self.gone.total() + self.changed.total()

    def _compare(self, was: avro.InfrastructureRecord, now: avro.InfrastructureRecord) -> None:
        found = changed_fields(was, now)
        if not found:
            self.unchanged[now["kind"]] += 1
            return
        self.changed[now["kind"]] += 1
        for name, (before, after) in found.items():
            changed = ChangedField(now["kind"], name)
            self.fields[changed] += 1
            examples = self.examples.setdefault(changed, [])
            if len(examples) < EXAMPLES:
                examples.append(Example(now["record_id"], before, after))


def changed_fields(
    was: avro.InfrastructureRecord, now: avro.InfrastructureRecord
) -> dict[str, tuple[object, object]]:
    """Fields in which two versions of a record differ for readers, with both values."""
    before, after = _content(was), _content(now)
    return {
        name: (before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def is_news(before: avro.InfrastructureRecord | None, after: avro.InfrastructureRecord) -> bool:
    """Whether readers who have one version of a record, or none, learn anything from another."""
    if before is None:
        return after["status"] == "current"
    if before["status"] != after["status"]:
        return True
    if before.get("replaced_by") != after.get("replaced_by"):
        return True
    return after["status"] == "current" and bool(changed_fields(before, after))


def _content(record: avro.InfrastructureRecord) -> Mapping[str, object]:
    envelope: Mapping[str, object] = record
    return {
        **{name: envelope.get(name) for name in _ENVELOPE},
        "members": [f"{one['source_id']}:{one['record_id']}" for one in record["members"]],
        "licence": [one["licence"] for one in record["members"]],
        "attribution": [one["attribution"] for one in record["members"]],
        **payload_fields(record),
    }


def _members(record: avro.InfrastructureRecord | None) -> dict[SourceRecord, str]:
    if record is None:
        return {}
    return {
        SourceRecord(member["source_id"], member["record_id"]): record["record_id"]
        for member in record["members"]
    }
