"""Nodes, lines and direct-current links of the GridKit extract of ENTSO-E's grid map.

Lengths are metres although the extract's notes say kilometres, voltages the lower bounds of the
map's classes, booleans `t`/`f` in nodes and links and `True`/`False` in lines. Source: PyPSA-Eur,
`data/entsoegridkit`.
"""

from collections.abc import Mapping

from producers.formats.country_names import map_country_code
from producers.formats.reading import UnreadableNumberError, number
from producers.formats.tracker_position import Place, place
from producers.sources.gem_transmission.grid_tags import grid_tags
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import Substation, TransmissionLine
from streams.core.records import Mapped
from streams.core.vocabulary import AssetStatus

Row = Mapping[str, str]

_TRUE, _FALSE = frozenset({"t", "true"}), frozenset({"f", "false"})
_METRES_PER_KM = 1000


def node_record_id(bus_id: str) -> str:
    """Record id of a node; node, line and link numbers overlap."""
    return f"bus:{bus_id}"


def line_record_id(number_of_line: str, *, link: bool) -> str:
    """Record id of a line or link."""
    return f"{'link' if link else 'line'}:{number_of_line}"


def yes_or_no(text: str | None, field: str) -> bool | None:
    """A boolean in either spelling; None when not reported.

    Raises:
        UnreadableNumberError: another word.
    """
    word = (text or "").strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    if word:
        raise UnreadableNumberError(field, text or "")
    return None


def grid_node(columns: Row) -> Mapped | Rejected:
    """Convert one node.

    Raises:
        UnreadableNumberError: a number or boolean that is none.
    """
    bus_id = columns.get("bus_id")
    if not bus_id:
        return reject_rules.MISSING_ID.reject(field="bus_id")
    where = _node_place(columns)
    if isinstance(where, Rejected):
        return where
    voltage = number(columns.get("voltage"), "voltage")
    node = Substation(
        name=None,
        country_code=where.country_code,
        latitude=where.latitude,
        longitude=where.longitude,
        status=_status(columns),
        node_type=_node_type(columns.get("symbol") or ""),
        voltages_kv=(voltage,) if voltage is not None else (),
        direct_current=yes_or_no(columns.get("dc"), "dc"),
        station_id=columns.get("station_id"),
        operator=grid_tags(columns.get("tags")).get("TSO"),
    )
    return Mapped(node_record_id(bus_id), node)


def grid_line(columns: Row, start: Row | None, end: Row | None, *, link: bool) -> Mapped | Rejected:
    """Convert one line, or one direct-current link; ends are the rows of their nodes.

    Raises:
        UnreadableNumberError: a number or boolean that is none.
    """
    line_id = columns.get("link_id" if link else "line_id")
    if not line_id:
        return reject_rules.MISSING_ID.reject(field="link_id" if link else "line_id")
    first, last = _node_place(start), _node_place(end)
    if isinstance(first, Rejected):
        return first
    if isinstance(last, Rejected):
        return last
    tags = grid_tags(columns.get("tags"))
    # Of a line the tags name one country and do not say which end it is: the ends know better.
    stated = map_country_code(tags.get("country"))
    countries = {code for code in (first.country_code, last.country_code) if code}
    circuits = number(columns.get("circuits"), "circuits")
    metres = number(columns.get("length"), "length")
    capacity = number(tags.get("MW"), "MW")
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
        status=_status(columns),
        direct_current=link,
        voltage_kv=number(columns.get("voltage"), "voltage"),
        circuits=None if circuits is None else round(circuits),
        length_km=None if metres is None else metres / _METRES_PER_KM,
        capacity_mw=capacity or None,
        underground=yes_or_no(columns.get("underground"), "underground"),
        operator=tags.get("TSO"),
        line_eic=tags.get("EIC_code"),
        geometry_wkt=columns.get("geometry"),
    )
    return Mapped(record_id, line)


def _node_id(bus_id: str | None) -> str | None:
    return node_record_id(bus_id) if bus_id else None


def _node_place(columns: Row | None) -> Place | Rejected:
    if columns is None:
        return Place(None, None, None)
    stated = map_country_code(grid_tags(columns.get("tags")).get("country"))
    return place(number(columns.get("y"), "y"), number(columns.get("x"), "x"), stated)


def _status(columns: Row) -> AssetStatus:
    building = yes_or_no(columns.get("under_construction"), "under_construction")
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
