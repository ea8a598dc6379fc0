"""Exported files: every record comes back as it was, and nothing damaged is taken."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from streams.commands.import_raw import import_raw
from streams.commands.raw_archive import (
    CHECKSUMS,
    MANIFEST,
    Manifest,
    Partition,
    RecordFile,
    open_archives,
    seal,
)
from streams.core.errors import ArchiveError
from streams.kafka.record_files import read_records, write_records
from streams.kafka.topic_reader import Record
from streams.settings import Settings

_BYTES = st.none() | st.binary(max_size=50)
RECORDS = st.lists(
    st.builds(
        Record,
        st.just("raw.x"),
        st.just(3),
        st.integers(0, 2**63 - 1),
        st.integers(0, 2**63 - 1),
        _BYTES,
        _BYTES,
        st.lists(st.tuples(st.text(max_size=5), _BYTES), max_size=3).map(tuple),
        st.sampled_from([1, 2]),
    ),
    max_size=5,
)


@given(records=RECORDS)
def test_records_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record]
) -> None:
    path = tmp_path_factory.mktemp("records") / "file.avro"
    write_records(path, records)
    assert list(read_records(path, "raw.x", 3)) == records


def archive(parent: Path, topic: str = "raw.alsi_lng", partitions: int = 4) -> Path:
    """A small export."""
    folder = parent / topic
    folder.mkdir()
    write_records(folder / "0-0.avro", [Record(topic, 0, 0, 1, b"k", b"v", ())])
    file = RecordFile(name="0-0.avro", records=1, first_offset=0, last_offset=0)
    empty = [Partition(end_offset=0, files=())] * (partitions - 1)
    seal(
        folder,
        Manifest(
            topic=topic,
            topic_id="id",
            exported_at=datetime(2026, 1, 1, tzinfo=UTC),
            partitions=(Partition(end_offset=1, files=(file,)), *empty),
            schemas=(),
        ),
    )
    return folder


def change(folder: Path, name: str, old: str, new: str) -> None:
    """Change a text in a file."""
    path = folder / name
    path.write_text(path.read_text().replace(old, new))


def damage(folder: Path) -> None:
    """Change one byte of the records."""
    path = folder / "0-0.avro"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def later_version(folder: Path) -> None:
    """Make it one of a later version of the product, checksums and all."""
    found = open_archives(folder)[0].manifest
    seal(folder, found.model_copy(update={"version": 2}))


def fewer_records(folder: Path) -> None:
    """Another file in the place of one, with its checksum."""
    found = open_archives(folder)[0].manifest
    write_records(folder / "0-0.avro", [])
    seal(folder, found)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damage, r"0-0\.avro is damaged: take another copy"),
        (lambda folder: (folder / "0-0.avro").unlink(), r"lacks 0-0\.avro: take another copy"),
        (lambda folder: (folder / MANIFEST).unlink(), r"lacks manifest\.json"),
        (lambda folder: (folder / CHECKSUMS).unlink(), r"run `make export-raw` again"),
        (lambda folder: change(folder, MANIFEST, "raw.alsi_lng", "raw.other"), "is damaged"),
        (lambda folder: change(folder, CHECKSUMS, "0-0.avro", "../0-0.avro"), "is damaged"),
        (lambda folder: (folder / CHECKSUMS).write_bytes(b"\xff\n"), "is damaged"),
        (later_version, "use the version that wrote it, or a later one"),
        (fewer_records, r"has 0 records, the manifest says 1"),
    ],
)
def test_what_is_damaged_is_named_with_what_to_do(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    folder = archive(tmp_path)
    spoil(folder)
    with pytest.raises(ArchiveError, match=said):
        [list(found.records(0)) for found in open_archives(tmp_path)]


@pytest.mark.parametrize(
    ("topic", "partitions", "said"),
    [
        ("raw.alsi_lng", 3, r"has 3 partitions, raw\.alsi_lng is declared with 4"),
        ("raw.gone", 4, r"raw\.gone, which is no topic of this deployment"),
    ],
)
def test_what_does_not_fit_the_deployment_is_refused_before_it_is_asked(
    tmp_path: Path, topic: str, partitions: int, said: str
) -> None:
    archive(tmp_path, topic, partitions)
    nowhere = Settings(kafka_bootstrap="127.0.0.1:1", schema_registry_url="http://127.0.0.1:1")
    with pytest.raises(ArchiveError, match=said):
        import_raw(nowhere, tmp_path, Console(quiet=True))


@pytest.mark.processes
def test_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    folder = archive(tmp_path)
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", CHECKSUMS], cwd=folder, capture_output=True, text=True
    )
    assert checked.stdout.splitlines() == ["0-0.avro: OK", "manifest.json: OK"]
