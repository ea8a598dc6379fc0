"""Reading the texts of upstream items: numbers and marks for "not reported"."""

import json

NOT_REPORTED = frozenset({"", "-"})
"""Texts that mean "not reported"; so do null and a missing key. Never zero."""

_LEAST, _MOST = 1e-100, 1e100
"""No quantity is beyond: sums and ratios of what is between them are finite and above zero."""


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
        UnreadableNumberError: anything else: NaN, infinity, and sizes that no quantity has.
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
    if "_" in text or not (value == 0 or _LEAST < abs(value) < _MOST):
        raise UnreadableNumberError(field, text)
    return value


def json_text(value: object) -> str | None:
    """A JSON value as text: a text as it is, None for null, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
