"""Times of records, as far as everything that stores them can hold them.

Pure. A record may carry any 64-bit number for a time, Python has the years 1 to 9999, and
ClickHouse's are fewer. What lies outside is taken for the nearest end; the number is kept beside
it wherever the record itself is kept.
"""

from datetime import UTC, datetime, timedelta

from streams.core.records import EPOCH

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2299, 12, 31, tzinfo=UTC)

_MILLISECOND = timedelta(milliseconds=1)
_EARLIEST_MS = (EARLIEST - EPOCH) // _MILLISECOND
_LATEST_MS = (LATEST - EPOCH) // _MILLISECOND


def clamped_ms(milliseconds: int) -> int:
    """Milliseconds since the epoch, brought between `EARLIEST` and `LATEST`."""
    return min(max(milliseconds, _EARLIEST_MS), _LATEST_MS)


def clamped_time(milliseconds: int) -> datetime:
    """The same as a time."""
    return EPOCH + _MILLISECOND * clamped_ms(milliseconds)


def is_storable(time: datetime) -> bool:
    """Whether a time lies between `EARLIEST` and `LATEST`."""
    return EARLIEST <= time <= LATEST
