"""Versions grow with every change of a record, across moves and rebuilds."""

from hypothesis import given
from hypothesis import strategies as st

from streams.core.versions import MAX_GENERATION, first_version, next_version


def test_change_move_and_rebuild_each_raise_the_version() -> None:
    first = next_version(None, 1, 0)
    changed = next_version(first, 1, 0)
    moved = next_version(changed, 1, 1)
    rebuilt = next_version(moved, 2, 0)
    assert first < changed < moved < rebuilt


@given(st.lists(st.tuples(st.integers(1, MAX_GENERATION), st.integers(0, 2**24 - 1)), min_size=1))
def test_versions_of_growing_generations_and_moves_strictly_grow_and_fit_a_long(
    steps: list[tuple[int, int]],
) -> None:
    stored: int | None = None
    for generation, move_count in sorted(steps):
        version = next_version(stored, generation, move_count)
        assert stored is None or version > stored
        assert version < 2**63
        stored = version


def test_first_version_of_a_move_is_above_every_change_before_it() -> None:
    stored = first_version(1, 4)
    for _ in range(1000):
        stored = next_version(stored, 1, 4)
    assert stored < first_version(1, 5)
