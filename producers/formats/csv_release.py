"""A release as one CSV file, zipped or plain: measured first, then read row by row."""

import csv
import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from producers.errors import TruncatedError, UnexpectedAnswerError
from producers.formats.csv_text import csv_rows

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class CsvRelease:
    """A CSV file that has been read once to the end.

    Attributes:
        path: The CSV, or a zip with the CSV in it.
        name: What messages call it.
        digest: First 16 hex digits of the CSV's SHA-256.
        rows: Lines below the header.
    """

    path: Path
    name: str
    digest: str
    rows: int


def measure(path: Path, name: str) -> CsvRelease:
    """Hash and count the CSV in `path`; in a zip this checks its checksum, too.

    Args:
        path: Where it is.
        name: What messages call it: its address rather than a temporary file.

    Raises:
        TruncatedError: a damaged zip.
        UnexpectedAnswerError: a zip without a CSV, or one that cannot be unpacked.
    """
    digest = hashlib.sha256()
    lines, last = 0, b""
    with _opened(path, name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-2:]
    # In UTF-16 a line feed has a zero beside it.
    return CsvRelease(path, name, digest.hexdigest()[:16], max(0, lines - (b"\n" in last)))


def read_rows(release: CsvRelease) -> Iterator[list[str]]:
    """The header, then every row with as many cells as the file gives it. Blank lines are skipped.

    Encoding and separator as `csv_text` finds them.

    Raises:
        TruncatedError: a damaged zip, or a last row with fewer cells than the header.
        UnexpectedAnswerError: text that is no CSV.
    """
    width = cells = 0
    with _opened(release.path, release.name) as file:
        try:
            for row in csv_rows(file):
                cells = len(row)
                width = width or cells
                yield row
        except csv.Error as error:
            raise UnexpectedAnswerError(f"{release.name} is no CSV: {error}.") from error
    if cells < width:
        raise TruncatedError(
            f"The last row of {release.name} ends early: the file was cut short. Run again."
        )


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            _refuse_cut_zip(name, file)
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                info for info in archive.infolist() if info.filename.lower().endswith(".csv")
            ]
            if not members:
                raise UnexpectedAnswerError(f"{name} is a zip without a CSV file.")
            largest = max(members, key=lambda info: info.file_size)
            with archive.open(largest) as member:
                yield member
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise TruncatedError(f"{name} is a damaged zip ({error}). Run again.") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # What bz2 says of damaged data.
        raise TruncatedError(f"{name} is a damaged zip ({error}). Run again.") from error
    except (NotImplementedError, RuntimeError) as error:
        raise UnexpectedAnswerError(
            f"{name} is a zip that cannot be unpacked ({error}): it has a password, or a rare way "
            "of packing. Set the location to the CSV in it."
        ) from error


def _refuse_cut_zip(name: str, file: IO[bytes]) -> None:
    """A zip whose end is missing is not recognised as one: its index is at the end."""
    if file.read(4) == b"PK\x03\x04":
        raise TruncatedError(f"{name} is a zip that was cut short. Run again.")
    file.seek(0)
