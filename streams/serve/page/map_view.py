"""The map's page as data: filters with counts, rows of the list, downloads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from streams.clickhouse.map_queries import MapAsset
from streams.core.vocabulary import FUELS, STATUSES
from streams.serve.addresses import LISTS, PREFIX
from streams.serve.page.map_selection import (
    FACETS,
    VOLTAGES,
    Selected,
    Wanted,
    box_text,
)
from streams.serve.page.palette import group_of
from streams.serve.page.words import KINDS, word_label

ROWS_OF_A_PAGE: Final = 50

_LABELS: Final[Mapping[str, str]] = {
    "kind": "Kind",
    "fuel": "Fuel or technology",
    "status": "Status",
    "voltage": "Voltage",
    "source": "Source",
}
_OPEN_AT_FIRST: Final = frozenset({"kind", "fuel"})
_LINES: Final = frozenset({"transmission_line", "transmission_project"})
_FUEL_PARAMETERS: Final[Mapping[str, str]] = {
    "power_plant": "fuel_type",
    "renewable_project": "technology",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One word of a filter; `swatch` is the class of its colour, empty where it has none."""

    word: str
    label: str
    count: int
    chosen: bool
    swatch: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One filter; `chosen` is how many of its words are."""

    name: str
    label: str
    options: Sequence[Option]
    chosen: int
    open: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the list; `show` is the query of the address that shows it on the map."""

    asset: MapAsset
    what: str
    swatch: str
    show: str


@dataclass(frozen=True, slots=True)
class Download:
    """Where the selection of one kind is as a file; `wider` says what the file has besides."""

    label: str
    address: str
    wider: str


def facets(wanted: Wanted, selected: Selected) -> Sequence[Facet]:
    """Every filter; chosen words are there even where nothing has them."""
    return [_facet(name, wanted, selected) for name in FACETS]


def _facet(name: str, wanted: Wanted, selected: Selected) -> Facet:
    chosen = wanted.words.get(name, frozenset())
    counts = selected.counts[name]
    words = sorted(counts.keys() | chosen, key=lambda word: _order(name, word, counts))
    options = [
        Option(word, word_label(name, word), counts.get(word, 0), word in chosen, _dot(name, word))
        for word in words
    ]
    return Facet(name, _LABELS[name], options, len(chosen), name in _OPEN_AT_FIRST or bool(chosen))


def _order(name: str, word: str, counts: Mapping[str, int]) -> tuple[float, str]:
    if name == "voltage" and word in VOLTAGES:
        return (list(VOLTAGES).index(word), word)
    if name == "status" and word in STATUSES:
        return (list(STATUSES).index(word), word)
    return (-counts.get(word, 0), word)


def _dot(name: str, word: str) -> str:
    if name == "fuel":
        return group_of("power_plant", word)
    if name == "kind" and group_of(word, None) != "other":
        return group_of(word, None)
    return f"bar kv-{word}" if name == "voltage" and word in VOLTAGES else ""


def rows(wanted: Wanted, assets: Sequence[MapAsset]) -> Sequence[Row]:
    """Rows of the list."""
    return [_row(wanted, asset) for asset in assets]


def _row(wanted: Wanted, asset: MapAsset) -> Row:
    fuel = word_label("fuel", asset.fuel) if asset.fuel else ""
    what = {"power_plant": fuel, "renewable_project": f"{fuel} project"}.get(
        asset.kind, KINDS.get(asset.kind, asset.kind)
    )
    if asset.voltage_kv:
        what = f"{what}, {asset.voltage_kv:g} kV"
    swatch = "bar" if asset.kind in _LINES else group_of(asset.kind, asset.fuel)
    show = ""
    if asset.latitude is not None and asset.longitude is not None:
        place = f"{asset.latitude:.3f},{asset.longitude:.3f},9"
        show = wanted.query(open=asset.record_id, at=place)
    return Row(asset, what or "Power plant", swatch, show)


def downloads(wanted: Wanted, assets: Sequence[MapAsset]) -> Sequence[Download]:
    """Addresses of the API, one for each kind that was found; `format=` is left to add."""
    found: dict[str, int] = {}
    for asset in assets:
        found[asset.kind] = found.get(asset.kind, 0) + 1
    addresses = {kind: address for address, kind in LISTS.items()}
    return [
        _download(kind, addresses[kind], count, wanted) for kind, count in sorted(found.items())
    ]


def _download(kind: str, address: str, count: int, wanted: Wanted) -> Download:
    chosen = {name: sorted(wanted.words.get(name, ())) for name in FACETS}
    pairs: list[tuple[str, str]] = []
    pairs += [("status", word) for word in chosen["status"] if word in STATUSES]
    pairs += [("source", word) for word in chosen["source"]]
    if fuel := _FUEL_PARAMETERS.get(kind):
        pairs += [(fuel, word) for word in chosen["fuel"] if word in FUELS]
    voltages, wider = _voltages(kind, [word for word in VOLTAGES if word in chosen["voltage"]])
    pairs += voltages
    if wanted.text:
        pairs.append(("q", wanted.text))
    if wanted.box is not None:
        pairs.append(("bbox", box_text(wanted.box)))
    query = urlencode(pairs)
    label = f"{KINDS[kind]} ({count:,})"
    return Download(label, f"{PREFIX}/{address}?{query}{'&' if query else ''}", wider)


def _voltages(kind: str, words: Sequence[str]) -> tuple[list[tuple[str, str]], str]:
    """Parameters of the API for some classes of voltage, and what they let through besides."""
    if not words:
        return [], ""
    if kind not in _LINES:
        return [], "with every voltage"
    (least, _), (_, below) = VOLTAGES[words[0]], VOLTAGES[words[-1]]
    pairs = [("min_voltage_kv", f"{least:g}")]
    if below < float("inf"):
        pairs.append(("max_voltage_kv", f"{below - 0.001:g}"))
    order = list(VOLTAGES)
    gaps = order.index(words[-1]) - order.index(words[0]) >= len(words)
    return pairs, "with the voltages between" if gaps else ""


def title(wanted: Wanted) -> str:
    """What is shown, for the title of the page."""
    words = [
        word_label(name, word) for name in FACETS for word in sorted(wanted.words.get(name, ()))
    ]
    if wanted.text:
        words.insert(0, f"“{wanted.text}”")
    return ", ".join(words[:4]) if words else "Map"
