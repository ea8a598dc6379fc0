"""A partition pauses on consecutive or too many rejections, wherever batches are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.rejection_limits import RecentVerdicts, RejectionLimits

LIMITS = RejectionLimits(share=0.5, of_records=10, consecutive=4)


def reason(verdicts: str, limits: RejectionLimits = LIMITS) -> str | None:
    """Why these verdicts exceed a limit; `x` is a rejection."""
    return RecentVerdicts(limits).exceeded_by(verdict == "x" for verdict in verdicts)


@pytest.mark.parametrize("verdicts", ["", "xxx", "...xxx...", "x.x.x.x.x.", "xx.xx.xx"])
def test_a_few_rejections_are_the_data(verdicts: str) -> None:
    assert reason(verdicts) is None


def test_consecutive_rejections_are_found_inside_a_batch() -> None:
    assert reason("..xxxx....") == "4 consecutive records were rejected"


def test_a_share_is_taken_of_full_windows_only() -> None:
    assert reason("xx.xx.xx.") is None
    assert reason("xx.xx.xx.x") == "7 of the last 10 records were rejected"


def test_old_rejections_leave_the_window() -> None:
    assert reason("xxx" + "." * 10 + "xx") is None


@given(st.text("x.", max_size=40), st.integers(0, 40))
def test_batches_are_no_matter(verdicts: str, cut: int) -> None:
    whole = [verdict == "x" for verdict in verdicts]
    recent = RecentVerdicts(LIMITS)
    first = recent.exceeded_by(whole[:cut])
    found = first or recent.after(whole[:cut]).exceeded_by(whole[cut:])
    assert found == recent.exceeded_by(whole)
