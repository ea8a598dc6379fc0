"""Which generation the tables show, and whether a switch to another is being shown.

Showing a switch fills one table after the other. So the sink says that it begins, waits until
nobody goes by what was seen before, fills the tables, and says that all of them are filled.
"""

from dataclasses import dataclass
from typing import Final

from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.tables import GENERATIONS

VALID_SECONDS: Final = 2.0
"""How long what was seen may be gone by, counted from the question."""

ANNOUNCED_SECONDS: Final = VALID_SECONDS + 0.5
"""How long before the first table a switch is announced."""

_NOT_YET: Final = 0


@dataclass(frozen=True, slots=True)
class ShownGeneration:
    """What the tables show.

    Attributes:
        whole: The last generation whose switch was shown whole; 0 before the first switch.
        begun: The last one whose switch has begun to be shown.
    """

    whole: int
    begun: int

    @property
    def in_part(self) -> bool:
        """Whether some tables may show one generation and some another."""
        return self.begun > self.whole


def shown_generation() -> BoundQuery[ShownGeneration]:
    """What the tables show."""
    return BoundQuery(
        "SELECT maxIf(generation, toUnixTimestamp64Milli(shown_at) > {not_yet:Int64}), "  # noqa: S608
        f"max(generation) FROM {GENERATIONS.name}",
        {"not_yet": _NOT_YET},
        ShownGeneration,
    )


def announce(clickhouse: ClickHouse, generation: int) -> None:
    """Say that the switch to a generation begins to be shown; `ANNOUNCED_SECONDS` later it may.

    Raises:
        SinkError: no answer.
    """
    clickhouse.insert_rows(GENERATIONS, [(generation, _NOT_YET)])


def record_shown(clickhouse: ClickHouse, generation: int, milliseconds: int) -> None:
    """Say that every table shows a generation, since a time.

    Raises:
        SinkError: no answer.
    """
    clickhouse.insert_rows(GENERATIONS, [(generation, milliseconds)])
