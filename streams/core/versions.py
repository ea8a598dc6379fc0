"""Version of a canonical record: one number that grows with every change of that record.

Generation (7 bits), move count (24 bits) and change counter (32 bits), high to low. A rebuild
raises the generation, a change of region the move count, any other change the counter; so versions
of one record grow across rebuilds and partitions, and never depend on batches.
"""

_CHANGE_BITS = 32
_MOVE_BITS = 24
MAX_GENERATION = 127


def first_version(generation: int, move_count: int) -> int:
    """Version of the first record published after a rebuild or a move."""
    return ((generation << _MOVE_BITS) | move_count) << _CHANGE_BITS


def next_version(previous: int | None, generation: int, move_count: int) -> int:
    """Version that follows `previous` (None: nothing published yet)."""
    first = first_version(generation, move_count)
    return first if previous is None or previous < first else previous + 1


def generation_of(version: int) -> int:
    """Generation that published a version."""
    return version >> (_MOVE_BITS + _CHANGE_BITS)
