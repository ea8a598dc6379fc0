"""Repair of texts that were decoded wrongly before they reached us.

Two kinds occur in the sources: UTF-8 read as Windows-1252 or Latin-1 (`SociÃ©tÃ©`), sometimes only
in a part of the text (`Allgäuer Ãœberlandwerk`), and single Windows-1252 bytes read as Latin-1
control characters (U+0096 for a dash). Each is undone where it stands; ftfy's guesses are not
needed.
"""

import re


def _windows_1252() -> dict[int, str]:
    """Bytes 0x80 to 0x9F to their character; five of them have none."""
    table = {}
    for code in range(0x80, 0xA0):
        try:
            table[code] = bytes([code]).decode("cp1252")
        except UnicodeDecodeError:
            continue
    return table


_WINDOWS_1252 = _windows_1252()
_C1_CONTROLS = {code: _WINDOWS_1252.get(code) for code in range(0x80, 0xA0)}
_BYTES = {ord(character): code for code, character in _WINDOWS_1252.items()}

# What continuation bytes look like in either reading.
_CONTINUATION = "[\x80-\xbf" + "".join(map(re.escape, _WINDOWS_1252.values())) + "]"
_SEQUENCE = re.compile(f"[\xc2-\xdf]{_CONTINUATION}|[\xe0-\xef]{_CONTINUATION}{{2}}")

# Latin letters, Vietnamese ones included, and punctuation. Anything else is rather two characters
# side by side, such as a capital before a closing quotation mark.
_LIKELY = re.compile("[\xa0-\u017f\u1e00-\u1eff\u2010-\u203a]")


def repaired(text: str) -> str:
    """The text as it was meant; ASCII and correct texts come back as they are."""
    if text.isascii():
        return text
    return _SEQUENCE.sub(_decoded, text).translate(_C1_CONTROLS)


def _decoded(match: re.Match[str]) -> str:
    codes = (_BYTES.get(ord(character), ord(character)) for character in match[0])
    try:
        character = bytes(codes).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]
    return character if _LIKELY.fullmatch(character) else match[0]
