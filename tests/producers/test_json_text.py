"""What is no letter in an answer is U+FFFD, and nothing else of it changes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.json_text import json_value

_TEXT = st.text() | st.text(st.characters(categories=["Cs"]), max_size=3)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"name": "M\\u00fcnchen \\ud83d\\ude00"}', {"name": "München \U0001f600"}),
        (b'{"name": "cut \\ud83d"}', {"name": "cut \ufffd"}),
        (b'["\\uDE00 begins within", {"\\ud83d": 1}]', ["\ufffd begins within", {"\ufffd": 1}]),
        (b'["Espa\xf1a"]', ["Espa\ufffda"]),
        ('\ufeff["BOM"]'.encode(), ["BOM"]),
        (b'["a backslash and ud83d: \\\\ud83d"]', ["a backslash and ud83d: \\ud83d"]),
    ],
    ids=["whole", "half", "other_half_and_key", "latin_1", "byte_order_mark", "escaped_backslash"],
)
def test_an_answer_is_read(body: bytes, value: object) -> None:
    assert json_value(body) == value


@pytest.mark.parametrize("body", [b"", b'{"cut": "sho', b"<html>", b"\xff\xfe"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        json_value(body)


@given(_VALUES)
def test_every_text_can_be_published(value: object) -> None:
    read = json_value(json.dumps(value).encode())
    json.dumps(read, ensure_ascii=False).encode()  # raises where half a letter is left
    if "\\ud" not in json.dumps(value):
        assert read == value
