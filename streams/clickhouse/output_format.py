"""How the answer to a query is written."""

from enum import StrEnum


class OutputFormat(StrEnum):
    """A table for people, CSV with a heading, or a JSON list of objects."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
