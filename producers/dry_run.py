"""A dry run: pull a few items, show what would become of each, write nothing anywhere."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from producers.connector import Pull
from producers.run import Envelope, RunOptions, connect, raise_failures
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord
from streams.core.validate import validate
from streams.settings import settings
from streams.tolerance_file import load_tolerances

_RUN_ID = "dry-run"


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of one item.

    Attributes:
        raw: Raw record that a real run would publish.
        normalized: Typed content, None when rejected.
        rejection: Why it is rejected, None when it is accepted.
        flags: Rules that flag it, without those that look at neighbours.
    """

    raw: RawRecord
    normalized: Mapping[str, object] | None
    rejection: Rejected | None
    flags: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Accepted, with the rules that flag it, or the rule that rejects it."""
        if self.rejection is None:
            return "accepted" + (f", flagged by {', '.join(self.flags)}" if self.flags else "")
        found = self.rejection
        return f"rejected by {found.rule_id}: {found.field} is {found.observed!r}. {found.message}"


def previews(name: str, options: RunOptions, environment: Mapping[str, str]) -> Iterator[Preview]:
    """Pull from the source as a first run would. Needs no broker and no database.

    Raises:
        ProducerError: the configuration is wrong, or the source, or a stream of it, cannot be read;
            after what the other streams gave.
    """
    connector, http = connect(name, environment)
    tolerances = load_tolerances(settings().tolerances_file)
    envelope = Envelope(connector, _RUN_ID)
    with http:
        pull, pulled = Pull({}), 0
        for item in connector.pull_or_subscribe(http, options.request({}), pull):
            pulled += 1
            raw = envelope.observed(item)
            mapped = connector.map_to_schema(raw)
            if isinstance(mapped, Mapped):
                mapped = validate(mapped, raw, tolerances)
            if isinstance(mapped, Rejected):
                yield Preview(raw, None, mapped)
            else:
                yield Preview(raw, {mapped.kind: mapped.payload.to_avro()}, None, mapped.flags)
        raise_failures(connector.source_id, pull, pulled)


def as_json(record: Mapping[str, object]) -> str:
    """A record for people: JSON, times in ISO 8601."""
    return json.dumps(record, indent=2, ensure_ascii=False, default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no part of a record")
