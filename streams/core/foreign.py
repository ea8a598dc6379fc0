"""Records in our topics that are none of ours: tombstones, other bytes, unknown schemas. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.core.records import RawCoordinates

_SHOWN = 3


@dataclass(slots=True)
class ForeignRecords:
    """Collects the coordinates of what a reader passed over, with the reason code of each."""

    by_topic: dict[str, list[tuple[RawCoordinates, str]]] = field(default_factory=dict)

    def add(self, coordinates: RawCoordinates, reason: str) -> None:
        """Count one record."""
        self.by_topic.setdefault(coordinates.topic, []).append((coordinates, reason))

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(len(found) for found in self.by_topic.values())

    def sentences(self) -> Iterator[str]:
        """One sentence a topic, with the coordinates of the first ones and how to look at them."""
        for topic, found in self.by_topic.items():
            shown = ", ".join(f"{where.key} ({reason})" for where, reason in found[:_SHOWN])
            more = " …" if len(found) > _SHOWN else ""
            first = found[0][0]
            what = "1 record" if len(found) == 1 else f"{len(found):,} records"
            yield (
                f"{what} of {topic} not written by this product, left out: {shown}{more}; "
                f'`make inspect TOPIC={topic} ARGS="--partition {first.partition} --offset '
                f'{first.offset} --limit 1"` shows the first.'
            )
