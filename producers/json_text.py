"""JSON as sources send it. Pure."""

import json
import re

_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def json_value(body: bytes) -> object:
    """The value of a JSON text; what is no letter in it is U+FFFD.

    A source that cuts texts by UTF-16 units leaves half of a letter that takes two, which neither
    UTF-8 nor Avro has. One text like that is no reason to refuse a whole answer.

    Raises:
        ValueError: no JSON, or cut short.
    """
    value: object = json.loads(body.decode(json.detect_encoding(body), "replace"))
    return _with_whole_letters(value) if _HALF_A_PAIR.search(body) else value


def _with_whole_letters(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_with_whole_letters(one) for one in value]
        case dict():
            return {
                _with_whole_letters(key): _with_whole_letters(one) for key, one in value.items()
            }
        case _:
            return value
