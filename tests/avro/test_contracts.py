"""Loading contracts from their folders."""

import json
from pathlib import Path

import pytest

from producers.connectors import CONNECTORS
from streams.avro.contracts import (
    BACKWARD,
    FULL,
    AvroSchema,
    Contract,
    canonical_json,
    contract,
    contract_names,
    fingerprint,
    load_contract,
    parse,
)
from streams.core.errors import SettingsError
from streams.topics import Topic
from streams.topology import changelogs, declared_topics

CHANGES: list[AvroSchema] = [{"doc": "B"}, {"default": 0}, {"type": "long"}]


def write(folder: Path, *names: str) -> Path:
    """A contract folder with one small schema under each name."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text('{"type": "record", "name": "T", "fields": []}')
    return folder


def test_versions_are_ordered_by_number(tmp_path: Path) -> None:
    """v10 sorts before v2 as text."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(1, 12):
        schema = {"type": "record", "name": "T", "doc": str(number), "fields": []}
        (folder / f"v{number}.avsc").write_text(json.dumps(schema))
    assert [version["doc"] for version in load_contract(folder).versions] == [
        str(number) for number in range(1, 12)
    ]


@pytest.mark.parametrize(
    "names", [("v1.avsc", "v3.avsc"), ("v2.avsc",), ("v1.avsc", "draft.avsc"), ("v01.avsc",)]
)
def test_a_gap_or_a_strange_name_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match="without a gap"):
        load_contract(write(tmp_path / "gaps", *names))


def test_a_missing_folder_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="set AVRO_DIR"):
        load_contract(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["{", '"string"', '["null"]', '{"type": "enum"}'])
def test_a_file_that_is_no_record_schema_is_named(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "broken", "v1.avsc")
    (folder / "v1.avsc").write_text(text)
    with pytest.raises(SettingsError, match=r"v1\.avsc"):
        load_contract(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "5",
        "[]",
        '"string"',
        '{"type": "record", "name": "T", "fields": 5}',
        '{"type": "record", "name": "T", "fields": [{"name": "a", "type": "nothing"}]}',
        '{"type": "object", "properties": {}}',
    ],
)
def test_a_text_that_is_no_avro_record_is_a_settings_error(text: str) -> None:
    with pytest.raises(SettingsError, match="Not an Avro"):
        parse(text)


def test_a_contract_is_parsed_from_its_own_versions(tmp_path: Path) -> None:
    """Another folder with the same name is another contract."""
    (name,) = {contract("record.outcomes").name}
    other = load_contract(write(tmp_path / name, "v1.avsc"))
    assert other.parsed()["fields"] == []
    assert contract(name).parsed()["fields"] != []


def test_the_fingerprint_covers_docs_defaults_and_logical_types() -> None:
    time = {"type": "long", "logicalType": "timestamp-millis"}
    field: AvroSchema = {"name": "a", "type": time, "doc": "A"}
    fields = [field, *(field | change for change in CHANGES)]
    schemas = [{"type": "record", "name": "T", "fields": [found]} for found in fields]
    assert len({fingerprint(schema) for schema in schemas}) == len(schemas)
    assert fingerprint(json.loads(canonical_json(schemas[0]))) == fingerprint(schemas[0])


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("raw.anything", BACKWARD),
        ("dead_letters", BACKWARD),
        ("normalized.assets", FULL),
        ("state.applied", FULL),
    ],
)
def test_only_what_is_kept_for_ever_lets_readers_go_first(name: str, rule: str) -> None:
    assert Contract(name, ({},)).compatibility == rule


def test_every_topic_of_a_deployment_has_a_contract() -> None:
    topics: tuple[Topic, ...] = declared_topics(CONNECTORS)
    topics += changelogs("app", CONNECTORS)
    assert {topic.contract_name for topic in topics} | {"state.applied"} == set(contract_names())
