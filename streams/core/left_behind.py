"""What readers have as current and a new generation does not have at all.

Pure. No state of the new generation knows such a record, so nothing would ever withdraw it: its raw
record is rejected from the first one on by the new code, or its members became another asset. It
gets one more version of its own generation, which is below any that the new one may still publish.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.core import contract_types as avro
from streams.core.live_assets import SourceRecord
from streams.core.payloads import ASSET_KINDS


@dataclass(slots=True)
class LeftBehind:
    """Collects canonical records, each at its highest version."""

    _left: list[avro.InfrastructureRecord] = field(default_factory=list)
    _asset_of: dict[SourceRecord, str] = field(default_factory=dict)

    def leave(self, record: avro.InfrastructureRecord) -> None:
        """Take a record that the new generation does not have."""
        if record["status"] == "current":
            self._left.append(record)

    def keep(self, record: avro.InfrastructureRecord) -> None:
        """Take a record of the new generation."""
        if record["status"] == "current" and record["kind"] in ASSET_KINDS:
            for member in _members(record):
                self._asset_of[member] = record["record_id"]

    def ended(self) -> Iterator[avro.InfrastructureRecord]:
        """The last version of each record that is left behind.

        It is merged where all its members that are anywhere now are in one asset, else withdrawn.
        """
        for record in self._left:
            members = (member for member in _members(record) if member in self._asset_of)
            assets = {self._asset_of[member] for member in members}
            (replaced_by,) = assets if len(assets) == 1 else (None,)
            yield {
                **record,
                "status": "withdrawn" if replaced_by is None else "merged",
                "replaced_by": replaced_by,
                "version": record["version"] + 1,
            }


def _members(record: avro.InfrastructureRecord) -> Iterator[SourceRecord]:
    for member in record["members"]:
        yield SourceRecord(member["source_id"], member["record_id"])
