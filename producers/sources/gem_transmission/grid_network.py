"""Nodes, lines and direct-current links of extracts of ENTSO-E's grid map and of OpenStreetMap.

Lengths are metres although the extract's notes say kilometres, voltages the lower bounds of the
map's classes, booleans `t`/`f` in nodes and links and `True`/`False` in lines. The
country and the capacity of a link (`p_nom`, MW) are columns of OpenStreetMap, tags of the map.
Source: PyPSA-Eur, `data/entsoegridkit` and its OSM base network.
"""

from collections.abc import Mapping

from producers.formats.country_names import map_country_code
from producers.formats.odd_cells import OddCells
from producers.formats.tracker_position import Place, place
from producers.sources.gem_transmission.grid_tags import grid_tags
from streams.core import flag_rules, reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import Substation, TransmissionLine
from streams.core.records import Mapped
from streams.core.vocabulary import AssetStatus

Row = Mapping[str, str]

_TRUE = frozenset({"t", "true", "yes", "y", "1"})
_FALSE = frozenset({"f", "false", "no", "n", "0"})
_METRES_PER_KM = 1000

QUOTE = "'"
"""Quote character of the extract's files."""

ID_OF_GRID_FILE = {"buses": "bus_id", "lines": "line_id", "links": "link_id"}
"""Column of the id in each of the extract's files."""


def node_record_id(bus_id: str) -> str:
    """Record id of a node; node, line and link numbers overlap."""
    return f"bus:{bus_id}"


def line_record_id(number_of_line: str, *, link: bool) -> str:
    """Record id of a line or link."""
    return f"{'link' if link else 'line'}:{number_of_line}"


def yes_or_no(text: str | None, odd: OddCells) -> bool | None:
    """A boolean in either spelling; None when not reported, or, flagged, for another word."""
    word = (text or "").strip().lower()
    if word in _TRUE:
        return True
    if word and word not in _FALSE:
        odd.note(flag_rules.FIGURE_UNREADABLE)
        return None
    return False if word else None


def grid_node(columns: Row) -> Mapped | Rejected:
    """Convert one node; what is no number or boolean is null and flags it."""
    bus_id = columns.get("bus_id")
    if not bus_id:
        return reject_rules.MISSING_ID.reject(field="bus_id")
    odd = OddCells()
    where = _node_place(columns, odd)
    voltage = odd.number(columns.get("voltage"), flag_rules.FIGURE_UNREADABLE)
    node = Substation(
        name=None,
        country_code=where.country_code,
        latitude=where.latitude,
        longitude=where.longitude,
        status=_status(columns, odd),
        node_type=_node_type(columns.get("symbol") or ""),
        voltages_kv=(voltage,) if voltage is not None else (),
        direct_current=yes_or_no(columns.get("dc"), odd),
        station_id=columns.get("station_id"),
        operator=grid_tags(columns.get("tags")).get("TSO"),
    )
    return Mapped(node_record_id(bus_id), node, odd.flags)


def grid_line(columns: Row, start: Row | None, end: Row | None, *, link: bool) -> Mapped | Rejected:
    """Convert one line, or one direct-current link; ends are the rows of their nodes.

    What is no number or boolean is null and flags it.
    """
    odd = OddCells()
    line_id = columns.get("link_id" if link else "line_id")
    if not line_id:
        return reject_rules.MISSING_ID.reject(field="link_id" if link else "line_id")
    first, last = _node_place(start, odd), _node_place(end, odd)
    tags = grid_tags(columns.get("tags"))
    # Of a line the tags name one country and do not say which end it is: the ends know better.
    stated = map_country_code(columns.get("country") or tags.get("country"))
    countries = {code for code in (first.country_code, last.country_code) if code}
    circuits = odd.count(columns.get("circuits"), flag_rules.FIGURE_UNREADABLE)
    metres = odd.number(columns.get("length"), flag_rules.FIGURE_UNREADABLE)
    capacity = odd.number(columns.get("p_nom") or tags.get("MW"), flag_rules.CAPACITY_UNREADABLE)
    record_id = line_record_id(line_id, link=link)
    line = TransmissionLine(
        name=_line_name(tags.get("text_")),
        country_code=first.country_code or stated,
        country_codes=tuple(sorted(countries or {code for code in (stated,) if code})),
        from_node_id=_node_id(columns.get("bus0")),
        from_name=None,
        from_latitude=first.latitude,
        from_longitude=first.longitude,
        from_substation_id=None,
        from_unresolved=None,
        to_node_id=_node_id(columns.get("bus1")),
        to_name=None,
        to_latitude=last.latitude,
        to_longitude=last.longitude,
        to_substation_id=None,
        to_unresolved=None,
        status=_status(columns, odd),
        direct_current=link,
        voltage_kv=odd.number(columns.get("voltage"), flag_rules.FIGURE_UNREADABLE),
        circuits=circuits,
        length_km=None if metres is None else metres / _METRES_PER_KM,
        capacity_mw=capacity or None,
        underground=yes_or_no(columns.get("underground"), odd),
        operator=tags.get("TSO"),
        line_eic=tags.get("EIC_code"),
        geometry_wkt=columns.get("geometry"),
    )
    return Mapped(record_id, line, odd.flags)


def _node_id(bus_id: str | None) -> str | None:
    return node_record_id(bus_id) if bus_id else None


def _node_place(columns: Row | None, odd: OddCells) -> Place:
    if columns is None:
        return Place(None, None, None)
    # The extract of OpenStreetMap has a column for it, that of ENTSO-E's map a tag.
    stated = map_country_code(
        columns.get("country") or grid_tags(columns.get("tags")).get("country")
    )
    return place(
        odd.number(columns.get("y"), flag_rules.POSITION_UNREADABLE),
        odd.number(columns.get("x"), flag_rules.POSITION_UNREADABLE),
        stated,
    )


def _status(columns: Row, odd: OddCells) -> AssetStatus:
    building = yes_or_no(columns.get("under_construction"), odd)
    if building is None:
        return "unknown"
    return "construction" if building else "operating"


def _node_type(symbol: str) -> str:
    word = symbol.lower()
    if word == "joint":
        return "joint"
    if word.startswith("converter"):
        return "converter"
    return "substation" if word.startswith("substation") else "other"


def _line_name(text: str | None) -> str | None:
    """The map's label, unless it repeats the voltage (`275kV`, `200`)."""
    if text is None or text.lower().replace("kv", "").strip().isdigit():
        return None
    return text
