"""CSV as people save it: its encoding by its first bytes, its separator by its first rows."""

import codecs
import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import IO

from producers.errors import TruncatedError

# Geometries of long lines fill a cell with more than the 128 KiB that the module allows.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATORS = ",;\t|"
_SAID = "sep="
"""Begins a first line by which a spreadsheet program says the separator."""
_HEAD_BYTES = 1 << 16
_ROWS_TO_LOOK_AT = 20
_WINDOWS = "windows-1252 where not utf-8"


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """What is no UTF-8 was saved by a program of Windows: its bytes in that code page."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_WINDOWS, _as_windows)


def encoding_of(head: bytes) -> str:
    """Encoding of a text by its first bytes: by its mark, or by where its zeros are; else UTF-8."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    # Half of the bytes of Latin letters in UTF-16 are zeros.
    if head[1::2].count(0) > len(head) / 4 > 0 == head[::2].count(0):
        return "utf-16-le"
    if head[::2].count(0) > len(head) / 4 > 0 == head[1::2].count(0):
        return "utf-16-be"
    return "utf-8"


def ends_a_line(last: bytes) -> bool:
    """Whether a text ends with a line, by its last bytes: what ends within one was cut short."""
    # In UTF-16 a line feed has a zero beside it.
    return last[-4:].replace(b"\0", b"")[-1:] in (b"\n", b"\r")


def refuse_cut_row(name: str, header: Sequence[str], cells: int, *, ends_a_line: bool) -> None:
    """Raise when the last row of a file has fewer cells than its header and ends within its line.

    Raises:
        TruncatedError: it does.
    """
    if cells < len(header) and not ends_a_line:
        raise TruncatedError(
            f"The last row of {name} ends early: the file was cut short. Run again."
        )


def csv_rows(binary: IO[bytes], quote: str = '"') -> Iterator[list[str]]:
    """Every line that is not blank as cells.

    Bytes that are no UTF-8 are read as Windows-1252; what is no text at all becomes U+FFFD.

    Args:
        binary: A seekable file at its start.
        quote: Quote character; of files that use `'`, some are saved again with the usual one.

    Raises:
        csv.Error: the text is no CSV.
    """
    head = binary.read(_HEAD_BYTES)
    binary.seek(0)
    encoding = encoding_of(head)
    errors = _WINDOWS if encoding.startswith("utf-8") else "replace"
    beginning = head.decode(encoding, "replace")
    quote = _quote(beginning, quote)
    with io.TextIOWrapper(binary, encoding=encoding, errors=errors, newline="") as text:
        first = _first_line(text)
        if first.lower().startswith(_SAID):
            separator = first[len(_SAID) : len(_SAID) + 1] or ","
            lines: Iterator[str] = iter(text)
        else:
            separator = _separator(beginning, quote)
            lines = chain([first], text)
        for row in csv.reader(lines, delimiter=separator, quotechar=quote):
            if row:
                yield row


def below_header(rows: Iterator[list[str]]) -> tuple[list[str], Iterator[list[str]]]:
    """The header, each name once, and the rows below it.

    Titles above a table fill few cells of its width.
    """
    first = list(islice(rows, _ROWS_TO_LOOK_AT))
    filled = [sum(map(bool, row)) for row in first]
    width = max(filled, default=0)
    for index, cells in enumerate(filled):
        if cells >= max(min(2, width), width / 2):
            return _told_apart(first[index]), chain(first[index + 1 :], rows)
    return [], iter(())


def _told_apart(header: list[str]) -> list[str]:
    """The names of columns; the second of one name is not taken for the first."""
    seen: Counter[str] = Counter()
    found = []
    for index, name in enumerate(header, start=1):
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})" if name else f"column_{index}"
        found.append(name)
    return found


def _first_line(text: io.TextIOWrapper) -> str:
    for line in text:
        if line.strip():
            return line
    return ""


def _quote(head: str, said: str) -> str:
    """The quote that was said, unless no cell begins with it and one does with the usual one."""

    def begins_a_cell(quote: str) -> bool:
        return re.search(rf"(?:^|[{_SEPARATORS}]){quote}", head, re.MULTILINE) is not None

    return '"' if begins_a_cell('"') and not begins_a_cell(said) else said


def _separator(head: str, quote: str) -> str:
    """The separator by which most of the first rows have the same cells; a comma when none does.

    Titles above a table and cells with lists have other separators in them, but not alike.
    """

    def likeness(separator: str) -> int:
        rows = csv.reader(io.StringIO(head, newline=""), delimiter=separator, quotechar=quote)
        widths = Counter(len(row) for row in islice(filter(None, rows), _ROWS_TO_LOOK_AT))
        # One row of many cells may be a list in a cell; rows that agree are a table.
        return max((rows**2 * (cells - 1) for cells, rows in widths.items()), default=0)

    return max(_SEPARATORS, key=likeness)
