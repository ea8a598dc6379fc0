"""Tags of the grid extract and of the project lists.

Lines and nodes carry a PostgreSQL hstore text (`"TSO"=>"REN", "oid"=>"1"`). Project lists carry
three forms, none of which a parser accepts: hstore, JSON without its end, and `{name:…,url:…]`.
"""

import re

_HSTORE = re.compile(r'"([^"]*)"=>"([^"]*)"')
_JSON_TEXT = re.compile(r'"([^"]*)"\s*:\s*(?:"([^"]*)"|(\d+))')
_BRACES = re.compile(r"(?<![a-z])(name|url):([^,{}\]]+)")

# What the map's export writes where a tag is empty.
_NOTHING = frozenset({"", "-", "0", "None"})


def grid_tags(text: str | None) -> dict[str, str]:
    """Tags with a value, of any of the four forms; the first of two with one name counts."""
    if not text:
        return {}
    if "=>" in text:
        pairs = _HSTORE.findall(text)
    elif text.lstrip().startswith('{"'):
        pairs = [(key, words or digits) for key, words, digits in _JSON_TEXT.findall(text)]
    else:
        pairs = _BRACES.findall(text)
    tags: dict[str, str] = {}
    for key, value in pairs:
        stripped = value.strip()
        if stripped not in _NOTHING:
            tags.setdefault(key, stripped)
    return tags
