"""The ids that records refer to are known beside the records, whatever the registry says."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from streams.avro.codec import Registry
from streams.avro.contracts import canonical_json, contract
from streams.commands.deploy import create_topics, register_schemas
from streams.commands.export_raw import export_raw
from streams.commands.import_raw import import_raw
from streams.commands.raw_archive import open_archives
from streams.core.errors import ArchiveError, RegistryError, SettingsError, UnknownSchemaError
from streams.core.registry_identity import UsedSchema
from streams.kafka.topic_admin import delete_topics
from streams.kafka.topic_writer import TopicWriter
from streams.kafka.used_schemas import (
    open_registry,
    record_schemas,
    restore_schemas,
    used_schemas,
)
from streams.local.components import fetch_components
from streams.local.ports import StackPorts
from streams.local.registry import RegistryServer
from streams.local.stack import LocalStack
from streams.settings import Settings
from streams.topics import SCHEMA_IDS, raw_topic
from tests.fault.runbook import Runbook

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A second registry that nobody has used."""
    server = RegistryServer(tmp_path_factory.mktemp("other"), fetch_components(), StackPorts.free())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def deployed(stack: LocalStack, tmp_path: Path) -> Iterator[Settings]:
    """A deployment that has registered its schemas."""
    found = Settings(
        kafka_bootstrap=stack.kafka.bootstrap,
        schema_registry_url=stack.registry.url,
        postgres_dsn=stack.postgres.dsn,
        data_dir=tmp_path,
    )
    delete_topics(found.kafka_bootstrap, [SCHEMA_IDS.name])
    create_topics(found)
    register_schemas(found)
    yield found
    delete_topics(found.kafka_bootstrap, [SCHEMA_IDS.name])


def test_what_was_registered_is_kept_once(deployed: Settings) -> None:
    used = used_schemas(deployed.kafka_bootstrap)
    assert {one.subject: one.schema_id for one in used} == register_schemas(deployed) | {
        # Its first version is still referred to.
        "dead_letters-value": max(one.schema_id for one in used if one.subject.startswith("dead_"))
    }
    assert used_schemas(deployed.kafka_bootstrap) == used
    open_registry(deployed.kafka_bootstrap, deployed.schema_registry_url).close()


def test_an_empty_registry_is_named_and_refused(
    deployed: Settings, empty_registry: RegistryServer
) -> None:
    with pytest.raises(SettingsError, match=r"lacks .* schemas .*make schemas-register"):
        open_registry(deployed.kafka_bootstrap, empty_registry.url)


def test_a_used_id_that_the_registry_lost_is_no_verdict_on_records(deployed: Settings) -> None:
    bootstrap, lost = deployed.kafka_bootstrap, 4_000_000
    value = b"\0" + lost.to_bytes(4, "big")
    with open_registry(bootstrap, deployed.schema_registry_url) as registry:
        registry.resolve([value])
        assert registry.writer_schema(lost) is None
        encoder = registry.encoder(SCHEMA_IDS.subject(), contract(SCHEMA_IDS.contract_name))
        record_schemas(bootstrap, encoder, (), [UsedSchema(lost, "lost-value", "{}")])
        # At once, although it was a foreign one just now.
        with pytest.raises(UnknownSchemaError, match="make schemas-register"):
            registry.resolve([value])


def test_an_empty_registry_gets_the_ids_that_imported_records_name(
    deployed: Settings, empty_registry: RegistryServer, tmp_path: Path
) -> None:
    """Ids are given in their order, so those of other topics come along."""
    bootstrap, raw = deployed.kafka_bootstrap, raw_topic("alsi_lng")
    names = ("record.outcomes", "schema.ids", raw.name, "state.applied")
    given = [
        UsedSchema(number, f"{name}-value", canonical_json(contract(name).latest))
        for number, name in enumerate(names, start=1)
    ]
    with Registry(deployed.schema_registry_url) as registry:
        encoder = registry.encoder(SCHEMA_IDS.subject(), contract(SCHEMA_IDS.contract_name))
    delete_topics(bootstrap, [SCHEMA_IDS.name, raw.name])
    create_topics(deployed)
    record_schemas(bootstrap, encoder, (), given)
    with TopicWriter(bootstrap, [raw.name]) as writer:
        writer.send(raw.name, b"k", b"\0\0\0\0\3body")
        writer.finish()
    quiet = Console(quiet=True)
    export_raw(deployed, [raw], tmp_path, quiet)
    (archive,) = open_archives(tmp_path)
    assert [one.records for one in archive.manifest.schemas] == [0, 0, 1, 0]
    delete_topics(bootstrap, [SCHEMA_IDS.name, raw.name])
    elsewhere = deployed.model_copy(update={"schema_registry_url": empty_registry.url})
    assert import_raw(elsewhere, tmp_path, quiet)[0].records == 1
    with open_registry(bootstrap, empty_registry.url) as registry:
        assert registry.writer_schema(3) == contract(raw.name).parsed()
    assert set(given) <= set(used_schemas(bootstrap))
    # Once it has given the ids to others, it is refused.
    delete_topics(bootstrap, [SCHEMA_IDS.name, raw.name])
    with pytest.raises(ArchiveError, match="import with an empty registry"):
        import_raw(deployed, tmp_path, quiet)


def test_an_empty_registry_gets_its_schemas_back_under_their_ids(
    empty_registry: RegistryServer,
) -> None:
    texts = [canonical_json(contract(name).latest) for name in ("record.outcomes", "schema.ids")]
    used = [UsedSchema(number, f"s{number}-value", text) for number, text in enumerate(texts, 1)]
    with Registry(empty_registry.url) as registry:
        restore_schemas(registry, used)
        restore_schemas(registry, used)
    with Registry(empty_registry.url) as registry:
        assert registry.schema_text(2) is not None
        with pytest.raises(RegistryError, match="is another one"):
            restore_schemas(registry, [UsedSchema(1, "s1-value", texts[1])])
        with pytest.raises(RegistryError, match="refer to it as 99"):
            restore_schemas(
                registry,
                [UsedSchema(99, "s99-value", texts[0])],
            )


@pytest.mark.soak
def test_a_registry_that_lost_everything_gets_every_schema_back_under_its_id(
    deployed: Settings, empty_registry: RegistryServer, tmp_path: Path
) -> None:
    """As the runbook says, of all contracts: several subjects share one, and leave gaps in the ids.

    Without them an empty registry counted on, and gave the next schema the id of a gap.
    """
    bootstrap, url = deployed.kafka_bootstrap, empty_registry.url
    lose_everything(empty_registry)
    delete_topics(bootstrap, [SCHEMA_IDS.name])
    elsewhere = deployed.model_copy(update={"schema_registry_url": url})
    create_topics(elsewhere)
    register_schemas(elsewhere)
    used = used_schemas(bootstrap)
    lose_everything(empty_registry)
    with pytest.raises(SettingsError, match="make schemas-register"):
        open_registry(bootstrap, url)
    variables = {"KAFKA_BOOTSTRAP": bootstrap, "SCHEMA_REGISTRY_URL": url}
    Runbook(tmp_path / "clone", variables).follow("Registry lost")
    assert used_schemas(bootstrap) == used
    # It compares every one that was used.
    open_registry(bootstrap, url).close()


def lose_everything(server: RegistryServer) -> None:
    server.kill()
    shutil.rmtree(server.process.log_path.parents[1] / "registry")
    server.start()
