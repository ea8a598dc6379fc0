"""Rows of the grid extract, lines with the nodes at their ends, and of project lists; their ids."""

from collections import Counter
from collections.abc import Iterator, Mapping

from producers.formats.row_ids import stand_in_id
from producers.formats.tracker_columns import plain_name
from producers.formats.tracker_files import Row
from producers.sources.gem_transmission.grid_network import line_record_id, node_record_id
from producers.sources.gem_transmission.grid_projects import project_record_id
from producers.sources.gem_transmission.raw_items import Rows, raw_item, reported
from producers.sources.gem_transmission.release import Part, Release


def _plain_rows(part: Part) -> Iterator[Row]:
    """Rows of a grid list by the names that its columns have in lower case."""
    for columns in part.read():
        yield {plain_name(name): text for name, text in columns.items()}


def node_rows(release: Release, _left_out: Counter[str]) -> Rows:
    """Nodes of the grid."""
    for buses in release.parts:
        for columns in _plain_rows(buses):
            record_id = node_record_id(columns.get("bus_id") or stand_in_id(columns.values()))
            yield record_id, raw_item("grid_bus", None, columns), buses.location


def line_rows(release: Release, _left_out: Counter[str]) -> Rows:
    """Lines, then links, of the grid."""
    parts = {part.dataset: part for part in release.parts}
    buses = _plain_rows(parts["buses"]) if "buses" in parts else ()
    nodes = {columns.get("bus_id", ""): reported(columns) for columns in buses}
    for name, link in (("lines", False), ("links", True)):
        if name in parts:
            yield from _ends_joined(parts[name], nodes, link=link)


def _ends_joined(part: Part, nodes: Mapping[str, Row], *, link: bool) -> Rows:
    form, id_column = ("grid_link", "link_id") if link else ("grid_line", "line_id")
    for columns in _plain_rows(part):
        record_id = line_record_id(
            columns.get(id_column) or stand_in_id(columns.values()), link=link
        )
        item = raw_item(form, None, columns)
        item["from_node"] = nodes.get(columns.get("bus0", ""))
        item["to_node"] = nodes.get(columns.get("bus1", ""))
        yield record_id, item, part.location


def project_rows(release: Release, _left_out: Counter[str]) -> Rows:
    """Planned lines and links."""
    for part in release.parts:
        dataset = part.dataset or ""
        for columns in _plain_rows(part):
            record_id = project_record_id(dataset, columns.get("") or stand_in_id(columns.values()))
            yield record_id, raw_item("grid_project", dataset, columns), part.location
