"""A good file of each kind that a source reads: 110 rows that become records."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from producers.connector import FileToTry

COUNT = 110

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class GoodFile:
    """One kind of file.

    Attributes:
        source: The source that reads it.
        stream: The stream that it is.
        header: Its columns; the id comes first.
        list_name: Which list of the source it is, where its content cannot tell.
        workbooks: Whether the source reads workbooks.
    """

    source: str
    stream: str
    header: tuple[str, ...]
    rows: Rows
    list_name: str | None = None
    workbooks: bool = True

    def to_try(self, path: Path, folder: Path) -> FileToTry:
        """The file, written to `path`, with the nodes that its lines refer to."""
        nodes = folder / "nodes.csv"
        nodes.write_text(as_csv(NODES, _rows("N{one},S1,380,f,Substation,f,,{x},{y}")))
        return FileToTry(str(path), path, folder, self.list_name, nodes if self.of_nodes else None)

    @property
    def of_nodes(self) -> bool:
        """Whether its rows refer to nodes of another list."""
        return self.stream == "transmission_lines"


def as_csv(header: Sequence[str], rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    """A table as text."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, *rows])
    return text.getvalue()


def _rows(form: str) -> Rows:
    return [
        form.format(
            one=one, next=one ^ 1, x=f"{5 + one / 100:.2f}", y=f"{45 + one / 50:.2f}"
        ).split(",")
        for one in range(COUNT)
    ]


def _header(names: str) -> tuple[str, ...]:
    return tuple(names.split(","))


NODES = _header("bus_id,station_id,voltage,dc,symbol,under_construction,tags,x,y")
_TRACKER = _header(
    "GEM unit/phase ID,GEM location ID,Plant name,Country/area,Fuel,Status,Capacity (MW),"
    "Start year,Owner,Latitude,Longitude,Colour"
)
_PLANNED = "P{one},One (FR),Two (FR),9,380,2,confirmed,2031,,{x},{y},{x},{y},HTLS"

FILES = {
    "power_units": GoodFile(
        "gem_transmission",
        "power_units",
        _TRACKER,
        _rows("G{one},L{one},Plant {one},France,coal,operating,5{one},2001,Owner,{y},{x},red"),
    ),
    "lng_terminals": GoodFile(
        "gem_transmission",
        "lng_terminals",
        _header(
            "ComboID,TerminalID,TerminalName,Country,Status,CapacityInMtpa,StartYear1,Owner,"
            "Latitude,Longitude"
        ),
        _rows("T{one}01,T{one},Terminal {one},France,Operating,3,2001,Owner,{y},{x}"),
    ),
    "nodes": GoodFile(
        "gem_transmission", "substations", NODES, _rows("{one},S1,380,f,Substation,f,,{x},{y}")
    ),
    "lines": GoodFile(
        "gem_transmission",
        "transmission_lines",
        _header("line_id,bus0,bus1,voltage,circuits,length,underground,under_construction,tags"),
        _rows("{one},N{one},N{next},380,2,2500,False,False,"),
    ),
    "links": GoodFile(
        "gem_transmission",
        "transmission_lines",
        _header("link_id,bus0,bus1,p_nom,country,length,underground,under_construction,tags"),
        _rows("{one},N{one},N{next},600,CH,2500,f,f,"),
    ),
    "projects": GoodFile(
        "gem_transmission",
        "transmission_projects",
        _header(
            ",bus0,bus1,length,v_nom,num_parallel,project_status,build_year,tags,x0,y0,x1,y1,type"
        ),
        _rows(_PLANNED),
        "nep_new_lines",
    ),
    "renewable_projects": GoodFile(
        "reexplorer",
        "renewable_projects",
        _TRACKER,
        _rows("G{one},L{one},Plant {one},France,wind,announced,5{one},2031,Owner,{y},{x},red"),
    ),
    "plants": GoodFile(
        "wri_powerplants",
        "plants",
        _header("gppd_idnr,country,country_long,name,capacity_mw,latitude,longitude,primary_fuel"),
        _rows("TOY{one},FRA,France,Plant {one},5{one},{y},{x},Hydro"),
        workbooks=False,
    ),
}
