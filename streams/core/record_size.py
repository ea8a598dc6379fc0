"""What fits into one Kafka record, and what is kept of what does not.

Pure. Clients send at most 1,000,000 bytes by default, counted before compression, while a
compressed record that they read may be many times larger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, cast

from streams.core import contract_types as avro
from streams.core.flag_rules import SHORTENED

MOST_BYTES = 950_000
"""Key and value of a record that a stage reads or writes; its state adds some hundred bytes."""

_MOST_CONTENT_BYTES = 900_000
_MOST_KEY_BYTES = 10_000
_MOST_HEADER_BYTES = 100_000
_HEADER_OVERHEAD_BYTES = 16

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a record that is not kept whole.

    Attributes:
        part: `key`, `value` or `headers`.
        whole_bytes: Its size.
        sha256: Its digest, hex; of headers, of their names and values one after the other.
    """

    part: str
    whole_bytes: int
    sha256: str

    @classmethod
    def of(cls, part: str, whole: bytes) -> "Cut":
        """What is said of a part."""
        return cls(part, len(whole), sha256(whole).hexdigest())

    def to_avro(self) -> avro.Cut:
        """Avro form."""
        return {"part": self.part, "whole_bytes": self.whole_bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Content:
    """Key, value and headers of a record.

    Attributes:
        cuts: Parts of which only the beginning is here.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers
    cuts: tuple[Cut, ...] = ()

    def fitting(self) -> "Content":
        """As much of it as fits into a dead letter, from the beginning of each part."""
        fitted, room = self, _MOST_CONTENT_BYTES
        if self.key is not None and len(self.key) > _MOST_KEY_BYTES:
            fitted = replace(fitted, key=self.key[:_MOST_KEY_BYTES])._with_cut("key", self.key)
        room -= len(fitted.key or b"")
        if sum(map(_header_bytes, self.headers)) > _MOST_HEADER_BYTES:
            whole = b"".join(name.encode() + (text or b"") for name, text in self.headers)
            fitted = replace(fitted, headers=_first(self.headers))._with_cut("headers", whole)
        room -= sum(map(_header_bytes, fitted.headers))
        if self.value is not None and len(self.value) > room:
            fitted = replace(fitted, value=self.value[:room])._with_cut("value", self.value)
        return fitted

    def is_of(self, whole: "Content") -> bool:
        """Whether this is what is kept of a record."""
        return self == whole.fitting()

    def _with_cut(self, part: str, whole: bytes) -> "Content":
        return replace(self, cuts=(*self.cuts, Cut.of(part, whole)))


def _header_bytes(header: tuple[str, bytes | None]) -> int:
    name, text = header
    return len(name.encode()) + len(text or b"") + _HEADER_OVERHEAD_BYTES


def _first(headers: Headers) -> Headers:
    """The headers that fit, as long as all before them do."""
    kept: list[tuple[str, bytes | None]] = []
    room = _MOST_HEADER_BYTES
    for header in headers:
        room -= _header_bytes(header)
        if room < 0:
            break
        kept.append(header)
    return tuple(kept)


def fits(key: bytes | None, value: bytes | None) -> bool:
    """Whether a record is one that stages read and write."""
    return len(key or b"") + len(value or b"") <= MOST_BYTES


def shortened(
    canonical: avro.InfrastructureRecord, size_of: Callable[[avro.InfrastructureRecord], int]
) -> avro.InfrastructureRecord:
    """A canonical record that fits, by flag `shortened` when something had to go.

    The figures that lost go first, then the longest list gives its second half, again and again.
    Nothing of what reconciliation knows changes: it keeps every member by itself.

    Args:
        canonical: The record.
        size_of: Bytes of a record.
    """
    if size_of(canonical) <= MOST_BYTES:
        return canonical
    record = _without_losing(canonical)
    while size_of(record) > MOST_BYTES:
        found = _longest_list(record)
        if found is None:
            break
        record = _halved(record, *found)
    return record


def _without_losing(canonical: avro.InfrastructureRecord) -> avro.InfrastructureRecord:
    provenance = [
        cast(avro.Provenance, {**group, "losing": []}) for group in canonical["provenance"]
    ]
    flags = sorted({*canonical["flags"], SHORTENED.id})
    return {**canonical, "provenance": provenance, "flags": flags}


def _longest_list(record: avro.InfrastructureRecord) -> tuple[str, str | None] | None:
    """Field, or field of the payload, that holds the longest list; None when none can be halved."""
    payload = record["kind"]
    fields = cast(dict[str, Any], record)
    lists: list[tuple[int, str, str | None]] = [
        (len(fields[name]), name, None) for name in ("members", "links") if len(fields[name]) > 1
    ]
    lists += [
        (len(value), payload, name)
        for name, value in (fields.get(payload) or {}).items()
        if isinstance(value, list) and len(value) > 1
    ]
    if not lists:
        return None
    _, name, inner = max(lists, key=lambda found: (found[0], found[1], found[2] or ""))
    return name, inner


def _halved(
    record: avro.InfrastructureRecord, name: str, inner: str | None
) -> avro.InfrastructureRecord:
    fields: dict[str, Any] = dict(record)
    if inner is None:
        fields[name] = _half(fields[name])
    else:
        fields[name] = {**fields[name], inner: _half(fields[name][inner])}
    members = len(fields["members"])
    fields["provenance"] = [group for group in fields["provenance"] if group["member"] < members]
    return cast(avro.InfrastructureRecord, fields)


def _half(items: Sequence[Any]) -> list[Any]:
    return list(items[: len(items) // 2])
