"""Candidates: pairs of source entities of which scores cannot tell whether they are one asset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.tables import CANDIDATES
from streams.core.reconcile.in_words import decide_command

_NEWEST = f"SELECT argMax(generation, version) FROM {CANDIDATES.name} FINAL WHERE open"  # noqa: S608

OPEN = f"open AND generation = ({_NEWEST})"
"""Condition of a stored candidate that it is undecided; what an older generation left is not."""


@dataclass(frozen=True, slots=True)
class ScorePart:
    """What one kind of evidence adds to the score of a pair.

    Attributes:
        evidence: base, name, position, numbers, capacity, groups, years, country, standing or
            floating.
        weight: In log-odds; negative where it speaks against the pair.
    """

    evidence: str
    weight: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two source entities that may be one asset; a decision by hand closes the question.

    Attributes:
        key: Identity of the pair.
        kind: Canonical kind of both.
        one_asset_id, other_asset_id: Assets that they are members of now.
        joined: Whether these are one as long as nobody decides.
        match_score: Sum of the parts, in log-odds.
        threshold: Score from which a pair may be joined, in log-odds.
        parts: Every kind of evidence that adds something.
        would_decide: What at most one of them says, of what would tell; none: only a person can.
        must_link_command: Says in a terminal that they are one asset.
        cannot_link_command: Says in a terminal that they are two.
    """

    key: str
    kind: str
    one_source_id: str
    one_entity_id: str
    one_asset_id: str
    other_source_id: str
    other_entity_id: str
    other_asset_id: str
    joined: bool
    match_score: float
    threshold: float
    parts: Sequence[ScorePart]
    would_decide: Sequence[str]
    must_link_command: str
    cannot_link_command: str

    @classmethod
    def of(cls, *values: Any) -> Self:
        """From the values of a row, in the order of the fields."""
        row = dict(zip(_COLUMNS, values, strict=True))
        row["parts"] = [_part(one) for one in row["parts"]]
        one, other = (f"{row[f'{side}_source_id']}:{row[f'{side}_entity_id']}" for side in _SIDES)
        return cls(
            **row,
            must_link_command=decide_command("must-link", row["kind"], one, other),
            cannot_link_command=decide_command("cannot-link", row["kind"], one, other),
        )

    @property
    def gap(self) -> float:
        """How far the score is from the threshold."""
        return round(abs(self.match_score - self.threshold), _ROUNDED)


@dataclass(frozen=True, slots=True)
class After:
    """The last row of a page: how far its score is from the threshold, and its key."""

    gap: float
    key: str


_SIDES = ("one", "other")
_COLUMNS = tuple(name for name in Candidate.__dataclass_fields__ if not name.endswith("_command"))
_ROUNDED = 9
_GAP = f"round(abs(match_score - threshold), {_ROUNDED})"


def candidates(
    asset_id: str | None = None,
    kind: str | None = None,
    after: After | None = None,
    limit: int = 100,
) -> BoundQuery[Candidate]:
    """Undecided pairs, those nearest to the threshold first.

    Args:
        asset_id: Only those with a member of this asset.
        kind: Only of this kind.
        after: The last row of the page before.
        limit: Most rows.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    conditions = [OPEN]
    parameters: dict[str, Any] = {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)}
    if asset_id is not None:
        conditions.append("{asset:String} IN (one_asset_id, other_asset_id)")
        parameters["asset"] = bounds.text("asset_id", asset_id)
    if kind is not None:
        conditions.append("kind = {kind:String}")
        parameters["kind"] = bounds.text("kind", kind)
    if after is not None:
        conditions.append(f"({_GAP}, key) > ({{gap:Float64}}, {{after:String}})")
        parameters["gap"] = bounds.number("cursor", after.gap)
        parameters["after"] = bounds.text("cursor", after.key, _LONGEST_KEY)
    return BoundQuery(
        f"SELECT {', '.join(_COLUMNS)} FROM {CANDIDATES.name} FINAL "  # noqa: S608
        f"WHERE {' AND '.join(conditions)} ORDER BY {_GAP}, key LIMIT {{limit:UInt32}}",
        parameters,
        Candidate.of,
        _COLUMNS,
    )


_LONGEST_KEY = 1_000


def _part(value: Mapping[str, Any] | Sequence[Any]) -> ScorePart:
    """A part as the embedded engine or a server hands it over."""
    return ScorePart(**value) if isinstance(value, Mapping) else ScorePart(*value)
