"""Repair of texts that were decoded wrongly before they reached us, by ftfy.

Two kinds occur in the sources: UTF-8 read as Windows-1252 or Latin-1 (`SociÃ©tÃ©`), sometimes only
in a part of the text (`Allgäuer Ãœberlandwerk`), and single Windows-1252 bytes read as Latin-1
control characters (U+0096 for a dash).
"""

from ftfy import TextFixerConfig, fix_encoding

_WITHOUT_EXPLANATION = TextFixerConfig(explain=False)

# What ftfy leaves of the control characters of Latin-1: five have no Windows-1252 character.
_C1_CONTROLS = dict.fromkeys(range(0x80, 0xA0))


def repaired(text: str) -> str:
    """The text as it was meant; ASCII and correct texts come back as they are."""
    if text.isascii():
        return text  # most are; ftfy takes 14 µs to see that
    return fix_encoding(text, _WITHOUT_EXPLANATION).translate(_C1_CONTROLS)
