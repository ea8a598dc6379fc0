"""The schema ids that this deployment has used, kept beside the records that refer to them.

In a compacted topic, read without the registry: it is asked when the registry is in doubt.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from streams.avro.codec import Encoder, Registry, UsedIds
from streams.avro.contracts import canonical_form, contract
from streams.avro.reader import AvroError, compile_reader
from streams.core.errors import RegistryError, SettingsError, TopicMismatchError
from streams.core.registry_identity import UsedSchema, identity_problem, other_meaning
from streams.kafka.topic_reader import read_all
from streams.kafka.topic_writer import TopicWriter
from streams.topics import SCHEMA_IDS

_FRAME_BYTES = 5


def used_schemas(bootstrap: str) -> tuple[UsedSchema, ...]:
    """Every schema id that was registered for this deployment, ascending.

    None where the topic does not exist: nothing was registered yet.

    Raises:
        BrokerError: no answer.
    """
    read = compile_reader(contract(SCHEMA_IDS.contract_name).parsed())
    found: dict[bytes | None, UsedSchema] = {}
    try:
        for record in read_all(bootstrap, SCHEMA_IDS.name):
            try:
                entry = read(record.value or b"", _FRAME_BYTES)
            except AvroError:
                continue  # not written by us
            found[record.key] = UsedSchema(entry["schema_id"], entry["subject"], entry["schema"])
    except TopicMismatchError:
        return ()
    return tuple(sorted(found.values()))


def open_registry(bootstrap: str, url: str) -> Registry:
    """The registry, once it is known to be the one that this deployment has used.

    It never takes an id that this deployment has used for a foreign one, also later.

    Args:
        bootstrap: Kafka bootstrap servers.
        url: Address of the registry.

    Raises:
        SettingsError: it is another one, or came back without its schemas.
        RegistryError, BrokerError: no answer.
    """
    read_at = time.monotonic()
    used = used_schemas(bootstrap)
    registry = Registry(url, _ids_read_again(bootstrap, {one.schema_id for one in used}, read_at))
    try:
        used = comparable(used)
        problem = identity_problem(used, found_schemas(registry, used), registry.address)
        if problem is not None:
            raise SettingsError(problem)
    except BaseException:
        registry.close()
        raise
    return registry


def restore_schemas(registry: Registry, used: Iterable[UsedSchema]) -> None:
    """Give a registry the schemas it has lost, under the ids that records refer to.

    Registries count their ids up, so an empty one gives the same ones in the same order. Apicurio
    counts one up, too, where a schema that it has comes under a second subject and keeps its id: a
    gap in the ids is where that happened, so there it happens again.

    Raises:
        RegistryError: it is another registry, gives other ids, or does not answer.
    """
    used = sorted(used)
    found = found_schemas(registry, used)
    other = other_meaning(comparable(used), found)
    if other is not None:
        raise RegistryError(identity_problem([other], found, registry.address))
    by_id: dict[int, list[UsedSchema]] = {}
    for schema in used:
        if found[schema.schema_id] is None:
            by_id.setdefault(schema.schema_id, []).append(schema)
    counted = max((one for one, text in found.items() if text is not None), default=0)
    second_subjects: list[UsedSchema] = []
    for schema_id, (first, *others) in by_id.items():
        while counted + 1 < schema_id and second_subjects:
            _give_back(registry, second_subjects.pop(0))
            counted += 1
        _give_back(registry, first)
        counted = schema_id
        second_subjects += others
    for schema in second_subjects:
        _give_back(registry, schema)


def _give_back(registry: Registry, schema: UsedSchema) -> None:
    given = registry.register_text(schema.subject, schema.text)
    if given != schema.schema_id:
        raise RegistryError(
            f"The schema registry {registry.address} gives {schema.subject} the id {given}, "
            f"but records of this deployment refer to it as {schema.schema_id}: restore the "
            "registry from its backup, or start with an empty one that counts its ids from 1."
        )


def record_schemas(
    bootstrap: str,
    encoder: Encoder[Mapping[str, object]],
    known: Collection[UsedSchema],
    registered: Iterable[UsedSchema],
) -> None:
    """Keep what was registered, unless it is known.

    Raises:
        BrokerError, TopicMismatchError: it could not be written; run it again.
    """
    names = {(one.subject, one.schema_id) for one in known}
    fresh = [one for one in registered if (one.subject, one.schema_id) not in names]
    if not fresh:
        return
    with TopicWriter(bootstrap, [SCHEMA_IDS.name]) as writer:
        for schema in fresh:
            entry = {
                "subject": schema.subject,
                "schema_id": schema.schema_id,
                "schema": schema.text,
            }
            key = f"{schema.subject}:{schema.schema_id}".encode()
            writer.send(SCHEMA_IDS.name, key, encoder.encode(entry))
        writer.finish()


def found_schemas(registry: Registry, used: Iterable[UsedSchema]) -> dict[int, str | None]:
    """What the registry has under the ids that were used, in canonical form; None for nothing.

    Raises:
        RegistryError: no answer.
    """
    ids = sorted({one.schema_id for one in used})
    texts = {schema_id: registry.schema_text(schema_id) for schema_id in ids}
    return {
        schema_id: None if text is None else canonical_form(text)
        for schema_id, text in texts.items()
    }


def comparable(used: Iterable[UsedSchema]) -> tuple[UsedSchema, ...]:
    """The schemas in canonical form, as `found_schemas` has them."""
    return tuple(replace(one, text=canonical_form(one.text)) for one in used)


def _ids_read_again(bootstrap: str, ids: set[int], read_at: float) -> UsedIds:
    """The ids that were used: those of the start, read again when they are too old."""

    def current(since: float) -> Collection[int]:
        nonlocal ids, read_at
        if read_at < since:
            read_at, ids = time.monotonic(), {one.schema_id for one in used_schemas(bootstrap)}
        return ids

    return current
