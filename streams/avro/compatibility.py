"""Contracts before they reach anyone: the offline check, freezing, the registration.

`avro/frozen.json` holds the SHA-256 of every frozen version. A frozen version never changes,
not even in a `doc`: a registry that compares whole texts would take it for one more version, one
that ignores docs would go on showing the old ones. Better words come with the next version.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import avro.errors
import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from rich.console import Console
from rich.table import Table

from streams.avro.codec import Registry
from streams.avro.contracts import (
    FULL,
    Contract,
    contract,
    contract_names,
    fingerprint,
    load_contract,
)
from streams.avro.explain import explain
from streams.core.errors import SettingsError
from streams.settings import settings
from streams.topics import Topic

Problem = Literal["unreadable", "incompatible", "undocumented", "changed", "unfrozen", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a contract.

    Attributes:
        contract: Folder name.
        version: Version it is about, e.g. 2.
        problem: `unreadable`: no Avro schema. `incompatible`: breaks the contract's rule.
            `undocumented`: a record or field without a `doc`. `changed`: differs from what was
            frozen. `unfrozen`: not in the list of frozen versions. `missing`: in the list of frozen
            versions, but not in the folder.
        message: What is wrong and what to do.
    """

    contract: str
    version: int
    problem: Problem
    message: str


def check(avro_dir: Path | None = None) -> tuple[Finding, ...]:
    """Check every kept version of every contract, without any service.

    Each version must be an Avro schema, compatible with all earlier ones by the contract's rule,
    say what each of its fields means, and be exactly as frozen.

    Raises:
        SettingsError: a folder or the list of frozen versions cannot be read.
    """
    root = avro_dir or settings().avro_dir
    frozen = _frozen(root)
    contracts = [load_contract(root / name) for name in contract_names(root)]
    findings = list(_missing(contracts, frozen))
    for found in contracts:
        findings += check_compatibility(found)
        findings += _check_docs(found)
        findings += _check_frozen(found, frozen.get(found.name, ()))
    return tuple(findings)


def check_compatibility(contract: Contract) -> tuple[Finding, ...]:
    """Check every version of a contract against all earlier ones by the contract's rule.

    A logical type must stay what it is: libraries accept milliseconds read as microseconds.
    """
    schemas: dict[int, avro.schema.Schema] = {}
    findings: list[Finding] = []
    for version, found in enumerate(contract.versions, start=1):
        try:
            schemas[version] = _parse(found)
        except (avro.errors.AvroException, avro.errors.AvroWarning) as error:
            findings.append(
                Finding(contract.name, version, "unreadable", f"No Avro schema: {error}")
            )
    for older, newer in combinations(schemas, 2):
        reasons = [
            reason
            for reader, writer in _pairs(contract.compatibility, older, newer)
            for reason in _incompatibilities(contract, schemas, reader, writer)
        ]
        earlier = _logical_types(contract.versions[older - 1])
        for place, logical_type in _logical_types(contract.versions[newer - 1]).items():
            if earlier.get(place, logical_type) != logical_type:
                reasons.append(f"{place} was {earlier[place]} in v{older}, is {logical_type}")
        findings += [
            Finding(
                contract.name,
                newer,
                "incompatible",
                f"{reason}. Rule: {contract.compatibility}.",
            )
            for reason in reasons
        ]
    return tuple(findings)


def freeze(avro_dir: Path | None = None) -> tuple[str, ...]:
    """Add the versions that are not in the list of frozen versions; returns their names.

    What is listed stays as it is: a frozen version that changed remains a finding.

    Raises:
        SettingsError: a folder or the list of frozen versions cannot be read.
    """
    root = avro_dir or settings().avro_dir
    frozen = _frozen(root)
    contracts = [load_contract(root / name) for name in contract_names(root)]
    added = []
    for found in contracts:
        known = frozen.setdefault(found.name, [])
        for version, schema in enumerate(found.versions[len(known) :], start=len(known) + 1):
            known.append(fingerprint(schema))
            added.append(f"{found.name} v{version}")
    text = json.dumps(frozen, indent=2, sort_keys=True)
    _frozen_list(root).write_text(text + "\n", encoding="utf-8")
    return tuple(added)


def register_all(registry: Registry, topics: Iterable[Topic]) -> dict[str, int]:
    """Register the contract of each topic under its subject; returns the ids by subject.

    Idempotent.

    Raises:
        RegistryError: refused or no answer.
        SettingsError: a topic has no contract.
    """
    return register_subjects(
        registry, ((topic.subject(), contract(topic.contract_name)) for topic in topics)
    )


def register_subjects(
    registry: Registry, subjects: Iterable[tuple[str, Contract]]
) -> dict[str, int]:
    """Register contracts under the given subjects; returns the ids by subject. Idempotent.

    Raises:
        RegistryError: refused or no answer.
    """
    return {subject: registry.register(subject, found) for subject, found in subjects}


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Show what `check` found, one row a finding."""
    if not findings:
        console.print("Every contract is as frozen and compatible with all its versions.")
        return
    table = Table("contract", "version", "problem", "what to do", title="Contracts")
    for finding in findings:
        table.add_row(finding.contract, f"v{finding.version}", finding.problem, finding.message)
    console.print(table)


def print_registered(ids: Mapping[str, int], console: Console) -> None:
    """Show the schema id of each subject."""
    table = Table("subject", "schema id", title="Registered")
    for subject, schema_id in sorted(ids.items()):
        table.add_row(subject, str(schema_id))
    console.print(table)


def _pairs(rule: str, older: int, newer: int) -> Iterator[tuple[int, int]]:
    """Reader and writer versions that must fit."""
    yield newer, older
    if rule == FULL:
        yield older, newer


def _parse(schema: Mapping[str, Any]) -> avro.schema.Schema:
    with warnings.catch_warnings():
        # A misspelled logical type is only warned about and then ignored.
        warnings.simplefilter("error", avro.errors.AvroWarning)
        return avro.schema.parse(json.dumps(schema))


def _incompatibilities(
    contract: Contract, schemas: Mapping[int, avro.schema.Schema], reader: int, writer: int
) -> Iterator[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(schemas[reader], schemas[writer])
    if result.compatibility is SchemaCompatibilityType.compatible:
        return
    versions = contract.versions
    reasons = explain(versions[reader - 1], versions[writer - 1], reader_is_newer=reader > writer)
    for reason in tuple(reasons) or sorted(result.messages):
        yield f"v{reader} cannot read what v{writer} wrote: {reason}"


def _check_docs(found: Contract) -> Iterator[Finding]:
    for version, schema in enumerate(found.versions, start=1):
        for place in _undocumented(schema):
            yield Finding(
                found.name,
                version,
                "undocumented",
                f"{place} has no doc: say what it means, in which unit, and what null means.",
            )


def _undocumented(schema: Any, place: str = "") -> Iterator[str]:
    """Records and fields without a doc, by their path."""
    for branch in schema if isinstance(schema, list) else [schema]:
        if not isinstance(branch, dict):
            continue
        if branch["type"] == "record" and not str(branch.get("doc", "")).strip():
            yield place or str(branch["name"])
        for field in branch.get("fields", ()):
            inner = f"{place}.{field['name']}".lstrip(".")
            if not str(field.get("doc", "")).strip():
                yield inner
            yield from _undocumented(field["type"], inner)
        for inner_key in ("items", "values"):
            if inner_key in branch:
                yield from _undocumented(branch[inner_key], f"{place}[]")


def _logical_types(schema: Any, place: str = "") -> dict[str, str]:
    """Logical type, or "none", of every scalar of a schema by its path."""
    if isinstance(schema, list):
        return {
            path: logical_type
            for branch in schema
            if branch != "null"
            for path, logical_type in _logical_types(branch, place).items()
        }
    if not isinstance(schema, dict):
        return {place: "none"}
    found: dict[str, str] = {}
    for field in schema.get("fields", ()):
        found |= _logical_types(field["type"], f"{place}.{field['name']}".lstrip("."))
    for inner in ("items", "values"):
        if inner in schema:
            found |= _logical_types(schema[inner], f"{place}[]")
    return found or {place: str(schema.get("logicalType", "none"))}


def _check_frozen(found: Contract, frozen: Sequence[str]) -> Iterator[Finding]:
    for version, schema in enumerate(found.versions, start=1):
        if version > len(frozen):
            yield Finding(
                found.name,
                version,
                "unfrozen",
                "Not in frozen.json: `make schemas-freeze` adds it.",
            )
        elif fingerprint(schema) != frozen[version - 1]:
            yield Finding(
                found.name,
                version,
                "changed",
                f"A frozen version never changes: restore v{version}.avsc and put the change "
                f"into v{len(found.versions) + 1}.avsc.",
            )


def _missing(
    contracts: Iterable[Contract], frozen: Mapping[str, Sequence[str]]
) -> Iterator[Finding]:
    versions = {found.name: len(found.versions) for found in contracts}
    for name, fingerprints in frozen.items():
        for version in range(versions.get(name, 0) + 1, len(fingerprints) + 1):
            yield Finding(
                name,
                version,
                "missing",
                f"Every frozen version is kept: restore {name}/v{version}.avsc.",
            )


def _frozen_list(root: Path) -> Path:
    return root / "frozen.json"


def _frozen(root: Path) -> dict[str, list[str]]:
    """Fingerprints by contract, oldest version first."""
    path = _frozen_list(root)
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}. Restore it.") from error
    return {str(name): [str(value) for value in values] for name, values in found.items()}
