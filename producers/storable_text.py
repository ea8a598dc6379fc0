"""Texts of sources as PostgreSQL can store them. Pure."""


def storable(text: str) -> str:
    """A text with U+FFFD for each zero byte, which PostgreSQL has no place for.

    A file that was damaged has them. One in an id would end every run after it had published
    everything, and none would ever be recorded.
    """
    return text.replace("\0", "\ufffd")
