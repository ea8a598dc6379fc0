"""Recorded upstream answers and what they must become: a payload and its `.expected.json`.

Reviewed by hand; after a change on purpose write them again with `UPDATE_GOLDEN=1 pytest …` and
read the difference.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path

from producers.connector import InfrastructureConnector, RawItem
from producers.run import Envelope
from streams.core.errors import Rejected
from streams.core.flag_rules import FLAG_RULES
from streams.core.records import Mapped
from streams.core.validate import validate
from streams.tolerance_file import load_tolerances

TOLERANCES = load_tolerances()
GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def payloads(source: str, suffix: str) -> list[Path]:
    """Recorded answers of a source."""
    found = sorted(GOLDEN.joinpath(source).glob(f"*{suffix}"))
    return [path for path in found if not path.name.endswith(".expected.json")]


def outcome(connector: InfrastructureConnector, items: Iterable[RawItem]) -> list[object]:
    """What each item becomes, as plain JSON."""
    envelope = Envelope(connector, "golden")
    lines: list[object] = []
    for item in items:
        raw = envelope.observed(item)
        mapped = connector.map_to_schema(raw)
        if isinstance(mapped, Mapped):
            mapped = validate(mapped, raw, TOLERANCES)
        line: dict[str, object] = {"record_id": item.record_id}
        line["source_updated_at"] = item.source_updated_at
        if isinstance(mapped, Rejected):
            line["rejected"] = asdict(mapped)
        else:
            line["entity_id"] = mapped.entity_id
            line[mapped.kind] = mapped.payload.to_avro()
            if mapped.corrections:
                line["corrections"] = [asdict(correction) for correction in mapped.corrections]
        if item.item.get("extra"):
            line["extra"] = item.item["extra"]
        lines.append(line)
    return lines


def assert_golden(payload: Path, lines: list[object]) -> None:
    """Compare with the reviewed file beside the payload."""
    text = json.dumps(lines, indent=2, ensure_ascii=False, default=_iso) + "\n"
    expected = payload.with_name(f"{payload.stem}.expected.json")
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(text, encoding="utf-8")
    assert json.loads(text) == json.loads(expected.read_text(encoding="utf-8"))


def _iso(value: object) -> str:
    assert isinstance(value, date | datetime)
    return value.isoformat()


FALSE_ALARMS = 0.02
"""Most of the rows of a real file, in which hardly anything is wrong, that may be doubted."""

_PROVEN = frozenset({"capacity_not_positive", "length_against_ends"})
"""Flags of rows that contradict themselves: zero, or a line shorter than its ends are apart."""


def doubted(mapped: Mapped) -> set[str]:
    """Flags that say something may be wrong, not that it is missing or that the row proves it."""
    missing = {rule.id for rule in FLAG_RULES if rule.dimension == "completeness"}
    return set(mapped.flags) - missing - _PROVEN
