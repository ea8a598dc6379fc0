"""A candidate in words: what its evidence is, and the command that makes a decision of it."""

import shlex
from collections.abc import Mapping
from typing import Final

EVIDENCE: Final[Mapping[str, str]] = {
    "base": "where any two records begin",
    "name": "names",
    "position": "position",
    "numbers": "numbers in the names",
    "capacity": "capacity",
    "groups": "fuel, voltage or type",
    "years": "years of first operation",
    "country": "country",
    "standing": "what was built, and when",
    "floating": "floating or not",
    "owner": "owners and operators",
}
"""What each part of a score is about."""


def evidence_words(evidence: str) -> str:
    """What a part of a score is about; one that this program does not know as it is written."""
    return EVIDENCE.get(evidence, evidence.replace("_", " "))


def decide_command(verdict: str, kind: str, one: str, other: str) -> str:
    """The command that decides a pair, ready to be pasted but for the reason.

    Args:
        verdict: must-link or cannot-link.
        kind: Canonical kind.
        one: Source and entity id of the first, with a colon between.
        other: The same of the second.
    """
    named = shlex.join([verdict, kind, one, other])
    return f'python -m streams decide {named} --reason "…"'
