"""Whether every source record that was accepted is in exactly one live asset. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

_SHOWN = 3


class SourceRecord(NamedTuple):
    """A record as its source names it."""

    source_id: str
    record_id: str


def membership_problems(
    accepted: Set[SourceRecord], assets: Mapping[SourceRecord, int]
) -> Iterator[str]:
    """Each sentence that says where accepted records and live assets contradict each other.

    Args:
        accepted: Asset records that were accepted last and are listed now.
        assets: Live assets that each record is a member of.
    """
    lost = accepted - assets.keys()
    shared = (record for record in accepted if assets.get(record, 0) > 1)
    stale = assets.keys() - accepted
    yield from _problem("accepted asset record", "in no live asset", lost)
    yield from _problem("accepted asset record", "in several live assets", shared)
    yield from _problem("member", "of live assets that no source lists", stale)


def _problem(what: str, fault: str, found: Iterable[SourceRecord]) -> Iterator[str]:
    listed = sorted(found)
    if not listed:
        return
    shown = ", ".join(f"{one.source_id}:{one.record_id}" for one in listed[:_SHOWN])
    plural = "" if len(listed) == 1 else "s"
    more = " …" if len(listed) > _SHOWN else ""
    yield f"{len(listed):,} {what}{plural} {fault}: {shown}{more}"
