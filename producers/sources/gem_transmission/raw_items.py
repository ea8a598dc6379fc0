"""The form that rows of every list have in a raw record."""

from collections.abc import Iterator, Mapping

from producers.formats.tracker_files import Row

Item = dict[str, object]

Rows = Iterator[tuple[str, Item, str]]
"""Record id, item, origin."""


def raw_item(form: str, dataset: str | None, columns: Mapping[str, str]) -> Item:
    """A row of some columns as an item of the raw contract."""
    return {
        "form": form,
        "dataset": dataset,
        "columns": reported(columns),
        "place": None,
        "place_of": None,
        "from_node": None,
        "to_node": None,
    }


def reported(columns: Mapping[str, str]) -> Row:
    """Columns that are not empty."""
    return {name: text for name, text in columns.items() if text != ""}
