"""What a check of one record is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streams.core.records import RawRecord
from streams.core.rule import Rule
from streams.core.tolerances import Tolerances

Fails = Callable[[Any, RawRecord, Tolerances], bool]
"""(payload of the kinds the check is listed for, the raw record it comes from, limits) → fails."""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that flags, and the pure function that says when."""

    rule: Rule
    fails: Fails
