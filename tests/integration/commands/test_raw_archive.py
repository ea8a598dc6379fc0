"""Raw records out of a deployment and back, byte for byte, on the real broker."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from rich.console import Console
from typer.testing import CliRunner

from streams.__main__ import app
from streams.commands import export_raw as exporting
from streams.commands.deploy import create_topics, register_schemas
from streams.commands.export_raw import Exported, export_raw, kept_topics
from streams.commands.import_raw import Imported, import_raw
from streams.commands.raw_archive import open_archives, seal
from streams.core.errors import ArchiveError
from streams.core.redrive import REDRIVEN_FROM
from streams.kafka.topic_admin import delete_topics
from streams.kafka.topic_reader import Record, read_all
from streams.kafka.topic_writer import TopicWriter
from streams.local.stack import LocalStack
from streams.settings import Settings
from streams.topics import DECISIONS, Topic, raw_topic

pytestmark = pytest.mark.integration

RAW = raw_topic("wri_powerplants")
QUIET = Console(quiet=True)
ODD: Sequence[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]] = (
    (b"key", b"\0\0\0\0\1body", [("note", b"a"), ("note", None), ("", b"\xff")]),
    (None, b"{}", []),
    (b"", b"", []),
    (b"\xff\0", None, [("only", b"")]),
    (b"large", b"x" * 300_000, []),
)


@pytest.fixture
def deployed(stack: LocalStack, tmp_path: Path) -> Iterator[Settings]:
    """A deployment whose raw topics and decisions are empty."""
    found = Settings(
        kafka_bootstrap=stack.kafka.bootstrap,
        schema_registry_url=stack.registry.url,
        postgres_dsn=stack.postgres.dsn,
        data_dir=tmp_path,
    )
    empty(found)
    register_schemas(found)
    yield found
    delete_topics(found.kafka_bootstrap, [RAW.name, DECISIONS.name])


def empty(settings: Settings) -> None:
    """Delete what the tests write, and create it again."""
    delete_topics(settings.kafka_bootstrap, [RAW.name, DECISIONS.name])
    create_topics(settings)


def publish(settings: Settings, topic: Topic = RAW, rounds: int = 3) -> None:
    """Odd records in two partitions, at times long ago and not in their order."""
    with TopicWriter(settings.kafka_bootstrap, [topic.name]) as writer:
        for number in range(rounds):
            for index, (key, value, headers) in enumerate(ODD):
                writer.send(
                    topic.name,
                    key,
                    value,
                    partition=index % min(2, topic.partitions),
                    timestamp_ms=1_000_000 - 7 * number + index,
                    headers=headers,
                )
        writer.finish()


def records(settings: Settings, topic: Topic = RAW) -> list[Record]:
    """What a topic has, by partition and offset."""
    return sorted(
        read_all(settings.kafka_bootstrap, topic.name),
        key=lambda record: (record.partition, record.offset),
    )


def exported(settings: Settings, folder: Path, topic: Topic = RAW) -> Exported:
    """Export one topic."""
    (found,) = export_raw(settings, [topic], folder, QUIET)
    return found


def imported(settings: Settings, folder: Path) -> Imported:
    """Import the one topic of a folder."""
    (found,) = import_raw(settings, folder, QUIET)
    return found


def test_a_topic_comes_back_byte_for_byte_with_its_offsets_times_and_headers(
    deployed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_FILE_BYTES", 400_000)
    publish(deployed)
    before = records(deployed)
    assert len(before) == 15
    written = exported(deployed, tmp_path / "backup")
    assert (written.records, written.unused_offsets) == (15, 0)
    (archive,) = open_archives(tmp_path / "backup")
    assert [len(partition.files) for partition in archive.manifest.partitions] == [2, 1, 0, 0]
    # The same records are the same bytes, so that a copy of a copy costs no room.
    exported(deployed, tmp_path / "again")
    for path in archive.folder.glob("*.avro"):
        assert path.read_bytes() == (tmp_path / "again" / RAW.name / path.name).read_bytes()
    empty(deployed)
    assert imported(deployed, tmp_path / "backup") == Imported(RAW.name, 15, 0, 0)
    assert records(deployed) == before
    # Run twice, it finds everything there.
    assert imported(deployed, archive.folder) == Imported(RAW.name, 15, 15, 0)
    assert records(deployed) == before


def test_an_import_that_was_interrupted_goes_on(deployed: Settings, tmp_path: Path) -> None:
    publish(deployed)
    before = records(deployed)
    exported(deployed, tmp_path / "backup")
    empty(deployed)
    with TopicWriter(deployed.kafka_bootstrap, [RAW.name]) as writer:
        for record in [one for one in before if one.partition == 0][:4]:
            writer.send(
                RAW.name,
                record.key,
                record.value,
                partition=0,
                timestamp_ms=record.timestamp,
                headers=record.headers,
            )
        writer.finish()
    assert imported(deployed, tmp_path / "backup") == Imported(RAW.name, 15, 4, 0)
    assert records(deployed) == before


def test_an_export_that_was_interrupted_starts_again_and_a_whole_one_is_kept(
    deployed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(deployed)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "seal", killed)
        with pytest.raises(KeyboardInterrupt):
            exported(deployed, tmp_path)
    with pytest.raises(ArchiveError, match=r"the export did not end; run `make export-raw` again"):
        imported(deployed, tmp_path)
    assert exported(deployed, tmp_path).records == 15
    with pytest.raises(ArchiveError, match="has a whole export: name another folder"):
        exported(deployed, tmp_path)
    assert imported(deployed, tmp_path).already_there == 15


def test_a_topic_that_is_or_was_in_use_is_refused_and_stays_as_it_is(
    deployed: Settings, tmp_path: Path
) -> None:
    publish(deployed)
    exported(deployed, tmp_path / "backup")
    publish(deployed, rounds=1)
    before = records(deployed)
    said = rf"{RAW.name} is not empty, and offset 9 of partition 0 .*kafka-topics --delete"
    with pytest.raises(ArchiveError, match=said):
        imported(deployed, tmp_path / "backup")
    assert records(deployed) == before
    empty(deployed)
    # Aborted: nobody reads it, and offsets have begun.
    producer = Producer(
        {"bootstrap.servers": deployed.kafka_bootstrap, "transactional.id": str(tmp_path)}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(RAW.name, b"gone", partition=3)
    producer.flush(30)
    producer.abort_transaction(30)
    with pytest.raises(ArchiveError, match=r"records before offset 2 of partition 3"):
        imported(deployed, tmp_path / "backup")
    assert records(deployed) == []


def test_where_offsets_are_new_redriven_copies_stay_behind(
    deployed: Settings, tmp_path: Path
) -> None:
    """They name old offsets. A log that others wrote to in transactions has gaps."""
    producer = Producer(
        {"bootstrap.servers": deployed.kafka_bootstrap, "transactional.id": str(tmp_path)}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(RAW.name, b"first", b"a", partition=0)
    producer.commit_transaction(30)
    with TopicWriter(deployed.kafka_bootstrap, [RAW.name]) as writer:
        for partition in (0, 1):
            for headers in ([], [(REDRIVEN_FROM, f"{RAW.name}:{partition}:0".encode())]):
                writer.send(RAW.name, b"b", b"c", partition=partition, headers=headers)
        writer.finish()
    before = records(deployed)
    assert [(one.partition, one.offset) for one in before] == [
        (0, 0),
        (0, 2),
        (0, 3),
        (1, 0),
        (1, 1),
    ]
    assert exported(deployed, tmp_path).unused_offsets == 1
    empty(deployed)
    assert imported(deployed, tmp_path) == Imported(RAW.name, 4, 0, 1)
    shifted = [before[0], before[1]._replace(offset=1), before[3], before[4]]
    assert records(deployed) == shifted


def test_of_decisions_the_newest_of_each_pair_is_kept(deployed: Settings, tmp_path: Path) -> None:
    with TopicWriter(deployed.kafka_bootstrap, [DECISIONS.name]) as writer:
        for key, value in ((b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"b", None), (b"c", b"4")):
            writer.send(DECISIONS.name, key, value)
        writer.finish()
    exported(deployed, tmp_path, DECISIONS)
    empty(deployed)
    assert imported(deployed, tmp_path).records == 2
    assert [(one.key, one.value) for one in records(deployed, DECISIONS)] == [
        (b"a", b"3"),
        (b"c", b"4"),
    ]


def test_a_broker_that_would_give_its_own_times_is_refused(
    deployed: Settings, tmp_path: Path
) -> None:
    publish(deployed)
    exported(deployed, tmp_path)
    empty(deployed)
    entry = ConfigEntry(
        "message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ConfigResource.Type.TOPIC, RAW.name, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": deployed.kafka_bootstrap})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    with pytest.raises(ArchiveError, match=r"LogAppendTime, so .* `make topics ARGS=--fix` first"):
        imported(deployed, tmp_path)
    assert records(deployed) == []


def test_a_registry_with_other_schemas_under_the_ids_is_refused(
    deployed: Settings, tmp_path: Path
) -> None:
    exported(deployed, tmp_path)
    (archive,) = open_archives(tmp_path)
    first, second = archive.manifest.schemas[:2]
    swapped = [first.model_copy(update={"text": second.text}), *archive.manifest.schemas[1:]]
    changed = archive.manifest.model_copy(update={"schemas": tuple(swapped)})
    seal(archive.folder, changed)
    with pytest.raises(ArchiveError, match=rf"name schema {first.schema_id} of {first.subject}"):
        imported(deployed, tmp_path)


def test_both_are_commands(
    deployed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.__main__.settings", lambda: deployed)
    publish(deployed)
    before = records(deployed)
    folder = tmp_path / "backup"
    runner = CliRunner(env={"COLUMNS": "300"})
    written = runner.invoke(app, ["export-raw", str(folder)])
    assert written.exit_code == 0, written.output
    assert f"{RAW.name}: 15 records" in written.output
    assert {one.name for one in folder.iterdir()} == {topic.name for topic in kept_topics()}
    empty(deployed)
    restored = runner.invoke(app, ["import-raw", str(folder)])
    assert restored.exit_code == 0, restored.output
    assert f"{RAW.name}: 15 records as exported, 0 of them were there already" in restored.output
    assert records(deployed) == before
    refused = runner.invoke(app, ["import-raw", str(tmp_path / "nothing")])
    assert refused.exit_code == 3
    assert "There is no export in" in refused.output
