"""Whether a schema registry is the one whose ids are in this deployment's records.

Pure. An id means something in one registry only. One that came back empty gives the same ids to
other schemas, and records written before would be read by them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_SHOWN = 5


@dataclass(frozen=True, slots=True, order=True)
class UsedSchema:
    """An id that the registry gave to a schema of this deployment.

    Attributes:
        schema_id: The id.
        subject: Subject it was given under.
        text: The schema, JSON; in canonical form where it is compared, since registries show the
            words and spelling of any version they know.
    """

    schema_id: int
    subject: str
    text: str


def other_meaning(used: Iterable[UsedSchema], found: Mapping[int, str | None]) -> UsedSchema | None:
    """The first id that a registry has for another schema; None when there is none.

    Args:
        used: What this deployment has used.
        found: Schema that the registry has for each of these ids, in canonical form; None for none.
    """
    for schema in sorted(used):
        text = found[schema.schema_id]
        if text is not None and text != schema.text:
            return schema
    return None


def identity_problem(
    used: Iterable[UsedSchema], found: Mapping[int, str | None], address: str
) -> str | None:
    """What is wrong with a registry, with what to do, in one sentence; None when nothing is.

    Args:
        used: What this deployment has used.
        found: Schema that the registry has for each of these ids, in canonical form; None for none.
        address: Of the registry, without password.
    """
    used = sorted(used)
    other = other_meaning(used, found)
    if other is not None:
        return (
            f"The schema registry {address} is another one than this deployment has used: its "
            f"schema {other.schema_id} is not that of {other.subject}. Let SCHEMA_REGISTRY_URL "
            "name the right one, or restore it from its backup."
        )
    missing = sorted({schema.schema_id for schema in used if found[schema.schema_id] is None})
    if missing:
        shown = ", ".join(map(str, missing[:_SHOWN])) + (" …" if len(missing) > _SHOWN else "")
        return (
            f"The schema registry {address} lacks {len(missing)} schemas that this deployment's "
            f"records refer to (ids {shown}): it came back empty or is another one. Let "
            "SCHEMA_REGISTRY_URL name the right one, restore it from its backup, or run "
            "`make schemas-register`, which gives them their ids again where the registry can."
        )
    return None
