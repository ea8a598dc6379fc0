"""`make schemas-diff`: what the schema registry has and this clone lacks, and the reverse."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from streams.avro.codec import Registry
from streams.avro.contracts import Contract, canonical_form, canonical_json
from streams.commands.deploy import all_subjects
from streams.settings import Settings

_REGISTER = "run `make schemas-register`"


def schemas_diff(settings: Settings) -> tuple[str, ...]:
    """Every difference, one sentence each with what to do.

    Schemas are compared in canonical form: registries show words, spelling and defaults of any
    version they know.

    Raises:
        RegistryError: no answer.
    """
    subjects = all_subjects(settings)
    with Registry(settings.schema_registry_url) as registry:
        found = {subject: registry.subject_versions(subject) for subject in subjects}
        rules = {subject: registry.subject_rule(subject) for subject in subjects if found[subject]}
        return (
            *_of_versions(subjects, found),
            *_of_rules(subjects, rules),
            *_of_subjects(settings, subjects, registry.subjects()),
        )


def _of_versions(
    subjects: Mapping[str, Contract], found: Mapping[str, Mapping[int, str]]
) -> Iterator[str]:
    for subject, contract in subjects.items():
        ours = [canonical_form(canonical_json(version)) for version in contract.versions]
        theirs = {number: canonical_form(text) for number, text in found[subject].items()}
        for number, version in enumerate(ours, start=1):
            if version not in theirs.values():
                yield f"The registry lacks version {number} of {subject}: {_REGISTER}."
        for number, schema in theirs.items():
            if schema not in ours:
                yield (
                    f"This clone lacks what the registry has as version {number} of {subject}: "
                    f"update the clone, or give {contract.name} that version."
                )


def _of_rules(subjects: Mapping[str, Contract], rules: Mapping[str, str | None]) -> Iterator[str]:
    for subject, rule in rules.items():
        wanted = subjects[subject].compatibility
        if rule != wanted:
            has = "no rule of its own" if rule is None else f"the rule {rule}"
            yield f"{subject} has {has} in the registry, its contract has {wanted}: {_REGISTER}."


def _of_subjects(
    settings: Settings, subjects: Mapping[str, Contract], known: Iterable[str]
) -> Iterator[str]:
    """Subjects of this product's names: a registry may have those of others, too."""
    names: Sequence[str] = ("raw.", f"{settings.app_id}-")
    for subject in known:
        if subject.startswith(tuple(names)) and subject not in subjects:
            yield (
                f"This clone has no contract for {subject} of the registry: update the clone; when "
                "its source or stage is gone for good, its records still need it."
            )
