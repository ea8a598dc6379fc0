"""The Avro contracts below `avro/`: one folder a contract, every released version kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastavro import parse_schema

from streams.core.errors import SettingsError
from streams.settings import settings

AvroSchema = dict[str, Any]

BACKWARD = "BACKWARD_TRANSITIVE"
FULL = "FULL_TRANSITIVE"


@dataclass(frozen=True, slots=True)
class Contract:
    """All released versions of one schema.

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
        return _parsed(self.name)


def contract_names(avro_dir: Path | None = None) -> tuple[str, ...]:
    """Names of every contract, sorted."""
    root = avro_dir or settings().avro_dir
    return tuple(sorted(path.parent.name for path in root.glob("*/v1.avsc")))


@cache
def contract(name: str) -> Contract:
    """Load one contract.

    Raises:
        SettingsError: no such folder, a gap in the version numbers, or text that is not JSON.
    """
    folder = settings().avro_dir / name
    paths = sorted(folder.glob("v*.avsc"), key=lambda path: int(path.stem[1:]))
    if not paths:
        raise SettingsError(f"No contract {name!r} in {settings().avro_dir}: set AVRO_DIR.")
    if [path.stem for path in paths] != [f"v{i}" for i in range(1, len(paths) + 1)]:
        raise SettingsError(f"Versions in {folder} must be v1, v2, … without a gap.")
    return Contract(name, tuple(_load(path) for path in paths))


def _load(path: Path) -> AvroSchema:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise SettingsError(f"{path} must hold one record schema.")
    return schema


@cache
def _parsed(name: str) -> AvroSchema:
    parsed = parse_schema(contract(name).latest, named_schemas={})
    assert isinstance(parsed, dict)
    return parsed


def canonical_json(schema: Mapping[str, Any]) -> str:
    """Schema as the text sent to the registry: stable key order, no spare blanks."""
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)
