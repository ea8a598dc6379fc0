"""Why one version of a schema cannot read what another wrote: the fields, and what to do.

Avro's own checker decides (`streams.avro.compatibility`); it names positions, not fields, and
none inside a union.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PROMOTED = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
"""What a reader may have instead of what was written."""

_KEEP_TYPE = "keep its type and put the other one into a new field"


def explain(
    reader: Mapping[str, Any], writer: Mapping[str, Any], *, reader_is_newer: bool
) -> Iterator[str]:
    """Every reason, one sentence each: field, what is wrong, what to do.

    Args:
        reader: Version that reads, as in its file.
        writer: Version that wrote.
        reader_is_newer: Whether the reader is the later version, so the one that can be changed.
    """
    return _Comparison(_named(reader), _named(writer), reader_is_newer).of(reader, writer, "")


class _Comparison:
    def __init__(
        self, reader_types: dict[str, Any], writer_types: dict[str, Any], reader_is_newer: bool
    ) -> None:
        self._reader_types = reader_types
        self._writer_types = writer_types
        self._reader_is_newer = reader_is_newer
        self._seen: set[tuple[str, str]] = set()

    def of(self, reader: Any, writer: Any, place: str) -> Iterator[str]:
        """Reasons at a place of both schemas."""
        readers = [self._reader_types.get(str(one), one) for one in _branches(reader)]
        for branch in _branches(writer):
            written = self._writer_types.get(str(branch), branch)
            read = next((one for one in readers if _fits(one, written)), None)
            if read is None:
                yield self._unreadable(readers, written, place)
            elif isinstance(read, dict) and isinstance(written, dict):
                yield from self._inside(read, written, place)

    def _unreadable(self, readers: Sequence[Any], written: Any, place: str) -> str:
        named = _name(written)
        if named is not None and any(_kind(one) == _kind(written) for one in readers):
            other = next(_name(one) for one in readers if _kind(one) == _kind(written))
            newer, older = (other, named) if self._reader_is_newer else (named, other)
            return (
                f"{place or 'the record'} is called {newer}, was {older}: keep the name, or list "
                "the old one in `aliases`"
            )
        allowed = ", ".join(_kind(one) for one in readers)
        return f"{place} was written as {_kind(written)}, is read as {allowed}: {_KEEP_TYPE}"

    def _inside(
        self, reader: Mapping[str, Any], writer: Mapping[str, Any], place: str
    ) -> Iterator[str]:
        for inner in ("items", "values"):
            if inner in reader:
                yield from self.of(reader[inner], writer[inner], f"{place}[]")
        if reader["type"] == "enum" and "default" not in reader:
            for symbol in sorted(set(writer["symbols"]) - set(reader["symbols"])):
                yield (
                    f"{place} lacks the symbol {symbol}: keep it"
                    if self._reader_is_newer
                    else f"{place} has the new symbol {symbol}, and no default for readers of "
                    "before: leave it out, or make a new field, a text with a vocabulary"
                )
        pair = (str(reader.get("name")), str(writer.get("name")))
        if reader["type"] != "record" or pair in self._seen:
            return
        self._seen.add(pair)
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            inner_place = f"{place}.{field['name']}".lstrip(".")
            names = [field["name"], *field.get("aliases", ())]
            other = next((written[name] for name in names if name in written), None)
            if other is not None:
                yield from self.of(field["type"], other["type"], inner_place)
            elif "default" not in field:
                yield (
                    f'{inner_place} is new and has no default: make it nullable, `"default": null`'
                    if self._reader_is_newer
                    else f"{inner_place} is gone, and readers of before need it: keep it"
                )


def _branches(schema: Any) -> list[Any]:
    return schema if isinstance(schema, list) else [schema]


def _kind(schema: Any) -> str:
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _name(schema: Any) -> str | None:
    return schema.get("name") if isinstance(schema, dict) else None


def _fits(reader: Any, writer: Any) -> bool:
    """Whether a branch is read by one of its kind and name, whatever is inside."""
    if _kind(reader) != _kind(writer):
        return _kind(reader) in _PROMOTED.get(_kind(writer), ())
    names = [_name(reader), *(reader.get("aliases", ()) if isinstance(reader, dict) else ())]
    return _name(writer) in [name and name.rpartition(".")[2] for name in names]


def _named(schema: Any) -> dict[str, Any]:
    """Every named type of a schema, by its name without a namespace and with it."""
    found: dict[str, Any] = {}

    def look(one: Any, namespace: str) -> None:
        if isinstance(one, list):
            for branch in one:
                look(branch, namespace)
        elif isinstance(one, dict):
            space = one.get("namespace", namespace)
            if "name" in one and one["type"] in ("record", "enum", "fixed"):
                found[one["name"]] = found[f"{space}.{one['name']}"] = one
            for field in one.get("fields", ()):
                look(field["type"], space)
            for inner in ("items", "values"):
                look(one.get(inner), space)
            if isinstance(one["type"], dict | list):
                look(one["type"], space)

    look(schema, "")
    return found
