"""An exported topic as a folder: files of records, a manifest, and SHA-256 of each.

raw.alsi_lng/
    0-0.avro …       records of a partition from an offset on (`streams.kafka.record_files`)
    manifest.json    topic, partitions, files, and the schemas that the values name
    SHA256SUMS       as `sha256sum -c` reads it; written last, so a folder with it is whole
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from streams.core.errors import ArchiveError
from streams.core.records import RawCoordinates
from streams.core.redrive import original_of
from streams.core.registry_identity import UsedSchema
from streams.kafka.record_files import read_records
from streams.kafka.topic_reader import Record

CHECKSUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
FILES = "*.avro"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordFile(_Part):
    """One file.

    Attributes:
        name: In the folder.
        records: How many it has, at least one.
        first_offset: Offset of the first one.
        last_offset: Offset of the last one.
    """

    name: str
    records: int
    first_offset: int
    last_offset: int


class Partition(_Part):
    """One partition.

    Attributes:
        end_offset: End of its log at the export, one above its last record or transaction marker.
        files: In the order of their offsets; none for an empty partition.
    """

    end_offset: int
    files: tuple[RecordFile, ...]

    @property
    def records(self) -> int:
        """How many records it has."""
        return sum(file.records for file in self.files)

    @property
    def keeps_offsets(self) -> bool:
        """Whether written into an empty partition every record gets the offset it had."""
        return self.end_offset == self.records


class Schema(_Part):
    """A schema of the registry.

    Attributes:
        schema_id: Its id, which values name.
        subject: Subject it has that id under.
        text: The schema, JSON.
        records: How many of the exported values name it.
    """

    schema_id: int
    subject: str
    text: str
    records: int


class Manifest(_Part):
    """What an export says of itself.

    Attributes:
        version: Form of the folder.
        topic: Name of the topic.
        topic_id: Its identity where it was exported.
        exported_at: When the export began, UTC.
        partitions: In their order.
        schemas: Every schema that its deployment had registered, those of other topics, too: an
            empty registry counts its ids up, so it needs them all to give the same ones.
    """

    version: Literal[1] = 1
    topic: str
    topic_id: str
    exported_at: datetime
    partitions: tuple[Partition, ...]
    schemas: tuple[Schema, ...]


@dataclass(frozen=True, slots=True)
class RawArchive:
    """An exported topic whose files are all there and undamaged."""

    folder: Path
    manifest: Manifest

    @property
    def schemas(self) -> tuple[UsedSchema, ...]:
        """The schemas of its deployment."""
        return tuple(
            UsedSchema(one.schema_id, one.subject, one.text) for one in self.manifest.schemas
        )

    def records(self, partition: int) -> Iterator[Record]:
        """What is restored of a partition, in its order.

        Where records get other offsets than they had, redriven copies are left out: they name old
        ones, and their originals are decided again anyway.

        Raises:
            ArchiveError: a file has other records than the manifest says.
        """
        found = self.manifest.partitions[partition]
        for file in found.files:
            count = 0
            for record in read_records(self.folder / file.name, self.manifest.topic, partition):
                count += 1
                if found.keeps_offsets or not is_redriven_copy(record):
                    yield record
            if count != file.records:
                raise ArchiveError(
                    f"{self.folder / file.name} has {count:,} records, the manifest says "
                    f"{file.records:,}: take another copy of the export."
                )


def is_redriven_copy(record: Record) -> bool:
    """Whether a record is a raw record that was redriven."""
    here = RawCoordinates(record.topic, record.partition, record.offset)
    return isinstance(original_of(here, record.headers), RawCoordinates)


def seal(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and the checksums of a folder whose files are written."""
    text = manifest.model_dump_json(indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    names = [file.name for partition in manifest.partitions for file in partition.files]
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in (*names, MANIFEST)]
    unfinished = folder / f"{CHECKSUMS}.part"
    unfinished.write_text("".join(lines), encoding="utf-8")
    unfinished.replace(folder / CHECKSUMS)


def open_archives(folder: Path) -> tuple[RawArchive, ...]:
    """Every exported topic in a folder, or the one that the folder is, verified.

    Raises:
        ArchiveError: there is none, or one is unfinished, damaged or lacks a file.
    """
    folders = [folder] if _is_export(folder) else _folders(folder)
    if not folders:
        raise ArchiveError(
            f"There is no export in {folder}: name the folder that `make export-raw` wrote."
        )
    return tuple(_open(one) for one in folders)


def _folders(folder: Path) -> list[Path]:
    return sorted(one for one in folder.glob("*/") if _is_export(one))


def _is_export(folder: Path) -> bool:
    return any((folder / name).exists() for name in (CHECKSUMS, MANIFEST)) or any(
        folder.glob(FILES)
    )


def _open(folder: Path) -> RawArchive:
    checksums = _checksums(folder)
    missing = sorted(name for name in checksums if not (folder / name).is_file())
    if missing:
        raise ArchiveError(f"{folder} lacks {', '.join(missing)}: take another copy of the export.")
    for name, expected in checksums.items():
        if _sha256(folder / name) != expected:
            raise _damaged(folder / name)
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except ValidationError as error:
        raise ArchiveError(
            f"{folder / MANIFEST} cannot be read by this version of the product "
            f"({error.errors()[0]['msg']}): use the version that wrote it, or a later one."
        ) from error
    named = {file.name for partition in manifest.partitions for file in partition.files}
    if named != checksums.keys() - {MANIFEST}:
        raise _damaged(folder / CHECKSUMS)
    return RawArchive(folder, manifest)


def _checksums(folder: Path) -> Mapping[str, str]:
    """SHA-256 of every file by its name."""
    path = folder / CHECKSUMS
    if not path.is_file():
        raise ArchiveError(
            f"{folder} has no {CHECKSUMS}: the export did not end; run `make export-raw` again."
        )
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    # Names are of this folder only, whatever the file says.
    if MANIFEST not in found or any(Path(name).name != name for name in found):
        raise _damaged(path)
    return found


def _damaged(path: Path) -> ArchiveError:
    return ArchiveError(f"{path} is damaged: take another copy of the export.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
