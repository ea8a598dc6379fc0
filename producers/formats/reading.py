"""Reading the texts of upstream items: numbers and marks for "not reported"."""

import json
from math import isfinite

NOT_REPORTED = frozenset({"", "-"})
"""Texts that mean "not reported"; so do null and a missing key. Never zero."""


class UnreadableNumberError(ValueError):
    """A text that is neither a finite number nor a mark for "not reported".

    Attributes:
        field: Name of the field, as the source has it.
        text: What was found.
    """

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field} is {text!r}")
        self.field = field
        self.text = text


def number(text: str | None, field: str) -> float | None:
    """Number in a text; None when not reported.

    Raises:
        UnreadableNumberError: anything else, NaN and infinity included.
    """
    if text is None or text in NOT_REPORTED:
        return None
    try:
        value = float(text)
    except ValueError:
        if text.strip() in NOT_REPORTED:
            return None
        raise UnreadableNumberError(field, text) from None
    # float() reads "nan", "inf" and "1_000"; no source means a number by these.
    if not isfinite(value) or "_" in text:
        raise UnreadableNumberError(field, text)
    return value


def json_text(value: object) -> str | None:
    """A JSON value as text: a text as it is, None for null, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
