"""A release as one CSV file, zipped, gzipped or plain: measured first, then read row by row."""

import csv
import gzip
import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from producers.errors import TruncatedError, UnexpectedAnswerError
from producers.formats.csv_text import below_header, csv_rows, ends_a_line, refuse_cut_row

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class CsvRelease:
    """A CSV file that has been read once to the end.

    Attributes:
        path: The CSV, gzipped or not, or a zip with the CSV in it.
        name: What messages call it.
        digest: First 16 hex digits of the CSV's SHA-256.
        rows: Lines below the first one.
        ends_a_line: Whether its last byte ends a line.
    """

    path: Path
    name: str
    digest: str
    rows: int
    ends_a_line: bool


def measure(path: Path, name: str) -> CsvRelease:
    """Hash and count the CSV in `path`; where it is packed this checks its checksum, too.

    Args:
        path: Where it is.
        name: What messages call it: its address rather than a temporary file.

    Raises:
        TruncatedError: a damaged zip or gzip.
        UnexpectedAnswerError: a zip without a CSV, or one that cannot be unpacked.
    """
    digest = hashlib.sha256()
    lines, last = 0, b""
    with _opened(path, name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk
    ends = ends_a_line(last)
    return CsvRelease(path, name, digest.hexdigest()[:16], max(0, lines - ends), ends)


def read_rows(release: CsvRelease) -> Iterator[list[str]]:
    """The header, then every row with as many cells as the file gives it.

    Titles above the header and blank lines are skipped. Encoding and separator as `csv_text` finds
    them.

    Raises:
        TruncatedError: a damaged zip or gzip, or a last row that ends within its line and has fewer
            cells than the header.
        UnexpectedAnswerError: text that is no CSV.
    """
    with _opened(release.path, release.name) as file:
        try:
            header, rows = below_header(csv_rows(file))
            cells = len(header)
            yield header
            for row in rows:
                cells = len(row)
                yield row
        except csv.Error as error:
            raise UnexpectedAnswerError(f"{release.name} is no CSV: {error}.") from error
    refuse_cut_row(release.name, header, cells, ends_a_line=release.ends_a_line)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    packed = "zip" if zipfile.is_zipfile(path) else "gzip"
    try:
        if packed == "zip":
            with zipfile.ZipFile(path) as archive, archive.open(_csv_in(archive, name)) as member:
                yield member
        else:
            with path.open("rb") as file:
                _refuse_cut_zip(name, file)
                yield _gunzipped(file)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise TruncatedError(f"{name} is a damaged {packed} ({error}). Run again.") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # What bz2 and gzip say of damaged data.
        raise TruncatedError(f"{name} is a damaged {packed} ({error}). Run again.") from error
    except (NotImplementedError, RuntimeError) as error:
        raise UnexpectedAnswerError(
            f"{name} is a zip that cannot be unpacked ({error}): it has a password, or a rare way "
            "of packing. Set the location to the CSV in it."
        ) from error


def _csv_in(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The largest CSV of a zip."""
    members = [info for info in archive.infolist() if info.filename.lower().endswith(".csv")]
    if not members:
        raise UnexpectedAnswerError(f"{name} is a zip without a CSV file.")
    return max(members, key=lambda info: info.file_size)


def _gunzipped(file: IO[bytes]) -> IO[bytes]:
    """The content of a file that may be gzipped."""
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file


def _refuse_cut_zip(name: str, file: IO[bytes]) -> None:
    """A zip whose end is missing is not recognised as one: its index is at the end."""
    if file.read(4) == b"PK\x03\x04":
        raise TruncatedError(f"{name} is a zip that was cut short. Run again.")
    file.seek(0)
