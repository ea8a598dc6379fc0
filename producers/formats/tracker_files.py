"""Rows of a tracker file as texts: CSV, XLSX or GeoJSON, gzipped or plain, a local path or a URL.

The form follows from the content, not by the name. openpyxl reads sheets and ijson reads features
one by one, so memory does not grow with the file.
"""

import csv
import gzip
import hashlib
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast

import ijson

from producers.errors import TruncatedError, UnexpectedAnswerError
from producers.formats.csv_text import csv_rows, encoding_of
from producers.formats.tracker_columns import plain_name

if TYPE_CHECKING:
    from openpyxl import Workbook

Form = Literal["csv", "xlsx", "geojson"]
Row = dict[str, str]
"""Column to text. Blank cells and nulls are empty texts; nothing else is interpreted."""

_CHUNK = 1 << 16
# NaN and the like: the words of the parser for what is there, not for what is missing.
_INVALID_JSON = re.compile(r"invalid|lexical error|unallowed", re.IGNORECASE)
_DAMAGED = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
# What openpyxl and the libraries below it raise on workbooks that Excel opens.
_UNREADABLE = (
    csv.Error,
    ijson.JSONError,
    struct.error,
    zipfile.LargeZipFile,
    SyntaxError,  # every XML parser's error is one
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,  # a zip with a password, or a way of packing that is not implemented
    TypeError,
    ValueError,
)
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_ROWS_TO_LOOK_AT = 20
"""The header is among them."""
_ROWS_TO_COUNT = 1_000
"""Sheets with as many are equally long."""
_SAME_COLUMNS = 0.6
"""Share of the columns of that sheet that another one of the release has, too."""


@dataclass(frozen=True, slots=True)
class TrackerFile:
    """A tracker file that has been read once to the end.

    Attributes:
        name: What messages call it.
        digest: First 16 hex digits of the SHA-256 of its bytes, unpacked when gzipped.
        rows: Rows below the header, or features.
        quote: Quote character of a CSV.
        sheet: Sheet of a workbook; None for the one that says most, and those like it.
        spool: Its rows as JSON, one a line, parsed once: workbooks are slow to read.
    """

    path: Path
    name: str
    form: Form
    digest: str
    rows: int
    quote: str
    sheet: str | None
    spool: Path | None = None


def measure(
    path: Path,
    *,
    name: str | None = None,
    quote: str = '"',
    sheet: str | None = None,
    spool: Path | None = None,
) -> TrackerFile:
    """Hash the file and read it once, so that a damaged one is known before its first row is used.

    `name` is what messages call it: its address, where it is a temporary file. With a `spool` its
    rows are kept there, and read from there as often as they are needed.

    Raises:
        TruncatedError: the file ends early.
        UnexpectedAnswerError: it is no CSV, workbook or GeoJSON, or lacks the sheet.
    """
    digest = hashlib.sha256()
    name = path.name if name is None else name
    with _explained(name), _unpacked(path) as file:
        head = file.read(_CHUNK)
        chunk = head
        while chunk:
            digest.update(chunk)
            chunk = file.read(_CHUNK)
    form = _form(name, head)
    measured = TrackerFile(path, name, form, digest.hexdigest()[:16], 0, quote, sheet)
    return replace(measured, rows=_kept(read_rows(measured), spool), spool=spool)


def _kept(rows: Iterator[Row], spool: Path | None) -> int:
    """How many rows there are, which are written into the spool."""
    if spool is None:
        return sum(1 for _ in rows)
    count = 0
    with spool.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_rows(file: TrackerFile) -> Iterator[Row]:
    """Every row in the file's order. Cells beyond the header become `column_<n>`.

    Properties of a GeoJSON feature become columns; `geometry_type` is added, and for points
    `geometry_longitude` and `geometry_latitude`.

    Raises:
        The same as `measure`.
    """
    if file.spool is not None:
        with file.spool.open(encoding="utf-8") as kept:
            yield from map(json.loads, kept)
        return
    with _explained(file.name):
        if file.form == "xlsx":
            yield from _workbook_rows(file)
            return
        with _unpacked(file.path) as binary:
            if file.form == "geojson":
                yield from _features(binary)
            else:
                yield from _csv_rows(binary, file)


def _form(name: str, head: bytes) -> Form:
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    if head.startswith(_OLD_EXCEL):
        raise UnexpectedAnswerError(
            f"{name} is a workbook of the old kind (.xls) or has a password. Save it as XLSX "
            "or CSV, and set the location to that."
        )
    start = head.decode(encoding_of(head), "replace").lstrip("\ufeff").lstrip()[:1]
    if start == "{":
        return "geojson"
    if start in ("", "<", "["):
        shown = head[:80].decode("utf-8", "replace")
        raise UnexpectedAnswerError(
            f"{name} is no tracker file; it starts with {shown!r}. Check the location."
        )
    return "csv"


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as content:
        yield cast(IO[bytes], content)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise TruncatedError(f"{name} is damaged or cut short ({error}). Run again.") from error
    except ijson.IncompleteJSONError as error:
        if _INVALID_JSON.search(str(error)):
            raise UnexpectedAnswerError(f"{name} is no valid JSON: {error}.") from error
        raise TruncatedError(f"{name} is damaged or cut short ({error}). Run again.") from error
    except (OSError, *_UNREADABLE) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, not of what is on it
        raise UnexpectedAnswerError(
            f"{name} cannot be read ({type(error).__name__}: {error}). Save it again as CSV "
            "or XLSX, and set the location to that."
        ) from error


def _csv_rows(binary: IO[bytes], file: TrackerFile) -> Iterator[Row]:
    header, rows = _below_header(csv_rows(binary, file.quote))
    cells = len(header)
    for row in rows:
        cells = len(row)
        yield _row(header, row)
    if cells < len(header):
        raise TruncatedError(
            f"The last row of {file.name} ends early: the file was cut short. Run again."
        )


def _below_header(rows: Iterator[list[str]]) -> tuple[list[str], Iterator[list[str]]]:
    """The header and the rows below it. Titles above a table fill few cells of its width."""
    first = list(islice(rows, _ROWS_TO_LOOK_AT))
    filled = [sum(map(bool, row)) for row in first]
    width = max(filled, default=0)
    for index, cells in enumerate(filled):
        if cells >= max(min(2, width), width / 2):
            return first[index], chain(first[index + 1 :], rows)
    return [], iter(())


def _workbook_rows(file: TrackerFile) -> Iterator[Row]:
    import openpyxl  # a tenth of every worker's start, and workers read no workbooks

    with file.path.open("rb") as binary:
        book = openpyxl.load_workbook(binary, read_only=True, data_only=True)
        try:
            if file.sheet is None:
                names = _data_sheets(book)
            elif file.sheet in book.sheetnames:
                names = [file.sheet]
            else:
                raise UnexpectedAnswerError(
                    f"{file.name} has no sheet {file.sheet!r}; it has {', '.join(book.sheetnames)}."
                )
            for name in names:
                header, rows = _below_header(_cells(book, name))
                for row in rows:
                    yield _row(header, row)
        finally:
            book.close()


def _data_sheets(book: "Workbook") -> list[str]:
    """The sheet that says most, and those that have most of its columns, in their order.

    Trackers keep units below a size, or given up, in sheets of their own; lists of regions are
    long, too, but narrow.
    """
    tables = {}
    for sheet in book.worksheets:
        header, rows = _below_header(_cells(book, sheet.title))
        count = sum(1 for row in islice(rows, _ROWS_TO_COUNT) if sum(map(bool, row)) > 1)
        tables[sheet.title] = count, {plain_name(name) for name in header if name}
    longest = max(tables, key=lambda name: tables[name][0] * len(tables[name][1]), default=None)
    if longest is None:
        return []
    wanted = tables[longest][1]
    return [
        name
        for name, (_, columns) in tables.items()
        if name == longest or len(columns & wanted) > len(wanted) * _SAME_COLUMNS
    ]


def _cells(book: "Workbook", name: str) -> Iterator[list[str]]:
    sheet = book[name]
    # What a sheet declares of its size is often wrong; rows beyond it would be lost.
    sheet.reset_dimensions()
    for row in sheet.iter_rows(values_only=True):
        cells = [_cell(value) for value in row]
        if any(cells):
            yield cells


def _row(header: list[str], cells: list[str]) -> Row:
    row = dict(zip(header, cells, strict=False))
    if len(cells) < len(header):
        row |= dict.fromkeys(header[len(cells) :], "")
    for index, text in enumerate(cells[len(header) :], start=len(header) + 1):
        if text:
            row[f"column_{index}"] = text
    return row


def _features(binary: IO[bytes]) -> Iterator[Row]:
    for feature in ijson.items(binary, "features.item"):
        row = {str(key): _cell(value) for key, value in (feature.get("properties") or {}).items()}
        geometry = feature.get("geometry") or {}
        row["geometry_type"] = _cell(geometry.get("type"))
        position = geometry.get("coordinates") or []
        if geometry.get("type") == "Point" and len(position) > 1:
            longitude, latitude = map(_cell, position[:2])
            row |= {"geometry_longitude": longitude, "geometry_latitude": latitude}
        yield row


def _cell(value: object) -> str:
    """Text of a cell or JSON value, as a person sees it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bool | int | float | Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
