"""Rows of a tracker file as texts: CSV, XLSX or GeoJSON, gzipped or plain, a local path or a URL.

The form follows from the content, not by the name. openpyxl reads sheets and ijson reads features
one by one, so memory does not grow with the file.
"""

import csv
import gzip
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Literal, cast

import ijson
import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from producers.errors import TruncatedError, UnexpectedAnswerError

Form = Literal["csv", "xlsx", "geojson"]
Row = dict[str, str]
"""Column to text. Blank cells and nulls are empty texts; nothing else is interpreted."""

_CHUNK = 1 << 16
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, ijson.IncompleteJSONError)


@dataclass(frozen=True, slots=True)
class TrackerFile:
    """A tracker file that has been read once to the end.

    Attributes:
        digest: First 16 hex digits of the SHA-256 of its bytes, unpacked when gzipped.
        rows: Rows below the header, or features.
        quote: Quote character of a CSV.
        sheet: Sheet of a workbook; None for the one with the most rows.
    """

    path: Path
    form: Form
    digest: str
    rows: int
    quote: str
    sheet: str | None


def measure(path: Path, *, quote: str = '"', sheet: str | None = None) -> TrackerFile:
    """Hash the file and read it once, so that a damaged one is known before its first row is used.

    Raises:
        TruncatedError: the file ends early.
        UnexpectedAnswerError: it is no CSV, workbook or GeoJSON, or lacks the sheet.
    """
    digest = hashlib.sha256()
    with _explained(path), _unpacked(path) as file:
        head = file.read(_CHUNK)
        chunk = head
        while chunk:
            digest.update(chunk)
            chunk = file.read(_CHUNK)
    form = _form(path, head)
    file_of_unknown_length = TrackerFile(path, form, digest.hexdigest()[:16], 0, quote, sheet)
    rows = sum(1 for _ in read_rows(file_of_unknown_length))
    return TrackerFile(path, form, digest.hexdigest()[:16], rows, quote, sheet)


def read_rows(file: TrackerFile) -> Iterator[Row]:
    """Every row in the file's order. Cells beyond the header become `column_<n>`.

    Properties of a GeoJSON feature become columns; `geometry_type` is added, and for points
    `geometry_longitude` and `geometry_latitude`.

    Raises:
        The same as `measure`.
    """
    with _explained(file.path):
        if file.form == "xlsx":
            yield from _workbook_rows(file)
            return
        with _unpacked(file.path) as binary:
            if file.form == "geojson":
                yield from _features(binary)
            else:
                yield from _csv_rows(binary, file)


def _form(path: Path, head: bytes) -> Form:
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"{":
        return "geojson"
    if start in (b"", b"<", b"["):
        shown = head[:80].decode("utf-8", "replace")
        raise UnexpectedAnswerError(
            f"{path.name} is no tracker file; it starts with {shown!r}. Check the location."
        )
    return "csv"


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as content:
        yield cast(IO[bytes], content)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise TruncatedError(
            f"{path.name} is damaged or cut short ({error}). Run again."
        ) from error
    except (csv.Error, ijson.JSONError, InvalidFileException, KeyError) as error:
        raise UnexpectedAnswerError(f"{path.name} cannot be read: {error}.") from error


def _csv_rows(binary: IO[bytes], file: TrackerFile) -> Iterator[Row]:
    with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="") as text:
        reader = csv.reader(text, quotechar=file.quote)
        header = next((row for row in reader if row), [])
        cells = len(header)
        for row in reader:
            if row:
                cells = len(row)
                yield _row(header, row)
    if cells < len(header):
        raise TruncatedError(
            f"The last row of {file.path.name} ends early: the file was cut short. Run again."
        )


def _workbook_rows(file: TrackerFile) -> Iterator[Row]:
    with file.path.open("rb") as binary:
        book = openpyxl.load_workbook(binary, read_only=True, data_only=True)
        try:
            name = file.sheet or _longest_sheet(book)
            if name not in book.sheetnames:
                raise UnexpectedAnswerError(
                    f"{file.path.name} has no sheet {name!r}; it has {', '.join(book.sheetnames)}."
                )
            rows = (
                [_cell(value) for value in row] for row in book[name].iter_rows(values_only=True)
            )
            # Titles above the table fill one cell only.
            header = next((row for row in rows if sum(map(bool, row)) > 1), [])
            for row in rows:
                if any(row):
                    yield _row(header, row)
        finally:
            book.close()


def _longest_sheet(book: openpyxl.Workbook) -> str:
    return max(book.worksheets, key=lambda sheet: sheet.max_row or 0).title


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
        if geometry.get("type") == "Point":
            longitude, latitude = geometry["coordinates"][:2]
            row |= {"geometry_longitude": str(longitude), "geometry_latitude": str(latitude)}
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
