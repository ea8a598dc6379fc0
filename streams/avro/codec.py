"""Avro values in the Confluent registry framing: 0x00, schema id (4 bytes, big endian), Avro body.

Encoding never asks the registry: ids are resolved once at start. Decoding asks it once per id, and
once a minute for an id that neither it nor this deployment knows. Both are safe to call from
several threads.
"""

import struct
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar, cast

from fastavro import schemaless_reader
from fastavro.read import SchemaResolutionError
from httpx import URL, HTTPError

from streams.avro.contracts import AvroSchema, Contract, canonical_json, parse
from streams.avro.reader import AvroError, compile_reader
from streams.avro.writer import compile_writer
from streams.core.errors import RegistryError, SettingsError, UnknownSchemaError
from streams.credentials import certificate_advice, registry_settings

# The client imports authlib, which announces its next major version to everybody.
with warnings.catch_warnings(record=True):
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError

MAGIC = 0
_HEADER = struct.Struct(">bi")

# What fastavro raises on values that another version of the schema has no place for.
_UNRESOLVABLE = (SchemaResolutionError, ValueError, LookupError, ArithmeticError, TypeError)

AvroRecord: TypeAlias = dict[str, Any]
"""A record whose contract is not known before; where it is, see `streams.avro.topic_codecs`."""

_Written = TypeVar("_Written", bound=Mapping[str, Any], contravariant=True)
_Decoded = TypeVar("_Decoded", bound=Mapping[str, Any], covariant=True)

_Read: TypeAlias = Callable[[bytes, int], AvroRecord]

_CONFLICT = 409
_NOT_FOUND = 404
_UNPROCESSABLE = 422

_UNKNOWN_ID_SECONDS = 60.0
"""How long an id the registry did not know is not asked for again: foreign bytes come in floods."""
_USED_IDS_SECONDS = 1.0
"""How long the used ids are not read again for those who decode one record after the other."""


class UndecodableError(Exception):
    """Bytes that are no record of ours.

    Attributes:
        rule_id: Reason code of the dead letter.
        schema_id: Id found in the framing, None when there is none.
    """

    def __init__(self, rule_id: str, message: str, schema_id: int | None = None) -> None:
        super().__init__(message)
        self.rule_id = rule_id
        self.schema_id = schema_id


@dataclass(frozen=True, slots=True)
class Encoder(Generic[_Written]):
    """Writes records of one contract. Create it with `Registry.encoder`."""

    schema: AvroSchema
    schema_id: int
    _write: Callable[[Mapping[str, Any]], bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        header = _HEADER.pack(MAGIC, self.schema_id)
        object.__setattr__(self, "_write", compile_writer(self.schema, header))

    def encode(self, record: _Written) -> bytes:
        """Framed bytes of one record; timestamps are aware datetimes.

        Raises:
            ValueError: the record does not fit the schema (a bug).
        """
        return self._write(record)


UsedIds = Callable[[float], Collection[int]]
"""Monotonic time → the ids that this deployment has used, read at that time or later."""


def _none_used(_since: float) -> Collection[int]:
    return ()


class Registry:
    """The schema registry as this product uses it.

    As a context manager it closes its connections; encoders already made go on working.
    """

    def __init__(self, url: str, used_ids: UsedIds = _none_used) -> None:
        """Open it; nothing is asked yet.

        Args:
            url: Its address.
            used_ids: Ids that this deployment's records refer to: that it does not know one of them
                says something about the registry, not about a record.
        """
        self._url = url
        self._used_ids = used_ids
        self._client = SchemaRegistryClient({"url": url, "timeout": 10, **registry_settings()})
        self._writers: dict[int, AvroSchema] = {}
        self._unknown_until: dict[int, float] = {}
        self._versions: dict[int, tuple[tuple[str, int], ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.__exit__(None, None, None)

    @property
    def address(self) -> str:
        """Its address without a password."""
        return str(URL(self._url).copy_with(userinfo=b""))

    def register(self, subject: str, contract: Contract) -> int:
        """Register every version of a contract, oldest first; returns the id of the latest.

        Idempotent: a version already there keeps its id. The contract's compatibility rule is set
        before any second version goes in, so the registry checks it too.

        Raises:
            RegistryError: incompatible with an earlier version, or no answer.
        """
        schemas = [Schema(canonical_json(version), "AVRO") for version in contract.versions]
        try:
            schema_id: int = self._client.register_schema(subject, schemas[0])
            self._client.set_compatibility(subject, contract.compatibility)
            for schema in schemas[1:]:
                schema_id = self._client.register_schema(subject, schema)
        except (SchemaRegistryError, HTTPError) as error:
            raise self._error(f"register {subject}", error) from error
        return schema_id

    def register_text(self, subject: str, text: str) -> int:
        """Register one schema as it is; returns its id.

        Raises:
            RegistryError: refused or no answer.
        """
        try:
            schema_id: int = self._client.register_schema(subject, Schema(text, "AVRO"))
        except (SchemaRegistryError, HTTPError) as error:
            raise self._error(f"register {subject}", error) from error
        return schema_id

    def registered_ids(self, subject: str, contract: Contract) -> dict[int, str]:
        """Text of every version of a registered contract by its id.

        Raises:
            RegistryError: the subject does not hold a version, or no answer.
        """
        texts = [canonical_json(version) for version in contract.versions]
        return {self._lookup(subject, text): text for text in texts}

    def encoder(self, subject: str, contract: Contract) -> Encoder[Mapping[str, Any]]:
        """Encoder for the latest version of a registered subject.

        Raises:
            RegistryError: the subject does not hold this version: run the registration first.
        """
        schema_id = self._lookup(subject, canonical_json(contract.latest))
        return Encoder(contract.parsed(), schema_id)

    def decoder(self, contract: Contract) -> "Decoder[AvroRecord]":
        """Decoder that resolves any writer's version to the contract's latest."""
        return Decoder(self, contract.parsed())

    def head_decoder(self, contract: Contract, last_field: str) -> "Decoder[AvroRecord]":
        """Decoder of the fields up to one, as they were written: for who needs no others."""
        return Decoder(self, contract.parsed(), last_field)

    def any_decoder(self) -> "Decoder[AvroRecord]":
        """Decoder that reads any record as its writer wrote it, whatever its contract."""
        return Decoder(self, None)

    def writer_schema(self, schema_id: int) -> AvroSchema | None:
        """Schema of an id, None when the registry has none of that id.

        Raises:
            UnknownSchemaError: it has none, but this deployment has used the id.
            RegistryError: no answer.
            UndecodableError: the id belongs to something else than an Avro record.
        """
        if schema_id in self._writers:
            return self._writers[schema_id]
        now = time.monotonic()
        if now < self._unknown_until.get(schema_id, 0):
            return None
        return self._ask(schema_id, now - _USED_IDS_SECONDS)

    def _ask(self, schema_id: int, used_since: float) -> AvroSchema | None:
        text = self.schema_text(schema_id)
        if text is None:
            if schema_id in self._used_ids(used_since):
                raise UnknownSchemaError(
                    f"The schema registry {self.address} does not know schema {schema_id} any "
                    "more, to which records of this deployment refer: restore it, or run "
                    "`make schemas-register`, which says what is missing."
                )
            self._unknown_until[schema_id] = time.monotonic() + _UNKNOWN_ID_SECONDS
            return None
        try:
            self._writers[schema_id] = parse(text)
        except SettingsError as error:
            raise UndecodableError(
                "bad_avro", f"Schema {schema_id} is no Avro record: {error}", schema_id
            ) from error
        return self._writers[schema_id]

    def schema_text(self, schema_id: int) -> str | None:
        """Text of a schema as the registry has it, None when it has none of that id.

        Raises:
            RegistryError: no answer.
        """
        if schema_id <= 0:
            return None
        try:
            return self._client.get_schema(schema_id).schema_str or ""
        except (SchemaRegistryError, HTTPError) as error:
            if _is_not_found(error):
                return None
            raise self._error(f"read schema {schema_id}", error) from error

    def resolve(self, values: Iterable[bytes | None]) -> None:
        """Read the schemas of framed values, so that decoding them asks nothing.

        What was unknown is asked again: it may have been used since, by these values.

        Raises:
            UnknownSchemaError: it lacks one that this deployment has used.
            RegistryError: no answer.
        """
        begun = time.monotonic()
        for schema_id in self._unread(values):
            # What it is, if it is none, decoding says.
            with suppress(UndecodableError):
                self._ask(schema_id, begun)

    def has_resolved(self, values: Iterable[bytes | None]) -> bool:
        """Whether the schemas of framed values were read."""
        return not self._unread(values)

    def _unread(self, values: Iterable[bytes | None]) -> set[int]:
        found = {frame_schema_id(value) for value in values} - self._writers.keys()
        return {schema_id for schema_id in found if schema_id is not None}

    def _lookup(self, subject: str, text: str) -> int:
        try:
            registered = self._client.lookup_schema(subject, Schema(text, "AVRO"))
        except (SchemaRegistryError, HTTPError) as error:
            raise self._error(f"find the contract of {subject}", error) from error
        if registered.schema_id is None:
            raise RegistryError(f"The registry gave no id for {subject}.")
        return int(registered.schema_id)

    def versions_of(self, schema_id: int) -> tuple[tuple[str, int], ...]:
        """Every subject that has the schema of an id, with its version there; asked once an id.

        Raises:
            RegistryError: no answer.
        """
        if schema_id <= 0:
            return ()
        if schema_id not in self._versions:
            try:
                found = self._client.get_schema_versions(schema_id)
            except (SchemaRegistryError, HTTPError) as error:
                if not _is_not_found(error):
                    raise self._error(f"find subjects of schema {schema_id}", error) from error
                found = []
            self._versions[schema_id] = tuple(sorted((one.subject, one.version) for one in found))
        return self._versions[schema_id]

    def subjects(self) -> tuple[str, ...]:
        """Every subject it has, sorted.

        Raises:
            RegistryError: no answer.
        """
        try:
            return tuple(sorted(self._client.get_subjects()))
        except (SchemaRegistryError, HTTPError) as error:
            raise self._error("list subjects", error) from error

    def subject_versions(self, subject: str) -> dict[int, str]:
        """Text of every version that a subject has, by its number; none for an unknown one.

        Raises:
            RegistryError: no answer.
        """
        try:
            numbers = self._client.get_versions(subject)
            found = {number: self._client.get_version(subject, number) for number in numbers}
        except (SchemaRegistryError, HTTPError) as error:
            if _is_not_found(error):
                return {}
            raise self._error(f"read the versions of {subject}", error) from error
        return {number: version.schema.schema_str or "" for number, version in found.items()}

    def subject_rule(self, subject: str) -> str | None:
        """Compatibility that a subject is set to, None when it has none of its own.

        Raises:
            RegistryError: no answer.
        """
        try:
            return str(self._client.get_compatibility(subject))
        except (SchemaRegistryError, HTTPError) as error:
            if _is_not_found(error):
                return None
            raise self._error(f"read the compatibility of {subject}", error) from error

    def _error(self, what: str, error: SchemaRegistryError | HTTPError) -> RegistryError:
        advice = "Check that it runs and that SCHEMA_REGISTRY_URL names it."
        advice += certificate_advice(str(error))
        if isinstance(error, SchemaRegistryError):
            if error.http_status_code in (_CONFLICT, _UNPROCESSABLE):
                advice = "Run `make schemas-check`: a version may break the rule of its subject."
            elif error.http_status_code == _NOT_FOUND:
                advice = "Run `make schemas-register` first."
        return RegistryError(f"Schema registry {self.address} could not {what}: {error}. {advice}")


def _is_not_found(error: SchemaRegistryError | HTTPError) -> bool:
    return isinstance(error, SchemaRegistryError) and error.http_status_code == _NOT_FOUND


class Decoder(Generic[_Decoded]):
    """Reads framed records, whatever version wrote them. Get it from `Registry`.

    With a reader schema records come out as that schema has them, without one as written; with a
    last field their first fields as written, and only these have to fit.
    """

    def __init__(
        self,
        registry: Registry,
        reader_schema: AvroSchema | None,
        last_field: str | None = None,
    ) -> None:
        self._registry = registry
        self._reader_schema = reader_schema
        self._last_field = last_field
        # Compiling costs more than reading hundreds of records: done once per schema id.
        self._readers: dict[int, _Read] = {}

    def decode(self, value: bytes | None) -> _Decoded:
        """Record with the fields of the latest version; timestamps are aware UTC datetimes.

        Raises:
            UndecodableError: no framing, a schema id that nobody ever gave, another record's
                schema, or bytes that do not fit.
            RegistryError: the registry does not answer, or lacks a schema it had.
        """
        if not value or len(value) < _HEADER.size or value[0] != MAGIC:
            raise UndecodableError("bad_framing", "The value does not start with a schema id.")
        _, schema_id = _HEADER.unpack_from(value)
        read = self._readers.get(schema_id) or self._reader(schema_id)
        try:
            return cast(_Decoded, read(value, _HEADER.size))
        except AvroError as error:
            raise UndecodableError(
                "bad_avro", f"The bytes do not fit schema {schema_id}: {error}", schema_id
            ) from error

    def _reader(self, schema_id: int) -> _Read:
        writer = self._registry.writer_schema(schema_id)
        if writer is None:
            raise UndecodableError(
                "unknown_schema_id", f"The registry has no schema {schema_id}.", schema_id
            )
        reader, last_field = self._reader_schema, self._last_field
        if reader is not None and last_field is not None and _has_head(writer, reader, last_field):
            read = compile_reader(writer, last_field)
        else:
            read = compile_reader(writer)
            if reader is not None and writer != reader:
                read = _resolving(read, writer, reader)
        self._readers[schema_id] = read
        return read


def _has_head(writer: AvroSchema, reader: AvroSchema, last_field: str) -> bool:
    """Whether a writer's fields up to one are called as the reader's."""
    heads = []
    for schema in (writer, reader):
        names = [field["name"] for field in schema["fields"]]
        heads.append(names[: names.index(last_field) + 1] if last_field in names else None)
    return writer["name"] == reader["name"] and heads[0] == heads[1] is not None


def _resolving(read: _Read, writer: AvroSchema, reader: AvroSchema) -> _Read:
    def resolve(value: bytes, offset: int) -> AvroRecord:
        # The strict reader goes first: fastavro believes any count.
        read(value, offset)
        body = BytesIO(value)
        body.seek(offset)
        try:
            return cast(AvroRecord, schemaless_reader(body, writer, reader))
        except _UNRESOLVABLE as error:
            raise AvroError(f"{writer['name']} cannot be read as {reader['name']}") from error

    return resolve


def frame_schema_id(value: bytes | None) -> int | None:
    """Schema id of framed bytes, None when they are not framed."""
    if not value or len(value) < _HEADER.size or value[0] != MAGIC:
        return None
    schema_id: int = _HEADER.unpack_from(value)[1]
    return schema_id
