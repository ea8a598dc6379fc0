"""What of all assets a map shows: filters, how many each word has, sums, and the list beside it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final
from urllib.parse import urlencode

from streams.clickhouse.kind_queries import STATUS_GROUPS
from streams.clickhouse.map_queries import MapAsset
from streams.clickhouse.place import Box

VOLTAGES: Final[Mapping[str, tuple[float, float]]] = {
    "0-199": (0, 200),
    "200-299": (200, 300),
    "300-499": (300, 500),
    "500": (500, float("inf")),
}
"""Classes of voltage, kV: from, and below."""

PLANNED: Final = frozenset(STATUS_GROUPS["planned"])

Words = Callable[[MapAsset], Sequence[str]]


def voltage_class(voltage_kv: float | None) -> str:
    """The class of a voltage; empty: not reported."""
    if voltage_kv is None:
        return ""
    return next(name for name, (least, below) in VOLTAGES.items() if least <= voltage_kv < below)


def _of_voltage(asset: MapAsset) -> Sequence[str]:
    name = voltage_class(asset.voltage_kv)
    return (name,) if name else ()


FACETS: Final[Mapping[str, Words]] = {
    "kind": lambda asset: (asset.kind,),
    "fuel": lambda asset: (asset.fuel,) if asset.fuel else (),
    "status": lambda asset: (asset.status,) if asset.status else (),
    "voltage": _of_voltage,
    "source": lambda asset: asset.source_ids,
}
"""Words of an asset by what they are filtered by."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        words: By facet; any of the words; a facet without words lets all through.
        box: Where; None: anywhere.
        text: What was searched for.
        hits: Ids that were found for it, the best first; None: nothing was searched for.
    """

    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    box: Box | None = None
    text: str = ""
    hits: Sequence[str] | None = None

    def query(self, **changes: str) -> str:
        """The same as the query of an address, with other parameters besides."""
        pairs = [(name, word) for name in FACETS for word in sorted(self.words.get(name, ()))]
        if self.text:
            pairs.append(("q", self.text))
        if self.box is not None:
            pairs.append(("bbox", box_text(self.box)))
        return urlencode([*pairs, *((name, one) for name, one in changes.items() if one)])


def box_text(box: Box) -> str:
    """A box as `west,south,east,north`."""
    return ",".join(f"{edge:g}" for edge in (box.west, box.south, box.east, box.north))


@dataclass(frozen=True, slots=True)
class Selected:
    """What was found.

    Attributes:
        assets: In the order of the list: hits by rank, else the largest capacity first.
        counts: How many assets each word of each facet has, with the filters of all other facets.
        operating_mw, planned_mw: Sums over reported capacities.
        without_place: How many of the assets have no position, so that no map shows them.
    """

    assets: Sequence[MapAsset]
    counts: Mapping[str, Mapping[str, int]]
    operating_mw: float
    planned_mw: float
    without_place: int


def select(assets: Iterable[MapAsset], wanted: Wanted) -> Selected:
    """Choose, count and sort."""
    ranks = None if wanted.hits is None else {one: rank for rank, one in enumerate(wanted.hits)}
    found: list[MapAsset] = []
    limited = {name: words for name, words in wanted.words.items() if words}
    # A word counts what would be there if it were chosen: its own facet does not matter.
    but_for: dict[str, list[MapAsset]] = {name: [] for name in FACETS}
    for asset in assets:
        if ranks is not None and asset.record_id not in ranks:
            continue
        if wanted.box is not None and not meets(wanted.box, asset):
            continue
        failed = [name for name in limited if limited[name].isdisjoint(FACETS[name](asset))]
        if not failed:
            found.append(asset)
        elif len(failed) == 1:
            but_for[failed[0]].append(asset)
    counts = {
        name: Counter(chain.from_iterable(map(words, chain(found, but_for[name]))))
        for name, words in FACETS.items()
    }
    if ranks is not None:
        found.sort(key=lambda one: ranks[one.record_id])
    else:
        found.sort(key=lambda one: (-(one.capacity_mw or -1.0), one.name, one.record_id))
    return Selected(
        found,
        counts,
        sum(one.capacity_mw or 0.0 for one in found if one.status == "operating"),
        sum(one.capacity_mw or 0.0 for one in found if one.status in PLANNED),
        sum(one.latitude is None or one.longitude is None for one in found),
    )


def meets(box: Box, asset: MapAsset) -> bool:
    """Whether an asset, or the box around both ends of a line, meets a box."""
    if asset.latitude is None or asset.longitude is None:
        return False
    other_lat = asset.latitude if asset.to_latitude is None else asset.to_latitude
    other_lon = asset.longitude if asset.to_longitude is None else asset.to_longitude
    if max(asset.latitude, other_lat) < box.south or min(asset.latitude, other_lat) > box.north:
        return False
    after_west = max(asset.longitude, other_lon) >= box.west
    before_east = min(asset.longitude, other_lon) <= box.east
    if box.west > box.east:
        return after_west or before_east
    return after_west and before_east
