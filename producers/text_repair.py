"""Repair of texts that were decoded wrongly before they reached us.

Two kinds occur in the sources: UTF-8 read as Windows-1252 or Latin-1 (`SociÃ©tÃ©`), and single
Windows-1252 bytes read as Latin-1 control characters (U+0096 for a dash). Both are undone by an
exact round trip; ftfy's guesses are not needed.
"""


def _c1_controls() -> dict[int, str | None]:
    """U+0080..U+009F to the Windows-1252 character of that byte, or to nothing."""
    table: dict[int, str | None] = {}
    for code in range(0x80, 0xA0):
        try:
            table[code] = bytes([code]).decode("cp1252")
        except UnicodeDecodeError:
            table[code] = None
    return table


_C1_CONTROLS = _c1_controls()


def repaired(text: str) -> str:
    """The text as it was meant; ASCII and correct texts come back as they are."""
    if text.isascii():
        return text
    return _round_trip(text).translate(_C1_CONTROLS)


def _round_trip(text: str) -> str:
    for codec in ("latin-1", "cp1252"):
        try:
            return text.encode(codec).decode("utf-8")
        except UnicodeError:
            continue
    return text
