"""A record may carry any number for a time."""

from datetime import timedelta

import pytest

from streams.core.record_times import EARLIEST, LATEST, clamped_ms, clamped_time, is_storable
from streams.core.records import EPOCH


@pytest.mark.parametrize("milliseconds", [-(2**63), -(10**15), -1, 0, 10**12, 10**15, 2**63 - 1])
def test_every_number_is_a_time_that_can_be_stored(milliseconds: int) -> None:
    time = clamped_time(milliseconds)
    assert is_storable(time)
    assert time == EPOCH + timedelta(milliseconds=clamped_ms(milliseconds))


def test_times_within_stay_to_the_millisecond() -> None:
    assert clamped_time(1_767_268_800_501).isoformat() == "2026-01-01T12:00:00.501000+00:00"
    assert (clamped_time(-(10**18)), clamped_time(10**18)) == (EARLIEST, LATEST)
