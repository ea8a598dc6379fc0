"""A release as one CSV file, zipped or plain: measured first, then read row by row."""

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from producers.errors import TruncatedError, UnexpectedAnswerError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class CsvRelease:
    """A CSV file that has been read once to the end.

    Attributes:
        path: The CSV, or a zip with the CSV in it.
        digest: First 16 hex digits of the CSV's SHA-256.
        rows: Lines below the header.
    """

    path: Path
    digest: str
    rows: int


def measure(path: Path) -> CsvRelease:
    """Hash and count the CSV in `path`; in a zip this checks its checksum, too.

    Raises:
        TruncatedError: a damaged zip.
        UnexpectedAnswerError: a zip without a CSV.
    """
    digest = hashlib.sha256()
    lines, last = 0, b"\n"
    with _opened(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return CsvRelease(path, digest.hexdigest()[:16], max(0, lines - (last == b"\n")))


def read_rows(release: CsvRelease) -> Iterator[list[str]]:
    """The header, then every row with as many cells as the file gives it. Blank lines are skipped.

    UTF-8, with or without a byte order mark; bytes that are none become U+FFFD.

    Raises:
        TruncatedError: a damaged zip, or a last row with fewer cells than the header.
        UnexpectedAnswerError: text that is no CSV.
    """
    width = cells = 0
    with _opened(release.path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.reader(text)
        try:
            for row in reader:
                if row:
                    cells = len(row)
                    width = width or cells
                    yield row
        except csv.Error as error:
            raise UnexpectedAnswerError(
                f"{release.path.name} is no CSV at line {reader.line_num}: {error}."
            ) from error
    if cells < width:
        raise TruncatedError(
            f"The last row of {release.path.name} ends early: the file was cut short. Run again."
        )


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            _refuse_cut_zip(path, file)
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".csv")]
            if not members:
                raise UnexpectedAnswerError(f"{path.name} is a zip without a CSV file.")
            largest = max(members, key=lambda info: info.file_size)
            with archive.open(largest) as member:
                yield member
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise TruncatedError(f"{path.name} is a damaged zip ({error}). Run again.") from error


def _refuse_cut_zip(path: Path, file: IO[bytes]) -> None:
    """A zip whose end is missing is not recognised as one: its index is at the end."""
    if file.read(4) == b"PK\x03\x04":
        raise TruncatedError(f"{path.name} is a zip that was cut short. Run again.")
    file.seek(0)
