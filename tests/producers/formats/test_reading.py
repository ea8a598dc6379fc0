"""Reading numbers, and repairing texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.formats.reading import UnreadableNumberError, json_text, number
from producers.formats.text_repair import repaired


@pytest.mark.parametrize("text", [None, "", "-", " ", " - "])
def test_marks_for_not_reported_are_none_never_zero(text: str | None) -> None:
    assert number(text, "field") is None


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0.0), ("-989.619", -989.619), ("7917", 7917.0), (" 3.5 ", 3.5)]
)
def test_numbers_are_read(text: str, value: float) -> None:
    assert number(text, "field") == value


@pytest.mark.parametrize(
    "text",
    [
        "--",
        "n/a",
        "1,5",
        "1_000",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1e308",
        "-1e101",
        "1e-320",
        "0x1",
    ],
)
def test_anything_else_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(UnreadableNumberError) as caught:
        number(text, "sendOut")
    assert (caught.value.field, caught.value.text) == ("sendOut", text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), ("-", "-"), (7917, "7917"), (1.5, "1.5"), ([], "[]"), ({"a": "é"}, '{"a":"é"}')],
)
def test_json_values_become_texts(value: object, text: str | None) -> None:
    assert json_text(value) == text


@pytest.mark.parametrize(
    ("damaged", "meant"),
    [
        ("SociÃ©tÃ©", "Société"),
        ("lâ€™ElectricitÃ©", "l’Electricité"),
        ("H.C. Ã˜rsted", "H.C. Ørsted"),
        ("Na Táº©u", "Na Tẩu"),
        ("Porto Walter \x96 BBF Acre", "Porto Walter – BBF Acre"),
        ("no \x81 such byte", "no  such byte"),
        ("Allgäuer Ãœberlandwerk", "Allgäuer Überlandwerk"),
        ("Power Plant Â Co Ltd", "Power Plant \xa0Co Ltd"),
    ],
)
def test_double_encoded_texts_and_control_characters_are_repaired(damaged: str, meant: str) -> None:
    assert repaired(damaged) == meant


@pytest.mark.parametrize(
    "text",
    ["", "Kajaki", "«CAFÉ»", "Châteaulin", "SÃO BERNARDO", "Târgu Cărbuneşti", "Łódź", "東京"],
)
def test_correct_texts_stay_as_they_are(text: str) -> None:
    assert repaired(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_control_character_of_latin_1_survives(text: str) -> None:
    assert not any("\x80" <= char <= "\x9f" for char in repaired(text))
