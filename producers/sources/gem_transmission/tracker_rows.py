"""Rows of tracker lists: which belong to a stream, their ids, and their places."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from producers.errors import UnexpectedAnswerError
from producers.formats import power_columns
from producers.formats.row_ids import RowIds, stand_in_id
from producers.formats.shared_ids import FirstAtPlace, Sighting, told_apart
from producers.formats.tracker_columns import Columns
from producers.formats.tracker_position import place_of
from producers.sources.gem_transmission import lng_terminals
from producers.sources.gem_transmission.lng_terminals import is_lng, lng_unit, terminal_entity
from producers.sources.gem_transmission.power_units import is_power, plant_entity, power_unit
from producers.sources.gem_transmission.raw_items import Rows, raw_item
from producers.sources.gem_transmission.release import Part, Release
from streams.core.errors import Rejected
from streams.core.records import Mapped

_OTHER_TRACKER = "other_tracker"
_SHOWN = 200
"""Characters of the trackers of a list that is another one."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """What tells a stream of tracker lists.

    Attributes:
        id_columns: Columns with the id of a row.
        name_columns: Columns that name the tracker of a row.
        read_columns: Columns that anything is read from.
        belongs: Whether rows of a tracker are of the stream.
        entity_of: The entity that a row of a dataset is about; None: it does not say.
        read: What becomes of a row: record id, columns, dataset, place.
    """

    id_columns: tuple[str, ...]
    name_columns: tuple[str, ...]
    read_columns: frozenset[str]
    belongs: Callable[[str | None], bool]
    entity_of: Callable[[Columns, str | None], str | None]
    read: Callable[[str, Mapping[str, str], str | None, str | None], Mapped | Rejected]

    def has(self, row: Columns, part: Part) -> bool:
        """Whether a row of a list is of the stream."""
        return self.belongs(row.text(*self.name_columns) or part.dataset)


def _lng_unit(
    record_id: str, columns: Mapping[str, str], _dataset: str | None, place: str | None
) -> Mapped | Rejected:
    return lng_unit(record_id, columns, place)


TRACKERS: Mapping[str, Tracker] = {
    "lng_terminals": Tracker(
        lng_terminals.UNIT_ID,
        lng_terminals.TRACKER,
        lng_terminals.READ | power_columns.READ,
        is_lng,
        terminal_entity,
        _lng_unit,
    ),
    "power_units": Tracker(
        power_columns.UNIT_ID,
        power_columns.TRACKER,
        power_columns.READ,
        is_power,
        plant_entity,
        power_unit,
    ),
}
"""By stream."""


def tracker_rows(tracker: Tracker, release: Release, left_out: Counter[str]) -> Rows:
    """Rows of one tracker stream, each id once, each with its place where its entity has several.

    Rows of one entity at one place name the first of them that can be read.
    """
    places = _places(tracker, release.parts)
    firsts = FirstAtPlace()
    for record_id, part, row in _numbered_rows(tracker, release.parts, left_out):
        form = "gem_api" if "asset_id" in row.texts else "gem_tracker"
        item = raw_item(form, part.dataset, row.texts)
        place = item["place"] = places.get(record_id)
        item["place_of"] = firsts.before(
            tracker.entity_of(row, part.dataset),
            place,
            place_of(row),
            record_id,
            partial(_is_readable, tracker, record_id, row.texts, part.dataset, place),
        )
        yield record_id, item, part.location


def refuse_other_tracker(stream: str, part: Part) -> None:
    """Raise when every row of a list is left out because of the tracker that it names.

    Raises:
        UnexpectedAnswerError: it is another list, or the tracker has another name.
    """
    tracker = TRACKERS[stream]
    words = set()
    for columns in part.read():
        row = Columns(columns)
        if tracker.has(row, part):
            return
        words.add(str(row.text(*tracker.name_columns)))
    if words:
        raise UnexpectedAnswerError(
            f"{part.location} has {part.rows:,} rows, all of them of other trackers than "
            f"{stream} is made of, by the columns {', '.join(tracker.name_columns)}: "
            f"{', '.join(sorted(words))[:_SHOWN]}. Nothing of it is published. Set "
            "the location to a list of this stream."
        )


@lru_cache(maxsize=2)
def _places(tracker: Tracker, parts: tuple[Part, ...]) -> Mapping[str, str]:
    """See `told_apart`; asked when a release is checked and again when it is published."""
    return told_apart(
        Sighting(entity, record_id, place_of(row))
        for record_id, part, row in _numbered_rows(tracker, parts, Counter())
        if (entity := tracker.entity_of(row, part.dataset)) is not None
    )


def _is_readable(
    tracker: Tracker,
    record_id: str,
    columns: Mapping[str, str],
    dataset: str | None,
    place: str | None,
) -> bool:
    return isinstance(tracker.read(record_id, columns, dataset, place), Mapped)


def _numbered_rows(
    tracker: Tracker, parts: tuple[Part, ...], left_out: Counter[str]
) -> Iterator[tuple[str, Part, Columns]]:
    ids = RowIds()
    for part in parts:
        ids.begin_list()
        for columns in part.read():
            row = Columns(columns)
            if not tracker.has(row, part):
                left_out[_OTHER_TRACKER] += 1
                continue
            record_id = ids.of(
                row.text(*tracker.id_columns) or stand_in_id(columns.values()), columns, left_out
            )
            if record_id is not None:
                yield record_id, part, row
