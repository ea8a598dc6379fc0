"""Avro values in the Confluent registry framing: 0x00, schema id (4 bytes, big endian), Avro body.

Encoding never asks the registry: ids are resolved once at start. Decoding asks it once per id, and
once a minute for an id it does not know. Both are safe to call from several threads.
"""

import struct
import time
import warnings
from collections.abc import Callable, Mapping
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
from streams.core.errors import RegistryError, SettingsError

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


class Registry:
    """The schema registry as this product uses it.

    As a context manager it closes its connections; encoders already made go on working.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = SchemaRegistryClient({"url": url, "timeout": 10})
        self._writers: dict[int, AvroSchema] = {}
        self._unknown_until: dict[int, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.__exit__(kind, error, trace)

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

    def encoder(self, subject: str, contract: Contract) -> Encoder[Mapping[str, Any]]:
        """Encoder for the latest version of a registered subject.

        Raises:
            RegistryError: the subject does not hold this version: run the registration first.
        """
        schema = Schema(canonical_json(contract.latest), "AVRO")
        try:
            registered = self._client.lookup_schema(subject, schema)
        except (SchemaRegistryError, HTTPError) as error:
            raise self._error(f"find the contract of {subject}", error) from error
        if registered.schema_id is None:
            raise RegistryError(f"The registry gave no id for {subject}.")
        return Encoder(contract.parsed(), registered.schema_id)

    def decoder(self, contract: Contract) -> "Decoder[AvroRecord]":
        """Decoder that resolves any writer's version to the contract's latest."""
        return Decoder(self, contract.parsed())

    def any_decoder(self) -> "Decoder[AvroRecord]":
        """Decoder that reads any record as its writer wrote it, whatever its contract."""
        return Decoder(self, None)

    def writer_schema(self, schema_id: int) -> AvroSchema | None:
        """Schema of an id, None when the registry has none of that id.

        Raises:
            RegistryError: no answer.
            UndecodableError: the id belongs to something else than an Avro record.
        """
        if schema_id in self._writers:
            return self._writers[schema_id]
        if schema_id <= 0:
            return None
        if time.monotonic() < self._unknown_until.get(schema_id, 0):
            return None
        try:
            text = self._client.get_schema(schema_id).schema_str
        except (SchemaRegistryError, HTTPError) as error:
            if isinstance(error, SchemaRegistryError) and error.http_status_code == _NOT_FOUND:
                self._unknown_until[schema_id] = time.monotonic() + _UNKNOWN_ID_SECONDS
                return None
            raise self._error(f"read schema {schema_id}", error) from error
        try:
            self._writers[schema_id] = parse(text or "")
        except SettingsError as error:
            raise UndecodableError(
                "bad_avro", f"Schema {schema_id} is no Avro record: {error}", schema_id
            ) from error
        return self._writers[schema_id]

    def _error(self, what: str, error: SchemaRegistryError | HTTPError) -> RegistryError:
        address = URL(self._url).copy_with(userinfo=b"")
        advice = "Check that it runs and that SCHEMA_REGISTRY_URL names it."
        if isinstance(error, SchemaRegistryError):
            if error.http_status_code in (_CONFLICT, _UNPROCESSABLE):
                advice = "Run `make schemas-check`: a version may break the rule of its subject."
            elif error.http_status_code == _NOT_FOUND:
                advice = "Run `make schemas-register` first."
        return RegistryError(f"Schema registry {address} could not {what}: {error}. {advice}")


class Decoder(Generic[_Decoded]):
    """Reads framed records, whatever version wrote them. Get it from `Registry`.

    With a reader schema records come out as that schema has them, without one as written.
    """

    def __init__(self, registry: Registry, reader_schema: AvroSchema | None) -> None:
        self._registry = registry
        self._reader_schema = reader_schema
        # Compiling costs more than reading hundreds of records: done once per schema id.
        self._readers: dict[int, _Read] = {}

    def decode(self, value: bytes | None) -> _Decoded:
        """Record with the fields of the latest version; timestamps are aware UTC datetimes.

        Raises:
            UndecodableError: no framing, unknown schema id, another record's schema, or bytes
                that do not fit.
            RegistryError: the registry does not answer.
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
        read = compile_reader(writer)
        if self._reader_schema is not None and writer != self._reader_schema:
            read = _resolving(read, writer, self._reader_schema)
        self._readers[schema_id] = read
        return read


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
