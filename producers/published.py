"""What was published of each record, so that what says the same again is not stored again.

Pure. A raw topic keeps everything for ever, and most rows of a new release are those of the one
before: only what differs is published. That is right as long as the digest of an id is that of the
newest record the topic has of it; who cannot be sure of that begins with no digests.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson

from producers.connector import RawItem


class Published:
    """Digests of the newest published record of each id, kept up to date while a run publishes.

    Attributes:
        changes: What this run has changed: the new digest of an id; None: it has none any more.
    """

    def __init__(
        self, known: Callable[[], Mapping[str, int]], forgotten: Iterable[str] = ()
    ) -> None:
        """Begin.

        Args:
            known: Gives the digest of each id, as earlier runs have left them; asked with the first
                item, as most polls find nothing new.
            forgotten: Ids whose digest does not hold any more.
        """
        self._ask = known
        self.changes: dict[str, int | None] = dict.fromkeys(forgotten)

    @cached_property
    def _known(self) -> Mapping[str, int]:
        return self._ask()

    def has(self, record_id: str, digest: int) -> bool:
        """Whether the newest published record of an id says the same."""
        return self.changes.get(record_id, self._known.get(record_id)) == digest

    def add(self, record_id: str, digest: int) -> None:
        """Note that an item was published."""
        self.changes[record_id] = digest

    def remove(self, record_id: str) -> None:
        """Note that an id was published as no longer listed."""
        self.changes[record_id] = None


def digest_of(item: RawItem) -> int:
    """What a source says of a record, as a signed number of 64 bits.

    Neither when it was fetched, nor from which release or address: that differs with every poll.
    """
    credit = item.credit
    said: list[Any] = [
        item.stream,
        item.item,
        item.source_updated_at,
        None if credit is None else [credit.licence, credit.attribution],
    ]
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)
