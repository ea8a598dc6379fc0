"""Every word of the trackers and plans has its place in the one vocabulary."""

import pytest

from producers.formats.asset_status import plan_status, reported, tracker_status
from streams.core.vocabulary import STATUSES


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("operating", "operating"),
        ("Operating", "operating"),
        ("shelved - inferred 2 y", "shelved"),
        ("cancelled - inferred 4 y", "cancelled"),
        ("Cancelled", "cancelled"),
        ("proposed", "announced"),
        ("idle", "mothballed"),
        ("pre-permit", "pre-construction"),
        ("permitted", "pre-construction"),
        ("not found", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
        ("on fire", None),
    ],
)
def test_tracker_words(word: str | None, status: str | None) -> None:
    assert tracker_status(word) == status


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("under_consideration", "announced"),
        ("planned_not_yet_permitting", "pre-construction"),
        ("in_permitting", "pre-construction"),
        ("confirmed", "pre-construction"),
        ("under_construction", "construction"),
        ("completed", "operating"),
        ("abandoned", None),
    ],
)
def test_plan_words(word: str, status: str | None) -> None:
    assert plan_status(word) == status


def test_there_are_nine_statuses() -> None:
    assert len(set(STATUSES)) == 9


@pytest.mark.parametrize("text", ["", "-", "--", " not found ", "Unknown", "nan", None])
def test_words_for_nothing_are_not_reported(text: str | None) -> None:
    assert reported(text) is None


def test_other_texts_lose_their_outer_blanks_only() -> None:
    assert reported("  unknown type ") == "unknown type"
