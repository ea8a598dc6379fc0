"""Rows of a tracker file as texts: CSV, XLSX or GeoJSON, gzipped or plain, a local path or a URL.

The form follows from the content, not by the name. openpyxl reads sheets and ijson reads features
one by one, so memory does not grow with the file.
"""

import codecs
import csv
import gzip
import hashlib
import io
import json
import lzma
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal, cast

import ijson

from producers.errors import TruncatedError, UnexpectedAnswerError
from producers.formats.csv_text import (
    below_header,
    csv_rows,
    encoding_of,
    ends_a_line,
    refuse_cut_row,
)
from producers.formats.tracker_columns import plain_name

if TYPE_CHECKING:
    from openpyxl import Workbook

Form = Literal["csv", "xlsx", "geojson"]
Row = dict[str, str]
"""Column to text. Blank cells and nulls are empty texts; nothing else is interpreted."""

_CHUNK = 1 << 16
# NaN and the like: the words of the parser for what is there, not for what is missing.
_INVALID_JSON = re.compile(r"invalid|lexical error|unallowed|trailing garbage", re.IGNORECASE)
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
_ROWS_TO_COUNT = 1_000
"""Sheets with as many are equally long."""
_SAME_COLUMNS = 0.6
"""Share of the columns of that sheet that another one of the release has, too."""

SHEET: Final = "sheet"
"""Column that is added to the rows of a workbook of which several sheets are read."""


@dataclass(frozen=True, slots=True)
class TrackerFile:
    """A tracker file that has been read once to the end.

    Attributes:
        name: What messages call it.
        digest: First 16 hex digits of the SHA-256 of its bytes, unpacked when gzipped.
        rows: Rows below the header, or features.
        quote: Quote character of a CSV.
        sheet: Sheet of a workbook; None for those with the wanted columns, or else for the one that
            says most, and those like it.
        wanted: Columns by which a sheet is known, each in all of its spellings.
        ends_a_line: Whether its last byte ends a line.
        beginning: Its first characters, for messages.
        columns: Columns of its header, or that any of its rows has, in plain form.
        spool: Its rows as JSON, one a line, parsed once: workbooks are slow to read.
    """

    path: Path
    name: str
    form: Form
    digest: str
    rows: int
    quote: str
    sheet: str | None
    wanted: tuple[tuple[str, ...], ...]
    ends_a_line: bool
    beginning: str
    columns: frozenset[str] = field(default=frozenset(), repr=False)
    spool: Path | None = None

    def has(self, names: Sequence[str]) -> bool:
        """Whether there is a column of one of these names."""
        return not self.columns.isdisjoint(names)


def measure(
    path: Path,
    *,
    name: str | None = None,
    quote: str = '"',
    sheet: str | None = None,
    wanted: Sequence[Sequence[str]] = (),
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
    last = b""
    with _explained(name), _unpacked(path) as file:
        head = file.read(_CHUNK)
        chunk = head
        while chunk:
            digest.update(chunk)
            last = chunk
            chunk = file.read(_CHUNK)
    form = _form(name, head)
    measured = TrackerFile(
        path,
        name,
        form,
        digest.hexdigest()[:16],
        0,
        quote,
        sheet,
        tuple(map(tuple, wanted)),
        ends_a_line(last),
        _shown(head),
    )
    rows, columns = _kept(read_rows(measured), spool)
    if form == "geojson" and not rows:
        raise UnexpectedAnswerError(
            f"{name} is JSON without features; it starts with {measured.beginning}. Check the "
            "location."
        )
    if form == "csv" and not rows:
        columns = _header(measured)
    return replace(measured, rows=rows, columns=columns, spool=spool)


def columns_of(path: Path, quote: str = '"') -> frozenset[str]:
    """Columns in plain form, by the beginning of the file: of all sheets, or the first feature.

    Raises:
        The same as `measure`.
    """
    with _explained(path.name), _unpacked(path) as binary:
        form = _form(path.name, binary.read(_CHUNK))
        binary.seek(0)
        if form == "geojson":
            names = [*next(_features(_as_utf8(binary)), {})]
        elif form == "xlsx":
            with _workbook(binary) as book:
                headers = (below_header(_cells(book, one.title))[0] for one in book.worksheets)
                names = [name for header in headers for name in header]
        else:
            names = below_header(csv_rows(binary, quote))[0]
    return frozenset(map(plain_name, names))


def _header(file: TrackerFile) -> frozenset[str]:
    with _unpacked(file.path) as binary:
        return frozenset(map(plain_name, below_header(csv_rows(binary, file.quote))[0]))


def _kept(rows: Iterator[Row], spool: Path | None) -> tuple[int, frozenset[str]]:
    """How many rows there are, which are written into the spool, and their columns."""
    count, names = 0, set[str]()
    with nullcontext() if spool is None else spool.open("w", encoding="utf-8") as file:
        for row in rows:
            count += 1
            names.update(row)
            if file is not None:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count, frozenset(map(plain_name, names))


def read_rows(file: TrackerFile) -> Iterator[Row]:
    """Every row in the file's order. Cells beyond the header become `column_<n>`.

    Properties of a GeoJSON feature become columns; `geometry_type` is added, and for points
    `geometry_longitude` and `geometry_latitude`. Rows of several sheets say theirs in `sheet`.

    Raises:
        The same as `measure`.
    """
    if file.spool is not None:
        with file.spool.open(encoding="utf-8") as kept:
            yield from map(json.loads, kept)
        return
    with _explained(file.name), _unpacked(file.path) as binary:
        if file.form == "xlsx":
            yield from _workbook_rows(binary, file)
        elif file.form == "geojson":
            yield from _features(_as_utf8(binary))
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
        raise UnexpectedAnswerError(
            f"{name} is no tracker file; it starts with {_shown(head)}. Check the location."
        )
    return "csv"


def _shown(head: bytes) -> str:
    return repr(head[:80].decode(encoding_of(head), "replace"))


def _as_utf8(binary: IO[bytes]) -> IO[bytes]:
    """JSON in the one encoding that its parser reads; a mark before it is no part of it."""
    head = binary.read(_CHUNK)
    binary.seek(0)
    encoding = encoding_of(head)
    if encoding == "utf-8":
        return binary
    return cast(IO[bytes], _Recoded(codecs.getreader(encoding)(binary)))


@dataclass(frozen=True, slots=True)
class _Recoded:
    """A text as bytes of UTF-8."""

    text: codecs.StreamReader

    def read(self, size: int = -1) -> bytes:
        return self.text.read(size).encode()


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
    header, rows = below_header(csv_rows(binary, file.quote))
    cells = len(header)
    for row in rows:
        cells = len(row)
        yield _row(header, row)
    refuse_cut_row(file.name, header, cells, ends_a_line=file.ends_a_line)


@contextmanager
def _workbook(binary: IO[bytes]) -> Iterator["Workbook"]:
    import openpyxl  # a tenth of every worker's start, and workers read no workbooks

    if isinstance(binary, gzip.GzipFile):
        binary = io.BytesIO(binary.read())  # a zip is read from its end
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and the like
        book = openpyxl.load_workbook(binary, read_only=True, data_only=True)
    try:
        yield book
    finally:
        book.close()


def _workbook_rows(binary: IO[bytes], file: TrackerFile) -> Iterator[Row]:
    with _workbook(binary) as book:
        if not book.worksheets:
            raise UnexpectedAnswerError(
                f"{file.name} is a workbook without a sheet that can be read, such as one in "
                "Strict Open XML. Save it as XLSX or CSV, and set the location to that."
            )
        names = _data_sheets(book, file.wanted) if file.sheet is None else [_sheet(book, file)]
        for name in names:
            header, rows = below_header(_cells(book, name))
            said = {SHEET: name} if len(names) > 1 else {}
            for row in rows:
                yield said | _row(header, row)


def _sheet(book: "Workbook", file: TrackerFile) -> str:
    """Name of the sheet that was asked for, whatever its case and the blanks around it."""
    wanted = (file.sheet or "").strip().casefold()
    for name in book.sheetnames:
        if name.strip().casefold() == wanted:
            return name
    raise UnexpectedAnswerError(
        f"{file.name} has no sheet {file.sheet!r}; it has {', '.join(book.sheetnames)}."
    )


def _data_sheets(book: "Workbook", wanted: Sequence[Sequence[str]]) -> list[str]:
    """The sheets with the wanted columns, or else the one that says most, and those like it.

    In their order. Trackers keep units below a size, or given up, in sheets of their own; regional
    workbooks have a sheet for each tracker, each with other columns. Lists of regions are long,
    too, but narrow.
    """
    tables: dict[str, tuple[int, set[str]]] = {}
    for sheet in book.worksheets:
        header, rows = below_header(_cells(book, sheet.title))
        count = sum(1 for row in islice(rows, _ROWS_TO_COUNT) if sum(map(bool, row)) > 1)
        tables[sheet.title] = count, {plain_name(name) for name in header if name}
    known = {
        name
        for name, (count, columns) in tables.items()
        if count and wanted and all(not columns.isdisjoint(names) for names in wanted)
    }
    longest = max(known or tables, key=lambda name: tables[name][0] * len(tables[name][1]))
    like = tables[longest][1]
    return [
        name
        for name, (_, columns) in tables.items()
        if name == longest or name in known or len(columns & like) > len(like) * _SAME_COLUMNS
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
