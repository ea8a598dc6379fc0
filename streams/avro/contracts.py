"""The Avro contracts below `avro/`: one folder a contract, every frozen version kept."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastavro import parse_schema
from fastavro.schema import SchemaParseException, to_parsing_canonical_form

from streams.core.errors import SettingsError
from streams.settings import settings

AvroSchema = dict[str, Any]

BACKWARD = "BACKWARD_TRANSITIVE"
FULL = "FULL_TRANSITIVE"

_VERSION_FILE = re.compile(r"v([1-9][0-9]*)\.avsc")


@dataclass(frozen=True, slots=True)
class Contract:
    """All frozen versions of one schema.

    Attributes:
        name: Folder name, e.g. `market.infrastructure`.
        versions: Schemas as written in `v1.avsc`, `v2.avsc` …, oldest first.
    """

    name: str
    versions: tuple[AvroSchema, ...]

    @property
    def latest(self) -> AvroSchema:
        """Schema that writers use and readers resolve to."""
        return self.versions[-1]

    @property
    def compatibility(self) -> str:
        """Rule for new versions: readers of raw records and dead letters are upgraded first."""
        return BACKWARD if self.name.startswith("raw.") or self.name == "dead_letters" else FULL

    def parsed(self) -> AvroSchema:
        """The latest version, parsed for fastavro."""
        return parse(canonical_json(self.latest))


def contract_names(avro_dir: Path | None = None) -> tuple[str, ...]:
    """Names of every contract, sorted.

    Raises:
        SettingsError: the folder holds no contract.
    """
    root = avro_dir or settings().avro_dir
    names = tuple(sorted({path.parent.name for path in root.glob("*/*.avsc")}))
    if not names:
        raise SettingsError(
            f"AVRO_DIR names {root}, which holds no contracts: set it to the project's folder "
            "avro, or leave it out."
        )
    return names


@cache
def contract(name: str) -> Contract:
    """Load one contract of this product, once.

    Raises:
        SettingsError: no such folder, a gap in the version numbers, or text that is not JSON.
    """
    return load_contract(settings().avro_dir / name)


def load_contract(folder: Path) -> Contract:
    """Load every version in a folder, which names the contract.

    Raises:
        SettingsError: no such folder, a gap in the version numbers, or text that is not JSON.
    """
    paths = {path.name: path for path in folder.glob("*.avsc")}
    if not paths:
        raise SettingsError(
            f"There is no contract {folder.name} in {folder.parent}: set AVRO_DIR to the project's "
            "folder avro, or leave it out."
        )
    strange = sorted(name for name in paths if not _VERSION_FILE.fullmatch(name))
    expected = [f"v{number}.avsc" for number in range(1, len(paths) + 1)]
    if strange or set(expected) != paths.keys():
        raise SettingsError(
            f"{folder} holds {', '.join(sorted(paths))}; name the versions v1.avsc, v2.avsc … "
            "without a gap."
        )
    return Contract(folder.name, tuple(_load(paths[name]) for name in expected))


def _load(path: Path) -> AvroSchema:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}") from error
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise SettingsError(f"{path} must hold one record schema.")
    return schema


@cache
def parse(text: str) -> AvroSchema:
    """A schema text, parsed for fastavro; equal texts give the same object.

    Raises:
        SettingsError: the text is not an Avro record schema.
    """
    try:
        parsed = parse_schema(json.loads(text), named_schemas={})
    except (ValueError, TypeError, AttributeError, KeyError, SchemaParseException) as error:
        raise SettingsError(f"Not an Avro schema: {error}") from error
    if not isinstance(parsed, dict) or parsed.get("type") != "record":
        raise SettingsError("Not an Avro record schema.")
    return parsed


def canonical_form(text: str) -> str:
    """A schema text in Avro's canonical form: equal for what reads the same, whatever its words."""
    try:
        return str(to_parsing_canonical_form(parse(text)))
    except SettingsError:
        return text


def canonical_json(schema: Mapping[str, Any]) -> str:
    """Schema as the text sent to the registry: keys as in the file, no spare blanks."""
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)


def fingerprint(schema: Mapping[str, Any]) -> str:
    """SHA-256 of the text sent to the registry, hex: docs, defaults and logical types included."""
    return hashlib.sha256(canonical_json(schema).encode()).hexdigest()
